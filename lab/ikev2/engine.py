"""Reliability and time of one IKE SA: message IDs, windows, retransmission, the reply cache (RFC 7296 2.1 to 2.3).

- A request is repeated bit for bit until its response comes, after timeout * base^n seconds, and given up after the
  last try. A response is never sent by a timer: only a repeated request brings it again, from the cache, unread, and it
  goes to where that request came from.
- Nothing advances before it is verified: the ICV is checked first, then the rules of the exchange; only then does the
  generator of the exchange see the message. So forged octets neither advance nor end an exchange.
- A ProtocolError is not caught here. The endpoint catches it and calls `violated`, which knows how far the message
  came.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.errors import ProtocolError
from lab.ike import explain
from lab.ike.actions import Send
from lab.ike.path import Path
from lab.ike.states import IkeState
from lab.ikev2 import fragments, informational, mobike, roaming
from lab.ikev2.exchange import IN_CLEAR, Conversation, Exchange, ExchangeTimeout, Payloads, Request
from lab.ikev2.impaired import impaired
from lab.ikev2.sa import Sa
from lab.wire import rules
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Flag, NotifyType, PayloadType
from lab.wire.message import Message, Opener
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads_v2 import Notify

Responder = Callable[[Sa, Message], Payloads]

MESSAGE_IDS = 1 << 32
_INITIAL = (IkeState.CREATED, IkeState.CONNECTING)


@dataclass(slots=True)
class Pending:
    """A request under way."""

    exchange: Exchange
    type: ExchangeType
    message_id: int
    data: tuple[bytes, ...]
    sent: int
    due: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A request that was answered, as it (or its first fragment) came, and the datagrams of the answer."""

    request: bytes
    data: tuple[bytes, ...]


@dataclass(slots=True)
class Arrival:
    """The message in hand; once `verified`, an error in it is answered (request) or ends the exchange (response)."""

    header: Header
    data: bytes
    path: Path
    verified: bool = False


