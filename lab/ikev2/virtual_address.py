"""Virtual addresses under an IKE SA: who asks, who lends, and what follows from it (RFC 7296 2.19, 3.15.4).

    HDR, SK {IDi, AUTH, CP(CFG_REQUEST), SAi2, TSi, TSr}  -->
                             <--  HDR, SK {IDr, AUTH, CP(CFG_REPLY), SAr2, TSi, TSr}
                             or   HDR, SK {IDr, AUTH, N(INTERNAL_ADDRESS_FAILURE)}      no address is free
                             or   HDR, SK {IDr, AUTH, N(FAILED_CP_REQUIRED)}            none was asked for

Neither failure costs the IKE SA. An initiator that got no address asks again with the next child that it makes; a
responder also answers where it is asked in an INFORMATIONAL. Nothing is lent before the peer is authenticated.
"""

from lab.errors import ProtocolError
from lab.ike import configuration, lending
from lab.ikev2.child_sa import Refusal
from lab.ikev2.exchange import Payloads
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import CP, SA


def ask(sa: Sa) -> Payloads:
    """CP(CFG_REQUEST), where we want virtual addresses and have none yet."""
    return (configuration.request(sa.connection.vips),) if sa.wants_address else ()


def take(sa: Sa, answer: Message) -> Refusal | None:
    """The addresses of the answer are ours from now on; a refusal where it gives none and does not say why."""
    if not sa.wants_address:
        return None
    reply = answer.get(CP)
    if reply is None and answer.error:
        return None
    try:
        lending.take(sa, reply)
    except ProtocolError as error:
        return Refusal(error.reason, NotifyType.INTERNAL_ADDRESS_FAILURE)
    return None


def lend(sa: Sa, request: Message) -> Payloads | Refusal:
    """The responder's answer to CP, nothing where none is due; the lease is the SA's until it ends."""
    cp = request.get(CP)
    wanted = configuration.asked(cp) if cp else ()
    if cp is None or not wanted:
        missing = sa.virtual.lends and not sa.virtual.remote and request.get(SA) is not None
        return Refusal(lending.missing(sa), NotifyType.FAILED_CP_REQUIRED) if missing else ()
    reply = lending.lend(sa, cp)
    if reply is None:
        return Refusal(lending.none_left(sa, wanted), NotifyType.INTERNAL_ADDRESS_FAILURE)
    return (reply,)
