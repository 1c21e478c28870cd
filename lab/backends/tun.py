"""The TUN device: plain IP packets between the system and the data plane (Linux, Documentation/networking/tuntap).

It lives as long as its file descriptor: after kill -9 the interface and every route through it are gone.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from lab.errors import BrokenError, UnfitError
from lab.ipsec.batch import TRAINS
from lab.wire import virtio

DEVICE = "/dev/net/tun"
PREFIX = "ikelab"  # of the interfaces' names
TUNSETIFF, IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x0001, 0x1000, 0x4000
TUNSETOFFLOAD, CSUM, TSO4, TSO6, USO4, USO6 = 0x400454D0, 0x01, 0x02, 0x04, 0x20, 0x40
LARGEST = 65536 + virtio.SIZE
ORDINARY = 1500 + virtio.SIZE  # octets of a packet that waits for others
ADDR_GEN_NONE = "1"
_NOTHING_TO_DO = virtio.VirtioHeader().encode()


class Tun:
    """An interface of ours, without the packet information header.

    With `super_packets` each packet has a virtio header in front, both ways, and may be one of TCP, or with `udp` of
    UDP, that is still to be cut. A system that cannot do this gives an ordinary device.
    """

    def __init__(self, pattern: str = f"{PREFIX}%d", *, super_packets: bool = False) -> None:
        try:
            self._fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise UnfitError(f"cannot open {DEVICE}: {error.strerror}", fix="run: modprobe tun") from error
        self.super_packets, self.udp = super_packets, False
        request = struct.pack("16sH22x", pattern.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR * super_packets)
        try:
            answer = fcntl.ioctl(self._fd, TUNSETIFF, request)
        except OSError as error:
            os.close(self._fd)
            fix = "run as root or in a network namespace of your own" if error.errno == errno.EPERM else ""
            raise UnfitError(f"cannot make a TUN interface: {error.strerror}", fix=fix) from error
        self.name = answer[:16].rstrip(b"\0").decode()
        self._quiet()
        if super_packets:
            self._offload()

    def _offload(self) -> None:
        """Let packets come uncut: UDP too since Linux 6.2, TCP before; else virtio headers alone are of no use."""
        for udp, wish in ((True, CSUM | TSO4 | TSO6 | USO4 | USO6), (False, CSUM | TSO4 | TSO6)):
            try:
                fcntl.ioctl(self._fd, TUNSETOFFLOAD, wish)
            except OSError:
                continue
            self.udp = udp
            return

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

    def batches(self, most: int) -> Iterator[list[bytes]]:
        """The packets that wait, `most` at the most; a batch ends with so many super-packets as go in one pass."""
        packets: list[bytes] = []
        long = 0
        for _ in range(most):
            packet = self.read()
            if packet is None:
                break
            packets.append(packet)
            long += len(packet) > ORDINARY
            if long == TRAINS:
                yield packets
                packets, long = [], 0
        if packets:
            yield packets

    def write(self, packet: bytes) -> None:
        """Give the system a packet; may raise OSError."""
        if self.super_packets:
            os.writev(self._fd, (_NOTHING_TO_DO, packet))
        else:
            os.write(self._fd, packet)

    def write_uncut(self, front: bytes, payload: bytes) -> None:
        """Give the system a super-packet, headers behind its virtio header in front; may raise OSError."""
        os.writev(self._fd, (front, payload))

    def close(self) -> None:
        """The interface and its routes vanish."""
        os.close(self._fd)
