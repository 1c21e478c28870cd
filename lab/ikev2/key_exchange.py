"""What all uses of CREATE_CHILD_SA share: nonces, an optional key exchange, and the other group that a peer may want.

HDR, SK {..., SA, Ni, [KEi], ...}  -->    <--  HDR, SK {SA, Nr, [KEr], ...}  or  HDR, SK {N(INVALID_KE_PAYLOAD)}
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass

from lab.crypto import registry
from lab.crypto.choice import Selected
from lab.crypto.groups import KeyPair
from lab.errors import ProtocolError
from lab.ike import explain
from lab.ikev2.child_sa import Refusal
from lab.ikev2.exchange import Payloads, Request
from lab.ikev2.sa import Sa
from lab.wire.ids import ExchangeType, KeMethod, NotifyType, TransformType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, Nonce, Notify, Proposal

# Series of additional key exchanges that one IKE SA waits for as a responder; each holds a child, or an IKE SA.
MOST_SERIES = 8
# One round for a group that the peer prefers, one more for a peer that changes its mind.
MOST_ROUNDS = 3


def offered_groups(proposals: Iterable[Proposal]) -> list[KeMethod]:
    """The key exchange methods of an offer, the preferred first, each once, NONE left out."""
    found = (KeMethod(t.id) for proposal in proposals for t in proposal.of(TransformType.KE))
    return list(dict.fromkeys(group for group in found if group != KeMethod.NONE))


def wanted_group(retry: Notify, groups: list[KeMethod]) -> KeMethod | Refusal:
    """The group that INVALID_KE_PAYLOAD names, if we offered it."""
    wanted = KeMethod(int.from_bytes(retry.data, "big")) if len(retry.data) == 2 else KeMethod.NONE
    if wanted in groups:
        return wanted
    ours = ", ".join(group.name for group in groups)
    return Refusal(f"peer wants key exchange method {wanted.name}; we offer {ours or 'none'}")


@dataclass(slots=True)
class Ask:
    """A CREATE_CHILD_SA request but for its key exchange; `group` and `pair` are those sent last."""

    head: Payloads
    nonce: bytes
    tail: Payloads
    groups: list[KeMethod]
    group: KeMethod | None = None
    pair: KeyPair | None = None

    def exchange(self, sa: Sa) -> Generator[Request, Message, Message | Refusal]:
        """Send it, with another group if the peer wants one of those that we offer."""
        self.group = self.groups[0] if self.groups else None
        for _ in range(MOST_ROUNDS):
            answer = yield Request(ExchangeType.CREATE_CHILD_SA, (*self.head, *self._payloads(sa), *self.tail))
            retry = answer.notify(NotifyType.INVALID_KE_PAYLOAD)
            if retry is None:
                return answer
            wanted = wanted_group(retry, self.groups)
            if isinstance(wanted, Refusal):
                return wanted
            sent = self.group.name if self.group else "none"
            sa.host.trace.emit("note", explain.another_method(wanted.name, sent), connection=sa.connection.name)
            self.group = wanted
        return Refusal(f"peer had us send CREATE_CHILD_SA {MOST_ROUNDS} times")

    def _payloads(self, sa: Sa) -> Payloads:
        if self.group is None:
            return (Nonce(self.nonce),)
        self.pair = registry.group(self.group).generate(sa.host.random)
        return (Nonce(self.nonce), KE(self.group, self.pair.public))

    def shared(self, chosen: Selected, answer: Message) -> bytes | Refusal:
        """The new shared secret, empty where none was agreed; ProtocolError where the peer's value is invalid."""
        ke = answer.get(KE)
        if chosen.ke is None:
            return b""
        if chosen.ke != self.group or ke is None or ke.group != self.group or self.pair is None:
            ours = self.group.name if self.group else "no key exchange"
            reason = f"peer chose {chosen.ke.name} and sent {ke.group.name if ke else 'none'}; we sent {ours}"
            return Refusal(reason, NotifyType.NO_PROPOSAL_CHOSEN)
        return self.pair.shared(ke.data)


@dataclass(frozen=True, slots=True)
class Agreed:
    """The responder's half of a key exchange: what it sends, and the shared secret; both empty without one."""

    payloads: Payloads = ()
    shared: bytes = b""


def respond(sa: Sa, chosen: Selected, request: Message) -> Agreed | Refusal:
    """Answer the key exchange of a request, or ask for the group that we want; ProtocolError for an invalid value."""
    if chosen.additional and len(sa.followups) >= MOST_SERIES:
        reason = f"{len(sa.followups)} series of additional key exchanges are under way, no more are begun"
        return Refusal(reason, NotifyType.TEMPORARY_FAILURE)
    if chosen.ke is None:
        return Agreed()
    ke = request.get(KE)
    if ke is None or ke.group != chosen.ke:
        reason = f"peer sent {ke.group.name if ke else 'no key'}; we want {chosen.ke.name}"
        return Refusal(reason, NotifyType.INVALID_KE_PAYLOAD, chosen.ke.to_bytes(2, "big"))
    public, shared = registry.group(chosen.ke).respond(sa.host.random, ke.data)
    return Agreed((KE(chosen.ke, public),), shared)


def key_of(message: Message, group: KeMethod) -> bytes:
    """The Key Exchange Data of an additional key exchange; ProtocolError where it is missing or another method's."""
    ke = message.get(KE)
    if ke is None or ke.group != group:
        reason = (
            f"peer sent {ke.group.name if ke else 'no key'} in {message.header.exchange.name}; {group.name} was agreed"
        )
        raise ProtocolError(reason, NotifyType.INVALID_SYNTAX)
    return ke.data
