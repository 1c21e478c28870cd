import pytest

from lab.peers.charon_names import Suite, suite
from lab.wire.ids import Encr, Integ, KeMethod, Prf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/CURVE_25519",
            Suite("ENCR_AES_GCM_16", 256, "PRF_HMAC_SHA2_384", "", "CURVE25519"),
        ),
        (
            "IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048",
            Suite("ENCR_AES_CBC", 128, "PRF_HMAC_SHA2_256", "AUTH_HMAC_SHA2_256_128", "MODP_2048"),
        ),
        (
            "IKE:CHACHA20_POLY1305/PRF_HMAC_SHA2_256/ECP_384",
            Suite("ENCR_CHACHA20_POLY1305", 256, "PRF_HMAC_SHA2_256", "", "ECP_384"),
        ),
        (
            "ESP:AES_CBC_256/HMAC_SHA2_512_256/NO_EXT_SEQ",
            Suite("ENCR_AES_CBC", 256, "", "AUTH_HMAC_SHA2_512_256"),
        ),
        (
            "IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/CURVE_25519/KE1_ML_KEM_768/KE2_NONE",
            Suite("ENCR_AES_GCM_16", 256, "PRF_HMAC_SHA2_384", "", "CURVE25519"),
        ),
        ("ESP:AES_GCM_16_128/EXT_SEQ", Suite("ENCR_AES_GCM_16", 128, esn=True)),
    ],
)
def test_charons_proposals_in_registry_names(text, expected):
    assert suite(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "IKE:AES_CBC_256/HMAC_SHA2_384_192/PRF_HMAC_SHA2_384/MODP_3072",
        "IKE:AES_CBC_256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/ECP_256",
        "IKE:CAMELLIA_CBC_192/AES_XCBC_96/PRF_AES128_XCBC/ECP_224_BP",
        "IKE:AES_CTR_128/AES_CMAC_96/PRF_AES128_CMAC/ECP_512_BP",
        "IKE:3DES_CBC/HMAC_SHA1_96/PRF_HMAC_SHA1/CURVE_448",
    ],
)
def test_every_name_is_one_of_the_registry(text):
    chosen = suite(text)
    assert Encr[chosen.encr] and Prf[chosen.prf] and Integ[chosen.integ] and KeMethod[chosen.ke]
