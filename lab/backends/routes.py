"""Routes that lead packets for the tunnels into the TUN device.

Rules of this file:
- A route per network of the peer's selectors, in the main table, before any other of the same length. It names as
  source an address of ours that the selectors take, so that this host itself can use the tunnel.
- No loop: where such a route covers the peer itself (0.0.0.0/0 does), datagrams to the peer name the interface they
  leave by, found among the other routes. So nothing but routes through the device is ever put into the system, and
  those vanish with the device, after kill -9 too; rules and marks would stay.
- As with every route, one that is longer wins: with 0.0.0.0/0 the networks of our own links stay outside the tunnel.
- Children share routes (a rekeyed child has the same networks): they are counted. The source is that of the newest.
- Virtual addresses are on the device too. The system drops a route with the address that it names, so such a route
  gets another source first; and with the last IPv4 address it drops all IPv4 routes, so those of traps are made anew.
"""

import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network, summarize_address_range

from pyroute2 import IPRoute, NetlinkError
from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST
from pyroute2.netlink.rtnl import RTM_NEWROUTE

from lab.backends.addresses import FAMILIES, Addresses
from lab.backends.datagrams import NOWHERE
from lab.ike.child import ChildSa
from lab.ike.virtual import Address
from lab.trace import Trace
from lab.wire.payloads_v2 import TrafficSelector

Network = IPv4Network | IPv6Network
MAIN = 254
# `ip route prepend`: before a route of the same length and metric, which "add" would refuse (IPv4).
PREPEND = (RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE)
_KIND = {"type": 1, "proto": 4, "scope": 253}  # unicast, static, on-link
# IPv6 routes get 1024 where none is named; a smaller metric comes first.
METRIC_V6 = 1
ORDINARY_MTU = 1500
QUEUE = 2000  # packets that wait for a busy daemon; the system's own 500 are some milliseconds of small ones


def networks(selectors: Iterable[TrafficSelector]) -> Iterator[Network]:
    """The addresses of selectors as networks; several where a range is no network."""
    for selector in selectors:
        if selector.start.version == selector.end.version and int(selector.start) <= int(selector.end):
            yield from summarize_address_range(selector.start, selector.end)


