"""What AUTH signs, and the proof with a shared key (RFC 7296 2.15).

    InitiatorSignedOctets = RealMessage1 | Nr | prf(SK_pi, IDi') [| IntAuth]
    ResponderSignedOctets = RealMessage2 | Ni | prf(SK_pr, IDr') [| IntAuth]
    AUTH                  = prf(prf(secret, "Key Pad for IKEv2"), SignedOctets)

RealMessage is the last IKE_SA_INIT message of that side without non-ESP marker, a COOKIE included; ID' is the body of
the ID payload as it was sent, its reserved octets included.
"""

from hmac import compare_digest

from lab.crypto.macs import PrfSpec
from lab.wire.ids import AuthMethod
from lab.wire.payloads_v2 import ID, Auth

KEY_PAD = b"Key Pad for IKEv2"


def signed_octets(prf: PrfSpec, message: bytes, nonce: bytes, sk_p: bytes, identity: ID) -> bytes:
    """The octets that one side signs: its own message, the other's nonce, its own SK_p and ID."""
    return message + nonce + prf.compute(sk_p, identity.encode())


def shared_key_auth(prf: PrfSpec, secret: bytes, octets: bytes) -> Auth:
    """The AUTH payload of the shared-key method."""
    return Auth(AuthMethod.SHARED_KEY, prf.compute(prf.compute(secret, KEY_PAD), octets))


def verified(auth: Auth, expected: Auth) -> bool:
    """Whether a received AUTH is the expected one; takes the same time wherever they differ."""
    return auth.method == expected.method and compare_digest(auth.data, expected.data)
