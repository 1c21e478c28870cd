"""One EAP conversation: identity, negotiation of the method, and its run (RFC 3748 2, 4, 5).

- IKE is reliable, so there are no retransmissions: every request has a new identifier, every response that of the
  request it answers (4.1).
- Nak is allowed only as the answer to the first request of a method; once a method runs, no other may begin (2.1).
- A Success is believed only where the method is at its end (4.2), and after MOST_ROUNDS rounds everything ends.
"""

from collections.abc import Sequence

from lab.errors import ProtocolError
from lab.ikev2.eap.method import Method, Run, Steps
from lab.wire.eap import EapCode, EapType, Packet
from lab.wire.ids import NotifyType

# A TLS handshake with long certificate chains in small fragments stays below this.
MOST_ROUNDS = 64
MOST_IDENTITY = 1020


def _broken(reason: str) -> ProtocolError:
    return ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)


class Peer:
    """Who proves itself: takes requests, gives responses. After `succeeded`, `run.msk` is the key, if there is one."""

    def __init__(self, methods: Sequence[Method], run: Run) -> None:
        self.methods, self.run = tuple(methods), run
        self.method: Method | None = None
        self.succeeded = False
        self._steps: Steps | None = None
        self._rounds = 0
        self._declined: list[EapType] = []

    def receive(self, packet: Packet) -> Packet | None:
        """The response to a request; None at the end: after Success, or where `run.reason` says why we refuse the peer.

        Failure and broken rules are a ProtocolError in words.
        """
        self._rounds += 1
        if self._rounds > MOST_ROUNDS:
            raise _broken(f"EAP does not end within {MOST_ROUNDS} rounds")
        if packet.code == EapCode.SUCCESS:
            self._success()
            return None
        if packet.code == EapCode.FAILURE:
            at = self.method.word if self.method else "EAP"
            told = self.run.told or self._nothing_in_common()
            raise _broken(f"peer refuses {self.run.name} by {at}" + (f": {told}" if told else ""))
        if packet.code != EapCode.REQUEST or packet.type is None:
            raise _broken(f"EAP {packet} where a request is due")
        self.run.identifier = packet.identifier
        kind, data = self._answer(packet.type, packet.data)
        return None if self.run.reason else Packet(EapCode.RESPONSE, packet.identifier, kind, data)

    def _nothing_in_common(self) -> str:
        """Why no method was run, where the peer began with one that we do not allow."""
        if self.method or not self._declined:
            return ""
        offered = ", ".join(kind.name for kind in self._declined)
        return f"it offers {offered}; we allow {', '.join(method.word for method in self.methods)}"

    def _success(self) -> None:
        if not self.run.complete:
            raise _broken("EAP Success before the method was at its end")
        self.succeeded = True

    def _answer(self, kind: EapType, data: bytes) -> tuple[EapType, bytes]:
        if kind == EapType.IDENTITY:
            if self.method:
                raise _broken("EAP identity asked for in the middle of a method")
            return kind, self.run.user
        if kind == EapType.NOTIFICATION:
            return kind, b""
        if self.method is None:
            found = next((method for method in self.methods if method.type == kind), None)
            if found is None:
                self._declined.append(kind)
                return EapType.NAK, bytes(method.type for method in self.methods)
            self.method, self._steps = found, found.peer(self.run, data)
            return kind, self._step(None)
        if kind != self.method.type:
            raise _broken(f"EAP {kind.name} begins while {self.method.word} runs")
        return kind, self._step(data)

    def _step(self, data: bytes | None) -> bytes:
        assert self._steps is not None, "a method was chosen before"
        try:
            return next(self._steps) if data is None else self._steps.send(data)
        except StopIteration:
            if not self.run.reason:
                raise _broken("EAP request after the method was at its end") from None
            return b""


class Authenticator:
    """Who asks: gives requests, takes responses; ends with Success, or with Failure and `run.reason`."""

    def __init__(self, methods: Sequence[Method], run: Run, *, ask_identity: bool) -> None:
        self.methods, self.run, self.ask_identity = list(methods), run, ask_identity
        self._allowed = tuple(methods)
        self.method: Method | None = None
        self.succeeded = self.failed = False
        self._steps: Steps | None = None
        self._asked: Packet | None = None
        self._begun = False
        self._rounds = 0

    def begin(self) -> Packet:
        """The first request: for the identity, or that of the first method."""
        self.run.identifier = self.run.random(1)[0]
        if self.ask_identity:
            return self._request(EapType.IDENTITY, b"")
        return self._start(self.methods[0])

    def receive(self, packet: Packet) -> Packet:
        """The next request, Success or Failure. Broken rules are a ProtocolError in words."""
        asked, self._rounds = self._asked, self._rounds + 1
        assert asked is not None, "begin comes first"
        if self._rounds > MOST_ROUNDS:
            raise _broken(f"EAP does not end within {MOST_ROUNDS} rounds")
        if packet.code != EapCode.RESPONSE or packet.type is None:
            raise _broken(f"EAP {packet} where a response is due")
        if packet.identifier != asked.identifier:
            raise _broken(f"EAP response {packet.identifier} to request {asked.identifier}")
        if asked.type == EapType.IDENTITY:
            return self._identified(packet)
        if packet.type == EapType.NAK:
            return self._refused(packet.data)
        if packet.type != asked.type:
            raise _broken(f"EAP {packet} to a request of {asked.type and asked.type.name}")
        self._begun = True
        return self._step(packet.data)

    def _identified(self, packet: Packet) -> Packet:
        if packet.type != EapType.IDENTITY:
            raise _broken(f"EAP {packet} where the identity is due")
        if not 0 < len(packet.data) <= MOST_IDENTITY:
            raise _broken(f"EAP identity of {len(packet.data)} octets")
        self.run.user = packet.data
        self._next_identifier()
        return self._start(self.methods[0])

    def _refused(self, wanted: bytes) -> Packet:
        """RFC 3748 5.3.1: the types that the peer wants instead; 0 is none."""
        if self._begun or self.method is None:
            raise _broken("EAP Nak in the middle of a method")
        self.methods.remove(self.method)
        other = next((method for method in self.methods if method.type in wanted), None)
        if other is None:
            names = ", ".join(EapType(number).name for number in wanted if number) or "nothing that we know"
            ours = ", ".join(method.word for method in self._allowed)
            return self._end(f"peer does not take {self.method.word}; it wants {names}; we allow {ours}")
        self._next_identifier()
        return self._start(other)

    def _start(self, method: Method) -> Packet:
        self.method, self._steps = method, method.server(self.run)
        return self._request(method.type, next(self._steps))

    def _step(self, data: bytes) -> Packet:
        assert self._steps is not None and self.method is not None, "a method was started before"
        try:
            request = self._steps.send(data)
        except StopIteration:
            return self._end(self.run.reason)
        self._next_identifier()
        return self._request(self.method.type, request)

    def _next_identifier(self) -> None:
        self.run.identifier = (self.run.identifier + 1) % 256

    def _request(self, kind: EapType, data: bytes) -> Packet:
        self._asked = Packet(EapCode.REQUEST, self.run.identifier, kind, data)
        return self._asked

    def _end(self, reason: str) -> Packet:
        """4.2: Success and Failure carry the identifier of the response that they follow."""
        self.run.reason, self.succeeded, self.failed = reason, not reason, bool(reason)
        return Packet(EapCode.FAILURE if reason else EapCode.SUCCESS, self.run.identifier)
