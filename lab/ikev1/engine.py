"""Reliability and time of one ISAKMP SA: which message belongs to which exchange, its IV, and what is sent again.

IKEv1 has no acknowledgements (RFC 2408 5.1), so:

- A message is repeated bit for bit by the side that waits for the next one, after timeout * base^n seconds. A first
  reply to a stranger is never repeated by a timer.
- A datagram that was taken before brings what was sent then once more, so a lost last message is mended by the
  repetition of the one before it: whoever asks, but a stranger only where it is. What is kept for that is `memory`'s.
- Each exchange of phase 2 has its message ID and its own chain of IVs, so any number run at a time. A chain moves on
  only with a message that proved to be authentic; what did not is dropped and traced, and ends nothing.
- A ProtocolError is not caught here. The endpoint catches it and calls `violated`.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab.errors import ProtocolError
from lab.ike.actions import Send
from lab.ike.path import Path
from lab.ike.states import IkeState
from lab.ikev1 import explain, informational, phase2, quick_mode, transaction
from lab.ikev1.exchange import Exchange, ExchangeTimeout, Plan, Step
from lab.ikev1.keys import phase2_iv
from lab.ikev1.memory import Memory, digest
from lab.ikev1.sa import Sa
from lab.wire.header import Header
from lab.wire.ids_v1 import ExchangeType1, NotifyType1
from lab.wire.message_v1 import Message1, encode_chain, header
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads_v1 import Notify1

# Exchanges of phase 2 under way, at most.
MOST_TALKS = 64
_PHASE_1 = (ExchangeType1.MAIN_MODE, ExchangeType1.AGGRESSIVE_MODE)
TRANSACTION = ExchangeType1.TRANSACTION
_INITIAL = (IkeState.CREATED, IkeState.CONNECTING)


@dataclass(slots=True)
class Talk:
    """An exchange under way: the step that it is at, its datagram, and when to send that again."""

    exchange: Exchange
    message_id: int
    iv: bytes
    ours: bool
    step: Step
    data: bytes = b""
    sent: int = 0
    due: float | None = None


@dataclass(slots=True)
class Arrival:
    """The message in hand; `talk` once it proved to belong to an exchange under way."""

    header: Header
    digest: bytes
    path: Path
    talk: Talk | None = None
    authentic: bool = False

    @property
    def exchange(self) -> ExchangeType1:
        """The exchange type by its name in this version."""
        return ExchangeType1(self.header.exchange)


class Engine:
    """Carries the exchanges of one ISAKMP SA in both directions."""

    def __init__(self, sa: Sa) -> None:
        self.sa = sa
        self._talks: dict[int, Talk] = {}
        self._memory = Memory()
        self._arrival: Arrival | None = None

    # -- beginning

    def begin(self, exchange: Exchange) -> None:
        """Start phase 1 as its initiator."""
        step = next(exchange)
        self._go(Talk(exchange, 0, b"", True, step), step)

    def serve(self, exchange: Exchange, data: bytes, path: Path) -> None:
        """Answer the first message of phase 1; ProtocolError: it is refused and no state stays."""
        step = next(exchange)
        self._memory.taken(digest(data), self._go(Talk(exchange, 0, b"", False, step), step))
        self.sa.path = path

    def settle(self) -> None:
        """Begin what waited for phase 1, or forget it all where the SA has gone."""
        if not self.sa.alive:
            self._talks.clear()
            for queue in (self.sa.queue, self.sa.quick_modes, self.sa.first):
                queue.clear()
        while queue := self._waiting():
            if len(self._talks) >= MOST_TALKS:
                return
            self._begin_phase2(queue.popleft())

    def _waiting(self) -> deque[Plan]:
        """What may be begun now: XAUTH and Mode Config come first and are waited for, whoever begins them."""
        sa = self.sa
        asking = any(t.ours and t.step.exchange == TRANSACTION for t in self._talks.values())
        if sa.first or sa.awaits_push or not sa.usable or asking:
            return sa.first
        ours = sum(t.ours and t.step.exchange == ExchangeType1.QUICK_MODE for t in self._talks.values())
        room = ours < sa.host.config.settings.quick_modes
        return sa.quick_modes if sa.quick_modes and room else sa.queue

    def _begin_phase2(self, plan: Plan) -> None:
        message_id = self._new_message_id()
        exchange = plan(self.sa, message_id)
        iv = phase2_iv(self.sa.agreed, self.sa.iv, message_id)
        try:
            step = next(exchange)
        except StopIteration as last:  # one message that nothing follows, or nothing to do any more
            if last.value is not None:
                self._send(self._encode(message_id, iv, last.value)[0])
            return
        self._go(Talk(exchange, message_id, iv, True, step), step)

    def _new_message_id(self) -> int:
        while True:
            message_id = int.from_bytes(self.sa.host.random(4), "big")
            if message_id and message_id not in self._talks:
                return message_id

    # -- what we send

    def _go(self, talk: Talk, step: Step, *, last: bool = False) -> bytes:
        """Send the next message of an exchange, whose last one ends it."""
        iv = self.sa.iv if talk.message_id == 0 else talk.iv
        data, iv = self._encode(talk.message_id, iv, step)
        self._chain(talk, iv)
        talk.step, talk.data, talk.sent = step, data, 1
        talk.due = self.sa.host.now + self.sa.host.config.settings.retransmit_timeout if step.repeat else None
        if last and not step.repeat:
            self._talks.pop(talk.message_id, None)
        else:
            self._talks[talk.message_id] = talk
        self._send(data)
        return data

    def _chain(self, talk: Talk, iv: bytes) -> None:
        """The chain of IVs moves on; that of phase 1 is where those of phase 2 begin."""
        if talk.message_id == 0:
            self.sa.iv = iv
        else:
            talk.iv = iv

    def _encode(self, message_id: int, iv: bytes, step: Step) -> tuple[bytes, bytes]:
        """The datagram, and the IV that the next message of the same exchange is sealed with."""
        chain = encode_chain(step.payloads)
        if step.encrypted:
            assert self.sa.cipher is not None, "sealed before there are keys"
            chain += bytes(-len(chain) % self.sa.agreed.block)
            chain = self.sa.cipher.encrypt(iv, chain)
            iv = chain[-self.sa.agreed.block :]
        front = header(
            self.sa.cookies, step.exchange, step.payloads,
            message_id=message_id, encrypted=step.encrypted, length=len(chain),
        )  # fmt: skip
        self._note("sent", front, Message1(front, step.payloads))
        return front.encode() + chain, iv

    def _send(self, data: bytes, path: Path | None = None) -> None:
        path = path or self.sa.path
        self.sa.last_sent = self.sa.host.now
        self.sa.host.act(Send(NON_ESP_MARKER + data if path.marked else data, path))

    def _note(self, verb: str, front: Header, message: Message1) -> None:
        text = f"{verb} {message.exchange.name} {front.message_id:08x} [ {' '.join(message.names)} ]"
        self.sa.host.trace.emit("message", text, connection=self.sa.connection.name, spi_i=front.spi_i.hex())

    # -- what comes in

    def receive(self, front: Header, data: bytes, path: Path) -> None:
        """Take a datagram that carries this SA's cookies; raises ProtocolError, which goes to `violated`."""
        arrival = self._arrival = Arrival(front, digest(data), path)
        answer = self._memory.answer(arrival.digest)
        if answer is not None:
            self._again(arrival, answer)
        elif not self.sa.alive:
            raise ProtocolError("a message for an ISAKMP SA that has gone")
        else:
            self._message(Message1.decode(data), arrival)
        self._arrival = None

    def _again(self, arrival: Arrival, answer: bytes) -> None:
        """The same datagram once more: the answer to it may have been lost."""
        if self._elsewhere(arrival.path):
            raise ProtocolError("a message again from another address, before the peer is authenticated")
        what = "again, answered as before" if answer else "again, and nothing answers it"
        self.sa.host.trace.emit("repeat", f"{arrival.exchange.name} {what}")
        if answer:
            self._send(answer, arrival.path)

    def _elsewhere(self, path: Path) -> bool:
        """Whether a stranger may want our answer, which may be long, sent to an address that it made up."""
        return self.sa.state in _INITIAL and path.remote_host != self.sa.path.remote_host

    def _message(self, message: Message1, arrival: Arrival) -> None:
        talk = self._talks.get(message.header.message_id)
        if message.sealed and self.sa.cipher is None:
            raise ProtocolError("encrypted message before there are keys")
        if message.exchange == ExchangeType1.INFORMATIONAL:
            self._informational(message, arrival)
        elif message.exchange in _PHASE_1 and message.header.message_id:
            raise ProtocolError(f"{message.exchange.name} with a message ID")
        elif talk is not None:
            self._next(talk, message, arrival)
        elif message.exchange == ExchangeType1.QUICK_MODE and message.header.message_id:
            self._first_of_quick_mode(message, arrival)
        elif message.exchange == TRANSACTION and message.header.message_id:
            self._transaction(message, arrival)
        else:
            raise ProtocolError(f"{message.exchange.name} has no place here ({self.sa.state.name})")

    def _next(self, talk: Talk, message: Message1, arrival: Arrival) -> None:
        """The next message of an exchange under way."""
        step = talk.step
        if message.exchange != step.exchange:
            raise ProtocolError(f"{message.exchange.name} in the middle of {step.exchange.name}")
        if step.sealed_next is not None and message.sealed != step.sealed_next:
            state = "is encrypted" if message.sealed else "is not encrypted"
            raise ProtocolError(f"{message.exchange.name} message {state}")
        message = self._open(message, self.sa.iv if talk.message_id == 0 else talk.iv)
        if problem := step.check(message):
            raise ProtocolError(problem)
        self._authentic(arrival, message, talk)
        following: Step | None
        try:
            following, last = talk.exchange.send(message), False
        except StopIteration as end:
            following, last = end.value, True
        if following is not None:
            self._memory.taken(arrival.digest, self._go(talk, following, last=last))
        else:
            self._memory.taken(arrival.digest, b"")
            self._talks.pop(talk.message_id, None)

    def _first_of_quick_mode(self, message: Message1, arrival: Arrival) -> None:
        if not self.sa.usable:
            self._remind(arrival.path)
            what = "XAUTH" if self.sa.over_at is not None else "phase 1"
            raise ProtocolError(f"QUICK_MODE before {what} is over")
        if len(self._talks) >= MOST_TALKS:
            raise ProtocolError(f"{len(self._talks)} exchanges under way, no more are taken")
        message = self._opening(message, arrival)
        exchange = quick_mode.responder(self.sa, message)
        step = next(exchange)
        talk = Talk(exchange, message.header.message_id, self._last_block(message), False, step)
        self._memory.taken(arrival.digest, self._go(talk, step))

    def _opening(
        self, message: Message1, arrival: Arrival, unauthentic: Callable[[Sa, Message1], str] = phase2.unauthentic
    ) -> Message1:
        """The message that an exchange of the peer begins with, opened; ProtocolError where it is none."""
        message_id = message.header.message_id
        if self._memory.has_begun(message_id):
            raise ProtocolError(f"message ID {message_id:08x} has begun an exchange before")
        message = self._open(message, phase2_iv(self.sa.agreed, self.sa.iv, message_id))
        if problem := unauthentic(self.sa, message):
            raise ProtocolError(problem)
        self._memory.begins(message_id)
        self._authentic(arrival, message, None)
        return message

    def _transaction(self, message: Message1, arrival: Arrival) -> None:
        """The peer asks or sets: one message that one message answers."""
        if self.sa.over_at is None:
            raise ProtocolError("TRANSACTION before phase 1 is over")
        message = self._opening(message, arrival, transaction.unauthentic)
        data, _ = self._encode(
            message.header.message_id, self._last_block(message), transaction.responder(self.sa, message)
        )
        self._send(data)
        self._memory.taken(arrival.digest, data)

    def _remind(self, path: Path) -> None:
        """The peer goes on although we wait for its last message of phase 1: it was lost, so ask for it, once for one.

        In Aggressive Mode our reply is a first one, which no timer repeats.
        """
        talk = self._talks.get(0)
        if talk is not None and not talk.ours and talk.due is None and not self._elsewhere(path):
            self._send(talk.data, path)

    def _informational(self, message: Message1, arrival: Arrival) -> None:
        """Only what is authentic has an effect; what comes in clear may be a hint why phase 1 does not get on."""
        if not message.sealed:
            self._hint(message)
            raise ProtocolError("INFORMATIONAL in clear, which anybody may have sent")
        message = self._opening(message, arrival)
        self._memory.taken(arrival.digest, b"")
        refused = informational.responder(self.sa, message)
        if refused is not None:
            self._refused(refused, message)

    def _hint(self, message: Message1) -> None:
        if self.sa.state in _INITIAL and (error := message.error):
            self.sa.hint = f"somebody, maybe the peer, says {error.notify_type.name}"

    def _refused(self, reason: str, message: Message1) -> None:
        """The peer's error notify ends the Quick Mode of ours that it names, or else the oldest."""
        named = {notify.spi for notify in message.all(Notify1)}
        open_ones = [talk for talk in self._talks.values() if talk.ours and talk.message_id]
        chosen = [t for t in open_ones if quick_mode.spi_of(t.step) in named] or open_ones
        if chosen:
            self._talks.pop(chosen[0].message_id)
            with contextlib.suppress(StopIteration, ProtocolError):
                chosen[0].exchange.throw(ProtocolError(reason))

    def _open(self, message: Message1, iv: bytes) -> Message1:
        """The payloads of a message; raises ProtocolError where they make no sense, as with a wrong key or IV."""
        if not message.sealed:
            return message
        assert self.sa.cipher is not None, "checked before"
        if not message.body or len(message.body) % self.sa.agreed.block:
            raise ProtocolError("not a whole number of cipher blocks")
        plain = self.sa.cipher.decrypt(iv, message.body)
        try:
            return message.opened(plain)
        except ProtocolError as error:
            raise ProtocolError(f"{message.exchange.name} does not open with our keys: {error.reason}") from error

    def _last_block(self, message: Message1) -> bytes:
        return message.body[-self.sa.agreed.block :]

    def _authentic(self, arrival: Arrival, message: Message1, talk: Talk | None) -> None:
        """The message counts: the peer lives, and where it is behind a NAT it is where it last spoke from."""
        arrival.talk, arrival.authentic = talk, True
        self._note("received", message.header, message)
        sa = self.sa
        if message.exchange == TRANSACTION:
            self._talks.pop(0, None)  # the peer goes on, so it has our last message of phase 1
        if talk is not None:
            talk.due = None
            if message.sealed:
                self._chain(talk, self._last_block(message))
        sa.last_heard = sa.host.now
        if arrival.path != sa.path and (sa.state in _INITIAL or (sa.nat.remote and not sa.nat.local)):
            sa.move(arrival.path)

    # -- what goes wrong

    def violated(self, error: ProtocolError) -> None:
        """The message in hand broke the protocol: drop it, or give up the exchange that it belongs to."""
        arrival, self._arrival = self._arrival, None
        sa = self.sa
        if arrival is None or not arrival.authentic:
            sa.host.trace.drop(error.reason, connection=sa.connection.name)
            if arrival is not None and sa.state in _INITIAL and arrival.exchange != ExchangeType1.INFORMATIONAL:
                sa.hint = error.reason
            return
        if arrival.talk is not None:
            self._talks.pop(arrival.talk.message_id, None)
        if sa.state in _INITIAL:
            self._tell(error)
            sa.fail(error.reason)
        elif sa.alive:
            self._tell(error)
            sa.failed(error.reason, stage=arrival.exchange.name, asked=False)

    def _tell(self, error: ProtocolError) -> None:
        """Say why to the peer; in clear where there are no keys yet, and never in answer to an Informational."""
        kind, message_id = NotifyType1(error.notify or NotifyType1.PAYLOAD_MALFORMED), self._new_message_id()
        step = informational.refusal(self.sa, message_id, kind, error.data)
        iv = phase2_iv(self.sa.agreed, self.sa.iv, message_id) if step.encrypted else b""
        self._send(self._encode(message_id, iv, step)[0])

    # -- time

    @property
    def idle(self) -> bool:
        """Whether no exchange is under way or waiting."""
        return not self._talks and not self.sa.queue and not self.sa.quick_modes

    def _repeated(self) -> Iterator[tuple[float, Talk]]:
        return ((talk.due, talk) for talk in self._talks.values() if talk.due is not None)

    def deadline(self) -> float | None:
        """When `tick` has something to repeat or to give up."""
        return min((due for due, _ in self._repeated()), default=None) if self.sa.alive else None

    def tick(self) -> None:
        """Repeat what is due, bit for bit; give up after the last try."""
        settings, now = self.sa.host.config.settings, self.sa.host.now
        for due, talk in [(due, talk) for due, talk in self._repeated() if due <= now]:
            if talk.sent > settings.retransmit_tries:
                self._give_up(talk)
                if not self.sa.alive:
                    return
                continue
            what = f"retransmit {talk.sent} of {talk.step.exchange.name} {talk.message_id:08x}"
            self.sa.host.trace.emit("message", what)
            talk.due = due + settings.retransmit_timeout * settings.retransmit_base**talk.sent
            talk.sent += 1
            self._send(talk.data)

    def _give_up(self, talk: Talk) -> None:
        """A peer that never answers has gone, and with it the SA; one that never ends a Quick Mode only lacks that."""
        del self._talks[talk.message_id]
        times = "once" if talk.sent == 1 else f"{talk.sent} times"
        reason = explain.silence(talk.step.exchange, times)
        with contextlib.suppress(ExchangeTimeout, StopIteration):
            talk.exchange.throw(ExchangeTimeout(reason))
        if self.sa.state in _INITIAL:
            self.sa.fail(reason)
        elif self.sa.alive and talk.ours:
            self.sa.dead = self.sa.state is not IkeState.DELETING
            self.sa.close(reason)
