"""EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2-02, RFC 2759, RFC 3079): both prove the password, which gives a key.

    peer                                         authenticator
                                            <--  Challenge(challenge, name)
    Response(peer challenge, NT-Response, name)  -->
                                            <--  Success("S=...", M=...), or Failure("E=691 R=0 C=... V=3")
    Success, or Failure                     -->

Not `alone` (RFC 5998 4): whoever poses as the authenticator may guess passwords at leisure. The name in the Response
is what gets hashed, so it must be the EAP identity; a domain in front of it (`DOMAIN\\user`) is not hashed.
"""

import re

from lab.crypto import eap_crypto
from lab.errors import ProtocolError
from lab.ikev2.eap.method import Run, Steps
from lab.wire.eap import Chap, ChapChallenge, ChapCode, ChapResponse
from lab.wire.ids import NotifyType

# RFC 2759 6: the errors that a Failure names.
_ERRORS = {
    b"646": "restricted logon hours",
    b"647": "account disabled",
    b"648": "password expired",
    b"649": "no dial-in permission",
    b"691": "authentication failure",
    b"709": "error changing the password",
}
_FAILED = NotifyType.AUTHENTICATION_FAILED


def _bare(user: bytes) -> bytes:
    return user.rpartition(b"\\")[2]


def _password_hash(secret: bytes) -> bytes:
    try:
        return eap_crypto.nt_password_hash(secret.decode())
    except UnicodeDecodeError:  # a secret given as octets: each is one character
        return eap_crypto.nt_password_hash(secret.decode("latin-1"))


def _expect(packet: Chap, code: ChapCode) -> Chap:
    if packet.code != code or (packet.bare and code == ChapCode.CHALLENGE):
        raise ProtocolError(f"EAP-MSCHAPv2 {packet.code.name} where {code.name} is due", NotifyType.INVALID_SYNTAX)
    return packet


def peer(run: Run, request: bytes) -> Steps:
    """Prove the password, check the authenticator's proof, acknowledge."""
    opening = _expect(Chap.decode(request), ChapCode.CHALLENGE)
    challenge, secret = ChapChallenge.decode(opening.body).challenge, run.secret
    if secret is None:
        raise ProtocolError(f"we hold no EAP secret for {run.name}", _FAILED)
    own, hashed, user = run.random(16), _password_hash(secret), _bare(run.user)
    proof = eap_crypto.nt_response(challenge, own, user, hashed)
    answer = ChapResponse(own, proof, run.user).encode()
    verdict = Chap.decode((yield Chap(ChapCode.RESPONSE, opening.identifier, answer).encode()))
    if verdict.code == ChapCode.FAILURE:
        run.told = refusal(verdict.body)
        yield Chap(ChapCode.FAILURE, bare=True).encode()
        raise ProtocolError("EAP-MSCHAPv2 goes on after its failure", _FAILED)
    due = eap_crypto.authenticator_response(hashed, proof, own, challenge, user)
    if not _proven(_expect(verdict, ChapCode.SUCCESS).body, due):
        run.reason = f"EAP-MSCHAPv2: the authenticator does not know the password of {run.name}"
        return
    run.msk, run.complete = eap_crypto.mschapv2_msk(hashed, proof), True
    yield Chap(ChapCode.SUCCESS, bare=True).encode()


def _proven(message: bytes, due: bytes) -> bool:
    """`S=<40 hexadecimal digits>`, then a space and `M=` and words."""
    found = re.match(rb"S=([0-9A-Fa-f]{40})(?: |\Z)", message)
    if found is None:
        raise ProtocolError("EAP-MSCHAPv2 Success without an authenticator response", NotifyType.INVALID_SYNTAX)
    return eap_crypto.same(bytes.fromhex(found[1].decode()), due)


def refusal(message: bytes) -> str:
    """A Failure in words: `authentication failure (691)`."""
    found = re.search(rb"E=(\d{1,10})", message)
    code = found[1] if found else b""
    return f"{_ERRORS.get(code, 'unknown error')} ({code.decode() or 'no code'})"


def server(run: Run) -> Steps:
    """Ask, compare, prove the password in return."""
    challenge, number = run.random(16), run.identifier
    opening = ChapChallenge(challenge, run.server).encode()
    reply = _expect(Chap.decode((yield Chap(ChapCode.CHALLENGE, number, opening).encode())), ChapCode.RESPONSE)
    answer, secret = ChapResponse.decode(reply.body), run.secret
    hashed, user = _password_hash(secret or b""), _bare(answer.name)
    due = eap_crypto.nt_response(challenge, answer.challenge, user, hashed)
    if secret is None:
        run.reason = f"we hold no EAP secret for {run.name}"
    elif user.lower() != _bare(run.user).lower():
        run.reason = (
            f"EAP-MSCHAPv2 is run as {user.decode('utf-8', 'backslashreplace')}, but the identity is {run.name}"
        )
    elif not eap_crypto.same(answer.nt_response, due):
        run.reason = f"EAP-MSCHAPv2 of {run.name} does not verify: its password is not ours"
    if run.reason:
        words = b"E=691 R=0 C=%s V=3 M=Authentication failed" % run.random(16).hex().upper().encode()
        yield Chap(ChapCode.FAILURE, number, words).encode()
        return
    proof = eap_crypto.authenticator_response(hashed, answer.nt_response, answer.challenge, challenge, user)
    words = b"S=%s M=Welcome" % proof.hex().upper().encode()
    _expect(Chap.decode((yield Chap(ChapCode.SUCCESS, number, words).encode())), ChapCode.SUCCESS)
    run.msk = eap_crypto.mschapv2_msk(hashed, answer.nt_response)
