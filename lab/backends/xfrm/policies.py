"""Policies: what the kernel does with packets of a selector and a direction, and those that we have put there.

Rules of this file:
- A policy is added exclusively: where the kernel has one of the same selector and direction, it is not ours and stays.
- Several children may want the same policy (one rekeys the other): the newest decides, and when it goes the one before.
- Narrow policies come first, and of equals a child's before a trap's.
"""

from contextlib import suppress
from dataclasses import dataclass, field

from lab.backends.xfrm.link import Link, decoded
from lab.backends.xfrm.messages import (
    ALLOW,
    DELPOLICY,
    EVERY_ALGORITHM,
    FWD,
    GETPOLICY,
    IN,
    NEWPOLICY,
    OUT,
    TUNNEL,
    UPDPOLICY,
    NewPolicy,
    PolicyKey,
)
from lab.backends.xfrm.record import Entry, Record
from lab.backends.xfrm.selectors import KernelSelector, selectors
from lab.backends.xfrm.states import MODES, NO_LIMITS, PROTOCOLS, family, interface, octets, reqid
from lab.backends.xfrm.structs import PolicyInfo, Template
from lab.ike.child import ChildSa
from lab.ike.config import Child
from lab.ike.path import Path
from lab.wire.ids import ProtocolId

FIRST = 100_000  # priorities; the smaller one decides
ESP = 50
SHORT = 4  # the parts of an entry that knows nothing of XFRM interfaces


@dataclass(frozen=True, slots=True)
class Key:
    """What the kernel knows a policy by; `if_id` names the XFRM interface whose packets it is for, 0 all others."""

    direction: int
    selector: KernelSelector
    if_id: int = 0

    def message(self) -> PolicyKey:
        """For XFRM_MSG_GETPOLICY and XFRM_MSG_DELPOLICY."""
        made = PolicyKey()
        made.update({"sel": self.selector.fields(), "dir": self.direction})
        made["attrs"] = interface(self.if_id)
        return made

    def entry(self, number: int) -> Entry:
        """For the record, with the reqid that shows it to be ours."""
        return ("policy", self.direction, self.selector.words(), number, self.if_id)

    @classmethod
    def of_entry(cls, entry: Entry) -> tuple["Key", int]:
        """Back from the record; ValueError where it is none. A daemon without XFRM interfaces wrote no `if_id`."""
        _, direction, words, number, if_id = entry if len(entry) > SHORT else (*entry, 0)
        if not isinstance(words, list | tuple):
            raise ValueError(f"{words!r} is no selector")
        return cls(int(str(direction)), KernelSelector.parse(words), int(str(if_id))), int(str(number))


@dataclass(frozen=True, slots=True)
class Way:
    """What a template says: the end points, the reqid, and outbound the SPI."""

    src: str
    dst: str
    reqid: int
    mode: int = TUNNEL
    protocol: int = ESP
    spi: bytes = field(default=bytes(4))
    trap: bool = False

    def octets(self) -> bytes:
        """The attribute XFRMA_TMPL."""
        return Template.pack({
            "id": {"daddr": octets(self.dst), "spi": self.spi, "proto": self.protocol},
            "saddr": octets(self.src),
            "family": family(self.dst),
            "reqid": self.reqid,
            "mode": self.mode,
            **dict.fromkeys(("aalgos", "ealgos", "calgos"), EVERY_ALGORITHM),
        })  # fmt: skip


def message(key: Key, way: Way) -> NewPolicy:
    """XFRM_MSG_NEWPOLICY or XFRM_MSG_UPDPOLICY."""
    made = NewPolicy()
    made.update(
        {
            "sel": key.selector.fields(),
            "lft": NO_LIMITS,
            "priority": FIRST + 2 * key.selector.breadth + way.trap,
            "dir": key.direction,
            "action": ALLOW,
        }
    )
    made["attrs"] = [("XFRMA_TMPL", way.octets()), *interface(key.if_id)]
    return made


def bypass(direction: int, of_family: int) -> bytes:
    """A policy for a socket: its packets go in the clear whatever the kernel's policies say (IP_XFRM_POLICY)."""
    return PolicyInfo.pack({"sel": {"family": of_family}, "lft": NO_LIMITS, "dir": direction, "action": ALLOW})


