"""What AUTH and Configuration payloads say, in words."""

import pytest

from lab.crypto.schemes import PSS, scheme
from lab.evidence.fields import cp
from lab.evidence.reading import _auth, _configuration
from lab.wire.cursor import Reader
from lab.wire.ids import AuthMethod, CfgAttribute, CfgType, HashAlgorithm
from lab.wire.payloads_v2 import CP, Auth, Nonce

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


ATTRIBUTES = [
    (CfgAttribute.INTERNAL_IP4_ADDRESS, "0a030001", "10.3.0.1"),
    (CfgAttribute.INTERNAL_IP4_DNS, "", ""),
    (CfgAttribute.INTERNAL_IP6_ADDRESS, "20010db8000000000000000000000001" + "80", "2001:db8::1/128"),
    (CfgAttribute.INTERNAL_IP6_DNS, "20010db8000000000000000000000053", "2001:db8::53"),
    (CfgAttribute.INTERNAL_IP4_SUBNET, "0a010000ffff0000", "10.1.0.0/255.255.0.0"),
    (CfgAttribute.INTERNAL_IP6_SUBNET, "20010db8000000000000000000000000" + "40", "2001:db8::/64"),
    (CfgAttribute.APPLICATION_VERSION, "31323334", "31323334"),
    (CfgAttribute.INTERNAL_IP4_ADDRESS, "0a03", "0a03"),
    (CfgAttribute(16000), "0a030001", "0a030001"),
]


def test_what_a_configuration_payload_holds() -> None:
    payload = CP(CfgType.CFG_REPLY, tuple((kind, bytes.fromhex(value)) for kind, value, _ in ATTRIBUTES))
    words = [f"{kind.name} {shown}".strip() for kind, _, shown in ATTRIBUTES]
    assert list(_configuration((Nonce(bytes(16)), payload))) == words
    assert _configuration((Nonce(bytes(16)),)) == ()
    tree = cp(Reader(payload.encode()))
    assert [(node["name"], node["value"]) for node in tree[2:]] == [(k.name, shown) for k, _, shown in ATTRIBUTES]
