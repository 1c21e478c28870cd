"""The message ladder as rows: what ladder.json says, put in the order and the company in which it is drawn.

Rules of this file: times are seconds since the first message. A run of ESP packets or keepalives becomes one row when
it is longer than `RUN`, unless it pauses for `PAUSE` seconds; a silence longer than `SILENCE` becomes a row of its own,
because retransmission is about silences. Nothing is left out: every message is in exactly one row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.report import facts
from lab.report.facts import Facts

RUN = 4
SILENCE = 0.25
PAUSE = 5.0
BULK = frozenset({"ESP", "AH", "NAT-keepalive", "GRE"})


@dataclass(frozen=True, slots=True)
class Hop:
    """A message as one capture point (`node:iface`) saw it, in so many IP fragments.

    `t` may be None; `src` and `dst` are `address:port`.
    """

    point: str
    t: float | None
    src: str
    dst: str
    fragments: int = 1

    @property
    def node(self) -> str:
        """The node of the capture point."""
        return self.point.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Message:
    """One datagram of the ladder; `number` is its `n`."""

    number: int
    sent: float | None
    received: float | None
    sender: str
    receiver: str
    src: str
    dst: str
    protocol: str
    exchange: str
    message_id: int | None
    response: bool
    payloads: tuple[str, ...]
    encrypted: bool
    opened: bool
    retransmit_of: int | None
    lost: bool
    spi: str
    seq: int | None
    length: int | None
    hops: tuple[Hop, ...]
    inner: str
    duplicates: int
    note: str
    gate: tuple[str, ...] = ()
    in_udp: bool = False
    step: int | None = None

    @property
    def title(self) -> str:
        """`IKE_AUTH request 1`, `Main Mode 5`, `Quick Mode 2 of 0badc0de`, `ESP seq 7`."""
        if self.exchange and self.protocol == "IKEv1":  # which has no requests and responses, and message IDs at random
            place = self.exchange if self.step is None else f"{self.exchange} {self.step}"
            return f"{place} of {self.message_id:08x}" if self.message_id else place
        if self.exchange:
            number = "" if self.message_id is None else f" {self.message_id}"
            return f"{self.exchange} {'response' if self.response else 'request'}{number}"
        return f"{self.protocol} seq {self.seq}" if self.seq is not None else self.protocol

    @property
    def label(self) -> str:
        """The title with its payloads: `IKE_AUTH request 1 {IDi AUTH SAi2 TSi TSr}`."""
        return f"{self.title} {{{' '.join(self.payloads)}}}" if self.payloads else self.title

    @property
    def marks(self) -> list[str]:
        """What is special about it, in words."""
        found = []
        if self.retransmit_of is not None:
            found.append(f"retransmission of {self.retransmit_of}")
        if self.lost:
            found.append("lost")
        if self.unseen:
            found.append("not seen to arrive")
        if self.duplicates:
            found.append("duplicated by the network" + (f" {self.duplicates} times" if self.duplicates > 1 else ""))
        found += [f"{said} at the gate" for said in self.gate]
        if self.fragments > 1:
            found.append(f"in {self.fragments} IP fragments")
        if self.encrypted and not self.opened:
            found.append("no key fits")
        return found + ([self.note] if self.note else [])

    @property
    def fragments(self) -> int:
        """In how many IP fragments it travelled at most; 1 is in one piece."""
        return max((hop.fragments for hop in self.hops), default=1)

    @property
    def in_pieces(self) -> bool:
        """Whether it is in IP fragments, or a fragment of an IKE message (RFC 7383)."""
        return self.fragments > 1 or any(name.startswith("SKF(") for name in self.payloads)

    @property
    def unseen(self) -> bool:
        """Whether it was seen under way but nobody looked where it should have arrived."""
        return not self.lost and self.received is None and any(hop.node != self.sender for hop in self.hops)


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was sent for `length` seconds."""

    length: float


