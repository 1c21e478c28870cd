"""What a resumed session changes in IKE_AUTH (RFC 5723 4.3.3, 5.1), and who may resume which.

    AUTH = prf(SK_p, SignedOctets)      SK_pi of the initiator, SK_pr of the responder, of the new IKE SA

The message that is signed is that of IKE_SESSION_RESUME; identities are those of the session, certificates and EAP have
no place. A gateway takes a ticket once, and only as long as the connection would still let its peer in.
"""

from dataclasses import replace

from lab.crypto.choice import Mismatch, Selected, select
from lab.crypto.registry import ADDITIONAL
from lab.errors import ProtocolError
from lab.ike.config import Connection
from lab.ike.credentials import Identity
from lab.ike.host import Host
from lab.ike.path import Path
from lab.ike.sa import UP
from lab.ike.tickets import MOST_SPENT
from lab.ikev2.auth import verified
from lab.ikev2.keys import Suite
from lab.ikev2.sa import Sa
from lab.ikev2.session import Session
from lab.wire.ids import AuthMethod, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Auth, Proposal


def suite_of(connection: Connection, session: Session) -> Suite:
    """The algorithms of a session; ProtocolError where the connection does not allow them any more.

    Nothing is exchanged, so additional key exchanges (RFC 9370) do not count.
    """
    chosen = select(tuple(_plain(proposal) for proposal in connection.proposals), (session.proposal,))
    if isinstance(chosen, Mismatch):
        raise ProtocolError(f"the algorithms of the session are not allowed any more: {chosen.reason}")
    assert isinstance(chosen, Selected)
    return replace(Suite.of(chosen), additional=())


def _plain(proposal: Proposal) -> Proposal:
    return replace(proposal, transforms=tuple(t for t in proposal.transforms if t.type not in ADDITIONAL))


# -- the client


def present(sa: Sa) -> bool:
    """Take out the ticket for this SA, if there is one to begin with; it is never used twice (4.3)."""
    held = sa.host.held.get(sa.connection.name)
    if held is None or held.host != sa.path.remote_host:
        return False
    session = Session.decode(held.state)
    origin = sa.host.ike_sas.get(session.spi_i) or sa.host.ike_sas.get(session.spi_r)
    if origin is not None and origin.state in UP:
        return False  # another IKE SA beside one that is up
    del sa.host.held[sa.connection.name]
    if held.expires <= sa.host.now:
        return False
    sa.ticket, sa.resumed = held.ticket, session
    return True


# -- the gateway


def readmit(host: Host, ticket: bytes, path: Path) -> tuple[Connection, Session]:
    """The session of a ticket and its connection; ProtocolError (TICKET_NACK) with the reason, and no state."""
    try:
        session = Session.decode(host.mint.open(ticket, now=host.now))
        connection = next((c for c in host.config.connections if c.name == session.connection), None)
        if connection is None:
            raise ProtocolError(f"there is no connection {session.connection!r} any more")
        _allowed(host, connection, session, path)
    except ProtocolError as error:
        raise ProtocolError(error.reason, NotifyType.TICKET_NACK) from None
    return connection, session


def _allowed(host: Host, connection: Connection, session: Session, path: Path) -> None:
    late = host.wall_clock - session.expires
    if late >= 0:
        raise ProtocolError(f"ticket expired {late:.0f} s ago")
    if not connection.resumption:
        raise ProtocolError(f"connection {connection.name} is not resumable: `resumption = yes` is needed")
    if not connection.serves(path.local_host, path.remote_host):
        raise ProtocolError(f"connection {connection.name} does not serve {path.remote_host} at {path.local_host}")
    if not session.idi.matches(connection.remote.id) or session.means != connection.remote.auth.text:
        raise ProtocolError(f"connection {connection.name} does not take {session.idi} by {session.means} any more")
    suite_of(connection, session)


def settled(sa: Sa) -> None:
    """The session goes on here: its ticket is used up, and the IKE SA that it was made for is gone without a word.

    ProtocolError where the same ticket came in twice at once and the other was faster.
    """
    session = sa.resumed
    if session is None:
        return
    mint, now = sa.host.mint, sa.host.now
    try:
        mint.open(sa.ticket, now=now)
    except ProtocolError as error:
        raise ProtocolError(error.reason, NotifyType.AUTHENTICATION_FAILED) from None
    if not mint.spend(sa.ticket, until=session.expires - sa.host.epoch, now=now):
        reason = f"{MOST_SPENT} tickets were used of late, no more are taken"
        raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)
    for old in list(sa.host.ike_sas.values()):
        if isinstance(old, Sa) and old.alive and (old.spi_i, old.spi_r) == (session.spi_i, session.spi_r):
            old.close("resumed as another IKE SA")


# -- both, in IKE_AUTH


def known(sa: Sa, peer: Identity, asked: Identity | None = None) -> str:
    """Why the peer is not the one of the session, in words; `asked` is whom it wants to speak with."""
    session = sa.resumed
    assert session is not None, "only in a resumed session"
    there, here = session.identity(initiator=not sa.initiator), session.identity(initiator=sa.initiator)
    if peer != there:
        return f"peer calls itself {peer}; the session to resume is that of {there}"
    return f"peer asks for {asked}; the session to resume is one with {here}" if asked not in (None, here) else ""


def auth(sa: Sa, signed: bytes, *, initiator: bool) -> Auth:
    """AUTH of the initiator or the responder over its signed octets (5.1)."""
    secret = sa.keys.sk_pi if initiator else sa.keys.sk_pr
    return Auth(AuthMethod.SHARED_KEY, sa.agreed.prf_spec.compute(secret, signed))


def refusal(sa: Sa, message: Message, signed: bytes) -> str:
    """Why we do not take the peer's AUTH, in words; empty where we do."""
    found = message.get(Auth)
    if found is None:
        return "peer's message lacks AUTH, and the session is resumed"
    if verified(found, auth(sa, signed, initiator=not sa.initiator)):
        return ""
    return f"AUTH of {sa.remote_id} does not verify: it does not have SK_d of the session to resume"
