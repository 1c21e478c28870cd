"""Diffie-Hellman over the MODP groups (RFC 2409, RFC 3526), by Python's own pow().

The primes are not listed but made, once per group, by the formula of the RFCs:
2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + k). Public values and secrets are as long as the prime, padded with
zeros in front (RFC 7296 2.14).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from lab.errors import ProtocolError
from lab.wire.ids import NotifyType

GENERATOR = 2
GUARD = 64  # extra bits against rounding in the series for pi


def _arccot(inverse: int, bits: int) -> int:
    """arccot(inverse) * 2^bits by its power series."""
    term = (1 << bits) // inverse
    total, divisor, square = term, 1, inverse * inverse
    while term:
        term //= -square
        divisor += 2
        total += term // divisor
    return total


@cache
def pi(bits: int) -> int:
    """floor(pi * 2^bits), by Machin's formula."""
    scale = bits + GUARD
    return 4 * (4 * _arccot(5, scale) - _arccot(239, scale)) >> GUARD


@cache
def prime(bits: int, k: int) -> int:
    """The prime of the MODP group with this size and this constant k."""
    return (1 << bits) - (1 << bits - 64) - 1 + (pi(bits - 130) + k << 64)


@dataclass(frozen=True, slots=True)
class ModpKeyPair:
    """A secret exponent and its public value."""

    modulus: int
    exponent: int
    public: bytes

    def shared(self, peer: bytes) -> bytes:
        """g^ir; raises ProtocolError where the peer's value has the wrong length or is not in 2..p-2 (RFC 6989 2.1)."""
        if len(peer) != len(self.public):
            raise ProtocolError(f"KE data has {len(peer)} octets, not {len(self.public)}", NotifyType.INVALID_SYNTAX)
        value = int.from_bytes(peer, "big")
        if not 1 < value < self.modulus - 1:
            raise ProtocolError("the peer's public value is out of range", NotifyType.INVALID_SYNTAX)
        return pow(value, self.exponent, self.modulus).to_bytes(len(self.public), "big")


def generate(bits: int, k: int, exponent_bits: int, random: Callable[[int], bytes]) -> ModpKeyPair:
    """A fresh pair; the exponent has twice the bits of the group's strength, its top bit set (RFC 3526 8)."""
    modulus = prime(bits, k)
    exponent = int.from_bytes(random(exponent_bits // 8), "big") | 1 << exponent_bits - 1
    return from_exponent(modulus, exponent)


def from_exponent(modulus: int, exponent: int) -> ModpKeyPair:
    """The pair of a given exponent (for vectors)."""
    public = pow(GENERATOR, exponent, modulus)
    return ModpKeyPair(modulus, exponent, public.to_bytes((modulus.bit_length() + 7) // 8, "big"))
