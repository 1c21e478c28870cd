"""What the system says of its addresses: those that it has, and that something about them or its routes has changed.

Rules of this file:
- Only that something changed is taken from the kernel's notifications (RTNETLINK); what it is now is asked for.
- Links count too: with an IPv4 link that goes down its routes go without a word.
- Tunnel devices of ours are nobody's way to a peer: what changes there is our own doing, with every child.
"""

import socket
import struct
from collections.abc import Iterator

from pyroute2 import IPRoute

from lab.backends.tun import PREFIX
from lab.errors import BrokenError

# Multicast groups of NETLINK_ROUTE as bits (Linux, include/uapi/linux/rtnetlink.h): links, addresses and routes.
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
_EVERYWHERE = 0  # RT_SCOPE_UNIVERSE: neither of a link only nor of this host only
_TENTATIVE = 0x40  # IFA_F_TENTATIVE: not known yet to be nobody else's
_LARGEST = 65536
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_NEWROUTE, _DELROUTE = 24, 25
_INTERFACE_AT = 4  # of link and address messages: behind family and three octets
_ROUTE, _OIF = 12, 4  # octets of struct rtmsg; RTA_OIF


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
        """Whether anything was said since the last call that is not about a tunnel device of ours."""
        said = False
        while True:
            try:
                said = any(not _ours(index) for index in _interfaces(self._notes.recv(_LARGEST))) or said
            except BlockingIOError:
                return said
            except OSError as error:
                if said:
                    raise BrokenError(f"the kernel's notifications are gone: {error.strerror}") from error
                said = True  # more came than fits, which says enough

    def own(self) -> list[str]:
        """The addresses that others can reach, in the order of the interfaces."""
        found = [a for a in self._netlink.get_addr() if a["scope"] == _EVERYWHERE and not a["flags"] & _TENTATIVE]
        return [str(a.get_attr("IFA_LOCAL") or a.get_attr("IFA_ADDRESS")) for a in found if not _ours(a["index"])]

    def close(self) -> None:
        """Listen no more."""
        self._notes.close()
        self._netlink.close()


def _ours(interface: int) -> bool:
    """Whether this is a tunnel device of a daemon of ours; one that has gone is not."""
    try:
        return socket.if_indextoname(interface).startswith(PREFIX)
    except OSError:
        return False


def _interfaces(data: bytes) -> Iterator[int]:
    """The interface that each message of a datagram is about, 0 where it does not say."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        body = data[at + _HEADER.size : at + length]
        yield _outgoing(body) if kind in (_NEWROUTE, _DELROUTE) else _number(body, _INTERFACE_AT)
        at += length + -length % 4


def _outgoing(route: bytes) -> int:
    """The interface that a route leads to."""
    at = _ROUTE
    while at + 4 <= len(route):
        length, kind = struct.unpack_from("=HH", route, at)
        if kind == _OIF:
            return _number(route, at + 4)
        at += max(4, length + -length % 4)
    return 0


def _number(data: bytes, at: int) -> int:
    return int(struct.unpack_from("=I", data, at)[0]) if at + 4 <= len(data) else 0
