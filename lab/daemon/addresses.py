"""What the system says of its addresses: those that it has, and that something about them or its routes has changed.

Rules of this file:
- Only that something changed is taken from the kernel's notifications (RTNETLINK); what it is now is asked for.
- Links count too: with an IPv4 link that goes down its routes go without a word.
"""

import socket

from pyroute2 import IPRoute

from lab.errors import BrokenError

# Multicast groups of NETLINK_ROUTE as bits (Linux, include/uapi/linux/rtnetlink.h): links, addresses and routes.
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
_EVERYWHERE = 0  # RT_SCOPE_UNIVERSE: neither of a link only nor of this host only
_TENTATIVE = 0x40  # IFA_F_TENTATIVE: not known yet to be nobody else's
_LARGEST = 65536


class Addresses:
    """The addresses of the network namespace in which it was made."""

    def __init__(self) -> None:
        self._netlink = IPRoute()
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._notes = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._notes.bind((0, _GROUPS))

    def fileno(self) -> int:
        """Readable when something may have changed."""
        return self._notes.fileno()

    def changed(self) -> bool:
        """Whether anything was said since the last call."""
        said = False
        while True:
            try:
                said = bool(self._notes.recv(_LARGEST)) or said
            except BlockingIOError:
                return said
            except OSError as error:
                if said:
                    raise BrokenError(f"the kernel's notifications are gone: {error.strerror}") from error
                said = True  # more came than fits, which says enough

    def own(self) -> list[str]:
        """The addresses that others can reach, in the order of the interfaces."""
        found = [a for a in self._netlink.get_addr() if a["scope"] == _EVERYWHERE and not a["flags"] & _TENTATIVE]
        return [str(a.get_attr("IFA_LOCAL") or a.get_attr("IFA_ADDRESS")) for a in found]

    def close(self) -> None:
        """Listen no more."""
        self._notes.close()
        self._netlink.close()
