"""MD4, MS-CHAPv2 and its keys against the examples of their RFCs."""

import pytest

from lab.crypto import eap_crypto

# RFC 1320 A.5.
MD4 = {
    "": "31d6cfe0d16ae931b73c59d7e0c089c0",
    "a": "bde52cb31de33e46245e05fbdbd6fb24",
    "abc": "a448017aaf21d8525fc10ae87aa6729d",
    "message digest": "d9130a8164549fe818874806e1c7014b",
    "abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": "043f8582f241db351ce627e153e7f0e4",
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890": (
        "e33b4ddc9c38f2199c3e7b164fcc0536"
    ),
}
# RFC 2759 9.2.
USER, PASSWORD = b"User", "clientPass"
CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")


@pytest.mark.parametrize(("text", "digest"), MD4.items())
def test_md4(text: str, digest: str) -> None:
    assert eap_crypto.md4(text.encode()).hex() == digest


def test_mschapv2() -> None:
    hashed = eap_crypto.nt_password_hash(PASSWORD)
    assert hashed.hex() == "44ebba8d5312b8d611474411f56989ae"
    assert eap_crypto.md4(hashed).hex() == "41c00c584bd2d91c4017a2a12fa59f3f"
    assert eap_crypto.challenge_hash(PEER_CHALLENGE, CHALLENGE, USER).hex() == "d02e4386bce91226"
    assert eap_crypto.nt_response(CHALLENGE, PEER_CHALLENGE, USER, hashed) == NT_RESPONSE
    proof = eap_crypto.authenticator_response(hashed, NT_RESPONSE, PEER_CHALLENGE, CHALLENGE, USER)
    assert proof.hex().upper() == "407A5589115FD0D6209F510FE9C04566932CDA56"


def test_keys() -> None:
    # RFC 3079 3.5.3, the example with 128 bits.
    hashed = eap_crypto.nt_password_hash(PASSWORD)
    master = eap_crypto.master_key(hashed, NT_RESPONSE)
    assert master.hex().upper() == "FDECE3717A8C838CB388E527AE3CDD31"
    sends = eap_crypto.start_key(master, 16, server_sends=True)
    assert sends.hex().upper() == "8B7CDC149B993A1BA118CB153F56DCCB"
    msk = eap_crypto.mschapv2_msk(hashed, NT_RESPONSE)
    assert (len(msk), msk[16:32], msk[32:]) == (64, sends, bytes(32))


def test_des_in_ecb() -> None:
    # The classic example: key 133457799BBCDFF1 without its parity bits.
    key = int("".join(f"{octet >> 1:07b}" for octet in bytes.fromhex("133457799BBCDFF1")), 2).to_bytes(7, "big")
    assert eap_crypto.des(key, bytes.fromhex("0123456789ABCDEF")).hex() == "85e813540f0ab405"


def test_md5_response_is_that_of_chap() -> None:
    # MD5("\x01" "secret" "challenge"), computed by coreutils.
    assert eap_crypto.md5_response(1, b"secret", b"challenge").hex() == "46e47770030e2b4e26a0db72a7efec00"
