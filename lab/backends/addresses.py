"""Virtual addresses on an interface of this host (RFC 7296 2.19), for as long as an IKE SA has them.

Rules of this file:
- An address that is on the interface already is not ours: it is used and stays.
- Two IKE SAs may have the same address for a while: it is counted.
"""

from collections import Counter
from collections.abc import Callable

from pyroute2 import IPRoute, NetlinkError

from lab.ike.virtual import Address
from lab.trace import Trace

FAMILIES = {4: 2, 6: 10}
_NODAD = 0x02  # nobody else on the link can have it, and it must be there at once
Told = Callable[[Address], None]


def _nobody(_address: Address) -> None:
    """Nobody wants to know."""


class Addresses:
    """What we have put on one interface; `adding` hears of each before it is there, `gone` when it is no longer."""

    def __init__(
        self, netlink: IPRoute, index: int, trace: Trace, *, adding: Told = _nobody, gone: Told = _nobody
    ) -> None:
        self._netlink, self._index, self._trace = netlink, index, trace
        self._adding, self._gone = adding, gone
        self._wanted: Counter[Address] = Counter()
        self._ours: set[Address] = set()

    def add(self, address: Address) -> None:
        """Put it there, unless it is."""
        self._wanted[address] += 1
        if self._wanted[address] > 1 or self._present(address):
            return
        self._adding(address)
        if self._ask("add", address):
            self._ours.add(address)
        else:
            self._gone(address)

    def remove(self, address: Address) -> None:
        """Take it away with its last user, where we have put it there."""
        self._wanted[address] -= 1
        if self._wanted[address] <= 0:
            del self._wanted[address]
            self._drop(address)

    def _drop(self, address: Address) -> None:
        if address in self._ours:
            self._ours.remove(address)
            self.take_out(address)

    def take_out(self, address: Address) -> None:
        """Take away what we, or a daemon before us, have put there."""
        if self._present(address):
            self._ask("del", address)
        self._gone(address)

    def _present(self, address: Address) -> bool:
        found = self._netlink.get_addr(index=self._index, family=FAMILIES[address.version])
        return any((one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS")) == str(address) for one in found)

    def _ask(self, command: str, address: Address) -> bool:
        how = {"family": FAMILIES[address.version], "mask": address.max_prefixlen, "index": self._index}
        flags = {"flags": _NODAD} if command == "add" and address.version == 6 else {}
        try:
            self._netlink.addr(command, address=str(address), **how, **flags)
        except NetlinkError as error:
            self._trace.emit("note", f"the system does not {command} virtual address {address}: {error}")
            return False
        return True

    def close(self) -> None:
        """Take all of ours away."""
        for address in list(self._ours):
            self._drop(address)
        self._wanted.clear()