class Engine:
    """Carries the exchanges of one SA in both directions."""

    def __init__(self, sa: Sa, responders: Mapping[ExchangeType, Responder]) -> None:
        self.sa, self._responders = sa, responders
        self._pending: dict[int, Pending] = {}
        self._next_request = 0
        self._next_expected = 0
        self._replies: OrderedDict[int, Reply] = OrderedDict()
        self._conversation: Conversation | None = None
        self._arrival: Arrival | None = None
        self._incoming = fragments.Reassembly()

    # -- what we send

    def begin(self, exchange: Exchange) -> None:
        """Start the initial exchanges, whose first request goes out at once."""
        self._advance(exchange, next(exchange))

    def _pump(self) -> None:
        """Start queued exchanges while the peer's window has room."""
        while self.sa.queue and len(self._pending) < self.sa.peer_window:
            # While the IKE SA is rekeyed nothing else begins on it: what waits goes to the new one.
            if self.sa.state in (*_INITIAL, IkeState.REKEYING) or self.sa.awaited or not self.sa.alive:
                return
            exchange = self.sa.queue.popleft()(self.sa)
            with contextlib.suppress(StopIteration):  # what it was about is settled meanwhile
                self._advance(exchange, next(exchange))

    def _advance(self, exchange: Exchange, request: Request | None) -> None:
        assert request is not None, "an exchange starts with a request"
        # The initial request stays number 0 however often COOKIE, INVALID_KE_PAYLOAD or TICKET_NACK has it sent anew.
        message_id = 0 if request.exchange in IN_CLEAR else self._next_request
        if message_id >= MESSAGE_IDS:
            self.sa.close("all message IDs of this IKE SA are used up")
            return
        self._next_request = message_id + 1
        data = self._encode(request.exchange, message_id, request.payloads, response=False)
        due = self.sa.host.now + self.sa.host.config.settings.retransmit_timeout
        self._pending[message_id] = Pending(exchange, request.exchange, message_id, data, 1, due)
        self._send(data, self.sa.path)

    def _encode(
        self, exchange: ExchangeType, message_id: int, payloads: Payloads, *, response: bool
    ) -> tuple[bytes, ...]:
        flags = (Flag.INITIATOR if self.sa.initiator else 0) | (Flag.RESPONSE if response else 0)
        header = Header(self.sa.spi_i, self.sa.spi_r, PayloadType.NONE, exchange, flags, message_id)
        message = Message(header, payloads)
        wrong = impaired(self.sa, message)
        data = wrong or fragments.encode(self.sa, message)
        self.sa.sent = data[0]
        self._note("sent", message, 1 if wrong else len(data))
        return data

    def _note(self, verb: str, message: Message, pieces: int = 1) -> None:
        header = message.header
        kind = "response" if header.response else "request"
        text = f"{verb} {header.exchange.name} {kind} {header.message_id} [ {' '.join(message.names)} ]"
        text += f" in {pieces} fragments" if pieces > 1 else ""
        self.sa.host.trace.emit("message", text, connection=self.sa.connection.name, spi_i=header.spi_i.hex())

    def _send(self, data: tuple[bytes, ...], path: Path) -> None:
        self.sa.last_sent = self.sa.host.now
        for datagram in data:
            self.sa.host.act(Send(NON_ESP_MARKER + datagram if path.marked else datagram, path))

    # -- what comes in

    def receive(self, header: Header, data: bytes, path: Path) -> None:
        """Take a datagram that carries this SA's SPIs; raises ProtocolError, which goes to `violated`."""
        arrival = self._arrival = Arrival(header, data, path)
        self.sa.arrived = path
        if header.response:
            self._response(arrival)
        elif not self._repeated(arrival):
            self._request(arrival)
        self._arrival = None

    def settle(self) -> None:
        """Go on with what waits, or forget it all where the SA has gone; the reply cache stays for late duplicates."""
        if self.sa.alive:
            self._turn()
            self._pump()
        else:
            if self._pending:
                mobike.resume(self.sa)
            self._pending.clear()
            self._incoming.clear()
            self.sa.queue.clear()

    def _turn(self) -> None:
        """Where the path has changed, what waits for an answer goes there at once (RFC 4555 3.5)."""
        if self.sa.turned:
            self.sa.turned = False
            for pending in self._pending.values():
                self._send(pending.data, self.sa.path)

    def _response(self, arrival: Arrival) -> None:
        pending = self._pending.get(arrival.header.message_id)
        if pending is None or pending.type != arrival.header.exchange:
            self._drop("response to no request of ours", arrival)
            return
        message = self._open(arrival)
        if message is None:
            return
        arrival.verified = True
        self._heard(arrival.path, may_move=False)
        roaming.answered(self.sa)
        if self.sa.state not in _INITIAL and (fatal := message.notify(NotifyType.INVALID_SYNTAX)):
            # RFC 7296 2.21.3: the peer has given the whole IKE SA up.
            self.sa.close(explain.refused(pending.type.name, fatal))
            return
        try:
            request = pending.exchange.send(message)
        except StopIteration:
            self._pending.pop(pending.message_id, None)
        else:
            if request is not None:
                del self._pending[pending.message_id]
                self._advance(pending.exchange, request)

    def _repeated(self, arrival: Arrival) -> bool:
        """Whether this request was answered before; if it is the same to the last bit, the answer is sent again.

        Of a request in fragments only the first one brings it, also where it is cut anew (RFC 7383 2.6.1). A stranger
        cannot have the answer, which may hold all our certificates, sent to an address that it made up.
        """
        reply = self._replies.get(arrival.header.message_id)
        if reply is None:
            return False
        if self.sa.state in _INITIAL and arrival.path.remote_host != self.sa.path.remote_host:
            self._drop("a request again from another address, before the peer is authenticated", arrival)
        elif reply.request == arrival.data or self._cut_anew(arrival):
            self.sa.host.trace.emit("repeat", f"request {arrival.header.message_id} again, answered from the cache")
            self._send(reply.data, arrival.path)
        else:
            self._drop("another request under a message ID that was answered", arrival)
        return True

    def _cut_anew(self, arrival: Arrival) -> bool:
        message = Message.decode(arrival.data)
        return self.sa.fragments and self.sa.opener is not None and fragments.cut_anew(message, self.sa.opener)

    def _request(self, arrival: Arrival) -> None:
        header, sa = arrival.header, self.sa
        window = sa.host.config.settings.window_size
        if not self._next_expected <= header.message_id < self._next_expected + window:
            self._drop(f"message ID outside the window at {self._next_expected}", arrival)
        elif not self._welcome(header.exchange):
            self._drop(f"{header.exchange.name} has no place here ({sa.state.name})", arrival)
        else:
            message = self._open(arrival)
            if message is None:
                return
            if sa.state in _INITIAL and header.exchange != sa.expects and not informational.fatal(message):
                self._drop(f"{header.exchange.name} before the peer is authenticated", arrival)
                return
            arrival.verified = True
            # One that was overtaken on its way tells where the peer was, not where it is.
            sa.overtaken = header.message_id < max(self._replies, default=0)
            self._heard(arrival.path, may_move=not sa.overtaken)
            self._reply(arrival, self._answer(message))

    def _welcome(self, exchange: ExchangeType) -> bool:
        """Before authentication only the next step of the initial exchanges is served, or that the peer gives up;
        afterwards all but those.
        """
        if self.sa.state in _INITIAL:
            return self._conversation is not None and exchange in (self.sa.expects, ExchangeType.INFORMATIONAL)
        return self.sa.alive and exchange not in (*IN_CLEAR, ExchangeType.IKE_AUTH)

    def _answer(self, message: Message) -> Payloads:
        if self._conversation is None or message.header.exchange == ExchangeType.INFORMATIONAL:
            responder = self._responders.get(message.header.exchange)
            if responder is None:
                raise ProtocolError(f"{message.header.exchange.name} is not supported", NotifyType.INVALID_SYNTAX)
            return responder(self.sa, message)
        try:
            return self._conversation.send(message)
        except StopIteration as last:
            self._conversation = None
            answer: Payloads = last.value
            return answer

    def converse(self, conversation: Conversation, request: Message, path: Path) -> None:
        """Serve the first request of the initial exchanges; ProtocolError: it is refused and no state stays."""
        payloads = next(conversation)
        self._conversation = conversation
        self._note("received", request)
        self._reply(Arrival(request.header, request.raw, path), payloads)

    def _open(self, arrival: Arrival) -> Message | None:
        """Verify first, look later: ICV, then payload chain, then the rules of the exchange.

        None: a fragment was kept, and others have yet to come.
        """
        message = Message.decode(arrival.data)
        if message.encrypted:
            if self.sa.opener is None:
                raise ProtocolError("encrypted message before there are keys")
            if message.sealed and message.sealed.type == PayloadType.SKF:
                whole = self._assemble(message, self.sa.opener, arrival)
                if whole is None:
                    return None
                message = whole
            else:
                message = message.opened(_Marking(self.sa.opener, arrival))
                self._incoming.settled(message)
        rules.check(message)
        self._note("received", message)
        return message

    def _assemble(self, fragment: Message, opener: Opener, arrival: Arrival) -> Message | None:
        """The message that this fragment completes, which then counts as what arrived (RFC 7383 2.6)."""
        if not self.sa.fragments:
            raise ProtocolError("fragment, although not both sides announced fragmentation")
        whole = self._incoming.take(fragment, opener)
        if whole is None:
            return None
        arrival.data, arrival.verified = whole.first.raw, True
        return whole.message()

    def _reply(self, arrival: Arrival, payloads: Payloads) -> None:
        header = arrival.header
        data = self._encode(header.exchange, header.message_id, payloads, response=True)
        self.sa.answered()
        self._replies[header.message_id] = Reply(arrival.data, data)
        while self._next_expected in self._replies:
            self._next_expected += 1
        while len(self._replies) > self.sa.host.config.settings.window_size:
            self._replies.popitem(last=False)
        self._send(data, arrival.path)

    def _heard(self, path: Path, *, may_move: bool) -> None:
        """The peer lives. Where it is behind a NAT and we are not, its address is where it last spoke from (2.23)."""
        sa = self.sa
        sa.last_heard = sa.host.now
        if path != sa.path and may_move and (sa.state in _INITIAL or roaming.follows(sa)):
            sa.move(path)

    def _drop(self, reason: str, arrival: Arrival) -> None:
        header = arrival.header
        self.sa.host.trace.drop(reason, exchange=header.exchange.name, message_id=header.message_id)

    def violated(self, error: ProtocolError) -> None:
        """The message in hand broke the protocol: answer it, give up its exchange or drop it, by how far it came."""
        arrival, self._arrival = self._arrival, None
        if arrival is None or not arrival.verified:
            self.sa.host.trace.drop(error.reason)
            return
        connecting = self.sa.state in _INITIAL
        if arrival.header.response:
            self._pending.pop(arrival.header.message_id, None)
        else:
            notify = NotifyType(error.notify or NotifyType.INVALID_SYNTAX)
            self._reply(arrival, (Notify(notify, error.data),))
        if connecting:
            self.sa.fail(error.reason)
        elif self.sa.alive and (arrival.header.response or error.notify == NotifyType.INVALID_SYNTAX):
            # RFC 7296 2.21.3: fatal in both peers, the IKE SA goes without a Delete. A response that breaks the rules
            # leaves its exchange without an outcome, and what it was about in a state that nothing leads out of.
            self.sa.close(error.reason)
        else:
            self.sa.failed(error.reason, stage=arrival.header.exchange.name, asked=arrival.header.response)

    # -- time

    @property
    def idle(self) -> bool:
        """Whether no request is under way or waiting."""
        return not self._pending and not self.sa.queue

    def deadline(self) -> float | None:
        """When `tick` has something to repeat or to give up."""
        if not self.sa.alive:
            return None
        return min((pending.due for pending in self._pending.values()), default=None)

    def tick(self) -> None:
        """Repeat what is due, bit for bit; give up after the last try."""
        settings, now = self.sa.host.config.settings, self.sa.host.now
        for pending in [p for p in self._pending.values() if p.due <= now]:
            if pending.sent > settings.retransmit_tries:
                self._give_up(pending)
                return
            self.sa.host.trace.emit(
                "message", f"retransmit {pending.sent} of {pending.type.name} request {pending.message_id}"
            )
            pending.due += settings.retransmit_timeout * settings.retransmit_base**pending.sent
            pending.sent += 1
            for path in (self.sa.path, *roaming.others(self.sa)):
                self._send(pending.data, path)

    def _give_up(self, pending: Pending) -> None:
        """RFC 7296 2.4: a peer that never answers has gone, and with it the IKE SA."""
        del self._pending[pending.message_id]
        times = "once" if pending.sent == 1 else f"{pending.sent} times"
        reason = f"peer does not answer: {pending.type.name} request {pending.message_id} was sent {times}"
        with contextlib.suppress(ExchangeTimeout, StopIteration):
            pending.exchange.throw(ExchangeTimeout(reason))
        if self.sa.state is IkeState.CONNECTING:
            self.sa.fail(reason)
        elif self.sa.alive:
            self.sa.dead = self.sa.state is not IkeState.DELETING
            self.sa.close(reason)


class _Marking:
    """An opener that marks the arrival as verified once the ICV was right, before anything inside is looked at."""

    def __init__(self, opener: Opener, arrival: Arrival) -> None:
        self._opener, self._arrival = opener, arrival

    def open(self, aad: bytes, body: bytes) -> bytes:
        try:
            plaintext = self._opener.open(aad, body)
        except ProtocolError as error:
            self._arrival.verified = bool(error.notify)  # 2.21.3: padding that is wrong under a right ICV is answered
            raise
        self._arrival.verified = True
        return plaintext
