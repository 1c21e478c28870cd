"""Impairments through netem, where they do not blur what the captures say.

A gateway's own interface is never touched: its tap shows when a packet was really sent and really arrived. What a
node on the far side of a router or NAT box sends is delayed there: outgoing packets at the interface itself, incoming
ones by way of an intermediate device (ifb) behind the tap.
"""

from collections.abc import Iterator

from lab.emulation import netem, pedit, wires
from lab.emulation.model import Impairment
from lab.emulation.netlink import Batch
from lab.emulation.topology import Attachment, Topology
from lab.errors import ConfigError

_IFB_OFFSET = 1000  # the ifb of interface N is number N + 1000


def batches(topology: Topology, seed: int) -> dict[str, Batch]:
    """Every impairment of the file as one batch for each node that carries some; netem draws from `seed`."""
    found: dict[str, Batch] = {}
    for link, spec in topology.links.items():
        for sender, impairment in spec.impair.items():
            for node, attachment, incoming in _place(topology, link, sender):
                batch = found.setdefault(node, Batch())
                if impairment.queued:
                    drawn = netem.seed_of(seed, link, sender)
                    _add(batch, wires.index(topology, attachment), impairment, incoming, drawn)
    return found


def change(
    topology: Topology, link: str, sender: str, impairment: Impairment, before: Impairment, seed: int
) -> dict[str, Batch]:
    """What turns the direction from its impairment `before` into another; what is drawn begins anew."""
    found: dict[str, Batch] = {}
    for node, attachment, incoming in _place(topology, link, sender):
        index = wires.index(topology, attachment)
        batch = found.setdefault(node, Batch())
        if before.queued:
            _remove(batch, index, incoming)
        if impairment.queued:
            _add(batch, index, impairment, incoming, netem.seed_of(seed, link, sender))
    if impairment.mtu != before.mtu:
        own = topology.attachment(sender, link)
        mtu = impairment.mtu or wires.DEFAULT_MTU
        found.setdefault(sender, Batch()).link("set", index=wires.index(topology, own), mtu=mtu)
    return found


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


def _add(batch: Batch, index: int, impairment: Impairment, incoming: bool, seed: int) -> None:
    if incoming:
        ifb = index + _IFB_OFFSET
        batch.link("add", kind="ifb", ifname=f"ifb{ifb}", index=ifb, state="up")
        batch.tc("add", "ingress", index, handle=0xFFFF0000)
        if impairment.corrupt:
            batch.unsharing(index, pedit.redirect(index, ifb))
        else:
            _redirect(batch, index, ifb)
        index = ifb
    batch.netem(index, netem.options(impairment, seed))


def _redirect(batch: Batch, index: int, ifb: int) -> None:
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


def _remove(batch: Batch, index: int, incoming: bool) -> None:
    if incoming:
        batch.tc("del", "ingress", index, handle=0xFFFF0000)
        batch.link("del", index=index + _IFB_OFFSET)
    else:
        batch.tc("del", "netem", index, handle=0x10000)
