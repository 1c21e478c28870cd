"""NULL authentication: a side that proves nothing about who it is, where its connection allows that (RFC 7619).

    HDR, SK {IDi(ID_NULL), AUTH(NULL), SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr}

    AUTH = prf(prf(SK_p, "Key Pad for IKEv2"), SignedOctets)    with SK_pi of an initiator, SK_pr of a responder

AUTH binds the message to this IKE SA and to nobody. So whatever such a peer calls itself counts as ID_NULL here: it
finds only a connection with `auth = null`, and never another IKE SA of "the same" peer (2.2, 2.3).
"""

from lab.errors import ProtocolError
from lab.ike.credentials import NOBODY, Identity
from lab.ikev2.auth import shared_key_auth
from lab.ikev2.sa import Sa
from lab.wire.ids import AuthMethod, IdType, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import ID, Auth


def check(identity: ID) -> None:
    """Raise ProtocolError (INVALID_SYNTAX) for an ID_NULL that names somebody after all (2.2)."""
    if identity.id_type == IdType.ID_NULL and identity.data:
        reason = f"ID_NULL carries {len(identity.data)} octets of identity, none are allowed"
        raise ProtocolError(reason, NotifyType.INVALID_SYNTAX)


def used(message: Message) -> bool:
    """Whether the sender of this message proves nothing."""
    auth = message.get(Auth)
    return auth is not None and auth.method == AuthMethod.NULL


def peer_of(sa: Sa, identity: ID, message: Message) -> Identity:
    """Who the peer is as far as policy goes: what it calls itself, or nobody where it does not prove it."""
    check(identity)
    claimed = Identity(identity.id_type, identity.data)
    if not used(message):
        return claimed
    if claimed != NOBODY:
        text = f"peer calls itself {claimed} and does not prove it: it is {NOBODY} to us"
        sa.host.trace.emit("note", text, connection=sa.connection.name)
    return NOBODY


def auth(sa: Sa, signed: bytes, *, initiator: bool) -> Auth:
    """AUTH of the initiator or the responder over its signed octets (2.1)."""
    secret = sa.keys.sk_pi if initiator else sa.keys.sk_pr
    return Auth(AuthMethod.NULL, shared_key_auth(sa.agreed.prf_spec, secret, signed).data)
