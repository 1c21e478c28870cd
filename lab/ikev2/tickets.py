"""Tickets on their way: asked for by the client, given by the gateway, in IKE_AUTH and in INFORMATIONAL (RFC 5723 4.1).

    HDR, SK {IDi, AUTH, SAi2, TSi, TSr, N(TICKET_REQUEST)}  -->
                              <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr, N(TICKET_LT_OPAQUE)}
                                   or N(TICKET_NACK): none; or N(TICKET_ACK): it comes in an INFORMATIONAL request

A client asks again when the IKE SA was rekeyed, since a ticket holds the SK_d of one. It forgets its ticket when the
gateway deletes the IKE SA, and the gateway takes none any more of an IKE SA that it deleted itself: both ended the
session. Setting: `resumption` of a connection, on both sides.
"""

from lab.errors import ProtocolError
from lab.ike.tickets import MOST_OCTETS, Held
from lab.ikev2.exchange import Exchange, Payloads, Request
from lab.ikev2.sa import Sa
from lab.ikev2.session import Session, proposal_of
from lab.wire.cursor import Reader, Writer
from lab.wire.ids import ExchangeType, NotifyType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads_v2 import Delete, Notify

_REQUEST = (Notify(NotifyType.TICKET_REQUEST),)


def _note(sa: Sa, words: str) -> None:
    sa.host.trace.emit("note", words, connection=sa.connection.name)


def _session(sa: Sa, lifetime: float) -> Session:
    local, remote = sa.local_id, sa.remote_id
    assert local is not None and remote is not None, "only where both are authenticated"
    idi, idr = (local, remote) if sa.client else (remote, local)  # whoever began the IKE SA that it is now
    config, expires = sa.connection, int(sa.host.wall_clock + lifetime)
    proposal = proposal_of(sa.agreed)
    return Session(config.name, config.remote.auth.text, idi, idr, sa.spi_i, sa.spi_r, proposal, sa.keys.sk_d, expires)


# -- the client


def request(sa: Sa) -> Payloads:
    """What IKE_AUTH says where the connection is to be resumable."""
    return _REQUEST if sa.connection.resumption else ()


def ask(sa: Sa) -> Exchange:
    """RFC 5723 4.1    HDR, SK {N(TICKET_REQUEST)}  -->    <--  HDR, SK {N(TICKET_LT_OPAQUE)}."""
    if sa.usable:
        answer = yield Request(ExchangeType.INFORMATIONAL, _REQUEST)
        take(sa, answer)


def rekeyed(heir: Sa) -> None:
    """The ticket at hand is that of an IKE SA which was replaced: the client asks for one of its heir."""
    if heir.client and heir.connection.resumption:
        heir.start(ask)


def take(sa: Sa, message: Message) -> None:
    """Keep the ticket that a gateway gives in place of the one before; what cannot be read is no ticket."""
    if not sa.client or not sa.connection.resumption:
        return
    for kind, words in ((NotifyType.TICKET_NACK, "gives no ticket"), (NotifyType.TICKET_ACK, "gives a ticket later")):
        if message.notify(kind):
            _note(sa, f"peer {words} for resumption")
    told = message.notify(NotifyType.TICKET_LT_OPAQUE)
    if told is None:
        return
    try:
        reader = Reader(told.data)
        lifetime, ticket = reader.u32(), reader.rest()
    except ProtocolError as error:
        sa.host.trace.drop(f"TICKET_LT_OPAQUE: {error.reason}")
        return
    if not ticket or not lifetime or len(ticket) > MOST_OCTETS:
        sa.host.trace.drop(f"ticket of {len(ticket)} octets for {lifetime} s: we keep 1 to {MOST_OCTETS} octets")
        return
    state = _session(sa, lifetime).encode()
    sa.host.held[sa.connection.name] = Held(ticket, sa.host.now + lifetime, sa.path.remote_host, state)


def ended_by_peer(sa: Sa, message: Message) -> None:
    """The gateway deleted the IKE SA that is ours and no other's: it has ended the session."""
    deletes = any(delete.protocol == ProtocolId.IKE for delete in message.all(Delete))
    if deletes and sa.client and not sa.replaced:
        sa.host.held.pop(sa.connection.name, None)


# -- the gateway


def wanted(sa: Sa, message: Message) -> None:
    """Keep whether the client asks; EAP may lie between the question and the answer."""
    sa.ticket_wanted = message.notify(NotifyType.TICKET_REQUEST) is not None


def grant(sa: Sa) -> Payloads:
    """The ticket that the client of an SA that is up asked for; TICKET_NACK where it is to have none."""
    if not sa.ticket_wanted:
        return ()
    sa.ticket_wanted = False
    if not sa.connection.resumption or sa.client:
        return (Notify(NotifyType.TICKET_NACK),)
    now = sa.host.now
    lifetime = int(min(sa.host.config.settings.ticket_lifetime, (sa.expire_at or float("inf")) - now))
    if lifetime < 1:
        return (Notify(NotifyType.TICKET_NACK),)
    void(sa)  # one ticket at a time
    ticket = sa.host.mint.seal(_session(sa, lifetime).encode(), now=now)
    if len(ticket) > MOST_OCTETS:
        _note(sa, f"a ticket would have {len(ticket)} octets, at most {MOST_OCTETS} are given")
        return (Notify(NotifyType.TICKET_NACK),)
    sa.issued = (ticket, now + lifetime)
    return (Notify(NotifyType.TICKET_LT_OPAQUE, bytes(Writer().u32(lifetime).raw(ticket))),)


def void(sa: Sa) -> None:
    """The ticket that we gave for this SA is not taken any more."""
    if sa.issued is not None:
        (ticket, until), sa.issued = sa.issued, None
        sa.host.mint.spend(ticket, until=until, now=sa.host.now)
