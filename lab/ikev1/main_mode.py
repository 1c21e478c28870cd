"""Main Mode: phase 1 in six messages, the last two of which hide who is there (RFC 2409 5.1, 5.4).

    initiator                             responder
    HDR, SAi                         -->
                                     <--  HDR, SAr
    HDR, KE, Ni, [NAT-D, NAT-D]      -->
                                     <--  HDR, KE, Nr, [NAT-D, NAT-D]
    HDR*, IDii, [CERT,] HASH_I       -->                                    SIG_I in place of HASH_I with signatures
                                     <--  HDR*, IDir, [CERT,] HASH_R        * is encrypted

Where a NAT is found, the initiator goes on at port 4500 with the fifth message (RFC 3947 4).
"""

from lab.crypto import registry
from lab.ike.states import IkeState
from lab.ikev1 import phase1, proof, vendor
from lab.ikev1.exchange import Exchange, Payloads, Step
from lab.ikev1.phase1 import has
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import ExchangeType1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import ID1, KE1, SA1, Nonce1

MAIN_MODE = ExchangeType1.MAIN_MODE


def initiator(sa: Sa) -> Exchange:
    """RFC 2409 5    SAi --> <-- SAr    KE, Ni --> <-- KE, Nr    IDii, HASH_I --> <-- IDir, HASH_R."""
    sa.life.become(IkeState.CONNECTING)
    sa.stage = MAIN_MODE.name
    offer = phase1.offer(sa)
    known = vendor.announcements(sa.host.config.settings, xauth=sa.xauth)
    answer = yield _clear(offer, *known, expects=(SA1,))
    phase1.accepted(sa, offer, answer)

    pair = registry.group(sa.agreed.ke).generate(sa.host.random)
    sa.ni, sa.gxi = sa.new_nonce(), pair.public
    discovery = phase1.nat_discovery(sa)
    answer = yield _clear(KE1(pair.public), Nonce1(sa.ni), *discovery, expects=(KE1, Nonce1))
    phase1.discovered(sa, answer)
    proof.asked(sa, answer)
    phase1.derive(sa, pair.shared(phase1.heard_values(sa, answer)))
    if sa.nat.detected:
        sa.path = sa.path.floated()

    identity = phase1.own_id(sa)
    last = (identity, *phase1.prove(sa), *proof.requests(sa), *phase1.first_contact(sa))
    answer = yield Step(MAIN_MODE, last, check=has(ID1))
    phase1.verify(sa, phase1.peer_id(sa, answer), answer)
    phase1.establish(sa, answer)
    return None


def responder(sa: Sa, first: Message1) -> Exchange:
    """RFC 2409 5    the same from the other end; it never repeats anything by itself."""
    sa.life.become(IkeState.CONNECTING)
    sa.stage = MAIN_MODE.name
    request = yield _reply(*phase1.choose(sa, first), expects=(KE1, Nonce1))

    phase1.discovered(sa, request)
    sa.nr = sa.new_nonce()
    public, shared = registry.group(sa.agreed.ke).respond(sa.host.random, phase1.heard_values(sa, request))
    sa.gxr = public
    phase1.derive(sa, shared)
    discovery = phase1.nat_discovery(sa)
    request = yield _reply(KE1(public), Nonce1(sa.nr), *proof.requests(sa), *discovery, expects=(ID1,), sealed=True)

    proof.asked(sa, request)
    phase1.verify(sa, phase1.peer_id(sa, request), request)
    identity = phase1.own_id(sa)
    answer = (identity, *phase1.prove(sa))
    phase1.establish(sa, request)
    return Step(MAIN_MODE, answer, repeat=False)


def _clear(*payloads: object, expects: tuple[type, ...]) -> Step:
    made: Payloads = payloads  # type: ignore[assignment]
    return Step(MAIN_MODE, made, encrypted=False, sealed_next=False, check=has(*expects))


def _reply(*payloads: object, expects: tuple[type, ...], sealed: bool = False) -> Step:
    made: Payloads = payloads  # type: ignore[assignment]
    return Step(MAIN_MODE, made, encrypted=False, repeat=False, sealed_next=sealed, check=has(*expects))
