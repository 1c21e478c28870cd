"""Every SA that lived in a scenario, from the first to the last: from the messages that made and ended it.

Rules of this file: what the peers report at the end (`associations`) knows only who is left; this is read from the
captured payloads, so that it also knows who came before. An IPsec SA is a pair of SPIs, one for each direction. In
IKEv1 nothing on the wire says which SA replaces which, so a Quick Mode for the same identities counts as the successor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.report import offers, opened, selectors, words
from lab.report.asked import Asked, asked
from lab.report.detail import Detail
from lab.report.ladder import Message

MOST_SAS = 200
IKE = frozenset({"IKE", "ISAKMP"})
BIRTHS_OF_IKE = frozenset({"IKE_SA_INIT", "IKE_SESSION_RESUME", "Main Mode", "Aggressive Mode"})
UNNAMED = frozenset({"MODE", "transform", "KEY_LENGTH", "AUTHENTICATION"})


@dataclass(slots=True)
class Sa:
    """One SA. `by` asked for it; of `spis`, `packets` and `octets` the first is what goes to that side.

    `born` is the message that agreed on it, `ended` the one that deletes it, or None; `before` and `after` are places
    in the list. `lifetime` is what both agreed on, which only IKEv1 negotiates.
    """

    place: int
    protocol: str
    spis: tuple[str, str]
    algorithms: str
    born: Message
    by: str
    ended: Message | None = None
    before: int | None = None
    after: list[int] = field(default_factory=list)
    packets: tuple[int, int] = (0, 0)
    octets: tuple[int, int] = (0, 0)
    selectors: tuple[tuple[str, ...], ...] = ()
    lifetime: str = ""

    @property
    def life(self) -> str:
        """How long it lived on the wire."""
        if self.ended is None or self.ended.sent is None or self.born.sent is None:
            return "to the end"
        return words.seconds(self.ended.sent - self.born.sent)

    @property
    def is_ike(self) -> bool:
        """Whether it is an IKE SA."""
        return self.protocol in IKE


def find(messages: Sequence[Message], details: Mapping[int, Detail]) -> list[Sa]:
    """The SAs in the order in which they were agreed on."""
    found: list[Sa] = []
    networks = {
        one.message.number: tuple(side.answered for side in one.sides) for one in selectors.find(messages, details)
    }
    for one in asked(messages, details, "SA")[:MOST_SAS]:
        if one.answer and (sa := _born(one, len(found), networks.get(one.message.number, ()))):
            _descend(sa, one, found)
            found.append(sa)
    _deaths(found, messages, details)
    _traffic(found, messages)
    return found


def _born(one: Asked, place: int, networks: tuple[tuple[str, ...], ...]) -> Sa | None:
    """The SA that a request and its answer agree on."""
    chosen = offers.read(one.answered)
    if not chosen or one.answer is None:
        return None
    protocol = chosen[0].protocol
    if one.message.exchange in BIRTHS_OF_IKE:
        first, _, second = one.answer.spi.partition(":")
        spis = (first, second)
    else:
        spis = (_spi(one.opened, protocol), _spi(one.answered, protocol))
    if not all(spis):
        return None
    lifetime = _lifetime(one.answered)
    made = Sa(place, protocol, spis, _algorithms(chosen[0]), one.answer, one.message.sender)
    made.selectors, made.lifetime = networks, lifetime
    return made


def _lifetime(detail: Detail | None) -> str:
    """`3960 s` or `4500 kB`, as the chosen transform of IKEv1 says (RFC 2407 4.5)."""
    found = opened.payloads(detail, "SA")[:1]
    for name in ("Proposal", "Transform"):
        found = [child for node in found for child in opened.parts(node, name)][:1]
    said = [(child.name, opened.word(child.value)) for node in found for child in node.children]
    units = {"1": "s", "2": "kB", "SECONDS": "s", "KILOBYTES": "kB"}
    kinds = [units.get(value, "") for name, value in said if name == "LIFE_TYPE"]
    values = [value for name, value in said if name == "LIFE_DURATION"]
    return ", ".join(f"{value} {kind}" for kind, value in zip(kinds, values, strict=False))


def _algorithms(chosen: offers.Proposal) -> str:
    """What protects it: `ENCR_AES_GCM_16 256, CURVE25519`."""
    if any(one.kind in UNNAMED for one in chosen.transforms):
        return ", ".join(_of_ikev1(chosen.transforms))
    return ", ".join(one.name for one in chosen.transforms if one.name != "NO_ESN")


def _of_ikev1(transforms: Sequence[offers.Transform]) -> list[str]:
    """The same of a transform of IKEv1, whose cipher has its key length beside it; a bare number with its kind."""
    said: list[str] = []
    for one in transforms:
        if one.kind == "KEY_LENGTH" and said and said[-1].startswith("ENCR_"):
            said[-1] += f" {one.name}"
        elif one.name.isdigit():
            said.append(f"{words.label(one.kind).lower()} {one.name}")
        elif one.name != "KEY_IKE":
            said.append(words.label(one.name).lower() if one.kind == "MODE" else one.name)
    return said


def _spi(detail: Detail | None, protocol: str) -> str:
    """The SPI that the sender of a proposal of this protocol has chosen for itself."""
    proposals = (p for sa in opened.payloads(detail, "SA") for p in opened.parts(sa, "Proposal"))
    return next((opened.field(p, "SPI") for p in proposals if opened.word(opened.field(p, "Protocol")) == protocol), "")


def _descend(sa: Sa, one: Asked, found: Sequence[Sa]) -> None:
    """Note whom it replaces: by REKEY_SA, as a new IKE SA made within one, or in IKEv1 by its identities."""
    before = _before(sa, one, found)
    if before is not None:
        sa.before = before.place
        before.after.append(sa.place)


def _before(sa: Sa, one: Asked, found: Sequence[Sa]) -> Sa | None:
    alike = [other for other in reversed(found) if other.is_ike == sa.is_ike]
    if sa.is_ike:
        inside = one.message.exchange not in BIRTHS_OF_IKE
        return next((other for other in alike if inside and ":".join(other.spis) == one.message.spi), None)
    for node in opened.payloads(one.opened, "N"):
        if opened.word(opened.field(node, "Type")) == "REKEY_SA":
            return next((other for other in alike if opened.field(node, "SPI") in other.spis), None)
    if one.message.protocol == "IKEv1" and sa.selectors:
        return next((other for other in alike if other.selectors == sa.selectors and not other.after), None)
    return None


def _deaths(found: Sequence[Sa], messages: Sequence[Message], details: Mapping[int, Detail]) -> None:
    """Whom the Delete payloads name, the first time; without SPIs one means the IKE SA that it came in."""
    for one in messages:
        for node in opened.payloads(details.get(one.number), "D") if one.exchange else ():
            protocol = opened.word(opened.field(node, "Protocol"))
            named = {child.value for child in node.children if child.name == "SPI"}
            for sa in found:
                if sa.ended is None and (_is_named(sa, named) if protocol not in IKE else ":".join(sa.spis) == one.spi):
                    sa.ended = one


def _is_named(sa: Sa, named: set[str]) -> bool:
    return not sa.is_ike and bool(named & set(sa.spis))


def _traffic(found: Sequence[Sa], messages: Sequence[Message]) -> None:
    """Packets and octets of each direction, as counted on the wire."""
    seen: dict[str, list[int]] = {}
    for one in messages:
        if one.protocol in ("ESP", "AH"):
            seen.setdefault(one.spi, []).append(one.length or 0)
    for sa in found:
        if not sa.is_ike:
            first, second = (seen.get(spi, []) for spi in sa.spis)
            sa.packets, sa.octets = (len(first), len(second)), (sum(first), sum(second))
