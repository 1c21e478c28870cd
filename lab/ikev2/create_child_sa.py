"""CREATE_CHILD_SA for a further child, and what rekeying a child shares with it (RFC 7296 1.3, 1.3.1, 2.25).

    HDR, SK {[CP,] SA, Ni, [KEi], TSi, TSr}  -->    <--  HDR, SK {[CP,] SA, Nr, [KEr], TSi, TSr}

With additional key exchanges the child comes up behind the last of them (see followup_ke). A peer that is busy with the
same IKE SA answers TEMPORARY_FAILURE, and we ask again later, a few times.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from functools import partial

from lab.ike.config import Child
from lab.ike.live_child import LiveChild
from lab.ikev2 import child_sa, followup_ke, informational, virtual_address
from lab.ikev2.child_sa import Refusal, Secret, Sides, Terms
from lab.ikev2.exchange import Exchange, Payloads, Request
from lab.ikev2.key_exchange import Ask, offered_groups, respond
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads import Payload
from lab.wire.payloads_v2 import Nonce, Notify

MOST_TRIES = 5
# Under one IKE SA at the wish of the peer (1.3: "a minimal implementation" refuses all but one).
MOST_CHILDREN = 1000


@dataclass(frozen=True, slots=True)
class Agreement:
    """Terms, nonces and shared secrets of a negotiation; `further` are those of additional key exchanges, in order."""

    terms: Terms
    ni: bytes
    nr: bytes
    shared: bytes = field(repr=False)
    further: bytes = field(default=b"", repr=False)

    def secret(self, *, initiator: bool, outbound: bool = True) -> Secret:
        """What the keys of the child are made of."""
        seed = self.shared + self.ni + self.nr + self.further
        return Secret(seed, initiator=initiator, ke=self.terms.chosen.ke, outbound=outbound)


def ask_for(sa: Sa, child: LiveChild, *head: Payload, sides: Sides | None = None) -> Ask:
    """The request for a child; `sides` are the selectors to offer where they are not those of the configuration."""
    first, last = child_sa.offer(sa, child, ke=True, sides=sides)
    return Ask((*head, *first), sa.new_nonce(), last, offered_groups(child_sa.usable(sa, child.config)))


def conclude(
    sa: Sa, child: LiveChild, ask: Ask, answer: Message | Refusal, sides: Sides | None = None
) -> Agreement | Refusal:
    """The initiator's look at the answer."""
    if isinstance(answer, Refusal):
        return answer
    terms = child_sa.check_answer(sa, child, answer, ke=True, sides=sides)
    if isinstance(terms, Refusal):
        return terms
    shared = ask.shared(terms.chosen, answer)
    if isinstance(shared, Refusal):
        return shared
    return Agreement(terms, ask.nonce, nonce_of(answer), shared)


def further(
    sa: Sa, agreed: Agreement | Refusal, answer: Message | Refusal
) -> Generator[Request, Message, Agreement | Refusal]:
    """The initiator's additional key exchanges behind the answer, where any were agreed on."""
    if isinstance(agreed, Refusal) or isinstance(answer, Refusal):
        return agreed
    secrets = yield from followup_ke.initiator(sa, agreed.terms.chosen, answer)
    return secrets if isinstance(secrets, Refusal) else replace(agreed, further=secrets)


def nonce_of(message: Message) -> bytes:
    """The Nonce Data, which rules.check made sure is there."""
    nonce = message.get(Nonce)
    assert nonce is not None, "rules.check lets no such message through without a nonce"
    return nonce.data


def busy(refusal: Refusal) -> bool:
    """Whether the peer asks us to come again later (2.25), or we may because it waited no longer (RFC 9370 2.2.4)."""
    return refusal.heard in (NotifyType.TEMPORARY_FAILURE, NotifyType.STATE_NOT_FOUND)


def initiator(sa: Sa, config: Child, tries: int = 1) -> Exchange:
    """RFC 7296 1.3.1    HDR, SK {SA, Ni, [KEi], TSi, TSr}  -->    <--  HDR, SK {SA, Nr, [KEr], TSi, TSr}."""
    child = sa.new_child(config)
    if refusal := child_sa.hopeless(sa, config):
        informational.withdraw(sa, child, refusal)
        return
    ask = ask_for(sa, child, *virtual_address.ask(sa))
    answer = yield from ask.exchange(sa)
    unaddressed = virtual_address.take(sa, answer) if isinstance(answer, Message) else None
    agreed = yield from further(sa, unaddressed or conclude(sa, child, ask, answer), answer)
    if isinstance(agreed, Agreement):
        child_sa.install(sa, child, agreed.terms, agreed.secret(initiator=True))
        sa.child_up(child)
        informational.overtaken(sa, child)
    elif busy(agreed) and tries < MOST_TRIES:
        sa.drop_child(child, agreed.reason)
        sa.start_later(partial(initiator, config=config, tries=tries + 1))
    else:
        informational.withdraw(sa, child, agreed)


def accept(sa: Sa, request: Message, only: Child | None = None) -> tuple[Child, Agreement, Payloads] | Refusal:
    """The responder's choice with its key exchange: the child, what was agreed, and the payloads behind SAr."""
    found = child_sa.choose(sa, request, ke=True, only=only)
    if isinstance(found, Refusal):
        return found
    config, terms = found
    exchanged = respond(sa, terms.chosen, request)
    if isinstance(exchanged, Refusal):
        return exchanged
    nr = sa.new_nonce()
    agreed = Agreement(terms, nonce_of(request), nr, exchanged.shared)
    return config, agreed, (Nonce(nr), *exchanged.payloads)


def responder(sa: Sa, request: Message) -> Payloads:
    """RFC 7296 1.3.1    -->  HDR, SK {SA, Ni, [KEi], TSi, TSr}    HDR, SK {SA, Nr, [KEr], TSi, TSr}  <--."""
    if not sa.usable:
        return (Notify(NotifyType.TEMPORARY_FAILURE),)
    if len(sa.children) >= MOST_CHILDREN:
        reason = f"{len(sa.children)} children, no more are taken"
        return refuse(sa, Refusal(reason, NotifyType.NO_ADDITIONAL_SAS))
    lent = virtual_address.lend(sa, request)
    if isinstance(lent, Refusal):
        return refuse(sa, lent)
    found = accept(sa, request)
    if isinstance(found, Refusal):
        return refuse(sa, found)
    config, agreed, between = found
    child = sa.new_child(config)
    links = followup_ke.serve(sa, agreed.terms.chosen, _Asked(sa, child, agreed))
    first, last = child_sa.answer(child, agreed.terms)
    return (*lent, *first, *between, *last, *links)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A further child that the peer asked for."""

    sa: Sa
    made: LiveChild
    agreed: Agreement

    @property
    def wanted(self) -> bool:
        return self.sa.usable

    def finish(self, further: bytes) -> None:
        agreed = replace(self.agreed, further=further)
        child_sa.install(self.sa, self.made, agreed.terms, agreed.secret(initiator=False))
        self.sa.child_up(self.made)

    def abandon(self, reason: str) -> None:
        self.sa.drop_child(self.made, reason)


def refuse(sa: Sa, refusal: Refusal, child: str | None = None) -> Payloads:
    """The notify that stands for a refusal; asking for another group is none."""
    if refusal.notify == NotifyType.INVALID_KE_PAYLOAD:
        sa.host.trace.emit("note", f"CREATE_CHILD_SA refused with INVALID_KE_PAYLOAD: {refusal.reason}")
    else:
        sa.failed(refusal.reason, child, stage="CREATE_CHILD_SA", asked=False)
    return (refusal.payload,)
