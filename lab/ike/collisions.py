"""When both sides rekey the same SA at once (RFC 7296 2.8.1, 2.25).

Each side then has two successors: the one its own exchange made and the one the peer's made. Of the four nonces of the
two exchanges the lowest decides: the SA made by the exchange with that nonce is closed by the endpoint that began it.
The other one lives on, and the endpoint that began that one also deletes the old SA.

A side that never notices (the peer's request came when its own exchange was over) refuses it with TEMPORARY_FAILURE, so
that there is nothing to decide.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """One exchange that rekeyed an SA: its nonces and the SA that it made."""

    ni: bytes
    nr: bytes
    made: T

    @property
    def lowest(self) -> bytes:
        """The nonce that counts, compared octet by octet."""
        return min(self.ni, self.nr)


@dataclass(slots=True)
class Collisions(Generic[T]):
    """The attempts at rekeying one SA: ours and the peer's."""

    ours: Attempt[T] | None = None
    theirs: Attempt[T] | None = None

    @property
    def lost(self) -> bool:
        """Whether the SA that our exchange made is the redundant one, which we have to close."""
        if self.ours is None or self.theirs is None:
            return False
        return self.ours.lowest < self.theirs.lowest