class Policies:
    """The policies of ours that are in the kernel, each with all who want it, the newest last."""

    def __init__(self, link: Link, record: Record) -> None:
        self._link, self._record = link, record
        self._wanted: dict[Key, list[tuple[object, Way]]] = {}

    def receive(self, child: ChildSa, path: Path) -> None:
        """Take what comes in through the child; may raise OSError."""
        way = Way(path.remote_host, path.local_host, reqid(child), MODES[child.mode], PROTOCOLS[child.protocol])
        for selector in selectors(child.ts_remote, child.ts_local):
            for direction in (IN, FWD) if child.mode == "tunnel" else (IN,):
                self._want(child.spi_in, Key(direction, selector, child.if_id_in), way)

    def send(self, child: ChildSa, path: Path) -> None:
        """Send through the child what its selectors take; may raise OSError."""
        mode, protocol = MODES[child.mode], PROTOCOLS[child.protocol]
        way = Way(path.local_host, path.remote_host, reqid(child), mode, protocol, child.spi_out)
        for selector in selectors(child.ts_local, child.ts_remote):
            self._want(child.spi_in, Key(OUT, selector, child.if_id_out), way)

    def trap(self, child: Child, path: Path, selector: KernelSelector, number: int) -> None:
        """Have the kernel ask for this child; may raise OSError.

        The template says what will come: the kernel holds a place for an SA of just these ends and this protocol.
        """
        protocol = PROTOCOLS[ProtocolId(child.proposals[0].protocol)]
        way = Way(path.local_host, path.remote_host, number, MODES[child.mode], protocol, trap=True)
        self._want(child.name, Key(OUT, selector, child.if_id_out), way)

    def _want(self, owner: object, key: Key, way: Way) -> None:
        wishes = [wish for wish in self._wanted.get(key, []) if wish[0] != owner]
        if key not in self._wanted:
            self._record.add(key.entry(way.reqid))
            try:
                self._link.ask(NEWPOLICY, message(key, way))
            except OSError:
                self._record.gone(key.entry(way.reqid))
                raise
        elif self._wanted[key][-1][1] != way:
            self._update(key, self._wanted[key][-1][1], way)
        self._wanted[key] = [*wishes, (owner, way)]

    def _update(self, key: Key, old: Way, new: Way) -> None:
        """Both stand in the record until it is done."""
        if old.reqid != new.reqid:
            self._record.add(key.entry(new.reqid))
        self._link.ask(UPDPOLICY, message(key, new))
        if old.reqid != new.reqid:
            self._record.gone(key.entry(old.reqid))

    def forget(self, owner: object, *, directions: tuple[int, ...] = (IN, OUT, FWD)) -> None:
        """This child or trap wants nothing any more."""
        for key, wishes in list(self._wanted.items()):
            left = [wish for wish in wishes if wish[0] != owner]
            if len(left) == len(wishes) or key.direction not in directions:
                continue
            current = wishes[-1][1]
            if not left:
                self._remove(key, current.reqid)
                del self._wanted[key]
                self._record.gone(key.entry(current.reqid))
                continue
            if left[-1][1] != current:
                self._update(key, current, left[-1][1])
            self._wanted[key] = left

    def read(self, key: Key, number: int) -> NewPolicy | None:
        """The policy as it is now; None where the kernel has none, or one of another reqid."""
        try:
            answers = self._link.ask(GETPOLICY, key.message())
        except OSError:
            return None
        found = decoded(NewPolicy, answers[0])
        template = found.get_attr("XFRMA_TMPL")
        return found if template and Template.read(template)["reqid"] == number else None

    def _remove(self, key: Key, number: int) -> None:
        if self.read(key, number) is not None:
            with suppress(OSError):  # somebody was faster
                self._link.ask(DELPOLICY, key.message())

    def remove_entry(self, entry: Entry) -> None:
        """Take out what an earlier daemon left, if it is still there and as it was."""
        key, number = Key.of_entry(entry)
        self._remove(key, number)

    def last_used(self, owner: object, *, inbound: bool) -> int:
        """When a packet last met a policy of this child, in whole seconds since 1970; 0 for never."""
        times = [0]
        for key, wishes in self._wanted.items():
            if (key.direction != OUT) == inbound and any(wish[0] == owner for wish in wishes):
                found = self.read(key, wishes[-1][1].reqid)
                times.append(found["curlft"]["use_time"] if found is not None else 0)
        return max(times)

    def clear(self) -> None:
        """Take out all that is ours."""
        for key, wishes in self._wanted.items():
            self._remove(key, wishes[-1][1].reqid)
            self._record.gone(key.entry(wishes[-1][1].reqid))
        self._wanted.clear()
