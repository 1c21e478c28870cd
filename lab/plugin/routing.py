"""OSPF between the two gateways over GRE, which the tunnel protects: set up, waited for, and read from the capture.

    up(lab, "direct", Tunnel(...))   the network, both peers, and gre1 at both ends
    routers(lab, FAST)               zebra and ospfd on both gateways, on gre1 and towards their own networks
    converge(lab, 10)                FULL on both sides, and each has the other's network by OSPF
    heard(lab.packets())             every OSPF packet of the capture, opened

Rules: what FRR says decides when to go on; what the packets say is the verdict.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from lab.emulation import topology as topologies
from lab.emulation.gre import Gre
from lab.emulation.topology import Topology
from lab.errors import ProtocolError, UnfitError
from lab.evidence.layers import Packet
from lab.matrix import OURS
from lab.peers.frr import Frr
from lab.peers.frr_conf import FAST, Link, Router, Timers
from lab.plugin import echoes
from lab.plugin.tunnel import Tunnel
from lab.wire.ospf import OspfPacket, OspfType
from lab.wire.packets import IPv4
from lab.wire.pcapng import Direction

if TYPE_CHECKING:
    from lab.plugin.laboratory import Lab

DEVICE, LAN = "gre1", "lan"
ADDRESSES = {"left": "172.31.0.1/30", "right": "172.31.0.2/30"}
ROUTER_IDS = {"left": "1.1.1.1", "right": "2.2.2.2"}
# Traffic selectors of GRE between the gateways' own addresses, for a child in either mode.
GRE_ONLY = {"local_ts": "dynamic[gre]", "remote_ts": "dynamic[gre]"}
CONVERGE_S = 15.0


@dataclass(frozen=True, slots=True)
class Said:
    """An OSPF packet at a capture point, with the headers it had there."""

    packet: Packet
    ospf: OspfPacket

    @property
    def t(self) -> float:
        """Seconds since 1970."""
        return self.packet.t

    @property
    def router_id(self) -> str:
        """Who said it."""
        return str(self.ospf.router_id)


def up(
    lab: "Lab",
    topology: str,
    tunnel: Tunnel,
    *,
    left: Tunnel | None = None,
    seen_at: Mapping[str, str] | None = None,
    version: int = 4,
    kernel: bool = False,
    **options: object,
) -> None:
    """`lab.up` with GRE between the gateways: our data plane's own where there is one, elsewhere the kernel's.

    `seen_at` says where the other side sees a gateway, if not at its own address. GRE and IKE travel over IP of this
    `version`. With `kernel` all GRE is the kernel's, that of our data plane's side too. `options` are those of `Gre`.
    """
    links = gre_ends(topologies.load(topology), seen_at or {}, version, **options)
    sides = {"left": left or tunnel, "right": tunnel}
    if version == 6:
        sides = {name: _between(links[name], side) for name, side in sides.items()}
    ours = {gateway.name for gateway in lab.gateways if gateway.peer.name == OURS and not kernel}
    for name in ours:
        sides[name] = replace(sides[name], gre={DEVICE: settings(links[name])})
    lab.up(topology, left=sides["left"], right=sides["right"])
    lab.step("gre", "; ".join(f"{DEVICE} {links[n].address} of {'ours' if n in ours else 'the kernel'}" for n in links))
    for name in links.keys() - ours:
        try:
            lab.network.gre(name, links[name])
        except UnfitError as error:
            lab.unsupported(str(error))


def _between(link: Gre, side: Tunnel) -> Tunnel:
    """The tunnel with IKE between the ends of GRE, where the topology has other addresses too."""
    return replace(side, connection={"local_addrs": link.local, "remote_addrs": link.remote, **side.connection})


def gre_ends(topology: Topology, seen_at: Mapping[str, str], version: int = 4, **options: object) -> dict[str, Gre]:
    """Both ends of the GRE link, over IP of this version."""
    own = {name: topology.attachment(name).address(version) or "" for name in ADDRESSES}
    seen = {**own, "right": topology.public_address("right", version), **seen_at}
    return {
        name: Gre(own[name], seen[other], ADDRESSES[name], DEVICE, **options)  # type: ignore[arg-type]
        for name, other in (("left", "right"), ("right", "left"))
    }


def settings(link: Gre) -> dict[str, str]:
    """The same end as a section `ikelab.gre.NAME` of our configuration."""
    values = {"local": link.local, "remote": link.remote, "addresses": link.address, "mtu": str(link.mtu)}
    values |= {} if link.key is None else {"key": str(link.key)}
    flags = {"checksum": link.checksum, "sequence_numbers": link.sequence}
    return values | {name: "yes" for name, wanted in flags.items() if wanted}


def routers(lab: "Lab", timers: Timers = FAST, *, link: str = DEVICE, names: Iterable[str] = ("left", "right")) -> None:
    """FRR on these gateways: a neighbour is looked for on `link`, and the own network is told of."""
    start(lab, {name: Router(ROUTER_IDS[name], (Link(link), Link(LAN, passive=True)), timers) for name in names})


def start(lab: "Lab", wanted: Mapping[str, Router]) -> None:
    """Start these routers in the nodes of these names."""
    hello, dead = next((r.timers.hello, r.timers.dead) for r in wanted.values())
    lab.step("routers", f"zebra and ospfd on {', '.join(wanted)}; hello {hello} s, dead {dead} s")
    for name, router in wanted.items():
        lab.routers[name] = Frr(lab.network.node(name), lab.scratch / f"frr-{name}", router)
        lab.routers[name].start()
    for name in wanted:
        lab.routers[name].ready()


def converge(lab: "Lab", timeout: float = CONVERGE_S) -> None:
    """Wait until both sides are FULL and have the network behind the other one."""
    lab.step("converged", "the adjacency is FULL on both sides, and each has the route to the other's network")
    ends = lab.ends()
    for name, network in (("left", ends.right_net), ("right", ends.left_net)):
        router = lab.routers[name]
        lab.until(router.full, f"ospfd on {name} is FULL with its neighbour", timeout)
        try:
            lab.until(partial(routes_to, router, network), f"{name} has a route to {network} by OSPF", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; it has {router.routes()}") from None


def routes_to(router: Frr, network: str) -> list[str]:
    """The interfaces that the kernel was given for a network by OSPF."""
    return [route.interface for route in router.routes() if route.prefix == network and route.installed]


# -- what the capture says


def heard(packets: Sequence[Packet]) -> list[Said]:
    """Every OSPF packet at every capture point, in the order seen."""
    found = []
    for packet in packets:
        data = packet.last("OSPF")
        try:
            if data is not None:
                found.append(Said(packet, OspfPacket.decode(data)))
        except ProtocolError:
            continue
    return found


def sent(said: Sequence[Said], name: str, kind: OspfType | None = None) -> list[Said]:
    """What a gateway's router sent, where it left the gateway towards the other one; of one type or of all."""
    return [
        one
        for one in said
        if one.router_id == ROUTER_IDS[name]
        and one.packet.point == f"{name}:wan"
        and one.packet.direction == Direction.OUTBOUND
        and kind in (None, one.ospf.kind)
    ]


