"""Choosing a proposal (RFC 7296 2.7, 3.3.6, RFC 9370 2.2.1), and saying in words why none could be chosen.

- One transform per type; ours in our order (`prefer="theirs"`: in the peer's). The answer repeats the peer's transform
  as the peer wrote it, and has the number and SPI of its proposal.
- A transform that we do not know is passed over. A proposal with a transform type that we do not know, or without a
  mandatory one, is passed over as a whole; the others are looked at as usual (3.3.6).
- AEAD goes with no integrity algorithm, or with NONE; all other ciphers need one.
- A type that only one side names is no obstacle where that side also allows NONE (KE of a CHILD SA, additional KE).
- Two key exchanges of one SA never use the same method (RFC 9370 2.2.2), and none is additional to nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lab.crypto import registry
from lab.crypto.registry import ADDITIONAL, ORDER
from lab.wire.ids import Integ, KeMethod, OpenEnum, ProtocolId, TransformType
from lab.wire.payloads_v2 import Proposal, Transform

_T = TransformType
_KE = (_T.KE, *ADDITIONAL)
Side = Literal["ours", "theirs"]
Choice = list[Transform]
_MANDATORY = {
    ProtocolId.IKE: (_T.ENCR, _T.PRF, _T.KE),
    ProtocolId.ESP: (_T.ENCR, _T.ESN),
    ProtocolId.AH: (_T.INTEG, _T.ESN),
}


@dataclass(frozen=True, slots=True)
class Selected:
    """What was agreed: a proposal with one transform per type, under the number and SPI of the peer's proposal."""

    proposal: Proposal

    @property
    def number(self) -> int:
        """The number of the chosen proposal."""
        return self.proposal.number

    def of(self, kind: TransformType) -> Transform | None:
        """The transform of one type, None where there is none or it is NONE."""
        chosen = next(iter(self.proposal.of(kind)), None)
        return None if chosen is None or (chosen.id == 0 and kind != _T.ESN) else chosen

    @property
    def encr(self) -> Transform | None:
        """The cipher; None for AH."""
        return self.of(_T.ENCR)

    @property
    def integ(self) -> Transform | None:
        """The integrity algorithm; None for AEAD."""
        return self.of(_T.INTEG)

    @property
    def prf(self) -> OpenEnum | None:
        """The number of the PRF (IKE only)."""
        return chosen.id if (chosen := self.of(_T.PRF)) else None

    @property
    def ke(self) -> KeMethod | None:
        """The key exchange method, against which the KE payload is held; None for a CHILD SA without PFS."""
        return KeMethod(chosen.id) if (chosen := self.of(_T.KE)) else None

    @property
    def additional(self) -> tuple[tuple[TransformType, KeMethod], ...]:
        """The additional key exchanges in order (RFC 9370)."""
        return tuple((kind, KeMethod(chosen.id)) for kind in ADDITIONAL if (chosen := self.of(kind)))

    @property
    def esn(self) -> bool:
        """Whether extended sequence numbers were agreed."""
        return bool(self.of(_T.ESN) and self.proposal.of(_T.ESN)[0].id == 1)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why nothing was chosen: the first type without anything in common, in the proposals that came closest."""

    reason: str
    type: TransformType | None = None


def select(ours: Sequence[Proposal], theirs: Sequence[Proposal], *, prefer: Side = "ours") -> Selected | Mismatch:
    """The responder's choice among the peer's proposals."""
    best, best_rank = Mismatch("the peer offers no proposal"), -1
    pairs = [(mine, peers) for mine in ours for peers in theirs]
    if prefer == "theirs":
        pairs = [(mine, peers) for peers in theirs for mine in ours]
    for mine, peers in pairs:
        outcome = _pair(mine, peers, prefer)
        if isinstance(outcome, Selected):
            return outcome
        rank = ORDER.index(outcome.type) if outcome.type else 0
        if rank > best_rank:
            best, best_rank = outcome, rank
    return best


def accept(offered: Sequence[Proposal], answer: Sequence[Proposal]) -> Selected | Mismatch:
    """The initiator's check that the answer is one of its proposals with one transform per type (RFC 7296 2.7)."""
    if len(answer) != 1:
        return Mismatch(f"the answer holds {len(answer)} proposals, not one")
    chosen = answer[0]
    for kind in {t.type for t in chosen.transforms}:
        if len(chosen.of(kind)) > 1:
            return Mismatch(f"the answer holds {len(chosen.of(kind))} {kind.name} transforms, not one", kind)
    mine = [proposal for proposal in offered if proposal.number == chosen.number]
    if not mine:
        return Mismatch(f"the answer takes proposal {chosen.number}, which we did not offer")
    return _pair(mine[0], chosen, "ours")


def _pair(ours: Proposal, theirs: Proposal, prefer: Side) -> Selected | Mismatch:
    """One proposal of each side."""
    if ours.protocol != theirs.protocol:
        return Mismatch(f"peer offers {theirs.protocol.name}; we allow {ours.protocol.name}")
    strange = sorted({t.type for t in theirs.transforms} - set(ORDER))
    if strange:
        return Mismatch(f"peer's proposal {theirs.number} has {strange[0].name}, a transform type unknown to us")
    for kind in _MANDATORY.get(theirs.protocol, ()):
        if not theirs.of(kind):
            return Mismatch(f"peer's proposal {theirs.number} lacks {kind.name}, which is mandatory", kind)
    chosen: list[Transform] = []
    for part in (_cipher, _prf, _exchanges, _esn):
        outcome = part(ours, theirs, prefer)
        if isinstance(outcome, Mismatch):
            return outcome
        chosen += outcome
    return Selected(replace(theirs, transforms=tuple(sorted(chosen, key=lambda t: ORDER.index(t.type)))))


