"""The virtual addresses of one IKE SA (RFC 7296 2.19): what we were given and what we lent; a rekeying keeps them."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


@dataclass(slots=True)
class Virtual:
    """`asks`: we want addresses of the peer; `lends`: the peer gets no child without one of ours.

    `local` are the addresses that we were given, `remote` those that we lent. Where there are any, they are what the
    selector `dynamic` means on that side.
    """

    asks: bool = False
    lends: bool = False
    local: tuple[Address, ...] = ()
    remote: tuple[Address, ...] = ()

    @property
    def wanted(self) -> bool:
        """Whether we have yet to get the addresses that we want."""
        return self.asks and not self.local
