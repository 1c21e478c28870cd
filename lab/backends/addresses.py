"""Virtual addresses on an interface of this host (RFC 7296 2.19), for as long as an IKE SA has them.

Rules of this file:
- An address that is on the interface already is not ours: it is used and stays.
- Two IKE SAs may have the same address for a while: it is counted.
"""

import errno
from collections import Counter

from pyroute2 import IPRoute, NetlinkError

from lab.ike.virtual import Address
from lab.trace import Trace

FAMILIES = {4: 2, 6: 10}
_NODAD = 0x02  # nobody else on the link can have it, and it must be there at once


class Addresses:
    """What we have put on one interface."""

    def __init__(self, netlink: IPRoute, index: int, trace: Trace) -> None:
        self._netlink, self._index, self._trace = netlink, index, trace
        self._wanted: Counter[Address] = Counter()
        self._ours: set[Address] = set()

    def add(self, address: Address) -> None:
        """Put it there, unless it is."""
        self._wanted[address] += 1
        if self._wanted[address] == 1 and self._ask("add", address):
            self._ours.add(address)

    def remove(self, address: Address) -> bool:
        """Take it away with its last user, where we have put it there; whether nobody uses it any more."""
        self._wanted[address] -= 1
        if self._wanted[address] > 0:
            return False
        del self._wanted[address]
        if address in self._ours:
            self._ours.remove(address)
            self._ask("del", address)
        return True

    def _ask(self, command: str, address: Address) -> bool:
        how = {"family": FAMILIES[address.version], "mask": address.max_prefixlen, "index": self._index}
        flags = {"flags": _NODAD} if command == "add" and address.version == 6 else {}
        try:
            self._netlink.addr(command, address=str(address), **how, **flags)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                self._trace.emit("note", f"virtual address {address} not {command}ed: {error}")
            return False
        return True

    def close(self) -> None:
        """Take all of ours away."""
        for address in list(self._ours):
            self._ask("del", address)
        self._ours.clear()
        self._wanted.clear()
