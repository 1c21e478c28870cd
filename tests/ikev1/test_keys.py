"""Key derivation of IKEv1, held against vectors from outside (RFC 2409 5, appendix B)."""

import json
from pathlib import Path as File

import pytest

from lab.crypto import registry
from lab.crypto.registry import KEYWORDS
from lab.ikev1 import keys
from lab.ikev1.keys import Suite
from lab.wire.ids import Integ, KeMethod, Prf, ProtocolId
from lab.wire.ids_v1 import AuthMethod1

VECTORS = json.loads((File(__file__).parent.parent / "vectors" / "ikev1_kdf.json").read_text())
SUITE = Suite(
    KEYWORDS["aes256"], Prf.PRF_HMAC_SHA1, Integ.AUTH_HMAC_SHA1_96, KeMethod.ECP_256, AuthMethod1.PRE_SHARED_KEY
)


def of(*methods: str):
    chosen = [v for v in VECTORS if v["method"] in methods]
    return pytest.mark.parametrize("vector", chosen, ids=lambda v: f"{v['method']} {v['alg']}")


def octets(vector: dict[str, str], name: str) -> bytes:
    return bytes.fromhex(vector.get(name, ""))


def prf(vector: dict[str, str]):
    return registry.prf(KEYWORDS[vector["alg"]].id)


@of("psk")
def test_skeyid_with_a_preshared_key(vector) -> None:
    nonces = octets(vector, "ni") + octets(vector, "nr")
    assert keys.skeyid_psk(prf(vector), octets(vector, "psk"), nonces) == octets(vector, "skeyid")


@of("signature")
def test_skeyid_with_signatures(vector) -> None:
    nonces = octets(vector, "ni") + octets(vector, "nr")
    assert keys.skeyid_signature(prf(vector), nonces, octets(vector, "shared")) == octets(vector, "skeyid")


@pytest.mark.parametrize("vector", [v for v in VECTORS if "skeyid_a" in v], ids=lambda v: v["alg"])
def test_the_family_of_skeyid(vector) -> None:
    cookies = octets(vector, "cky_i") + octets(vector, "cky_r")
    found = keys.skeyid_family(prf(vector), octets(vector, "skeyid"), octets(vector, "shared"), cookies)
    assert found == tuple(octets(vector, f"skeyid_{letter}") for letter in "dae")


@of("stretch")
def test_the_key_of_the_cipher(vector) -> None:
    wanted = octets(vector, "ka")
    assert keys.cipher_key(prf(vector), octets(vector, "skeyid_e"), len(wanted)) == wanted


@of("keymat")
def test_keying_material_of_a_child(vector) -> None:
    wanted = octets(vector, "keymat")
    assert keys.keymat(prf(vector), octets(vector, "skeyid_d"), octets(vector, "seed"), len(wanted)) == wanted
    assert keys.keymat(prf(vector), octets(vector, "skeyid_d"), octets(vector, "seed"), 20) == wanted[:20]


def test_the_seed_of_keying_material_in_its_order() -> None:
    """RFC 2409 5.5: each SA by its protocol and SPI, with PFS the new secret in front."""
    seed = keys.keymat_seed(ProtocolId.ESP, b"spi4", b"NiNr")
    assert seed == b"\3spi4NiNr"
    assert keys.keymat_seed(ProtocolId.AH, b"spi5", b"NiNr", b"shared") == b"shared\2spi5NiNr"
    several = {
        keys.keymat(SUITE.prf_spec, b"d" * 20, keys.keymat_seed(ProtocolId.ESP, spi, b"n"), 64)
        for spi in (b"spi1", b"spi2", b"spi3", b"spi4")
    }
    assert len(several) == 4


def test_ivs_follow_appendix_b() -> None:
    """hash(g^xi | g^xr), and for phase 2 hash(last block | M-ID), cut to a block; here by another library."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  (the oracle of this test alone)

    def sha1(data: bytes) -> bytes:
        digest = hashes.Hash(hashes.SHA1())
        digest.update(data)
        return digest.finalize()

    made = keys.ike_keys(SUITE, b"skeyid", b"shared", b"cookies!cookies?", b"g^xi" + b"g^xr")
    assert made.iv == sha1(b"g^xig^xr")[:16]
    assert keys.phase2_iv(SUITE, b"b" * 16, 0x01020304) == sha1(b"b" * 16 + b"\1\2\3\4")[:16]
    assert len(made.ka) == 32, "AES-256 needs more than SHA-1 gives"


def test_secrets_are_not_printed() -> None:
    assert "736b65796964" not in repr(keys.ike_keys(SUITE, b"skeyid", b"s", b"c", b"p")).lower()
    assert "skeyid=" not in repr(keys.ike_keys(SUITE, b"skeyid", b"s", b"c", b"p"))
