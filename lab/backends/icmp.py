"""Raw sockets that hear when a router says a packet of this host was too big, both IP versions; IPv6 may be absent.

Nothing else comes in: the system filters by the type of the message (raw(7), RFC 3542 3.2), and answers echoes itself.
"""

import socket
import struct
from contextlib import suppress

from lab.backends.datagrams import DatagramSocket
from lab.errors import UnfitError
from lab.wire.icmp import PACKET_TOO_BIG, UNREACHABLE

SOL_RAW, ICMP_FILTER = 255, 1  # a set bit keeps a type out
ICMP6_FILTER = 1


class IcmpSockets:
    """One socket per IP version."""

    def __init__(self) -> None:
        try:
            opened = [DatagramSocket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)]
        except OSError as error:
            raise UnfitError(f"cannot open a raw socket for ICMP: {error.strerror}", fix="run as root") from error
        opened[0].set(SOL_RAW, ICMP_FILTER, struct.pack("@I", ~(1 << UNREACHABLE) & 0xFFFFFFFF))
        with suppress(OSError):
            opened.append(DatagramSocket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6))
            blocked = [0xFFFFFFFF & ~(1 << PACKET_TOO_BIG), *[0xFFFFFFFF] * 7]
            opened[1].set(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("@8I", *blocked))
        self._sockets = {one.fileno(): one for one in opened}

    def sources(self) -> tuple[int, ...]:
        """File descriptors to watch."""
        return tuple(self._sockets)

    def receive(self, source: int) -> tuple[bytes, int] | None:
        """The next ICMP message and its IP version; None where none waits. May raise OSError."""
        opened = self._sockets[source]
        datagram = opened.receive()
        if datagram is None:
            return None
        if opened.family == socket.AF_INET6:
            return datagram.data, 6
        return datagram.data[(datagram.data[0] & 0xF) * 4 :], 4

    def close(self) -> None:
        """Give them back."""
        for opened in self._sockets.values():
            opened.close()
