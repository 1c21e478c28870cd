"""brainpoolP224r1 (RFC 5639 3.3), which the library lacks, in affine coordinates and Python integers.

Slow (some milliseconds) and not constant in time: enough to meet a peer that insists on it, and in no default.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lab.errors import ProtocolError
from lab.wire.ids import NotifyType

OCTETS = 28
P = 0xD7C134AA264366862A18302575D1D787B09F075797DA89F57EC8C0FF
A = 0x68A5E62CA9CE6C1C299803A6C1530B514E182AD8B0042A59CAD29F43
B = 0x2580F63CCFE44138870713B1A92369E33E2135D266DBB372386C400B
ORDER = 0xD7C134AA264366862A18302575D0FB98D116BC4B6DDEBCA3A5A7939F
Point = tuple[int, int] | None  # None is the point at infinity
BASE: Point = (
    0x0D9029AD2C7E5CF4340823B2A87DC68C9E4CE3174C1E6EFDEE12C07D,
    0x58AA56F772C0726F24C6B89E4ECDAC24354B9E99CAA3F6D3761402CD,
)


def add(one: Point, other: Point) -> Point:
    """The sum of two points."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if one == other else (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def multiply(scalar: int, point: Point) -> Point:
    """`scalar` times the point, by doubling and adding."""
    result: Point = None
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


@dataclass(frozen=True, slots=True)
class P224KeyPair:
    """A secret scalar and its point, x | y on the wire; the secret is x alone (RFC 6954 2)."""

    scalar: int
    public: bytes

    @classmethod
    def of(cls, scalar: int) -> "P224KeyPair":
        """The pair of a scalar between 1 and the order."""
        point = multiply(scalar, BASE)
        if point is None:
            raise ValueError("the scalar is a multiple of the group's order")
        return cls(scalar, b"".join(value.to_bytes(OCTETS, "big") for value in point))

    def shared(self, peer: bytes) -> bytes:
        """The x coordinate of the common point; raises ProtocolError where the peer's point is not on the curve."""
        if len(peer) != 2 * OCTETS:
            raise ProtocolError(f"KE data has {len(peer)} octets, not {2 * OCTETS}", NotifyType.INVALID_SYNTAX)
        x, y = int.from_bytes(peer[:OCTETS], "big"), int.from_bytes(peer[OCTETS:], "big")
        if x >= P or y >= P or (y * y - x * x * x - A * x - B) % P:
            raise ProtocolError("the peer's point is not on the curve", NotifyType.INVALID_SYNTAX)
        point = multiply(self.scalar, (x, y))
        if point is None:  # not reachable: the cofactor is 1 and the scalar below the order
            raise ProtocolError("the shared point is infinity", NotifyType.INVALID_SYNTAX)
        return point[0].to_bytes(OCTETS, "big")


def generate(random: Callable[[int], bytes]) -> P224KeyPair:
    """A fresh pair."""
    return P224KeyPair.of(int.from_bytes(random(OCTETS + 8), "big") % (ORDER - 1) + 1)
