"""The UDP sockets of the daemon: one per port and IP version."""

import errno
import socket
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Unpack

from lab.backends.datagrams import NOWHERE, Datagram, DatagramSocket, How, family_of
from lab.errors import UnfitError
from lab.ike.path import Path

_FIXES = {
    errno.EACCES: "run as root or in a network namespace of your own",
    errno.EADDRINUSE: "end the other IKE daemon, or run in a network namespace of your own",
}
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Ports:
    """Datagrams in and out, by path."""

    def __init__(self, ports: Iterable[int], prepare: Callable[[DatagramSocket], None] | None = None) -> None:
        self._prepare = prepare
        self._sockets: dict[int, DatagramSocket] = {}
        self._by_key: dict[tuple[int, int], DatagramSocket] = {}
        try:
            for port in sorted(set(ports)):
                self._open(port)
        except UnfitError:
            self.close()
            raise

    def _open(self, port: int) -> None:
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                opened = DatagramSocket(family, socket.SOCK_DGRAM, port=port)
            except OSError as error:
                if family == socket.AF_INET6 and error.errno in _NO_IPV6:
                    continue
                fix = _FIXES.get(error.errno or 0, "")
                raise UnfitError(f"cannot use UDP port {port}: {error.strerror}", fix=fix) from error
            self._sockets[opened.fileno()] = opened
            self._by_key[family, port] = opened
            if self._prepare:
                self._prepare(opened)

    def sources(self) -> tuple[int, ...]:
        """File descriptors to watch."""
        return tuple(self._sockets)

    def receive(self, source: int) -> tuple[Datagram, Path] | None:
        """The next datagram behind a file descriptor and the way it came; may raise OSError."""
        opened = self._sockets[source]
        datagram = opened.receive()
        if datagram is None:
            return None
        return datagram, _path(datagram.local_host, opened.port, datagram.remote_host, datagram.remote_port)

    def send(self, data: bytes, path: Path, **how: Unpack[How]) -> None:
        """Send along a path; may raise OSError."""
        opened = self._by_key.get((family_of(path.remote_host), path.local_port))
        if opened is None:
            raise OSError(errno.EAFNOSUPPORT, f"no socket for {path}")
        remote = (path.remote_host, path.remote_port)
        opened.send(data, path.local_host, remote, **how)

    def close(self) -> None:
        """Give the ports back."""
        for opened in self._sockets.values():
            opened.close()


_path = lru_cache(1024)(Path)  # the same few all the time


def source_towards(host: str, interface: int = 0) -> str | None:
    """The address of ours from which the system would send to this host (by this interface); None: it knows no way."""
    if interface == NOWHERE:
        return None
    try:
        with socket.socket(family_of(host), socket.SOCK_DGRAM) as probe:
            if interface:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, socket.if_indextoname(interface).encode())
            probe.connect((host, 500))  # sends nothing
            return str(probe.getsockname()[0])
    except OSError:
        return None
