"""A pool of virtual addresses (RFC 7296 2.19): whose is which, bounded by the pool itself.

An identity gets the address back that it had before, as long as nobody else needed it. A lease belongs to its holder
(one IKE SA), so that two SAs of one identity have two addresses; a rekeyed IKE SA hands its lease on (2.8).
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from lab.ike.credentials import Identity

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Span:
    """The addresses of a pool, both ends included."""

    first: Address
    last: Address

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Read `10.3.0.0/24` (its network and broadcast addresses are not given away) or `10.3.0.1-10.3.0.9`."""
        start, dash, end = text.partition("-")
        if dash:
            first, last = ip_address(start.strip()), ip_address(end.strip())
            if first.version != last.version or int(first) > int(last):
                raise ValueError(f"{text} is no range of addresses")
            return cls(first, last)
        net = ip_network(text, strict=False)
        first, last = net.network_address, net.broadcast_address
        if net.num_addresses > 2:
            first, last = first + 1, last - (1 if net.version == 4 else 0)
        return cls(first, last)

    def __contains__(self, address: Address) -> bool:
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)


@dataclass(slots=True)
class Pool:
    """The leases of one pool. `limit` bounds what is lent and remembered, however large the span is."""

    span: Span
    limit: int = 4096
    holders: dict[Address, Hashable] = field(default_factory=dict)
    owners: dict[Address, Identity] = field(default_factory=dict)

    def lease(self, identity: Identity, holder: Hashable, asked: Address | None = None) -> Address | None:
        """An address for this holder; the one it has, had or asks for where that is free; None where all are taken."""
        for held, by in self.holders.items():
            if by == holder:
                return held
        address = self._choose(identity, asked)
        if address is not None:
            self.owners.pop(address, None)
            self.owners[address] = identity
            self.holders[address] = holder
        return address

    def _choose(self, identity: Identity, asked: Address | None) -> Address | None:
        free = [address for address in self.owners if address not in self.holders]
        for address in free:
            if self.owners[address] == identity:
                return address
        room = len(self.owners) < self.limit
        if asked is not None and asked in self.span and asked not in self.holders and (room or asked in self.owners):
            return asked
        if room:
            address = self.span.first
            while address in self.span:
                if address not in self.owners:
                    return address
                if int(address) == int(self.span.last):
                    break
                address += 1
        # Nothing fresh is left: whoever was here longest ago is forgotten first.
        return free[0] if free else None

    def hand_on(self, old: Hashable, new: Hashable) -> None:
        """The IKE SA was rekeyed: its successor holds what it held."""
        for address, by in self.holders.items():
            if by == old:
                self.holders[address] = new

    def release(self, holder: Hashable) -> None:
        """The IKE SA ended: its addresses are free, yet remembered for their identity."""
        for address in [address for address, by in self.holders.items() if by == holder]:
            del self.holders[address]