class Routes:
    """Routes through one interface, for as long as a child wants them."""

    def __init__(self, interface: str, trace: Trace) -> None:
        self._trace, self._netlink = trace, IPRoute()
        self._index: int = self._netlink.link_lookup(ifname=interface)[0]
        self._addresses = Addresses(self._netlink, self._index, trace)
        self._wanted: Counter[Network] = Counter()
        # The sources of each route, the one that it names last.
        self._sources: dict[Network, list[str]] = {}
        self._interfaces: dict[str, int] = {}
        self._limits: dict[Network, int] = {}

    def up(self, mtu: int, most_segments: int) -> None:
        """Set the interface up, or give it another MTU; super-packets have at most so many segments."""
        more = {"gso_max_segs": most_segments, "txqlen": QUEUE}
        self._netlink.link("set", index=self._index, mtu=mtu, state="up", **more)

    def add(self, local: Iterable[TrafficSelector], remote: Iterable[TrafficSelector]) -> None:
        """Lead the remote networks into the device."""
        selectors = list(local)
        for network in networks(remote):
            self._wanted[network] += 1
            source, known = self._source(selectors, network), self._sources.setdefault(network, [])
            if self._wanted[network] == 1:
                self._route(PREPEND, network, source)
            elif source and known[-1:] != [source]:
                self._route("replace", network, source)
            known[:] = [one for one in known if one != source] + ([source] if source else [])
        self._interfaces.clear()

    def remove(self, remote: Iterable[TrafficSelector]) -> None:
        """Lead them there no longer, unless another child wants it."""
        for network in networks(remote):
            self._wanted[network] -= 1
            if self._wanted[network] <= 0:
                del self._wanted[network]
                self._sources.pop(network, None)
                self._route("del", network, None)
        self._interfaces.clear()

    def limit(self, limits: Mapping[Network, int]) -> None:
        """Let packets to these networks be no longer than this, and to others as the interface is."""
        old, self._limits = self._limits, dict(limits)
        for network in self._wanted:
            if old.get(network) != self._limits.get(network):
                self._route("replace", network, next(iter(self._sources.get(network, [])[-1:]), None))

    def add_address(self, address: Address) -> None:
        """Put a virtual address on the device."""
        self._addresses.add(address)

    def remove_address(self, address: Address) -> None:
        """Take a virtual address away; routes that name it as their source get another one."""
        for network, known in self._sources.items():
            if known[-1:] == [str(address)]:
                self._route("replace", network, next(iter(known[-2:-1]), None))
            known[:] = [one for one in known if one != str(address)]
        self._addresses.remove(address)
        for network, known in self._sources.items():
            if network.version == address.version == 4:
                self._route(PREPEND, network, next(iter(known[-1:]), None), there=True)

    def _route(self, command: object, network: Network, source: str | None, *, there: bool = False) -> None:
        """Ask for it; with `there` it may be there already."""
        how: dict[str, object] = {
            "family": FAMILIES[network.version],
            "dst": str(network),
            "oif": self._index,
            "table": MAIN,
            **_KIND,
        }
        if network.version == 6:
            how["priority"] = METRIC_V6
        if source:
            how["prefsrc"] = source
        if command != "del" and network in self._limits:
            how["metrics"] = {"mtu": self._limits[network]}
        try:
            self._netlink.route(command, **how)
        except NetlinkError as error:
            if there and error.code == errno.EEXIST:
                return
            # The child works without it for packets that other routes lead here; a person must be told.
            self._trace.emit("note", f"route to {network} through the tunnel failed: {error}", source=source)

    def _source(self, local: list[TrafficSelector], network: Network) -> str | None:
        """An address of this host within the selectors of our side."""
        for address in self._netlink.get_addr(family=FAMILIES[network.version]):
            text = address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS")
            if any(s.start <= ip_address(text) <= s.end for s in local if s.start.version == network.version):  # type: ignore[operator]
                return str(text)
        return None

    def interface_to(self, host: str) -> int:
        """The interface by which datagrams must leave to this host, 0 where routing decides well by itself.

        NOWHERE: no route but through the tunnel itself leads there.
        """
        if host not in self._interfaces:
            address = ip_address(host)
            covered = any(address in network for network in self._wanted if network.version == address.version)
            self._interfaces[host] = self._uplink(host) if covered else 0
        return self._interfaces[host]

    def roamed(self) -> None:
        """Routes of others have changed."""
        self._interfaces.clear()

    def _uplink(self, host: str) -> int:
        """The longest match among the routes that are not ours."""
        address, best, chosen = ip_address(host), (-1, 0), NOWHERE
        for route in self._netlink.get_routes(family=FAMILIES[address.version], table=MAIN):
            hops = route.get_attr("RTA_MULTIPATH") or [{}]
            interface = route.get_attr("RTA_OIF") or hops[0].get("oif", 0)
            network = ip_network(f"{route.get_attr('RTA_DST') or ('::' if address.version == 6 else '0.0.0.0')}"
                                 f"/{route['dst_len']}")  # fmt: skip
            rank = (network.prefixlen, -(route.get_attr("RTA_PRIORITY") or 0))
            if interface and interface != self._index and address in network and rank > best:
                best, chosen = rank, interface
        return chosen

    def mtu_to(self, child: ChildSa) -> int:
        """The MTU of the interface by which a child's ESP packets leave."""
        host = child.path.remote_host
        index = self.interface_to(host)
        if index <= 0:
            index = self._route_of(host)
        if not index or index == self._index:
            return ORDINARY_MTU
        links = self._netlink.get_links(index)
        return min(int(links[0].get_attr("IFLA_MTU")), 65535) if links else ORDINARY_MTU

    def _route_of(self, host: str) -> int:
        try:
            found = list(self._netlink.route("get", dst=host))
        except NetlinkError:
            return 0  # no route now; the ordinary MTU is as good a guess as any
        return int(found[0].get_attr("RTA_OIF") or 0) if found else 0

    def close(self) -> None:
        """Take the routes away."""
        for network in list(self._wanted):
            self._route("del", network, None)
        self._wanted.clear()
        self._addresses.close()
        self._netlink.close()
