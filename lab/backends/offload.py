"""How much at once: what the user-space data plane may hand to the system and get from it in one call.

    super-packets    the TUN device moves up to 64 KB of one flow, UDP sockets move trains; needs numpy
    udp              UDP sockets move trains (UDP_SEGMENT, UDP_GRO)
    none             one packet each

`ikelab.offload` names the most that is wanted; what the system lacks is found out at the start.
"""

import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lab.backends.datagrams import SOL_UDP, UDP_SEGMENT
from lab.backends.tun import Tun
from lab.ike.config import OFFLOADS
from lab.ipsec.dataplane import Dataplane

if TYPE_CHECKING:
    from lab.ipsec.train.plane import Trains

SUPER_PACKETS, UDP, NONE = OFFLOADS
_LONG = 4 << 20


def device(wish: str) -> Tun:
    """The TUN device, with super-packets if they are wanted and possible."""
    return Tun(super_packets=wish == SUPER_PACKETS and find_spec("numpy") is not None and segments(wish))


def segments(wish: str) -> bool:
    """Whether UDP sockets take trains here."""
    if wish == NONE:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.getsockopt(SOL_UDP, UDP_SEGMENT)
        except OSError:
            return False
    return True


def trains(plane: Dataplane, tun: Tun) -> "Trains | None":
    """The fast ways through a data plane, where the device moves super-packets."""
    if not tun.super_packets:
        return None
    # numpy is an extra, and its import takes a tenth of a second that only this needs.
    from lab.ipsec.train.plane import Trains  # noqa: PLC0415

    _keep_memory()
    return Trains(plane, udp=tun.udp)


def _keep_memory() -> None:
    """Let malloc keep what the buffers of a pass took, some hundred KB, instead of asking the system for it each time.

    glibc gives free memory back from twice the length on of the longest block that it mapped for itself and that was
    freed so far (mallopt(3), M_MMAP_THRESHOLD). Such a block is made here; nobody touches it, so it takes no memory.
    """
    bytearray(_LONG)
