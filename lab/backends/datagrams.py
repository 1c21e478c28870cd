"""Datagram sockets that know where a datagram was sent to, and can say where one comes from.

Rules of this file:
- A reply leaves from the address that the request hit (RFC 7296 2.11): IP_PKTINFO both ways, on unbound addresses.
- Datagrams may be fragmented on their way, but for those of ESP that ask for DF, see `lab.ipsec.outer`.
- UDP_ENCAP is not set here: a kernel with ESP would take the ESP packets away, one without it swallows them silently.
  Only the backend that wants the former sets it.
- Which interface a datagram leaves by, IPv4 takes from its control message. IPv6 asks the routes all the same, and
  heeds only a socket that is bound to the interface: it is, for the time of that one call.
- Python's socket module lacks some of these names; the numbers are those of Linux.
"""

import errno
import os
import socket
import struct
import sys
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple, TypedDict, Unpack

IP_TOS, IP_PKTINFO, IP_MTU_DISCOVER, IP_RECVTOS = 1, 8, 10, 13
IPV6_MTU_DISCOVER, IPV6_RECVPKTINFO, IPV6_PKTINFO, IPV6_RECVTCLASS, IPV6_TCLASS = 23, 49, 50, 66, 67
IPV6_RECVHOPOPTS, IPV6_HOPOPTS, IPV6_RECVRTHDR, IPV6_RTHDR, IPV6_RECVDSTOPTS, IPV6_DSTOPTS = 53, 54, 56, 57, 58, 59
SO_BINDTOIFINDEX, SO_SNDBUFFORCE, SO_RCVBUFFORCE = 62, 32, 33
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
PMTUDISC_DONT, PMTUDISC_PROBE = 0, 3
LARGEST = 65536
NOWHERE = -1  # in the place of an interface: no way leads to the host
_IPV4, _IPV6 = struct.Struct("@I4s4s"), struct.Struct("@16sI")
_CONTROL = socket.CMSG_SPACE(_IPV6.size) + 2 * socket.CMSG_SPACE(4)
_BUFFER = 4 << 20
_SEGMENT = struct.Struct("@H")
Control = tuple[tuple[int, int, bytes], ...]
_EXTENSIONS = {IPV6_HOPOPTS: 0, IPV6_RTHDR: 43, IPV6_DSTOPTS: 60}  # their numbers as next header
_ROOM_FOR_EXTENSIONS = 4 * socket.CMSG_SPACE(2048)  # the longest there is, each


class Datagram(NamedTuple):
    """What came: octets, the address it was sent to, who sent it, and its traffic class (DSCP and ECN).

    `extensions` are the IPv6 extension headers before the octets, each with its number, where they were asked for.
    `segment` is not 0 where the octets are those of several datagrams of this length, the last one maybe shorter.
    """

    data: bytes
    local_host: str
    remote_host: str
    remote_port: int
    traffic_class: int
    interface: int
    extensions: tuple[tuple[int, bytes], ...] = ()
    segment: int = 0


class How(TypedDict, total=False):
    """How a datagram is sent: with this traffic class, out of this interface (any where 0), in pieces or not.

    With `dont_fragment` one of IPv4 has DF set, whatever the system thinks of its path. With `segment` the octets go as
    datagrams of this length, the last one maybe shorter.
    """

    traffic_class: int
    interface: int
    dont_fragment: bool
    segment: int


