"""Offered against chosen: the proposals of each SA payload, what the answer took of them, and where nothing fitted.

Rules of this file: the offer and the choice are those of the captured payloads. Which transform did not fit is not on
the wire; it is taken from the words of who refused (`lab.report.why`), and nothing is marked where those say nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.report import opened, words
from lab.report.asked import Asked, asked
from lab.report.detail import Detail, Node
from lab.report.ladder import Message
from lab.report.why.finding import Finding

MOST_OFFERS, MOST_PROPOSALS = 12, 16
NEAR_S = 1.0
REFUSALS = ("NO_PROPOSAL_CHOSEN", "INVALID_KE_PAYLOAD", "TS_UNACCEPTABLE", "NO_ADDITIONAL_SAS", "TEMPORARY_FAILURE")
ORDER = ("ENCR", "PRF", "INTEG", "KE", "ESN")
# What IKEv1 writes into every transform and negotiates no algorithm with.
LIFETIMES = frozenset({"LIFE_TYPE", "LIFE_DURATION"})
_NO_COMMON = re.compile(r"no common (\w+)")
_ALLOWS = re.compile(r"allows (\S.*)")


@dataclass(frozen=True, slots=True)
class Transform:
    """`kind` is ENCR, PRF, ...; `state` is `chosen`, `mismatch` or empty."""

    kind: str
    name: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal of an SA payload; of IKEv1 each of its transforms, which are whole alternatives."""

    number: str
    protocol: str
    transforms: tuple[Transform, ...]
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """An SA payload with its answer. `refused` marks an answer that chose nothing."""

    message: Message
    proposals: tuple[Proposal, ...]
    outcome: str
    refused: bool


def find(
    messages: Sequence[Message], details: Mapping[int, Detail], findings: Sequence[Finding], start: float
) -> list[Offer]:
    """Every offer in the order of the ladder; `start` is the time of its first message, in seconds since 1970."""
    return [_offer(one, findings, start) for one in asked(messages, details, "SA")[:MOST_OFFERS]]


def _offer(one: Asked, findings: Sequence[Finding], start: float) -> Offer:
    offered, chosen = read(one.opened), read(one.answered)
    outcome = _outcome(one, offered, chosen)
    if chosen:
        return Offer(one.message, tuple(_with_choice(each, chosen[0]) for each in offered), outcome, refused=False)
    near = [each.words for each in findings if _bears_on(one, each, start)]
    misfit, allowed = mismatch(offered, near)
    why = f" {one.answer.sender if one.answer else one.message.receiver} allows {allowed}." if allowed else ""
    marked = tuple(_with_mismatch(each, misfit) for each in offered)
    return Offer(one.message, marked, outcome + why, refused=True)


def read(detail: Detail | None) -> list[Proposal]:
    """The proposals of the first SA payload."""
    found = [p for sa in opened.payloads(detail, "SA")[:1] for p in opened.parts(sa, "Proposal")]
    return [one for node in found[:MOST_PROPOSALS] for one in _proposals(node)][:MOST_PROPOSALS]


def _proposals(node: Node) -> list[Proposal]:
    number, protocol = opened.field(node, "Number"), opened.word(opened.field(node, "Protocol"))
    transforms = opened.parts(node, "Transform")
    if any(opened.field(one, "Type") for one in transforms):
        return [Proposal(number, protocol, tuple(_transform(one) for one in transforms))]
    return [Proposal(f"{number}.{opened.field(one, 'Number')}", protocol, _attributes(one)) for one in transforms]


def _transform(node: Node) -> Transform:
    """A transform of IKEv2 with its key length."""
    bits = opened.field(node, "KEY_LENGTH")
    name = opened.word(opened.field(node, "ID")) + (f" {bits}" if bits else "")
    return Transform(opened.word(opened.field(node, "Type")), name)


