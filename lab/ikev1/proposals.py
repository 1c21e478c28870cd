"""The proposals of a configuration as IKEv1 writes them, and back (RFC 2409 appendix A, RFC 2407 4.4, 4.5).

IKEv1 offers whole sets of algorithms: each transform of an SA payload is one set, to be taken or left as it is. So a
proposal of ours that names alternatives becomes one transform per combination, in order of preference, and each
transform of the peer's is read as a proposal without alternatives; `lab.crypto.choice` then decides for both versions.
What IKEv1 has no number for (AEAD and ChaCha20 in phase 1, Curve25519, ML-KEM) is in no transform.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lab.crypto import ikev1_numbers as numbers
from lab.crypto import registry
from lab.crypto.choice import Mismatch, Selected, select
from lab.ikev1.keys import Suite
from lab.wire.ids import Encr, Esn, Integ, KeMethod, Prf, ProtocolId, TransformType
from lab.wire.ids_v1 import AuthMethod1, LifeType, Mode1, Phase1, Phase2, Protocol1, TransformId1
from lab.wire.payloads_v1 import SA1, Attribute, Proposal1, Transform1
from lab.wire.payloads_v2 import Proposal, Transform

_T = TransformType
MOST_TRANSFORMS = 255  # their number is one octet
_ENCRYPTION = {number: kind for kind, number in numbers.ENCRYPTION.items()}
_HASH = {number: kind for kind, number in numbers.HASH.items()}
_ESP = {number: kind for kind, number in numbers.ESP.items()}
_AH = {number: kind for kind, number in numbers.AH.items()}
_CHILDREN = (Protocol1.ESP, Protocol1.AH)
_AUTHENTICATION = {number: kind for kind, number in numbers.AUTHENTICATION.items()}


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was chosen, as we see it, and as the transform that the peer wrote or has to read."""

    selected: Selected
    proposal: Proposal1

    @property
    def transform(self) -> Transform1:
        """The one transform."""
        return self.proposal.transforms[0]

    def suite(self, method: AuthMethod1) -> Suite:
        """The algorithms of an ISAKMP SA."""
        chosen = self.selected
        assert chosen.encr is not None and chosen.prf is not None and chosen.ke is not None, "phase 1 always has them"
        assert chosen.integ is not None, "the hash"
        return Suite(registry.normal(chosen.encr), Prf(chosen.prf), Integ(chosen.integ.id), chosen.ke, method)


# -- phase 1


def phase1(proposals: Iterable[Proposal], methods: Sequence[AuthMethod1], seconds: int) -> SA1:
    """SAi: one proposal, a transform per set of algorithms and authentication method."""
    sets = [(choice, method) for choice in numbers.sets(proposals, numbers.in_phase1) for method in methods][
        :MOST_TRANSFORMS
    ]
    transforms = tuple(
        Transform1(number, TransformId1.KEY_IKE, _phase1_attributes(choice, method, seconds))
        for number, (choice, method) in enumerate(sets, 1)
    )
    return SA1((Proposal1(1, Protocol1.ISAKMP, b"", transforms),))


def _phase1_attributes(choice: Proposal, method: AuthMethod1, seconds: int) -> tuple[Attribute, ...]:
    (encr,), (integ,), (group,) = choice.of(_T.ENCR), choice.of(_T.INTEG), choice.of(_T.KE)
    length = (Attribute.of(Phase1.KEY_LENGTH, encr.key_length),) if encr.key_length else ()
    return (
        Attribute.of(Phase1.ENCRYPTION, numbers.ENCRYPTION[Encr(encr.id)]),
        *length,
        Attribute.of(Phase1.HASH, numbers.HASH[Integ(integ.id)]),
        Attribute.of(Phase1.GROUP, group.id),
        Attribute.of(Phase1.AUTHENTICATION, method),
        *lifetime(Phase1.LIFE_TYPE, Phase1.LIFE_DURATION, seconds),
    )


def lifetime(kind: int, duration: int, seconds: int) -> tuple[Attribute, ...]:
    """A lifetime in seconds; 0 is none."""
    return (Attribute.of(kind, LifeType.SECONDS), Attribute.of(duration, seconds)) if seconds else ()


