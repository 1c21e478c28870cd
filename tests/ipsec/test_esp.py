"""ESP against published whole packets, against scapy, and against damage of every kind (RFC 4303)."""

import json
import random
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path as File

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6 as ScapyIPv6
from scapy.layers.ipsec import ESP, SecurityAssociation

from lab.ike.child import ChildSa
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.esp import EspIn, EspOut
from lab.wire.ids import Encr, TransformType
from lab.wire.packets import IPv4, IPv6
from lab.wire.payloads_v2 import Transform
from tests.ipsec.children import PROPOSALS, child, mirror, predictable

VECTORS = json.loads((File(__file__).parent.parent / "vectors" / "esp_packets.json").read_text())["packets"]
INNER = IPv4(ip_address("10.1.0.5"), ip_address("10.2.0.7"), 17, bytes(range(97))).encode()
INNER6 = IPv6(ip_address("2001:db8::1"), ip_address("2001:db8::2"), 59, bytes(33)).encode()


def vector_child(vector: dict) -> ChildSa:
    spi, key = bytes.fromhex(vector["packet"][:8]), bytes.fromhex(vector["key"])
    encr = Transform(TransformType.ENCR, Encr[vector["encr"]], vector["key_length"])
    return child(spi_in=spi, spi_out=spi, encr=encr, integ=None, esn=vector["esn"], key_encr_in=key, key_encr_out=key)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_open_a_published_packet(vector: dict) -> None:
    packet = bytes.fromhex(vector["packet"])
    receiver = EspIn(vector_child(vector))
    if vector["esn"]:
        receiver.window.commit(int(vector["high"] + vector["packet"][8:16], 16) - 1)
    payload, next_header = receiver.open(packet)
    assert payload.hex() == vector["payload"]
    assert next_header == vector["next_header"]
    with pytest.raises(Dropped, match="seen before"):
        receiver.open(packet)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_seal_a_published_packet(vector: dict) -> None:
    packet = bytes.fromhex(vector["packet"])
    sender = EspOut(vector_child(vector), predictable)
    sender.sequence = int(vector["high"] + vector["packet"][8:16], 16) - 1
    iv = packet[8 : 8 + sender.shape.iv]
    sender.explicit_iv = lambda number: iv
    if vector["encr"] == "ENCR_AES_CBC":  # at the start of its chain it makes the IV of this block
        block = Cipher(AES(bytes.fromhex(vector["key"])), ECB()).decryptor().update(iv)
        sender.random = lambda octets: block
    assert sender.seal(bytes.fromhex(vector["payload"]), vector["next_header"]).hex() == vector["packet"]


def test_the_vectors_are_all_there() -> None:
    assert len(VECTORS) == 19
    assert {vector["encr"] for vector in VECTORS} == {"ENCR_AES_GCM_16", "ENCR_CHACHA20_POLY1305", "ENCR_AES_CBC"}


# Scapy as the other implementation; what it lacks (replay check, ESN inference) does not matter here.
SCAPY = {
    "aes128gcm16": ("AES-GCM", None),
    "aes256gcm16": ("AES-GCM", None),
    "chacha20poly1305": ("CHACHA20-POLY1305", None),
    "aes128-sha256": ("AES-CBC", "SHA2-256-128"),
    "aes256-sha384": ("AES-CBC", "SHA2-384-192"),
    "aes256-sha512": ("AES-CBC", "SHA2-512-256"),
}


# The rest of the registry: round trips, and scapy where it knows the algorithm.
OTHERS = (
    "aes128ctr-sha256",
    "aes192ccm16",
    "aes128ccm12",
    "aes128ccm8",
    "aes128gcm12",
    "aes128gcm8",
    "aes256gmac",
    "camellia128-sha256",
    "3des-sha1",
    "null-sha256",
    "aes128-aesxcbc",
    "aes128-aescmac",
)
SCAPY_OTHERS = {
    "aes128ctr-sha256": ("AES-CTR", "SHA2-256-128"),
    "aes192ccm16": ("AES-CCM", None),
    "3des-sha1": ("3DES", "HMAC-SHA1-96"),
    "null-sha256": ("NULL", "SHA2-256-128"),
    "aes128-aescmac": ("AES-CBC", "AES-CMAC-96"),
}


