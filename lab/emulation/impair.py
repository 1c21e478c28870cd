"""Impairments through netem, where they do not blur what the captures say.

A gateway's own interface is never touched: its tap shows when a packet was really sent and really arrived. What a
node on the far side of a router or NAT box sends is delayed there: outgoing packets at the interface itself, incoming
ones by way of an intermediate device (ifb) behind the tap.
"""

from collections.abc import Iterator

from lab.emulation import wires
from lab.emulation.model import Impairment
from lab.emulation.netlink import Batch
from lab.emulation.topology import Attachment, Topology
from lab.emulation.units import bits_per_second, nanoseconds, parts_per_million
from lab.errors import ConfigError

_IFB_OFFSET = 1000  # the ifb of interface N is number N + 1000
_QUEUE = 100_000  # packets; netem's own 1000 would drop a full-rate flow over a long link
_ROOT, _INGRESS = 0xFFFFFFFF, 0xFFFFFFF1


def batches(topology: Topology) -> dict[str, Batch]:
    """Every impairment of the file as one batch for each node that carries some."""
    found: dict[str, Batch] = {}
    for link, spec in topology.links.items():
        for sender, impairment in spec.impair.items():
            for node, attachment, incoming in _place(topology, link, sender):
                batch = found.setdefault(node, Batch())
                if _queued(impairment):
                    _add(batch, wires.index(topology, attachment), impairment, incoming)
    return found


def change(topology: Topology, link: str, sender: str, impairment: Impairment, before: Impairment) -> dict[str, Batch]:
    """What turns the direction from its impairment `before` into another."""
    found: dict[str, Batch] = {}
    for node, attachment, incoming in _place(topology, link, sender):
        index = wires.index(topology, attachment)
        batch = found.setdefault(node, Batch())
        if _queued(before):
            _remove(batch, index, incoming)
        if _queued(impairment):
            _add(batch, index, impairment, incoming)
    if impairment.mtu != before.mtu:
        own = topology.attachment(sender, link)
        mtu = impairment.mtu or wires.DEFAULT_MTU
        found.setdefault(sender, Batch()).link("set", index=wires.index(topology, own), mtu=mtu)
    return found


def _queued(impairment: Impairment) -> bool:
    return bool(impairment.delay or impairment.jitter or impairment.loss or impairment.rate)


def _place(topology: Topology, link: str, sender: str) -> Iterator[tuple[str, Attachment, bool]]:
    """Where the packets of `sender` are impaired: (node, link end there, whether they come in there)."""
    if link not in topology.links:
        raise ConfigError(f"there is no link `{link}`; links are {', '.join(topology.links)}", file=topology.file)
    own = topology.attachment(sender, link)
    if topology.nodes[sender].kind != "gateway":
        yield sender, own, False
    elif topology.nodes[own.peer].kind != "gateway":
        yield own.peer, topology.attachment(own.peer, link), True
    else:
        raise ConfigError(f"link `{link}` has no router or NAT box that could impair it", file=topology.file)


def _add(batch: Batch, index: int, impairment: Impairment, incoming: bool) -> None:
    if incoming:
        ifb = index + _IFB_OFFSET
        batch.link("add", kind="ifb", ifname=f"ifb{ifb}", index=ifb, state="up")
        batch.tc("add", "ingress", index, handle=0xFFFF0000)
        batch.tc_filter(
            "add",
            "u32",
            index,
            parent=0xFFFF0000,
            prio=10,
            protocol=3,  # ETH_P_ALL
            target=0x10000,
            keys=["0x0/0x0+0"],
            action={"kind": "mirred", "direction": "egress", "action": "redirect", "ifindex": ifb},
        )
        index = ifb
    batch.netem(index, _netem(impairment))


def _remove(batch: Batch, index: int, incoming: bool) -> None:
    if incoming:
        batch.tc("del", "ingress", index, handle=0xFFFF0000)
        batch.link("del", index=index + _IFB_OFFSET)
    else:
        batch.tc("del", "netem", index, handle=0x10000)


def _netem(impairment: Impairment) -> dict[str, float]:
    """The parameters as pyroute2 wants them: microseconds, per cent, bytes per second."""
    parameters: dict[str, float] = {"limit": _QUEUE}
    if impairment.delay:
        parameters["delay"] = nanoseconds(impairment.delay) / 1000
    if impairment.jitter:
        parameters["jitter"] = nanoseconds(impairment.jitter) / 1000
    if impairment.loss:
        parameters["loss"] = parts_per_million(impairment.loss) / 10_000
    if impairment.rate:
        parameters["rate"] = bits_per_second(impairment.rate) // 8
    return parameters
