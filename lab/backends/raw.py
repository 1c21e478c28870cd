"""Raw sockets of ESP and AH, both IP versions; IPv6 may be absent.

    ESP    the system writes the IP header; one socket per version sends and receives
    AH     we write the IP header, since the ICV covers it: what goes out leaves by a socket that takes whole packets

Rules of this file:
- IPv4 gives the IP header with a packet, IPv6 does not: for AH it is made again from what came beside it. What that
  leaves open (flow label, hop limit) is mutable, and the ICV does not see it.
- An IPv4 packet that we hand over has a number of its own, or the system would change it under the ICV.
"""

import errno
import socket
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Unpack

from lab.backends.datagrams import Datagram, DatagramSocket, How, family_of
from lab.errors import UnfitError
from lab.ike.path import Path
from lab.ipsec.pieces import pieces
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, IPv6

WHOLE_PACKETS = socket.IPPROTO_RAW


class RawSockets:
    """Sockets by file descriptor, and what each is for."""

    def __init__(self) -> None:
        self._esp, self._ah, self._whole = (_opened(number) for number in (ESP_NUMBER, AH_NUMBER, WHOLE_PACKETS))
        for raw in self._ah:
            if raw.family == socket.AF_INET6:
                raw.want_extensions()
        self._receiving = {raw.fileno(): raw for raw in (*self._esp, *self._ah)}
        self._ident = 0
        self._of_ah = {raw.fileno() for raw in self._ah}

    def sources(self) -> tuple[int, ...]:
        """File descriptors to watch."""
        return tuple(self._receiving)

    def is_ah(self, source: int) -> bool:
        """Whether AH comes in by this file descriptor; else ESP does."""
        return source in self._of_ah

    def receive(self, source: int) -> tuple[bytes, Path, int] | None:
        """The next packet, its path and its traffic class; None where none waits. May raise OSError.

        Of ESP what is behind the IP header, of AH the IP packet.
        """
        raw = self._receiving[source]
        datagram = raw.receive()
        if datagram is None:
            return None
        path = Path(datagram.local_host, 0, datagram.remote_host, 0)
        data = datagram.data
        if raw.family == socket.AF_INET and not self.is_ah(source):
            data = data[(data[0] & 0xF) * 4 :]
        elif raw.family == socket.AF_INET6 and self.is_ah(source):
            data = _with_header(datagram)
        return data, path, datagram.traffic_class

    def send_esp(self, data: bytes, path: Path, **how: Unpack[How]) -> None:
        """Send an ESP packet; may raise OSError."""
        remote = (path.remote_host, 0)
        _for(self._esp, path).send(data, path.local_host, remote, **how)

    def send_whole(self, packet: bytes, path: Path, *, interface: int, mtu: int = 0) -> None:
        """Send an IP packet as it is, one of IPv6 in pieces of `mtu` octets where that is not 0; may raise OSError."""
        whole, parts = _for(self._whole, path), [packet]
        if mtu and whole.family == socket.AF_INET6:
            self._ident = (self._ident + 1) % 2**32
            parts = pieces(packet, mtu, self._ident)
        for part in parts:
            whole.send(part, "", (path.remote_host, 0), interface=interface)

    def close(self) -> None:
        """Give them back."""
        for raw in (*self._esp, *self._ah, *self._whole):
            raw.close()


def _for(sockets: list[DatagramSocket], path: Path) -> DatagramSocket:
    for raw in sockets:
        if raw.family == family_of(path.remote_host):
            return raw
    raise OSError(errno.EAFNOSUPPORT, "no raw socket of this family")


def _opened(protocol: int) -> list[DatagramSocket]:
    try:
        opened = [DatagramSocket(socket.AF_INET, socket.SOCK_RAW, protocol)]
    except OSError as error:
        raise UnfitError(f"cannot open a raw socket for ESP and AH: {error.strerror}", fix="run as root") from error
    with suppress(OSError):
        opened.append(DatagramSocket(socket.AF_INET6, socket.SOCK_RAW, protocol))
    return opened


def ipv6(data: bytes, path: Path, traffic_class: int) -> bytes:
    """The IPv6 packet with an ESP packet in it."""
    return IPv6(
        IPv6Address(path.local_host), IPv6Address(path.remote_host), ESP_NUMBER, data, tos=traffic_class
    ).encode()


def _with_header(datagram: Datagram) -> bytes:
    """The IPv6 packet that a datagram of AH came in."""
    front = b"".join(octets for _, octets in datagram.extensions)
    first = datagram.extensions[0][0] if datagram.extensions else AH_NUMBER
    src, dst = IPv6Address(datagram.remote_host), IPv6Address(datagram.local_host)
    return IPv6(src, dst, first, front + datagram.data, tos=datagram.traffic_class).encode()