@pytest.mark.parametrize("proposal", OTHERS)
def test_every_other_cipher_of_the_registry_goes_there_and_back(proposal: str) -> None:
    sa = child(proposal)
    sender, receiver = EspOut(sa, predictable), EspIn(mirror(sa))
    for size in range(20, 60):
        inner = IPv4(ip_address("10.1.0.5"), ip_address("10.2.0.7"), 17, bytes(size)).encode()
        packet = sender.encapsulate(inner)
        for place in (4, 8, len(packet) // 2, len(packet) - 1):
            damaged = packet[:place] + bytes((packet[place] ^ 1,)) + packet[place + 1 :]
            assert refusal(receiver, damaged) is not None
        assert receiver.decapsulate(packet) == inner


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("proposal", SCAPY_OTHERS)
def test_scapy_agrees_where_it_knows_the_cipher(proposal: str) -> None:
    sa = child(proposal)
    peer = scapy_sa(sa, proposal)
    sealed = IP(src="192.0.2.1", dst="198.51.100.1", proto=50) / ESP(EspOut(sa, predictable).encapsulate(INNER))
    assert bytes(peer.decrypt(IP(bytes(sealed)))) == INNER
    assert EspIn(mirror(sa)).decapsulate(bytes(peer.encrypt(IP(INNER), seq_num=1)[ESP])) == INNER


def scapy_sa(sa: ChildSa, proposal: str, *, esn: bool = False) -> SecurityAssociation:
    crypt, auth = (SCAPY | SCAPY_OTHERS)[proposal]
    return SecurityAssociation(
        ESP,
        spi=int.from_bytes(sa.spi_out, "big"),
        crypt_algo=crypt,
        crypt_key=sa.key_encr_out,
        auth_algo=auth,
        auth_key=sa.key_integ_out or None,
        tunnel_header=IP(src="192.0.2.1", dst="198.51.100.1"),
        esn_en=esn,
        esn=0,
    )


@pytest.mark.parametrize("inner", [INNER, INNER6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("proposal", PROPOSALS)
def test_scapy_opens_what_we_seal(proposal: str, inner: bytes) -> None:
    sa, packet_class = child(proposal), IP if inner[0] >> 4 == 4 else ScapyIPv6
    sender, peer = EspOut(sa, predictable), scapy_sa(sa, proposal)
    for size in range(17):
        plain = packet_class(inner) / bytes(size)
        plain = packet_class(bytes(_with_length(plain)))
        sealed = IP(src="192.0.2.1", dst="198.51.100.1", proto=50) / ESP(sender.encapsulate(bytes(plain)))
        assert bytes(peer.decrypt(IP(bytes(sealed)))) == bytes(plain)


@pytest.mark.parametrize("inner", [INNER, INNER6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("proposal", PROPOSALS)
def test_we_open_what_scapy_seals(proposal: str, inner: bytes) -> None:
    sa, packet_class = child(proposal), IP if inner[0] >> 4 == 4 else ScapyIPv6
    receiver, peer = EspIn(mirror(sa)), scapy_sa(sa, proposal)
    for number, size in enumerate(range(17), 1):
        plain = packet_class(bytes(_with_length(packet_class(inner) / bytes(size))))
        sealed = bytes(peer.encrypt(plain, seq_num=number)[ESP])
        assert receiver.decapsulate(sealed) == bytes(plain)


def _with_length(packet: IP | ScapyIPv6) -> IP | ScapyIPv6:
    fields = ("len", "chksum") if isinstance(packet, IP) else ("plen",)
    for name in fields:
        delattr(packet, name)
    return packet


@pytest.mark.parametrize("proposal", ["aes128-sha256", "aes128gcm16"])
def test_esn_agrees_with_scapy(proposal: str) -> None:
    sa = child(proposal, esn=True)
    plain = IP(src="10.1.0.5", dst="10.2.0.7") / UDP() / b"x"
    assert EspIn(mirror(sa)).decapsulate(EspOut(sa, predictable).encapsulate(bytes(plain))) == bytes(plain)
    sealed = EspOut(sa, predictable).encapsulate(bytes(plain))
    peer = scapy_sa(sa, proposal, esn=True)
    packet = IP(bytes(IP(src="192.0.2.1", dst="198.51.100.1", proto=50) / ESP(sealed)))
    assert bytes(peer.decrypt(packet, esn_en=True, esn=0)) == bytes(plain)


def refusal(receiver: EspIn, packet: bytes) -> Reason | None:
    try:
        receiver.decapsulate(packet)
    except Dropped as drop:
        return drop.why
    return None


@pytest.mark.parametrize("proposal", PROPOSALS)
def test_every_truncation_is_a_drop(proposal: str) -> None:
    sa = child(proposal)
    packet = EspOut(sa, predictable).encapsulate(INNER)
    receiver = EspIn(mirror(sa))
    reasons = {refusal(receiver, packet[:size]) for size in range(len(packet))}
    assert reasons == {Reason.TOO_SHORT, Reason.INTEGRITY}
    assert receiver.window.top == 0
    assert refusal(receiver, packet) is None


@pytest.mark.parametrize("proposal", PROPOSALS)
def test_every_flipped_bit_is_noticed(proposal: str) -> None:
    sa = child(proposal)
    packet = EspOut(sa, predictable).encapsulate(INNER)
    receiver = EspIn(mirror(sa))
    for place in range(4, len(packet)):  # the SPI is what the packet was found by; it is in the AAD, tested below
        for bit in range(8):
            damaged = bytearray(packet)
            damaged[place] ^= 1 << bit
            assert refusal(receiver, bytes(damaged)) is not None, f"octet {place}, bit {bit}"
    assert receiver.window.top == 0, "no forgery moves the window"
    assert refusal(receiver, bytes(4) + packet[4:]) is Reason.INTEGRITY
    assert refusal(receiver, packet) is None


@pytest.mark.parametrize("proposal", PROPOSALS)
def test_random_packets_are_drops(proposal: str) -> None:
    receiver, source = EspIn(child(proposal)), random.Random(1)
    for _ in range(2000):
        assert refusal(receiver, source.randbytes(source.randrange(8, 200))) is not None
    assert receiver.window.top == 0


@pytest.mark.parametrize("proposal", PROPOSALS)
def test_alignment_and_overhead(proposal: str) -> None:
    """RFC 4303 2.4: the ciphertext ends on a 4-octet boundary; AEAD ciphers pad no further (RFC 4106 5)."""
    sender = EspOut(child(proposal), predictable)
    aead, shape = "-" not in proposal, sender.shape
    for size in range(20, 60):
        packet = sender.encapsulate(b"\x45" + bytes(size - 1))
        text = len(packet) - shape.overhead
        assert text % (4 if aead else 16) == 0
        assert 0 <= text - size - 2 < (4 if aead else 16)
        assert shape.largest_inner(len(packet)) >= size
        assert shape.largest_inner(len(packet) - 1) < text - 2 + 1
    for room in range(200, 260):
        size = shape.largest_inner(room)
        assert len(sender.encapsulate(b"\x45" + bytes(size - 1))) <= room
        assert len(sender.encapsulate(b"\x45" + bytes(size))) > room


def pair(proposal: str = "aes128gcm16") -> tuple[EspOut, EspIn]:
    sa = child(proposal)
    return EspOut(sa, predictable), EspIn(mirror(sa))


def forge(sender: EspOut, plaintext: bytes) -> bytes:
    """A packet that is authentic and holds whatever we want behind the IV."""
    sender.sequence += 1
    number = sender.sequence.to_bytes(8, "big")
    iv = number if sender.shape.iv == len(number) else predictable(sender.shape.iv)
    header = sender.spi + number[4:]
    packet = header + iv + sender.shape.cipher.encrypt(iv, plaintext, header)
    return packet if sender.shape.mac is None else packet + sender.shape.mac.sign(packet)


BAD_TRAILERS = [
    (INNER + b"\x01\x03\x02\x04", Reason.PADDING),
    (INNER + b"\x00\x02\x02\x04", Reason.PADDING),
    (b"\x02\x03\x02\x04", Reason.PADDING),
    (b"\xff\x04", Reason.PADDING),
    (b"\x01\x02\x03\x04", Reason.PADDING),
    (INNER + b"\x00\x3b", Reason.DUMMY),
    (b"\x00\x3b", Reason.DUMMY),
    (INNER + b"\x00\x11", Reason.NEXT_HEADER),
    (INNER + b"\x00\x29", Reason.INNER_HEADER),
    (INNER6 + b"\x00\x04", Reason.INNER_HEADER),
    (b"\x00\x04", Reason.INNER_HEADER),
    (INNER[:-1] + b"\x00\x04", Reason.INNER_HEADER),
    (INNER6[:-1] + b"\x00\x29", Reason.INNER_HEADER),
    (b"\x45\x00\x00\x13" + INNER[4:] + b"\x00\x04", Reason.INNER_HEADER),
]


@pytest.mark.parametrize(("plaintext", "reason"), BAD_TRAILERS)
def test_authentic_nonsense_has_its_reason(plaintext: bytes, reason: Reason) -> None:
    sender, receiver = pair()
    assert refusal(receiver, forge(sender, plaintext)) is reason
    assert receiver.window.top == 1, "it was authentic: its number is used"


def test_padding_may_be_as_long_as_its_octet_allows() -> None:
    sender, receiver = pair()
    assert receiver.decapsulate(forge(sender, INNER + bytes(range(1, 256)) + b"\xff\x04")) == INNER


def test_tfc_padding_is_cut_off() -> None:
    sender, receiver = pair()
    assert receiver.decapsulate(sender.seal(INNER + bytes(300), 4)) == INNER
    assert receiver.decapsulate(sender.seal(INNER6 + bytes(300), 41)) == INNER6


def test_the_last_sequence_number_ends_the_sa() -> None:
    sender, _ = pair()
    sender.sequence = 2**32 - 2
    assert sender.encapsulate(INNER)[4:8] == b"\xff\xff\xff\xff"
    for _ in range(2):
        with pytest.raises(Dropped, match="used up"):
            sender.encapsulate(INNER)
    assert sender.sequence == 2**32 - 1


def test_esn_goes_on_behind_the_low_half() -> None:
    sa = child("aes128-sha256", esn=True)
    sender, receiver = EspOut(sa, predictable), EspIn(mirror(sa))
    sender.sequence = 2**32 - 2
    receiver.window.commit(2**32 - 2)
    for _ in range(3):
        assert receiver.decapsulate(sender.encapsulate(INNER)) == INNER
    assert receiver.window.top == 2**32 + 1
    stale = EspIn(mirror(replace(sa, esn=False)))
    assert refusal(stale, sender.encapsulate(INNER)) is Reason.INTEGRITY, "the high half is part of the ICV"


def test_ivs_of_aead_never_repeat_and_cbc_draws_each() -> None:
    sender, _ = pair()
    ivs = {sender.encapsulate(INNER)[8:16] for _ in range(500)}
    assert len(ivs) == 500
    drawn = []
    cbc = EspOut(child("aes128-sha256"), lambda count: drawn.append(count) or bytes(count))
    assert len({cbc.encapsulate(INNER)[8:24] for _ in range(3)}) == 3, "one draw, encrypted, makes another IV each time"
    assert drawn == [16, 16, 16]


def test_a_replayed_packet_and_number_zero() -> None:
    sender, receiver = pair()
    packets = [sender.encapsulate(INNER) for _ in range(3)]
    assert [refusal(receiver, packet) for packet in reversed(packets)] == [None, None, None]
    assert [refusal(receiver, packet) for packet in packets] == [Reason.REPLAYED] * 3
    sender.sequence = -1
    assert refusal(receiver, sender.encapsulate(INNER)) is Reason.SEQUENCE_ZERO


def test_icmp_through_scapy_still_checks_out() -> None:
    sender, receiver = pair("chacha20poly1305")
    ping = bytes(IP(src="10.1.0.5", dst="10.2.0.7") / ICMP() / b"hello")
    assert IP(receiver.decapsulate(sender.encapsulate(ping)))[ICMP].load == b"hello"


def test_tfc_padding_hides_how_long_packets_are() -> None:
    sa = child("aes128gcm16", tfc_padding=300)
    sender, receiver = EspOut(sa, predictable), EspIn(mirror(sa))
    inner = [
        IPv4(ip_address("10.1.0.5"), ip_address("10.2.0.7"), 17, bytes(size)).encode() for size in (0, 90, 280, 400)
    ]
    packets = [sender.encapsulate(one) for one in inner]
    assert len({len(packet) for packet in packets[:3]}) == 1 < len(packets[3]) - len(packets[0])
    assert [receiver.decapsulate(packet) for packet in packets] == inner