def arrived(said: Sequence[Said], name: str, kind: OspfType | None = None) -> list[Said]:
    """What a gateway's router sent, where it came in at the other gateway."""
    other = "right" if name == "left" else "left"
    return [
        one
        for one in said
        if one.router_id == ROUTER_IDS[name] and one.packet.node == other and kind in (None, one.ospf.kind)
    ]


def layered(packets: Iterable[Packet], wanted: str) -> None:
    """All of these packets have just these headers, such as `IPv4 | ESP | GRE | IPv4 | OSPF`."""
    found = {packet.names for packet in packets}
    assert found, f"there is no packet that could be {wanted}"
    assert found == {wanted}, f"the headers are {' and '.join(sorted(found))}, not {wanted}"


def ping(lab: "Lab", count: int) -> None:
    """The left host pings the right one over the route that OSPF found; every echo must come back."""
    source, target = lab.inner("left"), lab.inner("right")
    lab.step("ping", f"{echoes.requests(count)} from {source} to {target}")
    done = lab.network.node("left-host").run(["ping", "-n", "-c", str(count), "-i", "0.2", "-W", "2", target])
    words = done.stdout.strip().splitlines()
    assert done.returncode == 0, f"the ping over GRE failed: {words[-1] if words else done.stderr}"


def carried(lab: "Lab", packets: Sequence[Packet], wanted: str, count: int) -> None:
    """The echoes of the hosts left the gateways in these headers, all of them, and in no others."""
    for name, ends in (("left", ("left", "right")), ("right", ("right", "left"))):
        source, target = (lab.inner(end) for end in ends)
        echoes = [
            packet
            for packet in packets
            if packet.point == f"{name}:wan" and packet.direction == Direction.OUTBOUND and packet.last("ICMP")
            and inner_ends(packet) == (source, target)
        ]  # fmt: skip
        layered(echoes, f"{wanted} | ICMP")
        assert len(echoes) >= count, f"{len(echoes)} echoes of {source} left {name}, not {count}"


def inner_ends(packet: Packet) -> tuple[str, str]:
    """The addresses of the innermost IPv4 header."""
    ip = IPv4.decode(packet.last("IPv4") or b"")
    return str(ip.src), str(ip.dst)
