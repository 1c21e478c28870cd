"""Aggressive Mode: phase 1 in three messages, at the price of showing who is there (RFC 2409 5.1, 5.4).

    initiator                             responder
    HDR, SAi, KE, Ni, IDii           -->
                                     <--  HDR, SAr, KE, Nr, IDir, [NAT-D, NAT-D,] [CERT,] HASH_R
    HDR*, [NAT-D, NAT-D,] HASH_I     -->                                    SIG_I, SIG_R with signatures; * is encrypted

The group cannot be negotiated, since the first message has its public value: only the first one is offered. With a
pre-shared key the hashes travel where anybody may try keys against them; so nobody answers in this mode who was not
told to, `aggressive = yes`. Where a NAT is found, the third message goes to port 4500 (RFC 3947 4).
"""

from lab.crypto import registry
from lab.ike.states import IkeState
from lab.ikev1 import phase1, proof, vendor
from lab.ikev1.exchange import Check, Exchange, Step
from lab.ikev1.phase1 import has
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import ExchangeType1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import ID1, KE1, SA1, Nonce1, malformed

AGGRESSIVE_MODE = ExchangeType1.AGGRESSIVE_MODE
FIRST: Check = has(SA1, KE1, Nonce1, ID1)


def _over(message: Message1) -> str:
    return f"{message.exchange.name} after its end"


def initiator(sa: Sa) -> Exchange:
    """RFC 2409 5    SAi, KE, Ni, IDii --> <-- SAr, KE, Nr, IDir, HASH_R    HASH_I -->."""
    sa.life.become(IkeState.CONNECTING)
    sa.stage = AGGRESSIVE_MODE.name
    offer, group = phase1.offer_of_one_group(sa)
    pair = registry.group(group).generate(sa.host.random)
    sa.ni, sa.gxi = sa.new_nonce(), pair.public
    first = (
        offer,
        KE1(pair.public),
        Nonce1(sa.ni),
        phase1.own_id(sa),
        *proof.requests(sa),
        *vendor.announcements(sa.host.config.settings, xauth=sa.xauth),
    )
    answer = yield Step(AGGRESSIVE_MODE, first, encrypted=False, sealed_next=False, check=FIRST)

    phase1.accepted(sa, offer, answer)
    public, peer = phase1.heard_values(sa, answer), phase1.peer_id(sa, answer)
    phase1.derive(sa, pair.shared(public), peer=peer)
    proof.asked(sa, answer)
    phase1.verify(sa, peer, answer)
    discovery = phase1.nat_discovery(sa)
    phase1.discovered(sa, answer)
    if sa.nat.detected:
        sa.path = sa.path.floated()
    last = (*discovery, *phase1.prove(sa), *phase1.first_contact(sa))
    phase1.establish(sa, answer)
    # Where the peer is to go on, only its next message shows that it has this one.
    return Step(AGGRESSIVE_MODE, last, repeat=sa.waits_for_xauth, check=_over)


def responder(sa: Sa, first: Message1) -> Exchange:
    """RFC 2409 5    the same from the other end; its reply to a stranger is not repeated by itself."""
    sa.life.become(IkeState.CONNECTING)
    sa.stage = AGGRESSIVE_MODE.name
    if problem := FIRST(first):
        raise malformed(problem)
    chosen, peer = phase1.choose(sa, first), phase1.peer_id(sa, first)
    phase1.meant(sa, peer)
    proof.asked(sa, first)
    sa.nr = sa.new_nonce()
    public, shared = registry.group(sa.agreed.ke).respond(sa.host.random, phase1.heard_values(sa, first))
    sa.gxr = public
    phase1.derive(sa, shared, peer=peer)
    (offer, *vendors), identity = chosen, phase1.own_id(sa)
    discovery = phase1.nat_discovery(sa)
    answer = (offer, KE1(public), Nonce1(sa.nr), identity, *phase1.prove(sa), *proof.requests(sa), *vendors, *discovery)
    last = yield Step(AGGRESSIVE_MODE, answer, encrypted=False, repeat=False, sealed_next=None)

    phase1.discovered(sa, last)
    phase1.verify(sa, peer, last)
    phase1.establish(sa, last)
    return None
