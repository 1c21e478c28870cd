"""How the sender of an AUTH payload proves itself, in words."""

import pytest

from lab.crypto.schemes import PSS, scheme
from lab.evidence.reading import _auth
from lab.wire.ids import AuthMethod, HashAlgorithm
from lab.wire.payloads_v2 import Auth, Nonce

PSS_NAME = scheme(PSS, HashAlgorithm.SHA2_384).identifier


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ((Nonce(bytes(16)),), ""),
        ((Auth(AuthMethod.SHARED_KEY, bytes(32)),), "SHARED_KEY"),
        ((Auth(AuthMethod.ECDSA_384, bytes(96)),), "ECDSA_384"),
        (
            (Auth(AuthMethod.DIGITAL_SIGNATURE, bytes([len(PSS_NAME)]) + PSS_NAME + b"x"),),
            "DIGITAL_SIGNATURE rsa/pss-sha384",
        ),
        ((Auth(AuthMethod.DIGITAL_SIGNATURE, b""),), "DIGITAL_SIGNATURE of an unknown algorithm"),
        ((Auth(AuthMethod.DIGITAL_SIGNATURE, b"\x02\x30\x00rest"),), "DIGITAL_SIGNATURE of an unknown algorithm"),
        ((Auth(AuthMethod(99), b""),), "UNKNOWN_99"),
    ],
)
def test_how_the_sender_proves_itself(payloads: tuple, words: str) -> None:
    assert _auth(payloads) == words
