"""Ciphers as objects: properties that hold for every row, whatever the octets."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.crypto import registry
from lab.crypto.ciphers import CipherObject, CipherSpec
from lab.errors import ProtocolError

SPECS = {row.keyword.format(bits): row.spec(bits) for row in registry.ENCR for bits in row.bits}
AEAD = [word for word, spec in SPECS.items() if spec.aead]
CBC = [word for word, spec in SPECS.items() if spec.block > 1]
AAD = bytes(range(12))


def make(word: str) -> tuple[CipherSpec, CipherObject, bytes]:
    draw = Random(word)
    spec = SPECS[word]
    return spec, spec.new(draw.randbytes(spec.keymat_octets)), draw.randbytes(spec.iv_octets)


@pytest.mark.parametrize("word", SPECS)
def test_sizes(word: str) -> None:
    spec, cipher, iv = make(word)
    for blocks in range(5):
        plaintext = bytes(blocks * spec.block)
        sealed = cipher.encrypt(iv, plaintext, AAD)
        assert len(sealed) == len(plaintext) + spec.icv_octets
        assert cipher.decrypt(iv, sealed, AAD) == plaintext
    assert spec.icv_octets == 0 or spec.aead
    with pytest.raises(ValueError, match="octets of keying material"):
        spec.new(bytes(spec.keymat_octets + 1))


@given(data=st.data(), word=st.sampled_from(list(SPECS)))
def test_packets_do_not_disturb_each_other(data: st.DataObject, word: str) -> None:
    """A kept object gives what a fresh one gives, in any order of packets, forged ones among them."""
    spec, kept, _ = make(word)
    for _ in range(4):
        iv = data.draw(st.binary(min_size=spec.iv_octets, max_size=spec.iv_octets))
        plaintext = data.draw(st.binary(max_size=90))
        plaintext = plaintext[: len(plaintext) // spec.block * spec.block]
        sealed = kept.encrypt(iv, plaintext, AAD)
        assert sealed == make(word)[1].encrypt(iv, plaintext, AAD)
        if spec.aead:
            with pytest.raises(ProtocolError):
                kept.decrypt(iv, sealed, AAD[1:])
        assert kept.decrypt(iv, sealed, AAD) == plaintext


@given(iv=st.binary(max_size=20), ciphertext=st.binary(max_size=100), word=st.sampled_from(list(SPECS)))
def test_noise_raises_protocol_errors_only(iv: bytes, ciphertext: bytes, word: str) -> None:
    spec, cipher, _ = make(word)
    try:
        cipher.decrypt(iv, ciphertext, AAD)
    except ProtocolError:
        return
    # What has no ICV cannot tell noise from ciphertext, but it must have had the right shape.
    assert not spec.aead
    assert spec.iv_octets in (0, len(iv)) and len(ciphertext) % spec.block == 0


@pytest.mark.parametrize("word", AEAD)
def test_every_bit_and_every_length_is_authenticated(word: str) -> None:
    _, cipher, iv = make(word)
    sealed = cipher.encrypt(iv, b"some plaintext", AAD)
    for length in range(len(sealed)):
        with pytest.raises(ProtocolError):
            cipher.decrypt(iv, sealed[:length], AAD)
    for part, octets in enumerate((iv, sealed, AAD)):
        for bit in range(8 * len(octets)):
            changed = bytearray(octets)
            changed[bit // 8] ^= 1 << bit % 8
            parts = [iv, sealed, AAD]
            parts[part] = bytes(changed)
            with pytest.raises(ProtocolError):
                cipher.decrypt(*parts)


@pytest.mark.parametrize("word", CBC)
def test_cbc_wants_whole_blocks(word: str) -> None:
    spec, cipher, iv = make(word)
    with pytest.raises(ValueError, match="whole blocks"):
        cipher.encrypt(iv, bytes(spec.block + 1))
    with pytest.raises(ValueError, match="whole blocks"):
        cipher.encrypt(iv[1:], bytes(spec.block))
    with pytest.raises(ProtocolError, match="whole number"):
        cipher.decrypt(iv, bytes(spec.block - 1))
    with pytest.raises(ProtocolError, match="whole number"):
        cipher.decrypt(iv[1:], bytes(spec.block))
