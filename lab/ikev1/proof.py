"""How a side of IKEv1 proves who it is: a pre-shared key, or a signature over HASH_I or HASH_R (RFC 2409 5.1, 5.4).

The method is negotiated with the algorithms and holds for both sides. With a pre-shared key the key must be known
before the identities are: in Main Mode by what the connection expects, or by addresses.
"""

from hmac import compare_digest

from lab.errors import ProtocolError
from lab.ike import explain as words
from lab.ike.config import Connection
from lab.ike.credentials import Identity
from lab.ikev1 import explain
from lab.ikev1.exchange import Payloads
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import AuthMethod1, NotifyType1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import Hash1


def methods(connection: Connection) -> tuple[AuthMethod1, ...]:
    """What a connection negotiates."""
    return (AuthMethod1.PRE_SHARED_KEY,)


def signed(method: AuthMethod1) -> bool:
    """Whether this method is a signature."""
    return method != AuthMethod1.PRE_SHARED_KEY


def own_identity(sa: Sa) -> Identity:
    """The configured identity, or else our address."""
    return sa.connection.local.id or Identity.of_address(sa.path.local_host)


def secret(sa: Sa, peer: Identity | None) -> bytes:
    """The pre-shared key with a peer; ProtocolError where we hold none."""
    remote = peer or sa.connection.remote.id or Identity.of_address(sa.path.remote_host)
    local = own_identity(sa)
    found = sa.host.config.credentials.psk(local, remote)
    if found is None:
        raise ProtocolError(words.no_secret(local, remote), NotifyType1.AUTHENTICATION_FAILED)
    return found.secret


def prove(sa: Sa, digest: bytes) -> Payloads:
    """The payloads of our proof."""
    return (Hash1(digest),)


def refusal(sa: Sa, peer: Identity, digest: bytes, message: Message1) -> str:
    """Why we do not take the peer's proof, in words; empty where we do."""
    given = message.get(Hash1)
    if given is None:
        return f"{peer} sends no HASH"
    return "" if compare_digest(given.data, digest) else explain.wrong_hash(peer)
