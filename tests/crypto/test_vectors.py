"""Every row of the registry against numbers from outside this project (tests/vectors/README.md)."""

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dh, ec
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.crypto import modp, registry
from lab.crypto.groups import EcpKeyPair, KeyPair, MontgomeryKeyPair
from lab.crypto.macs import prf_plus
from lab.crypto.sk import IkeCipher
from lab.crypto.weierstrass import P224KeyPair
from lab.errors import ProtocolError
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify

INTEGS, PRFS, GROUPS = dict(registry.INTEG), dict(registry.PRF), dict(registry.GROUP)


class Vector:
    """One entry: `vector.key` is the octets of the hex field `key`."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields, self.alg, self.source = fields, fields["alg"], fields["source"]

    def __getattr__(self, name: str) -> bytes:
        return bytes.fromhex(self.fields[name])


def vectors(name: str) -> list[Vector]:
    path = Path(__file__).parents[1] / "vectors" / name
    return [Vector(fields) for fields in json.loads(path.read_text())]


def each(name: str) -> pytest.MarkDecorator:
    entries = vectors(name)
    ids = [f"{number}-{entry.alg}-{entry.source}" for number, entry in enumerate(entries)]
    return pytest.mark.parametrize("v", entries, ids=ids)


def algs(*names: str) -> set[str]:
    return {entry.alg for name in names for entry in vectors(name)}


def test_every_row_has_a_vector() -> None:
    encr = {row.keyword.format(bits) for row in registry.ENCR for bits in row.bits}
    # GMAC in ESP: one published packet, with a key of 128 bits; in AH all three, which is the same computation.
    assert encr - algs("encr.json") == {"aes192gmac", "aes256gmac"}
    assert {f"aes{bits}gmac" for bits in registry.AH_GMAC} == algs("gmac.json")
    assert set(INTEGS) == algs("integ.json")
    assert set(PRFS) == algs("prf.json")
    assert set(GROUPS) == algs("groups.json", "ml_kem.json"), "each group has an exchange, not only a prime"
    assert {word for word in GROUPS if word.startswith("modp")} == algs("modp_primes.json")


def test_every_vector_says_where_it_is_from() -> None:
    """Outside this project: a standard, NIST, Wycheproof, or the tests of another implementation."""
    known = ("RFC ", "draft-", "NIST ", "NESSIE ", "Wycheproof ", "OpenSSL ", "Linux ", "strongSwan ", "post-quantum-")
    files = ("encr", "integ", "gmac", "prf", "prf_plus", "groups", "groups_invalid", "modp_primes", "ml_kem")
    sources = {entry.source for name in files for entry in vectors(f"{name}.json")}
    assert not [source for source in sources if not source.startswith(known)]


@each("encr.json")
def test_encr(v: Vector) -> None:
    spec = registry.encr(registry.KEYWORDS[v.alg])
    cipher = spec.new(v.key)
    assert len(v.iv) == spec.iv_octets
    for _ in range(3):  # a kept object must not carry anything over from packet to packet
        assert cipher.encrypt(v.iv, v.plaintext, v.aad) == v.ciphertext
        assert cipher.decrypt(v.iv, v.ciphertext, v.aad) == v.plaintext
    if not spec.aead:
        return
    for forged in (v.ciphertext[:-1], v.ciphertext[:-1] + bytes([v.ciphertext[-1] ^ 1]), b""):
        with pytest.raises(ProtocolError):
            cipher.decrypt(v.iv, forged, v.aad)
    with pytest.raises(ProtocolError):
        cipher.decrypt(v.iv, v.ciphertext, v.aad + b"\0")


@each("integ.json")
def test_integ(v: Vector) -> None:
    spec = INTEGS[v.alg]
    assert len(v.icv) == spec.icv_octets
    mac = spec.new(v.key)
    for _ in range(2):
        assert mac.sign(v.data) == spec.sign(v.key, v.data) == v.icv
    mac.verify(v.data, v.icv)
    spec.verify(v.key, v.data, v.icv)
    for wrong in (b"", v.icv[:-1], v.icv + b"\0", bytes([v.icv[0] ^ 0x80]) + v.icv[1:]):
        with pytest.raises(ProtocolError, match="integrity check failed"):
            mac.verify(v.data, wrong)


@each("prf.json")
def test_prf(v: Vector) -> None:
    spec = PRFS[v.alg]
    assert spec.compute(v.key, v.data) == v.output
    assert len(v.output) == spec.output_octets


@each("prf_plus.json")
def test_prf_plus(v: Vector) -> None:
    spec = PRFS[v.alg]
    assert prf_plus(spec, v.key, v.seed, len(v.output)) == v.output
    for length in (0, 1, spec.output_octets, spec.output_octets + 1):
        assert prf_plus(spec, v.key, v.seed, length) == v.output[:length]


@pytest.mark.parametrize("word", PRFS)
def test_prf_plus_ends_at_255_blocks(word: str) -> None:
    spec = PRFS[word]
    assert len(prf_plus(spec, b"key", b"seed", 255 * spec.output_octets)) == 255 * spec.output_octets
    with pytest.raises(ValueError, match="255 blocks"):
        prf_plus(spec, b"key", b"seed", 255 * spec.output_octets + 1)


def test_fixed_key_prfs_take_64_bits_of_each_nonce() -> None:
    """RFC 7296 2.14: "only the first 64 bits of Ni and the first 64 bits of Nr are used"."""
    ni, nr = bytes(range(32)), bytes(range(100, 148))
    for word, spec in PRFS.items():
        expected = ni[:8] + nr[:8] if word in ("prfaesxcbc", "prfaescmac") else ni + nr
        assert spec.nonce_key(ni, nr) == expected


def key_pair(alg: str, private: bytes) -> KeyPair:
    curves = {
        "ecp192": ec.SECP192R1, "ecp224": ec.SECP224R1, "ecp256": ec.SECP256R1, "ecp384": ec.SECP384R1,
        "ecp521": ec.SECP521R1, "ecp256bp": ec.BrainpoolP256R1, "ecp384bp": ec.BrainpoolP384R1,
        "ecp512bp": ec.BrainpoolP512R1,
    }  # fmt: skip
    if alg in curves:
        return EcpKeyPair.of(ec.derive_private_key(int.from_bytes(private, "big"), curves[alg]()))
    kinds: dict[str, Callable[[bytes], X25519PrivateKey | X448PrivateKey]] = {
        "x25519": X25519PrivateKey.from_private_bytes,
        "x448": X448PrivateKey.from_private_bytes,
    }
    if alg in kinds:
        return MontgomeryKeyPair.of(kinds[alg](private))
    if alg == "ecp224bp":
        return P224KeyPair.of(int.from_bytes(private, "big"))
    made = GROUPS[alg].generate(lambda count: bytes(range(count)))
    assert isinstance(made, modp.ModpKeyPair)
    return modp.from_exponent(made.modulus, int.from_bytes(private, "big"))


@each("groups.json")
def test_groups(v: Vector) -> None:
    pair = key_pair(v.alg, v.private)
    if v.public:
        assert pair.public == v.public
    if v.peer:
        assert pair.shared(v.peer) == v.shared


@each("groups_invalid.json")
def test_groups_refuse(v: Vector) -> None:
    with pytest.raises(ProtocolError):
        key_pair(v.alg, v.private).shared(v.peer)


@each("modp_primes.json")
def test_modp_primes(v: Vector) -> None:
    made = GROUPS[v.alg].generate(lambda count: bytes(range(count)))
    assert isinstance(made, modp.ModpKeyPair)
    assert made.modulus == int.from_bytes(v.prime, "big")


@pytest.mark.parametrize("word", [word for word in GROUPS if word.startswith("modp")])
def test_modp_against_openssl(word: str) -> None:
    ours = GROUPS[word].generate(lambda count: bytes(range(count)))
    peer = GROUPS[word].generate(lambda count: bytes(range(7, count + 7)))
    assert isinstance(ours, modp.ModpKeyPair)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library means to drop FFDH; until then it is a second opinion
        numbers = dh.DHParameterNumbers(ours.modulus, 2)
        y = dh.DHPublicNumbers(int.from_bytes(ours.public, "big"), numbers)
        theirs = dh.DHPublicNumbers(int.from_bytes(peer.public, "big"), numbers).public_key()
        secret = dh.DHPrivateNumbers(ours.exponent, y).private_key().exchange(theirs)
    assert ours.shared(peer.public) == secret


@each("ml_kem.json")
def test_ml_kem(v: Vector) -> None:
    group = GROUPS[v.alg]
    pair = group.generate(lambda count: v.seed[:count])
    assert hashlib.sha256(pair.public).hexdigest() == v.fields["public_sha256"]
    assert len(v.seed) == 64 and len(v.ciphertext) == group.responder_octets
    assert pair.shared(v.ciphertext) == v.shared


def test_whole_ikev2_message() -> None:
    """RFC 7634 Appendix B: a request with SET_WINDOW_SIZE, the only published IKEv2 message with its keys."""
    key = bytes(range(0x80, 0xA4))
    sealed = bytes.fromhex(
        "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029"
        "1011121314151617610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2"
    )
    cipher = IkeCipher(registry.KEYWORDS["chacha20poly1305"], None, key, b"", bytes)
    message = Message.decode(sealed, cipher)
    assert message.names == ("N(SET_WINDOW_SIZE)",)
    assert message.get(Notify) == Notify(16385, (10).to_bytes(4, "big"))
    cipher.next_iv = 0x1011121314151617
    assert message.encode(cipher) == sealed


@each("gmac.json")
def test_gmac_of_ah(v: Vector) -> None:
    """NIST's GCM vectors without plaintext are GMAC; in AH the ICV is the IV and the tag."""
    spec = registry.AH_GMAC[int(v.alg[3:6])]
    mac = spec.new(v.key)
    mac.verify(v.data, v.icv)
    for wrong in (b"", v.icv[:-1], v.icv + b"\0", v.icv[:8] + bytes(16), bytes(8) + v.icv[8:]):
        with pytest.raises(ProtocolError, match="integrity check failed"):
            mac.verify(v.data, wrong)
    signed = [spec.sign(v.key, v.data), *(spec.new(v.key).sign(v.data) for _ in range(2))]
    assert len(set(signed)) == 1 and len(signed[0]) == spec.icv_octets
    assert mac.sign(v.data)[:8] != mac.sign(v.data)[:8], "an IV must not repeat"
    mac.verify(v.data, mac.sign(v.data))
