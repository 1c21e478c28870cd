"""Mode Config: the initiator gets a virtual address behind phase 1 and XAUTH (draft-ietf-ipsec-isakmp-mode-cfg-05).

    CFG_REQUEST(INTERNAL_IP4_ADDRESS, INTERNAL_IP4_DNS, ...)  -->                     it asks, `pull`
                                                              <--  CFG_REPLY(INTERNAL_IP4_ADDRESS 10.3.0.1, ...)

                                                              <--  CFG_SET(INTERNAL_IP4_ADDRESS 10.3.0.1, ...)
    CFG_ACK(INTERNAL_IP4_ADDRESS, ...)                        -->                     it is given, without `pull`

Quick Modes wait until the address is there; an ISAKMP SA that gets none is of no use and ends. The responder serves no
Quick Mode of a peer that it has lent nothing, where it lends. Where no address is left its CFG_REPLY gives none.
"""

from collections.abc import Iterable

from lab.errors import ProtocolError
from lab.ike import configuration, lending
from lab.ike.configuration import Address
from lab.ikev1 import attributes, informational
from lab.ikev1.exchange import Exchange, ExchangeTimeout, Step
from lab.ikev1.sa import Sa
from lab.wire.ids import CfgAttribute, CfgType
from lab.wire.ids_v1 import CfgType1
from lab.wire.payloads_v1 import Attribute, Attributes1
from lab.wire.payloads_v2 import CP

_ADDRESSES = (CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS)
# The prefix length that IKEv2 puts behind an IPv6 address and IKEv1 does not; older releases of charon do.
_PREFIX, _WITH_PREFIX = b"\x80", 17


# -- the initiator


def request(sa: Sa, message_id: int) -> Exchange:
    """CFG_REQUEST  -->    <--  CFG_REPLY; the addresses are ours from now on, or stay ours behind a phase 1 anew."""
    wanted = configuration.request(sa.virtual.local or sa.connection.vips)
    try:
        answer = yield from attributes.ask(sa, message_id, CfgType1.CFG_REQUEST, _of(wanted))
        _take(sa, CP(CfgType.CFG_REPLY, _pairs(answer)))
    except (ProtocolError, ExchangeTimeout) as error:
        give_up(sa, error.reason if isinstance(error, ProtocolError) else str(error))
    _over(sa)
    return None


def _take(sa: Sa, reply: CP) -> None:
    """What we are given is ours from now on, or what was ours already; ProtocolError in words."""
    held = sa.virtual.local
    if not held:
        lending.take(sa, reply)
    elif held != (given := configuration.read(configuration.request(held), reply).addresses):
        raise ProtocolError(f"peer gives {', '.join(map(str, given))} where {', '.join(map(str, held))} was ours")


def give_up(sa: Sa, reason: str) -> None:
    """Without an address nothing can be done under this SA."""
    sa.failed(reason, sa.goal, stage="Mode Config", asked=sa.initiator)
    sa.queue.clear()
    sa.quick_modes.clear()
    informational.end(sa, "there is no virtual address")
    sa.configuring = False


def _over(sa: Sa) -> None:
    sa.configuring = False
    if sa.heir_of is not None:
        sa.host.touch(sa.heir_of.spi)  # the SA that this one replaces was kept until now


def _pushed(sa: Sa, message_id: int, told: Attributes1) -> Step:
    """CFG_ACK to a CFG_SET, which names what we took: all of it or nothing."""
    try:
        _take(sa, CP(CfgType.CFG_REPLY, _pairs(told.attributes)))
    except ProtocolError as error:
        give_up(sa, error.reason)
        return attributes.reply(sa, message_id, told, ())
    _over(sa)
    kinds = dict.fromkeys(int(one.type) for one in told.attributes)
    return attributes.reply(sa, message_id, told, [attributes.of_octets(kind, b"") for kind in kinds])


def _unwanted(sa: Sa, message_id: int, told: Attributes1) -> Step:
    """An empty CFG_ACK: we take nothing, since we ask ourselves or want none, and go on (draft 3.3)."""
    asks = sa.virtual.asks or bool(sa.virtual.local)
    why = "we ask for ours (pull = yes)" if asks else "we want none (no vips)"
    sa.host.trace.emit("note", f"peer pushes a virtual address, and {why}: nothing of it is taken")
    return attributes.reply(sa, message_id, told, ())


# -- the responder


def push(sa: Sa, message_id: int) -> Exchange:
    """CFG_SET  -->    <--  CFG_ACK; an address of each pool, or those that the peer has behind a phase 1 anew."""
    wanted = sa.virtual.remote or _one_of_each_pool(sa)
    reply = lending.lend(sa, configuration.request(wanted))
    if reply is None:
        give_up(sa, lending.none_left(sa, wanted))
        return None
    # charon that wants to ask itself answers what is pushed as if that were a request.
    also = (CfgType1.CFG_REPLY,)
    answer = yield from attributes.ask(sa, message_id, CfgType1.CFG_SET, _of(reply), also=also)
    taken = {int(one.type) for one in answer}
    refused = [kind.name for kind, _ in reply.attributes if kind in _ADDRESSES and kind not in taken]
    if not taken:
        sa.host.trace.emit("note", "peer takes nothing of what we push; it may ask for its addresses itself")
    elif refused:
        give_up(sa, f"peer does not take the {refused[0]} that we push")
    return None


def _one_of_each_pool(sa: Sa) -> tuple[Address, ...]:
    firsts = (pool.addrs.first for pool in sa.connection.pools)
    return tuple(type(first)(0) for first in firsts)


def responder(sa: Sa, message_id: int, asked: Attributes1) -> Step:
    """CFG_REPLY to a CFG_REQUEST, CFG_ACK to a CFG_SET; both are empty where there is nothing to give or take."""
    if asked.cfg_type != CfgType1.CFG_REQUEST:
        return _pushed(sa, message_id, asked) if sa.awaits_push else _unwanted(sa, message_id, asked)
    cp = CP(CfgType(asked.cfg_type), _pairs(asked.attributes))
    wanted = configuration.asked(cp)
    if not wanted:
        return attributes.reply(sa, message_id, asked, ())
    reply = lending.lend(sa, cp)
    if reply is None:
        sa.failed(lending.none_left(sa, wanted), stage="Mode Config", asked=False)
    return attributes.reply(sa, message_id, asked, _of(reply) if reply else ())


# -- both


def _of(cp: CP) -> tuple[Attribute, ...]:
    """The attributes as IKEv1 writes them: values of the same octets, IPv6 addresses without prefix length."""
    return tuple(
        attributes.of_octets(kind, octets[:16] if kind == CfgAttribute.INTERNAL_IP6_ADDRESS else octets)
        for kind, octets in cp.attributes
    )


def _pairs(found: Iterable[Attribute]) -> tuple[tuple[CfgAttribute, bytes], ...]:
    """The attributes as IKEv2 has them."""
    return tuple((kind, _with_prefix(kind, attributes.octets(one))) for one in found for kind in (_kind(one),))


def _kind(one: Attribute) -> CfgAttribute:
    return CfgAttribute(int(one.type))


def _with_prefix(kind: CfgAttribute, octets: bytes) -> bytes:
    short = kind == CfgAttribute.INTERNAL_IP6_ADDRESS and len(octets) == _WITH_PREFIX - 1
    return octets + _PREFIX if short else octets
