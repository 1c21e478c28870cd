"""A network namespace with its own mounts, held by descriptors of this process.

There is no process in it until one is started: a child process inherits the namespaces that its parent is in at that
moment. So nothing has to be cleaned up either: when the last descriptor and process are gone, the kernel takes the
namespace, its interfaces, rules and mounts away, however the lab ended.

The caller must have one thread only, as for every fork in this lab.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.emulation import linux
from lab.errors import UnfitError


class Namespace:
    """Holds a network and a mount namespace."""

    def __init__(self, private: Mapping[str, Path | None]) -> None:
        """Create both. `private` directories are the node's own: bound to a directory, or a fresh tmpfs for None."""
        with _return_afterwards():
            try:
                linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWNS)
            except PermissionError as error:
                fix = "run as root inside `unshare --net --mount --pid --fork --kill-child`, or use the guest kernel"
                raise UnfitError("network namespaces need root", fix=fix) from error
            linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
            for place, source in private.items():
                if source is None:
                    linux.mount("tmpfs", place, "tmpfs")
                else:
                    source.mkdir(parents=True, exist_ok=True)
                    linux.mount(str(source), place, flags=linux.MS_BIND)
            self._net = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            self._mounts = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)
            self._root = os.open("/", os.O_PATH)

    @property
    def net_descriptor(self) -> int:
        """The open descriptor of the network namespace."""
        return self._net

    @property
    def net_path(self) -> str:
        """A path that names the network namespace to other processes, for instance `nsenter --net=PATH`."""
        return f"/proc/{os.getpid()}/fd/{self._net}"

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """Its open descriptors in the order of `enter`, for a process elsewhere that is to move in."""
        return self._net, self._mounts, self._root

    def enter(self) -> None:
        """Move this process in for good: for a forked child."""
        enter(*self.descriptors)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be inside for a moment, for instance to start a process."""
        with _return_afterwards():
            self.enter()
            yield

    @contextmanager
    def network(self) -> Iterator[None]:
        """Be in the network namespace only: for sockets and /proc/sys/net."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            linux.setns(self._net, linux.CLONE_NEWNET)
            try:
                yield
            finally:
                linux.setns(home, linux.CLONE_NEWNET)
        finally:
            os.close(home)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Open a socket that stays in this network namespace."""
        with self.network():
            return socket.socket(family, kind, protocol)

    def processes(self) -> list[int]:
        """The processes that are in this network namespace now."""
        here = os.fstat(self._net)
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                other = os.stat(f"/proc/{pid}/ns/net")
            except OSError:  # it ended, or is a kernel thread
                continue
            if (other.st_dev, other.st_ino) == (here.st_dev, here.st_ino):
                found.append(int(pid))
        return found

    def close(self) -> None:
        """Let go; the kernel removes the namespaces once no process is left in them."""
        for descriptor in (self._net, self._mounts, self._root):
            os.close(descriptor)


def enter(net: int, mounts: int, root: int) -> None:
    """Move this process into a network and a mount namespace with its root directory."""
    linux.setns(net, linux.CLONE_NEWNET)
    linux.setns(mounts, linux.CLONE_NEWNS)
    os.fchdir(root)
    os.chroot(".")


@contextmanager
def _return_afterwards() -> Iterator[None]:
    """Come back to today's namespaces, root and working directory."""
    names = ("/proc/thread-self/ns/net", "/proc/thread-self/ns/mnt")
    net, mounts = (os.open(name, os.O_RDONLY) for name in names)
    root, here = os.open("/", os.O_PATH), os.open(".", os.O_PATH)
    try:
        yield
    finally:
        linux.setns(net, linux.CLONE_NEWNET)
        linux.setns(mounts, linux.CLONE_NEWNS)
        os.fchdir(root)
        os.chroot(".")
        os.fchdir(here)
        for descriptor in (net, mounts, root, here):
            os.close(descriptor)
