"""Refusals in words, seen from our side: what is IKEv1's own; the rest is in `lab.ike.explain`."""

from lab.ike.credentials import Identity
from lab.wire.ids_v1 import ExchangeType1, NotifyType1
from lab.wire.payloads_v1 import Notify1

_MEANINGS = {
    NotifyType1.NO_PROPOSAL_CHOSEN: "none of our proposals is acceptable to it",
    NotifyType1.AUTHENTICATION_FAILED: "it does not accept our identity or our proof of it",
    NotifyType1.INVALID_HASH_INFORMATION: "our HASH is not what it expects, so its key is not ours",
    NotifyType1.INVALID_ID_INFORMATION: "it has nothing for the identities that we name",
    NotifyType1.INVALID_KEY_INFORMATION: "it wants another key exchange",
    NotifyType1.PAYLOAD_MALFORMED: "it could not make sense of our message, as where the pre-shared keys differ",
    NotifyType1.INVALID_EXCHANGE_TYPE: "it does not take this exchange",
    NotifyType1.ATTRIBUTES_NOT_SUPPORTED: "it does not know an attribute of ours",
}


def refused(notify: Notify1) -> str:
    """`peer refuses: NO_PROPOSAL_CHOSEN, none of our proposals is acceptable to it`."""
    meaning = _MEANINGS.get(notify.notify_type)
    return f"peer refuses: {notify.notify_type.name}" + (f", {meaning}" if meaning else "")


def silence(exchange: ExchangeType1, times: str) -> str:
    """Nobody answered."""
    return f"peer does not answer: a message of {exchange.name} was sent {times}"


def wrong_hash(peer: Identity) -> str:
    """HASH_I or HASH_R is not what it must be."""
    return f"HASH of {peer} does not verify: its pre-shared key is not ours"


def wrong_identity(peer: Identity, wanted: Identity | None) -> str:
    """The peer is somebody else than the connection expects."""
    return f"peer calls itself {peer}; we expect {wanted or 'anybody'}"
