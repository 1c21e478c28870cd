"""Identities as people write them, and which secret belongs to whom."""

import pytest

from lab.ike.credentials import Credentials, Identity, SharedSecret, secret_octets
from lab.wire.ids import IdType


@pytest.mark.parametrize(
    ("text", "id_type", "data", "shown"),
    [
        ("192.0.2.1", IdType.ID_IPV4_ADDR, bytes([192, 0, 2, 1]), "192.0.2.1"),
        ("2001:db8::1", IdType.ID_IPV6_ADDR, bytes.fromhex("20010db8" + "00" * 11 + "01"), "2001:db8::1"),
        ("gw.example.org", IdType.ID_FQDN, b"gw.example.org", "gw.example.org"),
        ("@gw", IdType.ID_FQDN, b"gw", "gw"),
        ("u@example.org", IdType.ID_RFC822_ADDR, b"u@example.org", "u@example.org"),
        ("@@u", IdType.ID_RFC822_ADDR, b"u", "u"),
        ("@#0badc0de", IdType.ID_KEY_ID, bytes.fromhex("0badc0de"), "ID_KEY_ID:0badc0de"),
        ("keyid:left", IdType.ID_KEY_ID, b"left", "ID_KEY_ID:6c656674"),
        ("fqdn:192.0.2.1", IdType.ID_FQDN, b"192.0.2.1", "192.0.2.1"),
        ("ipv4:192.0.2.1", IdType.ID_IPV4_ADDR, bytes([192, 0, 2, 1]), "192.0.2.1"),
        ("CN=left", IdType.ID_DER_ASN1_DN, bytes.fromhex("300f310d300b06035504031304") + b"left", "CN=left"),
        ("dn:cn = left", IdType.ID_DER_ASN1_DN, bytes.fromhex("300f310d300b06035504031304") + b"left", "CN=left"),
    ],
)
def test_written_forms(text: str, id_type: IdType, data: bytes, shown: str) -> None:
    identity = Identity.parse(text)
    assert identity == Identity(id_type, data)
    assert str(identity) == shown


@pytest.mark.parametrize("text", ["", "%any", "0.0.0.0", "::"])
def test_anything(text: str) -> None:
    assert Identity.parse(text) is None


@pytest.mark.parametrize("text", ["XX=left", "dn:left", "@#xyz", "ipv6:192.0.2.1", "ipv4:gw"])
def test_what_is_no_identity(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Identity.parse(text)


@pytest.mark.parametrize(
    ("own", "pattern", "match"),
    [
        ("gw.example.org", "%any", True),
        ("gw.example.org", "GW.Example.ORG", True),
        ("gw.example.org", "*.example.org", True),
        ("gw.example.com", "*.example.org", False),
        ("u@example.org", "*@example.org", True),
        ("example.org", "u@example.org", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("@#00", "@#00", True),
    ],
)
def test_patterns(own: str, pattern: str, match: bool) -> None:
    identity = Identity.parse(own)
    assert identity is not None
    assert identity.matches(Identity.parse(pattern)) is match


def test_an_odd_identity_from_the_wire_can_be_shown() -> None:
    assert str(Identity(IdType.ID_IPV4_ADDR, b"xyz")) == "ID_IPV4_ADDR:78797a"
    assert str(Identity(IdType.ID_FQDN, b"a\xff")) == "a\\xff"
    assert str(Identity(IdType(99), b"a")) == "UNKNOWN_99:61"


@pytest.mark.parametrize(("text", "octets"), [("abc", b"abc"), ("0x616263", b"abc"), ("0sYWJj", b"abc")])
def test_secret_octets(text: str, octets: bytes) -> None:
    assert secret_octets(text) == octets


@pytest.mark.parametrize("text", ["0x1", "0xzz", "0s?"])
def test_bad_secret_octets(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid 0"):
        secret_octets(text)


def test_the_best_secret_wins() -> None:
    left, right, other = (Identity(IdType.ID_FQDN, name) for name in (b"left", b"right", b"other"))
    everybody = SharedSecret("ike", b"0")
    theirs = SharedSecret("ike-1", b"1", (right,))
    both = SharedSecret("ike-2", b"2", (left, right))
    pattern = SharedSecret("ike-3", b"3", (Identity(IdType.ID_FQDN, b"*"),))
    assert Credentials((everybody, theirs, both)).psk(left, right) is both
    assert Credentials((everybody, theirs)).psk(left, right) is theirs
    assert Credentials((everybody, both)).psk(left, other) is everybody
    assert Credentials((pattern, theirs)).psk(left, right) is theirs
    assert Credentials((pattern, everybody)).psk(left, other) is pattern
    assert Credentials((both,)).psk(left, other) is None
    assert Credentials().psk(left, right) is None


def test_a_secret_is_not_shown() -> None:
    assert "hush" not in repr(SharedSecret("ike", b"hush"))