def choose_phase1(ours: Sequence[Proposal], offer: SA1, methods: Sequence[AuthMethod1]) -> Agreed | Mismatch:
    """The responder's choice: the first transform of the peer's that a proposal of ours covers."""
    read = [(p, t, _read_phase1(t)) for p in offer.proposals if p.protocol == Protocol1.ISAKMP for t in p.transforms]
    allowed = [(p, t, r) for p, t, r in read if t.get(Phase1.AUTHENTICATION) in methods]
    if read and not allowed:
        offered = ", ".join(sorted({AuthMethod1(t.get(Phase1.AUTHENTICATION) or 0).name for _, t, _ in read}))
        return Mismatch(f"peer would authenticate by {offered}; we allow {', '.join(m.name for m in methods)}")
    return _choose(ours, allowed)


def _read_phase1(transform: Transform1) -> Proposal | None:
    """A transform of the peer's as a proposal without alternatives; None where it has something that we lack."""
    encr, digest = _ENCRYPTION.get(transform.get(Phase1.ENCRYPTION) or 0), _HASH.get(transform.get(Phase1.HASH) or 0)
    group = KeMethod(transform.get(Phase1.GROUP) or 0)
    if encr is None or digest is None or not group or transform.get(Phase1.PRF) is not None:
        return None
    return Proposal(0, ProtocolId.IKE, b"", (
        Transform(_T.ENCR, encr, transform.get(Phase1.KEY_LENGTH)),
        Transform(_T.PRF, registry.PRF_OF[digest]),
        Transform(_T.INTEG, digest),
        Transform(_T.KE, group),
    ))  # fmt: skip


# -- phase 2


def phase2(proposals: Iterable[Proposal], spi: bytes, mode: Mode1, seconds: int, group: KeMethod | None) -> SA1:
    """SA of a Quick Mode, under our SPI: a proposal of ESP, one of AH, or either, in the order of ours.

    All their transforms name the one group of the KE payload.
    """
    sets = [choice for choice in numbers.sets(proposals, numbers.in_phase2) if numbers.group(choice) == group]
    protocols = dict.fromkeys(choice.protocol for choice in sets)
    return SA1(tuple(
        Proposal1(number, Protocol1(protocol), spi, _phase2_transforms(sets, protocol, mode, seconds))
        for number, protocol in enumerate(protocols, 1)
    ))  # fmt: skip


def _phase2_transforms(
    sets: Iterable[Proposal], protocol: ProtocolId, mode: Mode1, seconds: int
) -> tuple[Transform1, ...]:
    own = [choice for choice in sets if choice.protocol == protocol][:MOST_TRANSFORMS]
    return tuple(
        Transform1(number, _phase2_id(choice), _phase2_attributes(choice, mode, seconds))
        for number, choice in enumerate(own, 1)
    )


def _phase2_id(choice: Proposal) -> TransformId1:
    """The cipher's number in ESP; in AH, which has none, that of the authentication algorithm."""
    if choice.protocol == ProtocolId.AH:
        return TransformId1(numbers.AH[Integ(choice.of(_T.INTEG)[0].id)])
    return TransformId1(numbers.ESP[Encr(choice.of(_T.ENCR)[0].id)])


def _phase2_attributes(choice: Proposal, mode: Mode1, seconds: int) -> tuple[Attribute, ...]:
    length, group = next((t.key_length for t in choice.of(_T.ENCR)), None), numbers.group(choice)
    integ = next(iter(choice.of(_T.INTEG)), None)
    return (
        *((Attribute.of(Phase2.KEY_LENGTH, length),) if length else ()),
        *((Attribute.of(Phase2.AUTHENTICATION, numbers.AUTHENTICATION[Integ(integ.id)]),) if integ else ()),
        *((Attribute.of(Phase2.GROUP, group),) if group else ()),
        *lifetime(Phase2.LIFE_TYPE, Phase2.LIFE_DURATION, seconds),
        Attribute.of(Phase2.MODE, mode),
        *((Attribute.of(Phase2.ESN, 1),) if any(t.id for t in choice.of(_T.ESN)) else ()),
    )


def groups(proposals: Iterable[Proposal]) -> list[KeMethod | None]:
    """The groups that a child's proposals allow, the preferred first; None stands for no PFS."""
    return list(dict.fromkeys(numbers.group(choice) for choice in numbers.sets(proposals, numbers.in_phase2)))


