"""CREATE_CHILD_SA for a further child, and what rekeying a child shares with it (RFC 7296 1.3, 1.3.1, 2.25).

    HDR, SK {SA, Ni, [KEi], TSi, TSr}  -->    <--  HDR, SK {SA, Nr, [KEr], TSi, TSr}

A peer that is busy with the same IKE SA answers TEMPORARY_FAILURE, and we ask again later, a few times.
"""

from dataclasses import dataclass
from functools import partial

from lab.ike.config import Child
from lab.ike.live_child import LiveChild
from lab.ikev2 import child_sa, informational
from lab.ikev2.child_sa import Refusal, Secret, Sides, Terms
from lab.ikev2.exchange import Exchange, Payloads
from lab.ikev2.key_exchange import Ask, offered_groups, respond
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Nonce, Notify

MOST_TRIES = 5
# Under one IKE SA at the wish of the peer (1.3: "a minimal implementation" refuses all but one).
MOST_CHILDREN = 1000


@dataclass(frozen=True, slots=True)
class Agreement:
    """Terms, nonces and shared secret of a finished negotiation."""

    terms: Terms
    ni: bytes
    nr: bytes
    shared: bytes

    def secret(self, *, initiator: bool, outbound: bool = True) -> Secret:
        """What the keys of the child are made of."""
        seed = self.shared + self.ni + self.nr
        return Secret(seed, initiator=initiator, ke=self.terms.chosen.ke, outbound=outbound)


def ask_for(sa: Sa, child: LiveChild, *head: Notify, sides: Sides | None = None) -> Ask:
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


def nonce_of(message: Message) -> bytes:
    """The Nonce Data, which rules.check made sure is there."""
    nonce = message.get(Nonce)
    assert nonce is not None, "rules.check lets no such message through without a nonce"
    return nonce.data


def busy(answer: Message | Refusal) -> bool:
    """Whether the peer asks us to come again later (2.25)."""
    return isinstance(answer, Message) and answer.notify(NotifyType.TEMPORARY_FAILURE) is not None


def initiator(sa: Sa, config: Child, tries: int = 1) -> Exchange:
    """RFC 7296 1.3.1    HDR, SK {SA, Ni, [KEi], TSi, TSr}  -->    <--  HDR, SK {SA, Nr, [KEr], TSi, TSr}."""
    child = sa.new_child(config)
    if refusal := child_sa.hopeless(sa, config):
        informational.withdraw(sa, child, refusal)
        return
    ask = ask_for(sa, child)
    answer = yield from ask.exchange(sa)
    if busy(answer) and tries < MOST_TRIES:
        sa.drop_child(child, "the peer is busy")
        sa.start_later(partial(initiator, config=config, tries=tries + 1))
        return
    agreed = conclude(sa, child, ask, answer)
    if isinstance(agreed, Refusal):
        informational.withdraw(sa, child, agreed)
        return
    child_sa.install(sa, child, agreed.terms, agreed.secret(initiator=True))
    sa.child_up(child)


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
    found = accept(sa, request)
    if isinstance(found, Refusal):
        return refuse(sa, found)
    config, agreed, between = found
    child = sa.new_child(config)
    child_sa.install(sa, child, agreed.terms, agreed.secret(initiator=False))
    sa.child_up(child)
    first, last = child_sa.answer(child, agreed.terms)
    return (*first, *between, *last)


def refuse(sa: Sa, refusal: Refusal, child: str | None = None) -> Payloads:
    """The notify that stands for a refusal; asking for another group is none."""
    if refusal.notify != NotifyType.INVALID_KE_PAYLOAD:
        sa.failed(refusal.reason, child, stage="CREATE_CHILD_SA", asked=False)
    return (refusal.payload,)
