"""Impairments of a message in fragments (RFC 7383 2.6), on an SA whose both sides announced that they take them."""

from collections.abc import Callable

from lab.ike.impair.craft import Draft, set_at
from lab.ike.impair.row import Impairment, Outcome
from lab.wire.fragments import split
from lab.wire.ids import ExchangeType
from lab.wire.message import Message

IGNORED, _, TOLERATED = Outcome
Pieces = tuple[bytes, ...]
# Octets of a fragment: short enough for several of any IKE_AUTH message, long enough for some content.
LARGE, SMALL = 140, 100


def _split(draft: Draft, most: int = LARGE) -> Pieces:
    return split(Message(draft.header, draft.payloads), draft.sealer, most)


def _row(name: str, about: str, clause: str, outcome: Outcome, craft: Callable[[Draft], Pieces]) -> Impairment:
    return Impairment(name, about, clause, ExchangeType.IKE_AUTH, outcome, craft, in_fragments=True)


def _forged(draft: Draft) -> Pieces:
    """A first fragment whose ICV is wrong, in front of the true ones."""
    first, *others = _split(draft)
    forged = set_at(first, len(first) - 1, bytes([first[-1] ^ 1]))
    return (forged, first, *others)


ROWS = (
    _row(
        "fragments-reversed", "the fragments of a message in the reverse order", "7383#2.6", TOLERATED,
        lambda draft: _split(draft)[::-1],
    ),
    _row(
        "fragments-doubled", "every fragment twice", "7383#2.6", TOLERATED,
        lambda draft: tuple(piece for piece in _split(draft) for _ in range(2)),
    ),
    _row(
        "fragment-missing", "all fragments but the last", "7383#2.6", IGNORED, lambda draft: _split(draft)[:-1],
    ),
    _row(
        "fragment-forged", "a fragment with a wrong ICV in front of the true ones", "7383#2.6", TOLERATED, _forged,
    ),
    _row(
        "fragments-cut-anew", "all fragments but the last, then all of the message in smaller ones", "7383#2.6.1",
        TOLERATED, lambda draft: (*_split(draft)[:-1], *_split(draft, SMALL)),
    ),
)  # fmt: skip
