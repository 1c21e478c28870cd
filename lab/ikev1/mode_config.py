"""Mode Config: the initiator asks for a virtual address behind phase 1 and XAUTH (draft-ietf-ipsec-isakmp-mode-cfg-05).

    CFG_REQUEST(INTERNAL_IP4_ADDRESS, INTERNAL_IP4_DNS, ...)  -->
                                                              <--  CFG_REPLY(INTERNAL_IP4_ADDRESS 10.3.0.1, ...)

Quick Modes wait until the address is there; an ISAKMP SA that gets none is of no use and ends. The responder serves no
Quick Mode of a peer that it has lent nothing, where it lends. Where no address is left its CFG_REPLY gives none.
"""

from collections.abc import Iterable

from lab.errors import ProtocolError
from lab.ike import configuration, lending
from lab.ikev1 import attributes, informational
from lab.ikev1.exchange import Exchange, ExchangeTimeout, Step
from lab.ikev1.sa import Sa
from lab.wire.ids import CfgAttribute, CfgType
from lab.wire.ids_v1 import CfgType1
from lab.wire.payloads_v1 import Attribute, Attributes1
from lab.wire.payloads_v2 import CP


def request(sa: Sa, message_id: int) -> Exchange:
    """CFG_REQUEST  -->    <--  CFG_REPLY; the addresses are ours from now on, or stay ours behind a phase 1 anew."""
    held = sa.virtual.local
    wanted = configuration.request(held or sa.connection.vips)
    try:
        answer = yield from attributes.ask(sa, message_id, CfgType1.CFG_REQUEST, _of(wanted))
        reply = CP(CfgType.CFG_REPLY, _pairs(answer))
        if not held:
            lending.take(sa, reply)
        elif held != (given := configuration.read(wanted, reply).addresses):
            raise ProtocolError(f"peer gives {', '.join(map(str, given))} where {', '.join(map(str, held))} was ours")
    except (ProtocolError, ExchangeTimeout) as error:
        reason = error.reason if isinstance(error, ProtocolError) else str(error)
        sa.failed(reason, sa.goal, stage="Mode Config", asked=True)
        sa.queue.clear()
        informational.end(sa, "there is no virtual address")
    sa.configuring = False
    if sa.heir_of is not None:
        sa.host.touch(sa.heir_of.spi)  # the SA that this one replaces was kept until now
    return None


def responder(sa: Sa, message_id: int, asked: Attributes1) -> Step:
    """CFG_REPLY to a CFG_REQUEST; ProtocolError where we lend nothing, or are told what we did not ask for."""
    if not sa.usable:
        raise ProtocolError("Mode Config before XAUTH is over")
    cp = CP(CfgType(asked.cfg_type), _pairs(asked.attributes))
    if asked.cfg_type != CfgType1.CFG_REQUEST:
        raise ProtocolError("CFG_SET of Mode Config: we take no address that we did not ask for")
    wanted = configuration.asked(cp)
    if not wanted:
        return attributes.reply(sa, message_id, asked, ())
    reply = lending.lend(sa, cp)
    if reply is None:
        sa.failed(lending.none_left(sa, wanted), stage="Mode Config", asked=False)
    return attributes.reply(sa, message_id, asked, _of(reply) if reply else ())


def _of(cp: CP) -> tuple[Attribute, ...]:
    """The attributes as IKEv1 writes them: values of the same octets."""
    return tuple(attributes.of_octets(kind, octets) for kind, octets in cp.attributes)


def _pairs(found: Iterable[Attribute]) -> tuple[tuple[CfgAttribute, bytes], ...]:
    """The attributes as IKEv2 has them."""
    return tuple((CfgAttribute(int(one.type)), attributes.octets(one)) for one in found)
