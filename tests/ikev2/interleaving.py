"""A pair whose messages wait until a script lets each of them through, so that an interleaving is written down.

    AQ AR    A's CREATE_CHILD_SA request arrives at B, the response to it arrives at A
    AF Af    the same for A's IKE_FOLLOWUP_KE
    AD Ad    the same for A's INFORMATIONAL
    -BQ      B's CREATE_CHILD_SA request is lost
    A:...    A begins something: `rekey child`, `rekey ike`, `delete child`, `delete old` (or `new`), `delete ike`,
             `lose child`

A is the left or the right side. Where several messages of a kind wait, the oldest is meant. What a script leaves
waiting arrives behind its end, and everything after that as usual.
"""

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from lab.ikev2 import informational, rekey_child
from lab.ikev2.sa import NONCE_OCTETS, Sa
from lab.wire.ids import ExchangeType
from tests.pair import LEFT, RIGHT, Datagram, Pair, Side, engine_of, is_request, is_response, mirrored, net, sent_by

KINDS = {
    "q": ExchangeType.CREATE_CHILD_SA,
    "f": ExchangeType.IKE_FOLLOWUP_KE,
    "d": ExchangeType.INFORMATIONAL,
}
# Requests and the responses to them; CREATE_CHILD_SA's response is R, the others' are small letters.
REQUESTS, RESPONSES = {"Q": "q", "F": "f", "D": "d"}, {"R": "q", "f": "f", "d": "d"}
HIGH, LOW = 0xFF, 0x00
Lines = tuple[str, str]


class Held(Pair):
    """Both sides up, one child between them; then nothing arrives but what a script lets through."""

    def __init__(self, first: str, ours: Lines = ("", ""), theirs: Lines = ("", "")) -> None:
        own, other = (net(f"rekey_time = 0\n {ike}", f"rekey_time = 0\n {esp}") for ike, esp in (ours, theirs))
        left, right = (own, other) if first == "left" else (other, own)
        self.held: list[Datagram] | None = None
        super().__init__(left, mirrored(right))
        self.initiate()
        self.a, self.b = self.sides if first == "left" else self.sides[::-1]
        self.begun = len(self.wire.sent)

    def _fly(self, datagram: Datagram, late: float = 0.0) -> None:
        if self.held is None:
            super()._fly(datagram, late)
        else:
            self.held.append(datagram)

    def play(self, script: str) -> None:
        """Carry a script out, then let flow what waits."""
        self.held = []
        for word in script.replace(": ", ":").split("  "):
            side, colon, command = word.partition(":")
            if colon:
                self.begin(self.a if side == "A" else self.b, command)
            else:
                for token in word.split():
                    self.through(token)
        waiting, self.held = self.held, None
        for datagram in waiting:
            self._fly(datagram)

    def through(self, token: str) -> None:
        """Let the oldest message of this kind arrive, or lose it."""
        assert self.held is not None
        wanted = self._kind(token.removeprefix("-"))
        found = next((datagram for datagram in self.held if wanted(datagram)), None)
        assert found is not None, f"{token} is not under way: {[str(datagram) for datagram in self.held]}"
        self.held.remove(found)
        if not token.startswith("-"):
            self.now += self.delay
            self._arrive(found)
            self.tick()

    def _kind(self, token: str) -> Callable[[Datagram], bool]:
        asker = self.a if token[0] == "A" else self.b
        hosts = {"left": LEFT, "right": RIGHT}
        if token[1] in REQUESTS:
            sender, kind = asker, is_request(KINDS[REQUESTS[token[1]]])
        else:
            sender, kind = self.b if asker is self.a else self.a, is_response(KINDS[RESPONSES[token[1]]])
        by = sent_by(hosts[sender.name])
        return lambda datagram: kind(datagram) and by(datagram)

    def begin(self, side: Side, command: str) -> None:
        """Have a side begin something."""
        what, which = command.split()
        if what == "lose":
            self.lose(side)
        elif which in ("old", "new"):
            self.one(side, what, 0 if which == "old" else 1)
        else:
            child = {"child": "net"} if which == "child" else {}
            side.do({"rekey": "rekey", "delete": "terminate"}[what], **child)
        self.tick()

    def one(self, side: Side, what: str, number: int) -> None:
        """Rekey or delete the child that was installed first (its lifetime ends while it is replaced) or second."""
        sa = engine_of(side).sa
        child = next(child for child in sa.children.values() if child.sa == side.ever[number])
        if what == "rekey":
            sa.start(partial(rekey_child.initiator, old=child))
        else:
            sa.start(partial(informational.delete_child, child=child, reason="expired"))
        side.do("tick")

    def lose(self, side: Side) -> None:
        """The child is gone at this side, and the peer is not told."""
        sa = engine_of(side).sa
        (child,) = sa.children.values()
        sa.drop_child(child, "lost")
        side.do("tick")

    def tick(self) -> None:
        """What is due at once."""
        for side in self.sides:
            due = side.endpoint.next_deadline()
            if due is not None and due <= self.now:
                side.do("tick")

    def errors(self) -> list[str]:
        """The error notifies that were sent since the pair was up, `A TEMPORARY_FAILURE`, in order."""
        found = []
        records = [(r.now, "A" if side is self.a else "B", r.text) for side in self.sides for r in side.records]
        for _, name, text in sorted(records, key=lambda one: one[0]):
            if text.startswith("sent ") and " response " in text and "[ N(" in text:
                found.append(f"{name} {text.partition('[ N(')[2].partition(')')[0]}")
        return found


def nonces(monkeypatch: pytest.MonkeyPatch, pair: Held, lowest: int) -> None:
    """Of the four nonces of two exchanges one is the lowest.

    Ni of A's (0), Ni of B's (1), Nr to A's, which B makes (2), Nr to B's, which A makes (3); each side makes its Ni
    first.
    """
    first = [LOW if number == lowest else HIGH for number in range(4)]
    plans: dict[int, list[int]] = {
        id(pair.a.endpoint.host): [first[0], first[3]],
        id(pair.b.endpoint.host): [first[1], first[2]],
    }

    def new_nonce(sa: Sa) -> bytes:
        plan = plans[id(sa.host)]
        return bytes([plan.pop(0) if plan else HIGH]) + sa.host.random(NONCE_OCTETS - 1)

    monkeypatch.setattr(Sa, "new_nonce", new_nonce)


def spis(side: Side) -> Sequence[bytes]:
    """With what the children of a side receive."""
    return sorted(side.installed)
