"""IKE_INTERMEDIATE: the additional key exchanges between IKE_SA_INIT and IKE_AUTH (RFC 9242, RFC 9370 2.2.2).

    initiator                                        responder
    HDR, SAi1(.. ADDKE ..), KEi, Ni, N(INTERMEDIATE_EXCHANGE_SUPPORTED)  -->
                       <--  HDR, SAr1(.. ADDKE ..), KEr, Nr, N(INTERMEDIATE_EXCHANGE_SUPPORTED)
    HDR, SK {KEi(1)}  -->
                       <--  HDR, SK {KEr(1)}         once for each additional key exchange that is not NONE

    SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr)    and all SK_* anew from it, by the prf+ of RFC 7296 2.14

Both messages of an exchange are sealed with the keys from before it. Nothing here is authenticated before IKE_AUTH,
whose AUTH covers it all (see int_auth); so a KE that was changed on its way is found out there.
"""

from collections.abc import Generator, Iterable

from lab.crypto import registry
from lab.crypto.choice import Selected
from lab.errors import ProtocolError
from lab.ike import explain
from lab.ikev2 import int_auth, keys
from lab.ikev2.exchange import Payloads, Request
from lab.ikev2.key_exchange import key_of
from lab.ikev2.sa import Sa
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Flag, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, Notify, Proposal

SUPPORTED = Notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)
_EXCHANGE = ExchangeType.IKE_INTERMEDIATE


def offer(proposals: Iterable[Proposal]) -> Payloads:
    """The notify of an IKE_SA_INIT request; only with additional key exchanges have we a use for the exchange."""
    return (SUPPORTED,) if any(t.type in registry.ADDITIONAL for p in proposals for t in p.transforms) else ()


def answer(chosen: Selected, request: Message) -> Payloads:
    """The notify of an IKE_SA_INIT response; ProtocolError where the peer has no exchange for what it offers."""
    if chosen.additional and (reason := _unsupported(request)):
        raise ProtocolError(reason, NotifyType.NO_PROPOSAL_CHOSEN)
    return (SUPPORTED,) if chosen.additional else ()


def agreed(chosen: Selected, response: Message) -> None:
    """The initiator's check of the same; raises ProtocolError."""
    if chosen.additional and (reason := _unsupported(response)):
        raise ProtocolError(reason)


def _unsupported(message: Message) -> str:
    if message.notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED):
        return ""
    return "peer wants additional key exchanges and does not say INTERMEDIATE_EXCHANGE_SUPPORTED"


def expected(sa: Sa) -> ExchangeType:
    """Which exchange follows IKE_SA_INIT."""
    return _EXCHANGE if sa.agreed.additional else ExchangeType.IKE_AUTH


def initiator(sa: Sa) -> Generator[Request, Message, None]:
    """RFC 9370 2.2.2    HDR, SK {KEi(n)}  -->    <--  HDR, SK {KEr(n)}."""
    for group in sa.agreed.additional:
        sa.stage = _EXCHANGE.name
        pair = registry.group(group).generate(sa.host.random)
        ours: Payloads = (KE(group, pair.public),)
        response = yield Request(_EXCHANGE, ours)
        if error := response.error:
            raise ProtocolError(explain.refused(_EXCHANGE.name, error))
        renewed = _renewed(sa, pair.shared(key_of(response, group)))
        message_id = response.header.message_id
        _cover(sa, int_auth.sent(_header(sa, message_id), ours), int_auth.received(response), message_id)
        sa.renew(renewed)


def responder(sa: Sa, request: Message) -> Generator[Payloads, Message, Message]:
    """RFC 9370 2.2.2    -->  HDR, SK {KEi(n)}    HDR, SK {KEr(n)}  <--; returns the request that comes after them."""
    groups = sa.agreed.additional
    for done, group in enumerate(groups, 1):
        sa.stage = _EXCHANGE.name
        public, shared = registry.group(group).respond(sa.host.random, key_of(request, group))
        renewed = _renewed(sa, shared)
        ours: Payloads = (KE(group, public),)
        message_id = request.header.message_id
        _cover(sa, int_auth.received(request), int_auth.sent(_header(sa, message_id), ours), message_id)
        if done == len(groups):
            sa.expects = ExchangeType.IKE_AUTH
        sa.renew_after_answer(renewed)
        request = yield ours
    return request


def _renewed(sa: Sa, shared: bytes) -> keys.IkeKeys:
    """RFC 9370 2.2.2: the next generation, from SK_d of this one and the new shared secret."""
    # The same as for a rekeyed IKE SA (RFC 7296 2.18), but for the nonces, which are those of IKE_SA_INIT.
    seed_key = keys.skeyseed_rekey(sa.agreed.prf_spec, sa.keys.sk_d, shared, sa.nonces)
    return keys.ike_keys(sa.agreed, seed_key, sa.nonces, sa.spi_i + sa.spi_r)


def _header(sa: Sa, message_id: int) -> Header:
    """The header of our own message."""
    flags = Flag.INITIATOR if sa.initiator else Flag.RESPONSE
    return Header(sa.spi_i, sa.spi_r, PayloadType.SK, _EXCHANGE, flags, message_id)


def _cover(sa: Sa, request: bytes, response: bytes, message_id: int) -> None:
    sa.int_auth = sa.int_auth.then(sa.agreed.prf_spec, sa.keys, request, response, message_id)
