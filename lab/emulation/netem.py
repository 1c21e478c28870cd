"""The message that puts netem before an interface, octet by octet, as `include/uapi/linux/pkt_sched.h` has it.

Times are whole nanoseconds, chances are fractions of 2^32. The seed makes netem draw the same from run to run (Linux
6.5 and later; older kernels pass over it). Which bit of a packet `corrupt` turns over, the kernel's own chance decides.

    tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter           six u32
    reorder, corrupt: chance, correlation     rate: octets/s, and three for cells
    loss by Gilbert and Elliott: p (begin), r (end), h = 1 - loss within a burst, 1 - k = loss between bursts
"""

import struct
from hashlib import sha256

from lab.emulation.model import Bursts, Impairment
from lab.emulation.units import bits_per_second, nanoseconds, parts_per_million

_QUEUE = 100_000  # packets; netem's own 1000 would drop a full-rate flow over a long link
_REORDER, _CORRUPT, _LOSS, _RATE, _RATE64, _LATENCY64, _JITTER64, _SEED = 3, 4, 5, 6, 8, 10, 11, 14
_GILBERT_ELLIOTT = 2
_NESTED = 0x8000
_CERTAIN = 0xFFFFFFFF


def options(impairment: Impairment, seed: int) -> bytes:
    """The value of TCA_OPTIONS: what netem is to do to packets, and the seed of what it draws."""
    loss = _chance(impairment.loss)
    # With a gap of 1 every packet may be the one that overtakes those that wait.
    gap = 1 if impairment.reorder else 0
    found = struct.pack("=6I", 0, _QUEUE, loss, gap, _chance(impairment.duplicate), 0)
    found += attribute(_LATENCY64, struct.pack("=q", nanoseconds(impairment.delay or "0s")))
    found += attribute(_JITTER64, struct.pack("=q", nanoseconds(impairment.jitter or "0s")))
    found += attribute(_SEED, struct.pack("=Q", seed))
    if impairment.reorder:
        found += attribute(_REORDER, struct.pack("=2I", _chance(impairment.reorder), 0))
    if impairment.corrupt:
        found += attribute(_CORRUPT, struct.pack("=2I", _chance(impairment.corrupt), 0))
    if impairment.bursts:
        found += attribute(_LOSS | _NESTED, attribute(_GILBERT_ELLIOTT, _bursts(impairment.bursts)))
    if impairment.rate:
        octets = bits_per_second(impairment.rate) // 8
        found += attribute(_RATE64, struct.pack("=Q", octets)) if octets > _CERTAIN else b""
        found += attribute(_RATE, struct.pack("=IiIi", min(octets, _CERTAIN), 0, 0, 0))
    return found


def seed_of(seed: int, link: str, sender: str) -> int:
    """The seed of one direction of a link: every one draws for itself."""
    return int.from_bytes(sha256(f"{seed}/{link}/{sender}".encode()).digest()[:8], "big")


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute: length and kind, the value, up to a multiple of four octets."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _bursts(bursts: Bursts) -> bytes:
    kept = _CERTAIN - _chance(bursts.loss)
    return struct.pack("=4I", _chance(bursts.begin), _chance(bursts.end), kept, _chance(bursts.between))


def _chance(text: str | None) -> int:
    return parts_per_million(text or "0%") * _CERTAIN // 1_000_000