class DatagramSocket:
    """A UDP or raw socket of one family, non-blocking, on every local address."""

    def __init__(self, family: socket.AddressFamily, kind: socket.SocketKind, protocol: int = 0, port: int = 0) -> None:
        self.family, self.port, self._control = family, port, _CONTROL
        self._whole = False
        self._socket = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
        try:
            self._prepare()
            if kind == socket.SOCK_DGRAM and family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_DGRAM:
                self._socket.bind(("", port))
        except OSError:
            self._socket.close()
            raise

    def _prepare(self) -> None:
        if self.family == socket.AF_INET6:
            wanted = {IPV6_RECVPKTINFO: 1, IPV6_RECVTCLASS: 1, IPV6_MTU_DISCOVER: PMTUDISC_DONT}
            level: int = socket.IPPROTO_IPV6
        else:
            wanted = {IP_PKTINFO: 1, IP_RECVTOS: 1, IP_MTU_DISCOVER: PMTUDISC_DONT}
            level = socket.IPPROTO_IP
        for option, value in wanted.items():
            self._socket.setsockopt(level, option, value)

    def want_extensions(self) -> None:
        """Let IPv6 extension headers come with each datagram, in their order (RFC 3542 6, 8, 9)."""
        for option in (IPV6_RECVHOPOPTS, IPV6_RECVRTHDR, IPV6_RECVDSTOPTS):
            self._socket.setsockopt(socket.IPPROTO_IPV6, option, 1)
        self._control += _ROOM_FOR_EXTENSIONS

    def want_trains(self) -> None:
        """Let several datagrams of one sender come at once, where the system can (Linux 5.0)."""
        with suppress(OSError):
            self._socket.setsockopt(SOL_UDP, UDP_GRO, 1)
            # A train takes a third of what a socket may hold ordinarily; only root may have more.
            for option in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)

    def fileno(self) -> int:
        """For the selector."""
        return self._socket.fileno()

    def set(self, level: int, option: int, value: int | bytes) -> None:
        """Set a socket option; may raise OSError."""
        self._socket.setsockopt(level, option, value)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def receive(self) -> Datagram | None:
        """The next datagram; None where none waits. Errors that belong to one datagram only are skipped over."""
        try:
            data, control, _flags, sender = self._socket.recvmsg(LARGEST, self._control)
        except BlockingIOError:
            return None
        host, interface, traffic_class, segment, extensions = _told(tuple(control))
        remote = sender[0].partition("%")[0]
        return Datagram(data, host, remote, sender[1], traffic_class, interface, extensions, segment)

    def send(self, data: bytes, local_host: str, remote: tuple[str, int], **how: Unpack[How]) -> None:
        """Send from this local address (any where empty); may raise OSError."""
        interface, traffic_class = how.get("interface", 0), how.get("traffic_class", 0)
        self._keep_whole(wanted=how.get("dont_fragment", False))
        if interface == NOWHERE:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        control = _control(self.family, local_host, interface, traffic_class)
        if segment := how.get("segment", 0):
            control = (*control, (SOL_UDP, UDP_SEGMENT, _SEGMENT.pack(segment)))
        if self.family == socket.AF_INET6 and interface:
            self._by(interface, data, control, remote)
        else:
            self._socket.sendmsg((data,), control, 0, remote)

    def _keep_whole(self, *, wanted: bool) -> None:
        """DF is no matter of a datagram but of its socket: set where it changes."""
        if wanted != self._whole and self.family == socket.AF_INET:
            self._socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE if wanted else PMTUDISC_DONT)
            self._whole = wanted

    def _by(self, interface: int, data: bytes, control: Control, remote: tuple[str, int]) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, interface)
        try:
            self._socket.sendmsg([data], control, 0, remote)
        finally:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, 0)


# The same few paths all the time, and making or reading these anew costs as much as encrypting a packet.
@lru_cache(256)
def _told(control: Control) -> tuple[str, int, int, int, tuple[tuple[int, bytes], ...]]:
    """What control messages say: local address, interface, traffic class, segment, extension headers."""
    host, interface, traffic_class, segment = "", 0, 0, 0
    extensions: list[tuple[int, bytes]] = []
    for level, kind, value in control:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            interface, local, _destination = _IPV4.unpack(value[: _IPV4.size])
            host = _text(local)
        elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
            local, interface = _IPV6.unpack(value[: _IPV6.size])
            host = _text(local)
        elif (level, kind) in ((socket.IPPROTO_IP, IP_TOS), (socket.IPPROTO_IPV6, IPV6_TCLASS)):
            traffic_class = value[0] if len(value) == 1 else int.from_bytes(value[:4], "little")
        elif (level, kind) == (SOL_UDP, UDP_GRO):
            segment = int.from_bytes(value[:4], sys.byteorder)
        elif level == socket.IPPROTO_IPV6 and kind in _EXTENSIONS:
            extensions.append((_EXTENSIONS[kind], value))
    return host, interface, traffic_class & 0xFF, segment, tuple(extensions)


@lru_cache(1024)
def _control(family: int, local_host: str, interface: int, traffic_class: int) -> Control:
    """The control messages that say where a datagram comes from, how it leaves, and its traffic class."""
    packed = ip_address(local_host).packed if local_host else bytes(4 if family == socket.AF_INET else 16)
    if family == socket.AF_INET:
        control = [(int(socket.IPPROTO_IP), IP_PKTINFO, _IPV4.pack(interface, packed, bytes(4)))]
        kind = (int(socket.IPPROTO_IP), IP_TOS)
    else:
        control = [(int(socket.IPPROTO_IPV6), IPV6_PKTINFO, _IPV6.pack(packed, interface))]
        kind = (int(socket.IPPROTO_IPV6), IPV6_TCLASS)
    if traffic_class:
        control.append((*kind, struct.pack("@i", traffic_class)))
    return tuple(control)


@lru_cache(1024)
def _text(packed: bytes) -> str:
    """An address as we write it."""
    return str(ip_address(packed))


@lru_cache(1024)
def family_of(host: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6."""
    return socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6
