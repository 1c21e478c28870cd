"""Virtual addresses for the kernel's data plane: on `lo`, and routes that name them as the source of a child's packets.

    10.2.0.0/24 via 192.0.2.254 dev wan src 10.3.0.1        the way is that of the ESP packets, to the child's peer

Rules of this file:
- Only a child of a virtual address gets routes; of all others the system must know the way, as a gateway does.
- A route stands before any other of the same length, so that it is the one that we take out again.
- Addresses and routes are in the record before they are in the kernel.
"""

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

from pyroute2 import IPRoute, NetlinkError

from lab.backends.addresses import FAMILIES, Addresses
from lab.backends.routes import MAIN, METRIC_V6, PREPEND, networks
from lab.backends.xfrm.record import Entry, Record
from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.ike.virtual import Address
from lab.trace import Trace

LOOPBACK = 1  # the index of `lo` in every network namespace
_STATIC, _UNICAST, _LINK, _UNIVERSE = 4, 1, 253, 0
Route = tuple[str, str, int, str]  # network, gateway or "", interface, source


class Sources:
    """What there is of both; nothing is opened before the first address comes."""

    def __init__(self, record: Record, trace: Trace) -> None:
        self._record, self._trace = record, trace
        self._netlink: IPRoute | None = None
        self._known: Addresses | None = None
        self._vips: Counter[Address] = Counter()
        self._routes: dict[bytes, list[Route]] = {}
        self._wanted: Counter[Route] = Counter()

    @property
    def _link(self) -> IPRoute:
        if self._netlink is None:
            self._netlink = IPRoute()
        return self._netlink

    @property
    def _addresses(self) -> Addresses:
        if self._known is None:
            self._known = Addresses(
                self._link,
                LOOPBACK,
                self._trace,
                adding=lambda address: self._record.add(("address", str(address))),
                gone=lambda address: self._record.gone(("address", str(address))),
            )
        return self._known

    def add_address(self, address: Address) -> None:
        """Put a virtual address on this host."""
        self._vips[address] += 1
        self._addresses.add(address)

    def remove_address(self, address: Address) -> None:
        """Take it away; the routes of its children have gone before."""
        self._vips[address] -= 1
        self._vips += Counter()  # without those of which there is none
        self._addresses.remove(address)

    def install(self, child: ChildSa, path: Path) -> None:
        """Lead what the child takes from a virtual address to it."""
        found = list(self._wanted_by(child, path)) if self._vips else []
        for route in found:
            self._wanted[route] += 1
            if self._wanted[route] == 1:
                self._record.add(("route", *route))
                self._ask(PREPEND, route)
        if found:
            self._routes[child.spi_in] = found

    def _wanted_by(self, child: ChildSa, path: Path) -> Iterator[Route]:
        gateway, interface = self._way(path.remote_host)
        for network in networks(child.ts_remote):
            fitting = [v for v in self._vips if any(_holds(s.start, v, s.end) for s in child.ts_local)]
            source = next((vip for vip in fitting if vip.version == network.version), None)
            if source is not None and interface:
                near = gateway if gateway and ip_address(gateway).version == network.version else ""
                yield str(network), near, interface, str(source)

    def _way(self, host: str) -> tuple[str, int]:
        """The gateway (or none) and the interface by which packets leave to a host."""
        try:
            found = list(self._link.route("get", dst=host))
        except NetlinkError as error:
            self._trace.emit("note", f"no way to {host}: {error}")
            return "", 0
        return found[0].get_attr("RTA_GATEWAY") or "", int(found[0].get_attr("RTA_OIF") or 0)

    def remove(self, spi_in: bytes) -> None:
        """The child takes nothing any more."""
        for route in self._routes.pop(spi_in, ()):
            self._wanted[route] -= 1
            if self._wanted[route] <= 0:
                del self._wanted[route]
                self._take_out(route)

    def _take_out(self, route: Route) -> None:
        self._ask("del", route)
        self._record.gone(("route", *route))

    def _ask(self, command: object, route: Route) -> None:
        network, gateway, interface, source = route
        version = ip_address(source).version
        how: dict[str, object] = {"family": FAMILIES[version], "dst": network, "oif": interface, "prefsrc": source}
        how |= {"gateway": gateway, "scope": _UNIVERSE} if gateway else {"scope": _LINK}
        how |= {"priority": METRIC_V6} if version == 6 else {}
        try:
            self._link.route(command, table=MAIN, type=_UNICAST, proto=_STATIC, **how)
        except NetlinkError as error:
            self._trace.emit("note", f"route to {network} from {source}: {error}")

    def remove_entry(self, entry: Entry) -> None:
        """Take out what an earlier daemon left; routes come before the addresses that they name."""
        kind, *words = entry
        if kind == "address":
            self._addresses.take_out(ip_address(str(words[0])))
        else:
            network, gateway, interface, source = words
            self._take_out((str(network), str(gateway), int(str(interface)), str(source)))

    def clear(self) -> None:
        """Take out all that is ours."""
        for spi_in in list(self._routes):
            self.remove(spi_in)
        if self._known is not None:
            self._known.close()
        if self._netlink is not None:
            self._netlink.close()


def _holds(start: Address, address: Address, end: Address) -> bool:
    return start.version == address.version and int(start) <= int(address) <= int(end)
