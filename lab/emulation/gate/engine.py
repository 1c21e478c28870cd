"""What becomes of each packet at the gate: rules, counts, packets that wait, and the record of it all.

    frames = engine.take(packet, now)        the frames to send now, in this order
    frames = engine.tick(now)                those whose time has come
    engine.next_deadline()                   when to tick

Rules of this file:
- No clock and no sockets; `now` is seconds, `read` opens a packet and gives its payloads' names (None: it cannot).
- Every rule counts every packet that its words describe; the first whose turn it is acts, and no other.
- A packet that is let go meets no rule again.
- What comes right behind a packet of an order, from the same side, goes on BEHIND_S later: whoever takes them may have
  several threads, and must be done with the one before it sees the next.
- What waits is bounded in time (rule.LONGEST_S) and in number; beyond that packets pass, and the record says so. The
  record is bounded too, and says how much it left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.emulation.gate.filter import Filter
from lab.emulation.gate.packet import Packet, corrupted, decode, described
from lab.emulation.gate.rule import WAITING, Rule
from lab.errors import ConfigError

MOST_HELD = 256
MOST_RULES = 256
MOST_EVENTS = 10_000
LONGEST_RAW = 4096
BEHIND_S = 0.01
_BEHIND = -2
Read = Callable[[Packet], tuple[str, ...] | None]


@dataclass(slots=True)
class Held:
    """A packet that waits: since when, at the latest until when, and in which place of an order, or _BEHIND one."""

    packet: Packet
    since: float
    due: float
    place: int = -1


@dataclass(slots=True)
class Standing:
    """A rule in force. `seen` counts what each of its filters described, `acted` the packets it did something to."""

    number: int
    rule: Rule
    seen: list[int]
    until_seen: int = 0
    acted: int = 0
    held: list[Held] = field(default_factory=list)
    gone: int = 0
    filled: set[int] = field(default_factory=set)
    over: bool = False
    followed: dict[str, float] = field(default_factory=dict)  # by the side that it came from: until when

    def state(self) -> dict[str, Any]:
        """For whoever asks how the rule fares."""
        counted = {"seen": self.seen[0], "acted": self.acted, "held": len(self.held)}
        return {"rule": self.number, "words": self.rule.words, "action": self.rule.action, **counted}


class Engine:
    """The rules of one gate. `sides` has for each node the gate's interface behind which it lies."""

    def __init__(self, sides: Mapping[str, str], read: Read) -> None:
        self._sides, self._read = dict(sides), read
        self._rules: dict[int, Standing] = {}
        self._former: list[dict[str, Any]] = []
        self._numbers = 0
        self.events: list[dict[str, Any]] = []
        self.unrecorded = 0

    # -- rules

    def add(self, rule: Rule) -> int:
        """Put a rule in force; its number. ConfigError names a node that is not there."""
        for name in (name for one in rule.every_filter for name in one.nodes):
            if name not in self._sides:
                raise ConfigError(f"there is no node `{name}` beside this gate; there are {', '.join(self._sides)}")
        if rule.through and rule.through not in self._sides.values():
            raise ConfigError(f"this gate has no interface `{rule.through}`")
        if len(self._rules) >= MOST_RULES:
            raise ConfigError(f"the gate keeps at most {MOST_RULES} rules; remove some")
        self._numbers += 1
        self._rules[self._numbers] = Standing(self._numbers, rule, [0] * len(rule.filters))
        return self._numbers

    def remove(self, number: int, now: float) -> list[bytes]:
        """Take a rule away; what it holds goes on."""
        standing = self._standing(number)
        frames = self._let_go(standing, now)
        self._former.append(standing.state())
        del self._rules[number]
        return frames

    def release(self, number: int | None, now: float) -> list[bytes]:
        """Let go what a rule holds, or all rules; a rule that has released holds no further packets."""
        chosen = [self._standing(number)] if number is not None else list(self._rules.values())
        frames = []
        for standing in chosen:
            frames += self._let_go(standing, now)
            standing.over = standing.over or standing.rule.action in WAITING
        return frames

    def _standing(self, number: int) -> Standing:
        if number not in self._rules:
            raise ConfigError(f"the gate has no rule {number}; it has {', '.join(map(str, self._rules)) or 'none'}")
        return self._rules[number]

    def states(self) -> list[dict[str, Any]]:
        """Every rule that is or was in force, with its counts."""
        return [*self._former, *(standing.state() for standing in self._rules.values())]

    def close(self, now: float) -> None:
        """The end: what still waits is recorded as kept; it never went on."""
        for standing in self._rules.values():
            for held in standing.held:
                self._note(standing, "kept", held.packet, now, held_s=round(now - held.since, 6))

    # -- time

    def next_deadline(self) -> float | None:
        """When the next packet has waited long enough."""
        return min((held.due for one in self._rules.values() for held in one.held), default=None)

    def tick(self, now: float) -> list[bytes]:
        """The frames whose time has come, the longest due first."""
        due = [(held.due, number, held) for number, one in self._rules.items() for held in one.held if held.due <= now]
        frames = []
        for _, number, held in sorted(due, key=lambda one: one[:2]):
            standing = self._rules[number]
            if held in standing.held:
                standing.over = standing.over or (standing.rule.action in WAITING and held.place != _BEHIND)
                frames += self._let_go(standing, now, held)
        return frames

    # -- packets

    def take(self, packet: Packet, now: float) -> list[bytes]:
        """What to send now that this packet has come."""
        standings = list(self._rules.values())
        freed = [frame for one in standings if self._ends(one, packet) for frame in self._finished(one, now)]
        meant = [(one, places) for one in standings if (places := self._meant(one, packet))]
        passing = self._act(*meant[0], packet, now) if meant else self._passed(packet, now)
        swapped = [
            frame
            for one in standings
            if one.rule.action == "swap" and passing and not (meant and one is meant[0][0])
            for held in [held for held in one.held if _follows(held.packet, packet)]
            for frame in self._let_go(one, now, held)
        ]
        return [*freed, *passing, *swapped]

    def _passed(self, packet: Packet, now: float) -> list[bytes]:
        """What no rule means goes on, unless it comes right behind a packet of an order."""
        for standing in self._rules.values():
            until = standing.followed.get(packet.came, now)
            ahead = any(held.place == _BEHIND and held.packet.came == packet.came for held in standing.held)
            if packet.kind == "IKE" and (until > now or ahead):
                return self._wait(standing, packet, Held(packet, now, until, _BEHIND))
        return [packet.frame]

    def _ends(self, standing: Standing, packet: Packet) -> bool:
        """Whether this packet is what a rule that holds was told to wait for."""
        until = standing.rule.until
        if until is None or standing.over or not self._describes(until, packet):
            return False
        standing.until_seen += 1
        return until.turn(standing.until_seen)

    def _finished(self, standing: Standing, now: float) -> list[bytes]:
        standing.over = True
        return self._let_go(standing, now)

    def _meant(self, standing: Standing, packet: Packet) -> list[int]:
        """Count the packet; the places of the filters that mean it."""
        rule = standing.rule
        if rule.through and rule.through not in (packet.came, packet.leaves):
            return []
        places = []
        for place, one in enumerate(rule.filters):
            if self._describes(one, packet):
                standing.seen[place] += 1
                if one.turn(standing.seen[place]):
                    places.append(place)
        if standing.over and rule.action in WAITING:
            return []
        if rule.action == "order":
            return self._in_order(standing, packet, places)
        return places

    @staticmethod
    def _in_order(standing: Standing, packet: Packet, places: list[int]) -> list[int]:
        """The first free place in an order; or -1 for a repeat of what already waits in it."""
        if any(held.packet.content == packet.content for held in standing.held):
            return [-1]
        return [place for place in places if place not in standing.filled][:1]

    def _describes(self, one: Filter, packet: Packet) -> bool:
        if not described(one, packet, self._sides):
            return False
        if not one.inside:
            return True
        names = self._read(packet)
        return names is not None and set(one.holding) <= set(names) and not set(one.lacking) & set(names)

    def _act(self, standing: Standing, places: list[int], packet: Packet, now: float) -> list[bytes]:
        """Do what the rule says; the frames to send now."""
        rule = standing.rule
        standing.acted += 1
        if rule.action in ("hold", "swap", "delay", "order"):
            return self._keep(standing, packet, places[0], now)
        frames, more = [packet.frame], dict[str, Any]()
        if rule.action == "drop":
            frames = []
        elif rule.action == "duplicate":
            frames *= 2
        elif rule.action == "corrupt":
            changed = corrupted(packet, rule.octet, rule.mask)
            frames, more = self._changed(packet, changed)
        elif rule.action == "record":
            more = {"raw": packet.frame[:LONGEST_RAW].hex()}
        self._note(standing, rule.action, packet, now, **more)
        return frames

    def _changed(self, packet: Packet, frame: bytes | None) -> tuple[list[bytes], dict[str, Any]]:
        if frame is None:
            return [packet.frame], {"failed": "it has no such octet"}
        # The record names the new content as well: the ladder shows it as a datagram of its own.
        return [frame], {"made": decode(frame, packet.came, packet.leaves).fingerprint}

    def _keep(self, standing: Standing, packet: Packet, place: int, now: float) -> list[bytes]:
        if place < 0 and standing.rule.action == "order":
            self._note(standing, "absorb", packet, now)
            return []
        passing = self._wait(standing, packet, Held(packet, now, now + standing.rule.seconds, place))
        if passing or standing.rule.action != "order":
            return passing
        standing.filled.add(place)
        return self._advance(standing, now)

    def _wait(self, standing: Standing, packet: Packet, held: Held) -> list[bytes]:
        """Let a packet wait; it goes on at once where too many do."""
        if sum(len(one.held) for one in self._rules.values()) >= MOST_HELD:
            self._note(standing, "overflow", packet, held.since)
            return [packet.frame]
        standing.held.append(held)
        self._note(standing, "behind" if held.place == _BEHIND else standing.rule.action, packet, held.since)
        return []

    def _advance(self, standing: Standing, now: float) -> list[bytes]:
        """Let go what is next in an order, as long as it is there."""
        frames: list[bytes] = []
        if len(standing.filled) < standing.rule.gather:
            return frames
        while held := next((one for one in standing.held if one.place == standing.gone), None):
            standing.gone += 1
            standing.followed[held.packet.came] = now + BEHIND_S
            frames += self._let_go(standing, now, held)
        standing.over = standing.gone == len(standing.rule.filters)
        return frames

    def _let_go(self, standing: Standing, now: float, one: Held | None = None) -> list[bytes]:
        """Send on what waits, or one of it."""
        chosen = list(standing.held) if one is None else [one]
        for held in chosen:
            standing.held.remove(held)
            said = "follow" if held.place == _BEHIND else "release"
            self._note(standing, said, held.packet, now, held_s=round(now - held.since, 6))
        return [held.packet.frame for held in chosen]

    def _note(self, standing: Standing, action: str, packet: Packet, now: float, **more: object) -> None:
        """Record what was done to a packet."""
        if len(self.events) >= MOST_EVENTS:
            self.unrecorded += 1
            return
        said = {
            "t": round(now, 6),
            "rule": standing.number,
            "action": action,
            "came": packet.came,
            "leaves": packet.leaves,
        }
        names = self._read(packet) if packet.kind == "IKE" else None
        inside = {"payloads": list(names)} if names is not None else {}
        self.events.append({**said, **packet.facts(), **inside, **more})


def _follows(first: Packet, then: Packet) -> bool:
    """Whether a packet is the successor of another: of its kind, and from the same side."""
    return (first.came, first.leaves, first.kind) == (then.came, then.leaves, then.kind)