@dataclass(frozen=True, slots=True)
class Run:
    """Several packets of one kind in a row."""

    protocol: str
    messages: tuple[Message, ...]

    @property
    def ways(self) -> list[tuple[str, str, int]]:
        """(sender, receiver, packets) for each direction."""
        found: dict[tuple[str, str], int] = {}
        for one in self.messages:
            found[one.sender, one.receiver] = found.get((one.sender, one.receiver), 0) + 1
        return [(*way, number) for way, number in found.items()]

    @property
    def lost(self) -> int:
        """How many of them never arrived."""
        return sum(one.lost for one in self.messages)

    @property
    def octets(self) -> int:
        """Their lengths added up."""
        return sum(one.length or 0 for one in self.messages)


Row = Message | Silence | Run


def read(found: object) -> list[Message]:
    """The messages of a ladder.json, with times from the first one on."""
    listed = facts.rows(found) or facts.rows(found, "messages")
    start = beginning(found)
    return [_message(item, index, start) for index, item in enumerate(listed, 1)]


def beginning(found: object) -> float:
    """The time of the first message of a ladder.json, in seconds since 1970."""
    listed = facts.rows(found) or facts.rows(found, "messages")
    times = [t for item in listed for key in ("t_sent", "t_received") if (t := facts.number(item, key)) is not None]
    return min(times, default=0.0)


def _message(item: Facts, index: int, start: float) -> Message:
    number = facts.whole(item, "n")
    return Message(
        number=index if number is None else number,
        sent=_since(item, "t_sent", start),
        received=_since(item, "t_received", start),
        sender=facts.text(item, "from", "?"),
        receiver=facts.text(item, "to", "?"),
        src=facts.text(item, "src"),
        dst=facts.text(item, "dst"),
        protocol=facts.text(item, "protocol", "?"),
        exchange=facts.text(item, "exchange"),
        message_id=facts.whole(item, "message_id"),
        response=facts.flag(item, "response"),
        payloads=tuple(facts.texts(item, "payloads")),
        encrypted=facts.flag(item, "encrypted"),
        opened=facts.flag(item, "opened"),
        retransmit_of=facts.whole(item, "retransmit_of"),
        lost=facts.flag(item, "lost"),
        spi=facts.text(item, "spi"),
        seq=facts.whole(item, "seq"),
        length=facts.whole(item, "length"),
        hops=tuple(_hop(hop, start) for hop in facts.rows(item, "hops")),
        inner=facts.text(item, "inner"),
        duplicates=facts.whole(item, "duplicates") or 0,
        note=facts.text(item, "note"),
        in_udp=facts.flag(item, "udp"),
        step=facts.whole(item, "step"),
        gate=tuple(facts.texts(item, "gate")),
    )


def _hop(item: Facts, start: float) -> Hop:
    src, dst, fragments = facts.text(item, "src"), facts.text(item, "dst"), facts.whole(item, "fragments") or 1
    return Hop(facts.text(item, "point"), _since(item, "t", start), src, dst, fragments)


def _since(item: Facts, key: str, start: float) -> float | None:
    found = facts.number(item, key)
    return None if found is None else found - start


def rows(messages: Sequence[Message]) -> list[Row]:
    """Messages, silences and runs from top to bottom."""
    found: list[Row] = []
    last: float | None = None
    for group in _groups(messages):
        first = group[0].sent if group[0].sent is not None else group[0].received
        if last is not None and first is not None and first - last >= SILENCE:
            found.append(Silence(first - last))
        found += [Run(group[0].protocol, tuple(group))] if len(group) > RUN else group
        ends = [t for one in group for t in (one.sent, one.received) if t is not None]
        last = max(ends, default=last if last is not None else 0.0)
    return found


def digits(messages: Sequence[Message]) -> int:
    """How many digits after the point tell apart what happened at different times: 4 or 6."""
    times = sorted(t for one in messages for t in (one.sent, one.received) if t is not None)
    gaps = [after - before for before, after in pairwise(times) if after - before > 5e-7]
    return 6 if gaps and min(gaps) < 1e-4 else 4


def _groups(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Neighbours of one bulk protocol together; everything else alone."""
    group: list[Message] = []
    for one in messages:
        if group and (one.protocol != group[0].protocol or _apart(group[-1], one)):
            yield group
            group = []
        group.append(one)
        if one.protocol not in BULK:
            yield group
            group = []
    if group:
        yield group


def _apart(before: Message, after: Message) -> bool:
    return before.sent is not None and after.sent is not None and after.sent - before.sent >= PAUSE