def choose_phase2(ours: Sequence[Proposal], offer: SA1, modes: Sequence[Mode1]) -> Agreed | Mismatch:
    """The responder's choice among the peer's ESP and AH transforms that want an encapsulation of these."""
    known = [p for p in offer.proposals if p.protocol in _CHILDREN and _alone(p, offer)]
    if not known:
        return Mismatch("peer offers no ESP and no AH that stand alone; IPComp and bundles are not supported")
    fitting = [(p, t, _read_phase2(p, t)) for p in known for t in p.transforms if t.get(Phase2.MODE) in modes]
    if not fitting:
        offered = ", ".join(sorted({Mode1(t.get(Phase2.MODE) or 0).name for p in known for t in p.transforms}))
        return Mismatch(f"peer offers the encapsulation {offered}; we allow {', '.join(m.name for m in modes)}")
    return _choose(ours, fitting)


def _alone(proposal: Proposal1, offer: SA1) -> bool:
    """Proposals of one number belong together, as in ESP with IPComp (RFC 2408 4.2)."""
    return sum(1 for other in offer.proposals if other.number == proposal.number) == 1


def _read_phase2(proposal: Proposal1, transform: Transform1) -> Proposal | None:
    ah, encr = proposal.protocol == Protocol1.AH, _ESP.get(transform.id)
    named = transform.get(Phase2.AUTHENTICATION)
    integ = None if named is None else _AUTHENTICATION.get(named)
    # RFC 2407 4.4.3, 4.5: AH must name its algorithm as an attribute too, and it must be the same.
    if (
        (integ is None or _AH.get(transform.id) != integ)
        if ah
        else (encr is None or (integ is None) != (named is None))
    ):
        return None
    group, esn = transform.get(Phase2.GROUP), Esn(transform.get(Phase2.ESN) or 0)
    return Proposal(0, ProtocolId(proposal.protocol), b"", (
        *((Transform(_T.ENCR, encr, transform.get(Phase2.KEY_LENGTH)),) if encr is not None and not ah else ()),
        *((Transform(_T.INTEG, integ),) if integ is not None else ()),
        *((Transform(_T.KE, KeMethod(group)),) if group else ()),
        Transform(_T.ESN, esn),
    ))  # fmt: skip


# -- both


def _choose(
    ours: Sequence[Proposal], theirs: Sequence[tuple[Proposal1, Transform1, Proposal | None]]
) -> Agreed | Mismatch:
    """Among as many sets as an honest peer offers; what is agreed is the peer's transform as the peer wrote it."""
    known = [(p, t, r) for p, t, r in theirs if r is not None][:MOST_TRANSFORMS]
    if not known:
        return Mismatch("peer offers no algorithms that we know in IKEv1")
    chosen = select(ours, [replace(r, number=at) for at, (_, _, r) in enumerate(known)])
    if isinstance(chosen, Mismatch):
        return chosen
    proposal, transform, _ = known[chosen.number]
    return Agreed(chosen, replace(proposal, transforms=(transform,)))


def accept(offered: SA1, answer: SA1, ours: Sequence[Proposal], *, phase: int) -> Agreed | Mismatch:
    """The initiator's check that the answer is one of its transforms, unchanged but for the lifetime (RFC 2409 5)."""
    if len(answer.proposals) != 1 or len(answer.proposals[0].transforms) != 1:
        return Mismatch("the answer does not hold one proposal with one transform")
    (chosen,) = answer.proposals
    transform = chosen.transforms[0]
    mine = [t for p in offered.proposals if p.protocol == chosen.protocol for t in p.transforms]
    life = {1: (Phase1.LIFE_TYPE, Phase1.LIFE_DURATION), 2: (Phase2.LIFE_TYPE, Phase2.LIFE_DURATION)}[phase]
    if not any(_same(t, transform, life) for t in mine):
        return Mismatch("the answer is none of the transforms that we offered")
    read = _read_phase1(transform) if phase == 1 else _read_phase2(chosen, transform)
    assert read is not None, "we offer only what we can read"
    return _choose(ours, [(chosen, transform, read)])


def _same(ours: Transform1, theirs: Transform1, aside: Sequence[int]) -> bool:
    """Whether two transforms have the same ID and attributes, in whatever order and form."""
    mine, other = ({(int(a.type), a.number) for a in t.attributes if a.type not in aside} for t in (ours, theirs))
    return ours.id == theirs.id and mine == other
