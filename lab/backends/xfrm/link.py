"""The netlink socket to the kernel's XFRM: requests with their answers, and another for notifications.

Rules of this file:
- The kernel answers before `send` returns, so reading an answer never waits.
- What the kernel refuses is an OSError with its number and, where it gives one, its reason in words.
- A kernel without XFRM, or one that does not let us, is an UnfitError with what mends it.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator

from lab.backends.xfrm.messages import (
    GETSADINFO,
    GROUP_ACQUIRE,
    GROUP_EXPIRE,
    GROUP_MAPPING,
    NETLINK_XFRM,
    NOTIFICATIONS,
    Count,
    XfrmMessage,
)
from lab.errors import BrokenError, UnfitError

SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSG_ERROR, NLMSG_DONE = 2, 3
REQUEST, ACK = 0x1, 0x4
LARGEST = 65536
NOTES_OCTETS = 1 << 20
_HEADER = struct.Struct("=IHHII")
_ERROR = struct.Struct("=i")
_REASON = 1  # NLMSGERR_ATTR_MSG


class Link:
    """Requests to XFRM in the network namespace in which it was opened."""

    def __init__(self) -> None:
        self._socket, self._number = _open(0), 0
        self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        try:
            self.ask(GETSADINFO, Count.everything())
        except OSError as error:
            self.close()
            if error.errno == errno.EPERM:
                raise UnfitError("the kernel does not let us use its XFRM", fix="run as root") from error
            raise UnfitError(f"the kernel's XFRM does not answer: {error.strerror}") from error

    def ask(self, kind: int, message: XfrmMessage) -> list[bytes]:
        """Send a request; the messages of the answer, OSError where the kernel refuses."""
        self._number += 1
        message["header"] = {"type": kind, "flags": REQUEST | ACK, "sequence_number": self._number, "pid": 0}
        message.encode()
        self._socket.send(message.data)
        return list(self._answers())

    def _answers(self) -> Iterator[bytes]:
        while True:
            for kind, number, data in parts(self._socket.recv(LARGEST)):
                if number != self._number:
                    continue  # the end of an answer whose beginning was refused
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    _raise_if(data)
                    return
                yield data

    def close(self) -> None:
        """Close the socket; what was put into the kernel stays."""
        self._socket.close()


class Notes:
    """What the kernel says unasked: acquire, expire and mapping."""

    def __init__(self, groups: int = GROUP_ACQUIRE | GROUP_EXPIRE | GROUP_MAPPING) -> None:
        self._socket = _open(groups)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NOTES_OCTETS)
        self.lost = 0

    def fileno(self) -> int:
        """For the selector."""
        return self._socket.fileno()

    def read(self) -> list[XfrmMessage] | None:
        """The messages of one datagram; None where none waits. Those that we know no use for are left out."""
        try:
            data = self._socket.recv(LARGEST)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise BrokenError(f"the kernel's XFRM notifications are gone: {error.strerror}") from error
            self.lost += 1  # more came than fits; each of them comes again with the next packet
            return []
        return [decoded(NOTIFICATIONS[kind], message) for kind, _, message in parts(data) if kind in NOTIFICATIONS]

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


def parts(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and octets (header included) of each message in a datagram."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, number, _pid = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return
        yield kind, number, data[offset : offset + length]
        offset += (length + 3) & ~3


def decoded(shape: type[XfrmMessage], data: bytes) -> XfrmMessage:
    """A message read with the given declaration."""
    message = shape(data)
    message.decode()
    return message


def _raise_if(data: bytes) -> None:
    """Raise what an NLMSG_ERROR says; 0 says that all is well."""
    (code,) = _ERROR.unpack_from(data, _HEADER.size)
    if not code:
        return
    words, offset = os.strerror(-code), 2 * _HEADER.size + _ERROR.size
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        if kind & 0x3FFF == _REASON:
            words += f" ({data[offset + 4 : offset + length].rstrip(bytes(1)).decode(errors='replace')})"
        offset += (length + 3) & ~3
    raise OSError(-code, words)


def _open(groups: int) -> socket.socket:
    try:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_XFRM)
    except OSError as error:
        raise UnfitError(
            f"this kernel has no XFRM, its own IPsec: {error.strerror}",
            fix="run: modprobe xfrm_user, or use --backend userspace, or run in the guest",
        ) from error
    opened.bind((0, groups))
    return opened
