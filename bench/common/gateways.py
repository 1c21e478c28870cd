"""Two gateways in network namespaces of their own, joined by a veth pair, for benchmarks of what goes between them.

The ends of the traffic are addresses of the gateways themselves. Programs that a bare machine need not have come from
the tree of Debian files in the guest image; in a guest that tree is the root.
"""

import os
import socket
import subprocess
from pathlib import Path

from lab.emulation.namespace import Namespace
from lab.errors import UnfitError
from lab.guest import image

OUTER, INNER = {"left": "192.0.2.1", "right": "192.0.2.2"}, {"left": "10.1.0.1", "right": "10.2.0.1"}
IN_GUEST = "IKELAB_GUEST" in os.environ


class Gateway:
    """One of the two namespaces; a `Node` as far as peer drivers need one."""

    def __init__(self, name: str) -> None:
        self.name, self.namespace = name, Namespace({})
        self._started: list[subprocess.Popen[bytes]] = []

    def popen(self, argv: list[str], **options: object) -> "subprocess.Popen[bytes]":
        """Start a process in here."""
        with self.namespace.entered():
            process = subprocess.Popen(argv, **options)  # type: ignore[call-overload]
        self._started.append(process)
        return process

    def run(self, argv: list[str], seconds: float = 60) -> str:
        """Run a command in here; its output."""
        process = self.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = process.communicate(timeout=seconds)[0].decode()
        self._started.remove(process)
        if process.returncode:
            raise UnfitError(f"{' '.join(argv)} in {self.name}: {out.strip()[-300:]}")
        return out

    def socket(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A socket in here."""
        with self.namespace.network():
            return socket.socket(socket.AF_INET, kind)

    def close(self) -> None:
        """End what is left."""
        for process in self._started:
            process.kill()
            process.wait()


def joined() -> dict[str, Gateway]:
    """Both gateways and the cable between them."""
    gateways = {name: Gateway(name) for name in OUTER}
    other = gateways["right"].namespace.net_path
    gateways["left"].run(["ip", "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", other])
    for name, gateway in gateways.items():
        for line in (f"addr add {OUTER[name]}/24 dev wan", f"addr add {INNER[name]}/32 dev lo"):
            gateway.run(["ip", *line.split()])
        if not IN_GUEST:
            for place in ("dev", "proc"):
                gateway.run(["mount", "--bind", f"/{place}", str(image_root() / place)])
            gateway.run(["mount", "-t", "tmpfs", "tmpfs", str(image_root() / "tmp")])
        for link in ("lo", "wan"):
            gateway.run(["ip", "link", "set", link, "up"])
        if IN_GUEST:  # the kernel's policies want a route first; a daemon with a device of its own makes routes itself
            far = "left" if name == "right" else "right"
            gateway.run(["ip", "route", "add", INNER[far], "via", OUTER[far]])
    return gateways


def image_root() -> Path:
    """The tree of Debian files that the guest image has."""
    return Path("/") if IN_GUEST else image.locate().root
