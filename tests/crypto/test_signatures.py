"""Signatures against vectors from outside, and the AlgorithmIdentifiers of RFC 7427."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.crypto.schemes import _PLAIN, ECDSA, ED448, ED25519, PSS, RSA, Scheme, keyword, scheme
from lab.crypto.signatures import CURVES, PrivateKey, PublicKey, der_ecdsa, generate, load_private, raw_ecdsa
from lab.errors import ProtocolError
from lab.wire.ids import HashAlgorithm
from tests.pair import seeded

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "signatures.json").read_text())
SHA2 = (HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512)
HASHES = {"sha1": HashAlgorithm.SHA1, "sha256": SHA2[0], "sha384": SHA2[1], "sha512": SHA2[2]}


def read(vector: dict) -> tuple[Scheme, PublicKey, bytes]:
    """Scheme, key and signature of a vector, the signature as `verify` takes it."""
    family, _, rest = vector["alg"].partition("-")
    public, signature = vector["public"], bytes.fromhex(vector["signature"])
    if family in (RSA, PSS):
        numbers = rsa.RSAPublicNumbers(int(public["e"], 16), int(public["n"], 16))
        return Scheme(family, HASHES[rest], vector["salt"]), PublicKey.of(numbers.public_key()), signature
    if family == ECDSA:
        bits, _, name = rest.partition("-")
        numbers = ec.EllipticCurvePublicNumbers(int(public["x"], 16), int(public["y"], 16), CURVES[int(bits)])
        made = der_ecdsa(signature, int(bits))
        assert made is not None and raw_ecdsa(made, int(bits)) == signature
        return scheme(ECDSA, HASHES[name]), PublicKey.of(numbers.public_key()), made
    loaded = {ED25519: Ed25519PublicKey, ED448: Ed448PublicKey}[family].from_public_bytes(bytes.fromhex(public))
    return scheme(family), PublicKey.of(loaded), signature


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['alg']}-{'good' if v['valid'] else 'bad'}")
def test_vectors(vector: dict) -> None:
    one, key, signature = read(vector)
    data = bytes.fromhex(vector["data"])
    assert key.verify(one, signature, data) is vector["valid"]
    assert not key.verify(one, signature, data + b"x")
    if "private" in vector:
        kind = Ed25519PrivateKey if one.family == ED25519 else Ed448PrivateKey
        private = PrivateKey.of(kind.from_private_bytes(bytes.fromhex(vector["private"])))
        assert private.sign(one, data) == signature


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["alg"].startswith("ecdsa")], ids=lambda v: v["alg"])
def test_ecdsa_of_a_digest_that_is_there_already(vector: dict) -> None:
    """As IKEv1 signs HASH_I: the signature of the digest is that of the data (RFC 4754)."""
    one, key, _ = read(vector)
    digest = hashlib.new(keyword(one.hash), bytes.fromhex(vector["data"])).digest()
    assert key.verify_bare(bytes.fromhex(vector["signature"]), digest) is vector["valid"]
    assert not key.verify_bare(bytes.fromhex(vector["signature"]), digest[:-1])


@pytest.mark.parametrize(("bits", "octets"), [(256, 32), (384, 48), (521, 64)])
def test_a_bare_signature_is_two_numbers_of_the_curve(bits: int, octets: int) -> None:
    key, digest = generate(f"ecdsa-{bits}", seeded("bare")), bytes(range(octets))
    made = key.sign_bare(digest)
    assert len(made) == 2 * -(-bits // 8) and key.sign_bare(digest) == made
    assert key.public.verify_bare(made, digest) and not key.public.verify_bare(made[:-1], digest)


def test_every_scheme_has_a_vector() -> None:
    seen = {Scheme(s.family, s.hash) for s in (read(v)[0] for v in VECTORS if v["valid"])}
    assert set(_PLAIN) - {scheme(ECDSA, HashAlgorithm.SHA1)} <= seen
    assert {Scheme(PSS, digest) for digest in SHA2} <= seen


# RFC 7427 appendix A, RFC 8420 section 2.
IDENTIFIERS = {
    "300d06092a864886f70d0101050500": scheme(RSA, HashAlgorithm.SHA1),
    "300d06092a864886f70d01010b0500": scheme(RSA, SHA2[0]),
    "300d06092a864886f70d01010c0500": scheme(RSA, SHA2[1]),
    "300d06092a864886f70d01010d0500": scheme(RSA, SHA2[2]),
    "300a06082a8648ce3d040302": scheme(ECDSA, SHA2[0]),
    "300a06082a8648ce3d040303": scheme(ECDSA, SHA2[1]),
    "300a06082a8648ce3d040304": scheme(ECDSA, SHA2[2]),
    "300506032b6570": scheme(ED25519),
    "300506032b6571": scheme(ED448),
    "300d06092a864886f70d01010a3000": scheme(PSS, HashAlgorithm.SHA1),
}
PSS_SHA256 = (
    "304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0609"
    "6086480165030402010500a203020120a303020101"
)


@pytest.mark.parametrize(("octets", "one"), IDENTIFIERS.items(), ids=map(str, IDENTIFIERS.values()))
def test_identifiers_of_the_rfcs(octets: str, one: Scheme) -> None:
    assert one.identifier.hex() == octets
    assert Scheme.of_identifier(bytes.fromhex(octets)) == one


def test_pss_parameters() -> None:
    assert Scheme.of_identifier(bytes.fromhex(PSS_SHA256)) == scheme(PSS, SHA2[0])
    for digest in HASHES.values():
        for salt in (0, 20, 32, 64, 127, 128, 222, 1024):
            one = Scheme(PSS, digest, salt)
            assert Scheme.of_identifier(one.identifier) == one
    with pytest.raises(ProtocolError, match="number"):
        Scheme.of_identifier(Scheme(PSS, SHA2[0], 1025).identifier)
    mixed = bytes.fromhex(PSS_SHA256.replace("0609608648016503040201", "0609608648016503040202", 1))
    with pytest.raises(ProtocolError, match="sha384 and a mask of sha256"):
        Scheme.of_identifier(mixed)


def test_damaged_identifiers_are_refused_or_read() -> None:
    original = bytes.fromhex(PSS_SHA256)
    for at in range(len(original)):
        with pytest.raises(ProtocolError):
            Scheme.of_identifier(original[:at])
        for value in (0, 1, 0x30, 0x7F, 0x80, 0xFF, original[at] ^ 1):
            damaged = original[:at] + bytes([value]) + original[at + 1 :]
            try:
                one = Scheme.of_identifier(damaged)
            except ProtocolError:
                continue
            assert one.family == PSS


KINDS = ("rsa-2048", "rsa-3072", "ecdsa-256", "ecdsa-384", "ecdsa-521", "ed25519", "ed448")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_key_signs_verifies(kind: str) -> None:
    key = generate(kind, seeded("key"))
    assert str(key.public) == kind
    assert load_private(key.pem).public == key.public
    schemes = [one for one in (*_PLAIN, *(scheme(PSS, d) for d in SHA2)) if key.public.fits(one)]
    assert schemes
    for one in schemes:
        signature = key.sign(one, b"octets")
        assert key.public.verify(one, signature, b"octets")
        assert not key.public.verify(one, signature, b"other")
        assert not key.public.verify(one, signature[:-1], b"octets")
        assert not key.public.verify(one, b"", b"octets")
        if one.family != PSS:
            assert key.sign(one, b"octets") == signature
    assert not any(key.public.verify(one, b"x", b"") for one in _PLAIN if not key.public.fits(one))
    if not kind.startswith("rsa"):
        assert generate(kind, seeded("key")).public == key.public != generate(kind, seeded("other")).public


def test_keys_that_are_of_no_use() -> None:
    with pytest.raises(ProtocolError, match="RSA key of 1024 bits"):
        PublicKey.of(rsa.generate_private_key(65537, 1024).public_key())
    with pytest.raises(ProtocolError, match="secp224r1"):
        PublicKey.of(ec.generate_private_key(ec.SECP224R1()).public_key())
    with pytest.raises(ProtocolError, match="X25519"):
        PublicKey.of(X25519PrivateKey.generate())
    with pytest.raises(ValueError, match="no usable private key"):
        load_private(b"-----BEGIN nonsense")
    assert der_ecdsa(b"short", 256) is None