def _attributes(node: Node) -> tuple[Transform, ...]:
    """A transform of IKEv1: its number in the protocol, and its attributes."""
    found = [Transform(one.name, opened.word(one.value)) for one in node.children if one.name.isupper()]
    own = Transform("transform", opened.word(opened.field(node, "ID")))
    return (own, *(one for one in found if one.kind not in LIFETIMES and one.kind != "ID"))


def _with_choice(offered: Proposal, chosen: Proposal) -> Proposal:
    names = {(one.kind, one.name) for one in chosen.transforms}
    # IKEv1 repeats the chosen transform under its number; IKEv2 numbers proposals, and takes some of the transforms.
    taken = offered.number == chosen.number and offered.protocol == chosen.protocol
    states = ["chosen" if taken and (one.kind, one.name) in names else "" for one in offered.transforms]
    marked = [Transform(one.kind, one.name, state) for one, state in zip(offered.transforms, states, strict=True)]
    return Proposal(offered.number, offered.protocol, tuple(marked), taken)


def _with_mismatch(offered: Proposal, kind: str) -> Proposal:
    states = ["mismatch" if one.kind == kind else "" for one in offered.transforms]
    marked = [Transform(one.kind, one.name, state) for one, state in zip(offered.transforms, states, strict=True)]
    return Proposal(offered.number, offered.protocol, tuple(marked))


def _outcome(one: Asked, offered: Sequence[Proposal], chosen: Sequence[Proposal]) -> str:
    if one.answer is None:
        return "No answer was seen."
    if not chosen:
        said = [name for name in opened.notifies(one.answered) if name in REFUSALS or name == "COOKIE"]
        return (
            f"{one.answer.sender} chose nothing: {', '.join(said)}." if said else f"{one.answer.sender} chose nothing."
        )
    strange = [t.name for t in chosen[0].transforms if not _was_offered(t, chosen[0], offered)]
    outside = f" It chose {', '.join(strange)}, which was not offered." if strange else ""
    of = words.count(len(offered), "proposal")
    return f"{one.answer.sender} chose proposal {chosen[0].number} of {of}.{outside}"


def _was_offered(transform: Transform, chosen: Proposal, offered: Sequence[Proposal]) -> bool:
    same = (one for one in offered if (one.number, one.protocol) == (chosen.number, chosen.protocol))
    return any((transform.kind, transform.name) == (each.kind, each.name) for one in same for each in one.transforms)


def _bears_on(one: Asked, finding: Finding, start: float) -> bool:
    """Whether who refused said it at the time of the refusal."""
    at = one.answer.sent if one.answer else one.message.sent
    near = at is not None and abs(finding.t - start - at) <= NEAR_S
    return finding.reason and finding.node == one.message.receiver and near


def mismatch(offered: Sequence[Proposal], reasons: Sequence[str]) -> tuple[str, str]:
    """(the kind of the first transform that nothing fits, what would have been allowed), each perhaps empty."""
    for reason in reasons:
        if named := _NO_COMMON.search(reason):
            return named[1], reason.rpartition("we allow ")[2] if "we allow " in reason else ""
    allowed = next((found[1] for reason in reasons if (found := _ALLOWS.fullmatch(reason))), "")
    known = {_plain(name) for proposal in allowed.split(", ") for name in proposal.partition(":")[2].split("/")}
    by_kind = {kind: [t for p in offered for t in p.transforms if t.kind == kind] for kind in ORDER}
    misfits = [kind for kind, found in by_kind.items() if found and not any(_plain(t.name) in known for t in found)]
    return (misfits[0] if misfits and allowed else ""), allowed


def _plain(name: str) -> str:
    """A transform as both the RFC's registry and charon would write it: `ENCR_AES_CBC 256` and `AES_CBC_256` alike."""
    bare = name.removeprefix("ENCR_").removeprefix("AUTH_").replace("EXT_SEQ", "ESN")
    return re.sub(r"[^A-Z0-9]", "", bare.upper())