def _common(ours: Proposal, theirs: Proposal, kind: TransformType, prefer: Side) -> list[Transform]:
    """The peer's transforms of one type that we have too, the preferred first."""
    peers = theirs.of(kind)
    mine = [registry.normal(t) for t in ours.of(kind)]
    if prefer == "theirs":
        return [t for t in peers if registry.normal(t) in mine]
    normal = [registry.normal(t) for t in peers]
    return [peers[normal.index(t)] for t in mine if t in normal]


def _cipher(ours: Proposal, theirs: Proposal, prefer: Side) -> Choice | Mismatch:
    """ENCR and INTEG, of which the one decides whether the other is wanted."""
    integs = [t for t in _common(ours, theirs, _T.INTEG, prefer) if t.id != Integ.NONE]
    if theirs.protocol == ProtocolId.AH:
        return integs[:1] or _mismatch(ours, theirs, _T.INTEG)
    ciphers = _common(ours, theirs, _T.ENCR, prefer)
    for encr in ciphers:
        if not registry.encr(encr).aead:
            if integs:
                return [encr, integs[0]]
        elif not (offered := theirs.of(_T.INTEG)):
            return [encr]
        elif none := [t for t in offered if t.id == Integ.NONE]:
            return [encr, none[0]]
    if ciphers and all(registry.encr(encr).aead for encr in ciphers):
        words = ", ".join(registry.keyword(t) for t in theirs.of(_T.INTEG))
        return Mismatch(f"peer offers the AEAD cipher {registry.keyword(ciphers[0])} with integrity {words}", _T.INTEG)
    return _mismatch(ours, theirs, _T.INTEG if ciphers else _T.ENCR)


def _prf(ours: Proposal, theirs: Proposal, prefer: Side) -> Choice | Mismatch:
    return _single(ours, theirs, _T.PRF, prefer)


def _esn(ours: Proposal, theirs: Proposal, prefer: Side) -> Choice | Mismatch:
    return _single(ours, theirs, _T.ESN, prefer)


def _single(ours: Proposal, theirs: Proposal, kind: TransformType, prefer: Side) -> Choice | Mismatch:
    """A type that stands alone; one that neither side names is settled."""
    if not ours.of(kind) and not theirs.of(kind):
        return []
    return _common(ours, theirs, kind, prefer)[:1] or _mismatch(ours, theirs, kind)


def _exchanges(ours: Proposal, theirs: Proposal, prefer: Side) -> Choice | Mismatch:
    """KE and the additional key exchanges, all with different methods."""
    kinds = [kind for kind in _KE if ours.of(kind) or theirs.of(kind)]
    options = {kind: _methods(ours, theirs, kind, prefer) for kind in kinds}
    for kind in kinds:
        if not options[kind]:
            return _mismatch(ours, theirs, kind)
    found = ([t for t in choice if t is not None] for choice in _different(kinds, options, []))
    chosen = next(filter(_led, found), None)
    if chosen is None:
        reason = "the key exchanges on offer leave no choice without using one method twice or leaving out the first"
        return Mismatch(reason, kinds[-1])
    return chosen


def _led(chosen: Choice) -> bool:
    """Whether additional key exchanges have one in front of them, without which there are none (RFC 9370 2.2.1)."""
    real = {t.type for t in chosen if t.id != KeMethod.NONE}
    return _T.KE in real or not real


def _methods(ours: Proposal, theirs: Proposal, kind: TransformType, prefer: Side) -> Sequence[Transform | None]:
    """What may be chosen for one key exchange; None says that the answer leaves the type out."""
    if not theirs.of(kind):
        return [None] if any(t.id == KeMethod.NONE for t in ours.of(kind)) else []
    if not ours.of(kind):
        return [t for t in theirs.of(kind) if t.id == KeMethod.NONE][:1]
    return _common(ours, theirs, kind, prefer)


def _different(
    kinds: Sequence[TransformType],
    options: dict[TransformType, Sequence[Transform | None]],
    chosen: list[Transform | None],
) -> Iterator[list[Transform | None]]:
    """All choices without a repeated method. Our own configuration bounds their number, not the peer's offer."""
    if len(chosen) == len(kinds):
        yield chosen
        return
    used = {t.id for t in chosen if t and t.id != KeMethod.NONE}
    for option in options[kinds[len(chosen)]]:
        if option is None or option.id not in used:
            yield from _different(kinds, options, [*chosen, option])


def _mismatch(ours: Proposal, theirs: Proposal, kind: TransformType) -> Mismatch:
    peers, mine = (", ".join(registry.keyword(t) for t in p.of(kind)) or "none" for p in (theirs, ours))
    return Mismatch(f"no common {kind.name}: peer offers {peers}; we allow {mine}", kind)
