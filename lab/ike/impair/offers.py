"""Impairments of what is negotiated in IKE_SA_INIT: proposals, key exchange, nonces (RFC 7296 2.7, 2.10, 3.3, 3.4)."""

from collections.abc import Callable
from dataclasses import replace

from lab.ike.impair.craft import Craft, Draft, body_at, changed, set_at
from lab.ike.impair.row import Impairment, Outcome, Side
from lab.wire.ids import AttributeType, Encr, ExchangeType, KeMethod, NotifyType, PayloadType, TransformType
from lab.wire.payloads_v2 import KE, SA, Attribute, Nonce, Proposal, Transform, TransformId

INIT = ExchangeType.IKE_SA_INIT
IGNORED, REFUSED, TOLERATED = Outcome
SYNTAX, NO_PROPOSAL = NotifyType.INVALID_SYNTAX, NotifyType.NO_PROPOSAL_CHOSEN
MANY = 100
Proposals = tuple[Proposal, ...]


def _offered(change: Callable[[Proposals], Proposals]) -> Craft:
    """A craft that changes the proposals."""
    return lambda draft: draft.encode(payloads=changed(draft.payloads, SA, lambda sa: SA(change(sa.proposals))))


def _each(change: Callable[[tuple[Transform, ...]], tuple[Transform, ...]]) -> Craft:
    """A craft that changes the transforms of every proposal."""
    return _offered(lambda proposals: tuple(replace(p, transforms=change(p.transforms)) for p in proposals))


def _ciphers(change: Callable[[Transform], Transform]) -> Craft:
    return _each(lambda all_: tuple(change(t) if t.type == TransformType.ENCR else t for t in all_))


def _ke(change: Callable[[KE], KE]) -> Craft:
    return lambda draft: draft.encode(payloads=changed(draft.payloads, KE, change))


def _nonce(octets: int) -> Craft:
    return lambda draft: draft.encode(payloads=changed(draft.payloads, Nonce, lambda _: Nonce(b"n" * octets)))


def _count_wrong(draft: Draft) -> bytes:
    """The first proposal announces a transform more than it holds: header(4) number protocol SPI-size COUNT."""
    at = body_at(draft, PayloadType.SA) + 7
    return draft.encode(chain=lambda chain: set_at(chain, at, bytes([chain[at] + 1])))


def _row(
    name: str, about: str, clause: str, outcome: Outcome, craft: Craft, notify: NotifyType | None = None,
    side: Side = Side.BOTH, response: Outcome | None = None,
) -> Impairment:  # fmt: skip
    return Impairment(name, about, clause, INIT, outcome, craft, notify, side, PayloadType.SA, response)


_OTHER = Transform(TransformType(200), TransformId(1))
_SOME = Attribute(AttributeType(99), 1)

ROWS = (
    _row("proposals-none", "an SA payload without proposals", "7296#3.3", REFUSED, _offered(lambda _: ()), NO_PROPOSAL),
    _row(
        "proposals-many", "the same proposal a hundred times", "7296#3.3", TOLERATED,
        _offered(lambda ps: tuple(replace(ps[0], number=n + 1) for n in range(MANY))), side=Side.REQUEST,
    ),
    _row(
        "proposals-chosen-twice", "an answer with two proposals", "7296#2.7", REFUSED,
        _offered(lambda ps: ps * 2), side=Side.RESPONSE,
    ),
    _row(
        "transforms-many", "a hundred ciphers that nobody knows in front of the others", "7296#3.3.6", TOLERATED,
        _each(lambda ts: (*(Transform(TransformType.ENCR, Encr(1000 + n)) for n in range(MANY)), *ts)),
        side=Side.REQUEST,
    ),
    _row("transforms-none", "a proposal without transforms", "7296#3.3.1", REFUSED, _each(lambda _: ()), NO_PROPOSAL),
    _row(
        "transform-count-wrong", "a proposal that announces one transform more than it has", "7296#2.21.1", IGNORED,
        _count_wrong, SYNTAX,
    ),
    _row(
        "transform-type-unknown", "a proposal with a transform of unknown type", "7296#3.3.6", REFUSED,
        _each(lambda ts: (*ts, _OTHER)), NO_PROPOSAL,
    ),
    _row(
        "attribute-unknown", "ciphers with an attribute that nobody knows", "7296#3.3.6", REFUSED,
        _ciphers(lambda t: replace(t, other=(_SOME,))), NO_PROPOSAL,
    ),
    _row(
        "key-length-odd", "ciphers with a key of 129 bits", "7296#3.3.5", REFUSED,
        _ciphers(lambda t: replace(t, key_length=129)), NO_PROPOSAL,
    ),
    _row(
        "ke-short", "a public value with its last octet missing", "7296#3.4", IGNORED,
        _ke(lambda ke: replace(ke, data=ke.data[:-1])), SYNTAX, response=REFUSED,
    ),
    _row(
        "ke-zero", "a public value of zeros only", "8031#2", IGNORED,
        _ke(lambda ke: replace(ke, data=bytes(len(ke.data)))), SYNTAX, response=REFUSED,
    ),
    _row(
        "ke-group-wrong", "a key for a group that was not offered", "7296#1.2", REFUSED,
        _ke(lambda ke: replace(ke, group=KeMethod.MODP_1024)), NotifyType.INVALID_KE_PAYLOAD,
    ),
    _row("nonce-short", "a nonce of 8 octets", "7296#3.9", IGNORED, _nonce(8), SYNTAX),
    _row("nonce-long", "a nonce of 257 octets", "7296#3.9", IGNORED, _nonce(257), SYNTAX),
)  # fmt: skip
