"""EAP-MD5 (RFC 3748 5.4): the peer proves a password; no key, and nothing is proven to the peer.

<--  Value-Size, Challenge, Name
Value-Size 16, MD5(Identifier | secret | Challenge), Name  -->
"""

from lab.crypto import eap_crypto
from lab.errors import ProtocolError
from lab.ikev2.eap.method import Run, Steps
from lab.wire.cursor import Reader
from lab.wire.ids import NotifyType

VALUE = 16


def _value(data: bytes) -> bytes:
    reader = Reader(data)
    return reader.take(reader.u8())


def _packet(value: bytes, name: bytes) -> bytes:
    return bytes([len(value)]) + value + name


def peer(run: Run, request: bytes) -> Steps:
    """Answer the challenge."""
    challenge, secret = _value(request), run.secret
    if not challenge:
        raise ProtocolError("EAP-MD5 challenge of no octets", NotifyType.INVALID_SYNTAX)
    if secret is None:
        raise ProtocolError(f"we hold no EAP secret for {run.name}", NotifyType.AUTHENTICATION_FAILED)
    run.complete = True
    yield _packet(eap_crypto.md5_response(run.identifier, secret, challenge), run.user)


def server(run: Run) -> Steps:
    """Ask, and compare."""
    challenge = run.random(VALUE)
    value = _value((yield _packet(challenge, run.server)))
    secret = run.secret
    if secret is None:
        run.reason = f"we hold no EAP secret for {run.name}"
    elif not eap_crypto.same(value, eap_crypto.md5_response(run.identifier, secret, challenge)):
        run.reason = f"EAP-MD5 of {run.name} does not verify: its password is not ours"
