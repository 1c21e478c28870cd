"""Key derivation and AUTH, held against vectors from outside."""

import json
from pathlib import Path as File

import pytest

from lab.crypto import registry
from lab.crypto.registry import KEYWORDS
from lab.ikev2 import auth, keys
from lab.ikev2.keys import Suite
from lab.wire.ids import AuthMethod, IdType, PayloadType, Prf
from lab.wire.payloads_v2 import ID, Auth

VECTORS = json.loads((File(__file__).parent.parent / "vectors" / "ikev2_kdf.json").read_text())
INTEG = {"prfsha256": "sha256", "prfsha1": "sha1"}


@pytest.fixture(params=VECTORS, ids=lambda v: f"{v['alg']} {v['source'][:9]}")
def vector(request) -> dict[str, bytes]:
    octets = {key: value for key, value in request.param.items() if key not in ("alg", "source")}
    return {key: bytes.fromhex(value) for key, value in octets.items()} | {"alg": request.param["alg"]}


def suite(vector: dict[str, bytes], encr: str = "aes128") -> Suite:
    """AES-CBC-128 with the MAC of the PRF's family: the seven secrets fit into the given keying material."""
    prf = KEYWORDS[vector["alg"]].id
    return Suite(KEYWORDS[encr], KEYWORDS[INTEG[vector["alg"]]], prf, KEYWORDS["x25519"].id)


def test_skeyseed(vector) -> None:
    prf = suite(vector).prf_spec
    assert keys.skeyseed(prf, vector["ni"], vector["nr"], vector["shared"]) == vector["skeyseed"]


def test_the_seven_secrets_in_their_order(vector) -> None:
    nonces, spis = vector["ni"] + vector["nr"], vector["spi_i"] + vector["spi_r"]
    found = keys.ike_keys(suite(vector), vector["skeyseed"], nonces, spis)
    size = len(vector["skeyseed"])
    parts = [found.sk_d, found.sk_ai, found.sk_ar, found.sk_ei, found.sk_er, found.sk_pi, found.sk_pr]
    assert b"".join(parts) == vector["dkm"][: 5 * size + 32]
    assert [len(part) for part in parts] == [size, size, size, 16, 16, size, size]


def test_an_aead_cipher_takes_a_salt_and_no_integrity_key(vector) -> None:
    aead = Suite(KEYWORDS["aes256gcm16"], None, KEYWORDS[vector["alg"]].id, KEYWORDS["x25519"].id)
    nonces, spis = vector["ni"] + vector["nr"], vector["spi_i"] + vector["spi_r"]
    found = keys.ike_keys(aead, vector["skeyseed"], nonces, spis)
    size = len(vector["skeyseed"])
    assert (found.sk_ai, found.sk_ar) == (b"", b"")
    assert found.sk_ei == vector["dkm"][size : size + 36]
    assert found.sk_er == vector["dkm"][size + 36 : size + 72]


def test_a_child_without_a_new_key_exchange(vector) -> None:
    sk_d, seed = vector["dkm"][: len(vector["skeyseed"])], vector["ni"] + vector["nr"]
    found = keys.child_keys(suite(vector).prf_spec, sk_d, seed, encr=KEYWORDS["aes256"], integ=suite(vector).integ)
    octets = found.encr_i + found.integ_i + found.encr_r + found.integ_r
    assert octets == vector["dkm_child"][: len(octets)]
    assert len(found.encr_i) == len(found.encr_r) == 32


def test_a_child_with_a_new_key_exchange(vector) -> None:
    sk_d, seed = vector["dkm"][: len(vector["skeyseed"])], vector["shared_new"] + vector["ni"] + vector["nr"]
    found = keys.child_keys(suite(vector).prf_spec, sk_d, seed, encr=KEYWORDS["aes128gcm16"], integ=None)
    assert found.encr_i + found.encr_r == vector["dkm_child_pfs"][:40]
    assert (found.integ_i, found.integ_r) == (b"", b"")


def test_skeyseed_of_a_rekeyed_ike_sa(vector) -> None:
    prf, sk_d = suite(vector).prf_spec, vector["dkm"][: len(vector["skeyseed"])]
    nonces = vector["ni"] + vector["nr"]
    assert keys.skeyseed_rekey(prf, sk_d, vector["shared_new"], nonces) == vector["skeyseed_rekey"]


def test_a_prf_with_a_fixed_key_takes_64_bits_of_each_nonce() -> None:
    prf = registry.prf(Prf.PRF_AES128_XCBC)
    ni, nr = bytes(range(32)), bytes(range(100, 132))
    assert keys.skeyseed(prf, ni, nr, b"x") == prf.compute(ni[:8] + nr[:8], b"x")


def test_no_secret_is_printed(vector) -> None:
    nonces, spis = vector["ni"] + vector["nr"], vector["spi_i"] + vector["spi_r"]
    assert repr(keys.ike_keys(suite(vector), vector["skeyseed"], nonces, spis)) == "IkeKeys()"


def test_signed_octets_are_message_nonce_and_the_mac_of_the_id_body() -> None:
    prf = registry.prf(Prf.PRF_HMAC_SHA2_256)
    identity = ID(PayloadType.IDi, IdType.ID_FQDN, b"left", b"\1\2\3")
    octets = auth.signed_octets(prf, b"message", b"nonce", b"sk_p", identity)
    assert octets == b"messagenonce" + prf.compute(b"sk_p", b"\x02\x01\x02\x03left")


def test_the_shared_key_goes_through_the_pad() -> None:
    prf = registry.prf(Prf.PRF_HMAC_SHA2_256)
    made = auth.shared_key_auth(prf, b"secret", b"octets")
    assert made.method == AuthMethod.SHARED_KEY
    assert made.data == prf.compute(prf.compute(b"secret", b"Key Pad for IKEv2"), b"octets")
    assert auth.verified(made, made)
    assert not auth.verified(Auth(AuthMethod.SHARED_KEY, made.data[:-1] + b"x"), made)
    assert not auth.verified(Auth(AuthMethod.NULL, made.data), made)
