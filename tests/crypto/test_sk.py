"""The Encrypted payload: every cipher that IKE may negotiate, sealed by one side and opened by the other."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.crypto import registry
from lab.crypto.sk import IkeCipher
from lab.errors import ProtocolError
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Integ, NotifyType, PayloadType, ProtocolId, TransformType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Nonce, Notify, Transform

SUITES = [
    (row.keyword.format(bits), integ)
    for row in registry.ENCR
    if ProtocolId.IKE in row.where
    for bits in row.bits
    for integ in ([None] if row.aead else [word for word, _ in registry.INTEG])
]
AAD = bytes(range(32))


def cipher(encr_word: str, integ_word: str | None, seed: int = 1) -> IkeCipher:
    """The same arguments give the same keys, so two calls are the two ends of one direction."""
    encr = registry.KEYWORDS[encr_word]
    integ = registry.KEYWORDS[integ_word] if integ_word else None
    draw = Random(seed)
    sk_e = draw.randbytes(registry.encr(encr).keymat_octets)
    sk_a = draw.randbytes(registry.integ(integ.id).key_octets) if integ else b""
    return IkeCipher(encr, integ, sk_e, sk_a, draw.randbytes)


@pytest.mark.parametrize(("encr", "integ"), SUITES)
def test_round_trip_and_overhead(encr: str, integ: str | None) -> None:
    sealer, opener = cipher(encr, integ), cipher(encr, integ)
    for length in range(70):
        plaintext = bytes(range(length))
        body = sealer.seal(AAD, plaintext)
        assert len(body) == length + sealer.overhead(length)
        assert opener.open(AAD, body) == plaintext


@pytest.mark.parametrize(("encr", "integ"), SUITES)
def test_truncation_and_bit_flips(encr: str, integ: str | None) -> None:
    """Whatever is cut off or flipped, in the body or in the associated data: ProtocolError, and no other exception."""
    sealer, opener = cipher(encr, integ), cipher(encr, integ)
    body = sealer.seal(AAD, b"payload chain")
    for length in range(len(body)):
        with pytest.raises(ProtocolError):
            opener.open(AAD, body[:length])
    for bit in range(8 * len(body)):
        changed = bytearray(body)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            opener.open(AAD, bytes(changed))
    for bit in range(8 * len(AAD)):
        aad = bytearray(AAD)
        aad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            opener.open(bytes(aad), body)
    with pytest.raises(ProtocolError):
        opener.open(AAD, body + b"\0")
    assert opener.open(AAD, body) == b"payload chain"


@given(body=st.binary(max_size=200), suite=st.sampled_from(SUITES))
def test_noise(body: bytes, suite: tuple[str, str | None]) -> None:
    with pytest.raises(ProtocolError):
        cipher(*suite).open(AAD, body)


@pytest.mark.parametrize(("encr", "integ"), SUITES)
def test_no_iv_repeats(encr: str, integ: str | None) -> None:
    sealer = cipher(encr, integ)
    octets = registry.encr(registry.KEYWORDS[encr]).iv_octets
    ivs = [sealer.seal(AAD, b"x")[:octets] for _ in range(50)]
    assert len(set(ivs)) == 50


def test_cbc_draws_its_iv_and_aead_counts() -> None:
    cbc, gcm = cipher("aes256", "sha256"), cipher("aes256gcm16", None)
    expected = Random(1)
    expected.randbytes(32)
    expected.randbytes(32)
    assert cbc.seal(AAD, b"")[:16] == expected.randbytes(16)
    assert [gcm.seal(AAD, b"")[:8] for _ in range(2)] == [bytes(8), bytes(7) + b"\1"]


def forged(encr: str, integ: str, padded: bytes) -> bytes:
    """An authentic body around any decrypted content, as a faulty peer would send it."""
    spec, mac = registry.encr(registry.KEYWORDS[encr]), registry.integ(registry.KEYWORDS[integ].id)
    draw = Random(1)
    sk_e, sk_a = draw.randbytes(spec.keymat_octets), draw.randbytes(mac.key_octets)
    iv = draw.randbytes(spec.iv_octets)
    body = iv + spec.new(sk_e).encrypt(iv, padded)
    return body + mac.sign(sk_a, AAD + body)


def test_padding_of_any_content_and_length_is_taken() -> None:
    """RFC 7296 3.14: "Padding MAY contain any value", and may be longer than needed."""
    body = forged("aes128", "sha256", b"chain" + bytes(range(100, 126)) + bytes([26]))
    assert cipher("aes128", "sha256").open(AAD, body) == b"chain"
    empty = forged("aes128", "sha256", bytes(31) + bytes([31]))
    assert cipher("aes128", "sha256").open(AAD, empty) == b""


def test_more_padding_than_content() -> None:
    """That is authentic, and so to be answered (RFC 7296 2.21.3)."""
    with pytest.raises(ProtocolError, match="more padding than content") as caught:
        cipher("aes128", "sha256").open(AAD, forged("aes128", "sha256", bytes(15) + bytes([16])))
    assert caught.value.notify == NotifyType.INVALID_SYNTAX


def test_what_is_not_authentic_carries_no_notify() -> None:
    """It is not answered (RFC 7296 2.21)."""
    with pytest.raises(ProtocolError) as caught:
        cipher("aes128gcm16", None).open(AAD, bytes(40))
    assert caught.value.notify == 0


def test_misuse_is_an_error_of_ours() -> None:
    gcm, cbc = registry.KEYWORDS["aes128gcm16"], registry.KEYWORDS["aes128"]
    with pytest.raises(ValueError, match="takes 20 octets of keying material, not 16"):
        IkeCipher(gcm, None, bytes(16), b"", Random(1).randbytes)
    with pytest.raises(ValueError, match="needs an integrity algorithm"):
        IkeCipher(cbc, None, bytes(16), b"", Random(1).randbytes)
    with pytest.raises(ValueError, match="takes a key of 32 octets"):
        IkeCipher(cbc, registry.KEYWORDS["sha256"], bytes(16), bytes(20), Random(1).randbytes)
    # NONE beside an AEAD cipher is as good as nothing (RFC 7296 3.3).
    IkeCipher(gcm, Transform(TransformType.INTEG, Integ.NONE), bytes(20), b"", Random(1).randbytes)


@pytest.mark.parametrize(("encr", "integ"), SUITES)
def test_inside_a_message(encr: str, integ: str | None) -> None:
    """`Message` and `IkeCipher` fit: aad, body and overhead mean the same to both."""
    header = Header(b"initiate", b"responde", PayloadType.NONE, ExchangeType.INFORMATIONAL, 0x08, 2)
    sent = Message(header, (Nonce(bytes(range(17))), Notify(16404, b"")))
    data = sent.encode(cipher(encr, integ))
    received = Message.decode(data, cipher(encr, integ))
    assert received.payloads == sent.payloads
    assert Message.decode(data).sealed is not None
