"""The TUN device: plain IP packets between the system and the data plane (Linux, Documentation/networking/tuntap).

It lives as long as its file descriptor: after kill -9 the interface and every route through it are gone.
"""

import errno
import fcntl
import os
import struct
from pathlib import Path

from lab.errors import BrokenError, UnfitError

DEVICE = "/dev/net/tun"
PREFIX = "ikelab"  # of the interfaces' names
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
LARGEST = 65536
ADDR_GEN_NONE = "1"


class Tun:
    """An interface of ours, without the packet information header."""

    def __init__(self, pattern: str = f"{PREFIX}%d") -> None:
        try:
            self._fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise UnfitError(f"cannot open {DEVICE}: {error.strerror}", fix="run: modprobe tun") from error
        request = struct.pack("16sH22x", pattern.encode(), IFF_TUN | IFF_NO_PI)
        try:
            answer = fcntl.ioctl(self._fd, TUNSETIFF, request)
        except OSError as error:
            os.close(self._fd)
            fix = "run as root or in a network namespace of your own" if error.errno == errno.EPERM else ""
            raise UnfitError(f"cannot make a TUN interface: {error.strerror}", fix=fix) from error
        self.name = answer[:16].rstrip(b"\0").decode()
        self._quiet()

    def _quiet(self) -> None:
        # Without this the system sends router solicitations into the tunnel, where nobody wants them.
        setting = Path(f"/proc/sys/net/ipv6/conf/{self.name}/addr_gen_mode")
        if setting.exists():
            setting.write_text(ADDR_GEN_NONE)

    def fileno(self) -> int:
        """For the selector."""
        return self._fd

    def read(self) -> bytes | None:
        """The next packet that the system routes here; None where none waits."""
        try:
            return os.read(self._fd, LARGEST)
        except BlockingIOError:
            return None
        except OSError as error:
            # Somebody deleted it. It would be readable for ever now.
            raise BrokenError(f"the interface {self.name} is gone: {error.strerror}") from error

    def write(self, packet: bytes) -> None:
        """Give the system a packet; may raise OSError."""
        os.write(self._fd, packet)

    def close(self) -> None:
        """The interface and its routes vanish."""
        os.close(self._fd)
