"""GRE packets against scapy, cut at every octet, and with what RFC 2784 and RFC 2890 have us refuse."""

import itertools
import random

import pytest

from lab.errors import ProtocolError, Truncated
from lab.wire.gre import IPV4, IPV6, GREPacket

SHAPES = [
    GREPacket(protocol, b"payload", key, sequence, checksummed)
    for protocol, key, sequence, checksummed in itertools.product(
        (IPV4, IPV6), (None, 0, 0xDEADBEEF), (None, 0, 0xFFFFFFFF), (False, True)
    )
]


@pytest.mark.parametrize("packet", SHAPES)
def test_round_trip_and_truncation(packet):
    data = packet.encode()
    assert GREPacket.decode(data) == packet
    size = 4 + 4 * sum((packet.key is not None, packet.sequence is not None, packet.checksummed))
    assert len(data) == size + len(b"payload")
    for cut in range(size):
        with pytest.raises(ProtocolError):
            GREPacket.decode(data[:cut])


@pytest.mark.parametrize("packet", SHAPES)
def test_scapy_writes_and_reads_the_same(packet):
    from scapy.layers.l2 import GRE  # noqa: PLC0415
    from scapy.packet import Raw  # noqa: PLC0415

    theirs = GRE(
        chksum_present=packet.checksummed,
        key_present=packet.key is not None,
        key=packet.key,
        seqnum_present=packet.sequence is not None,
        sequence_number=packet.sequence,
        proto=packet.protocol,
    )
    assert bytes(theirs / Raw(b"payload")) == packet.encode()
    read = GRE(packet.encode())
    assert (read.proto, read.key_present, read.seqnum_present) == (
        packet.protocol,
        packet.key is not None,
        packet.sequence is not None,
    )


def test_a_header_by_hand():
    # RFC 2890 2: C, K and S set, IPv4, checksum, Reserved1, key 1, sequence number 2, and no payload
    words = "b0000800 47fc 0000 00000001 00000002"
    assert GREPacket.decode(bytes.fromhex(words)) == GREPacket(IPV4, b"", 1, 2, checksummed=True)


@pytest.mark.parametrize("bit", [1, 4, 5])
def test_a_bit_that_must_be_discarded(bit):
    with pytest.raises(ProtocolError, match="RFC 2784 has us discard"):
        GREPacket.decode((0x8000 >> bit).to_bytes(2, "big") + b"\x08\0payload")


@pytest.mark.parametrize("bit", range(6, 13))
def test_a_reserved_bit_that_must_be_ignored(bit):
    assert GREPacket.decode((0x8000 >> bit).to_bytes(2, "big") + b"\x08\0payload") == GREPacket(IPV4, b"payload")


@pytest.mark.parametrize("version", range(1, 8))
def test_another_version(version):
    with pytest.raises(ProtocolError, match=f"GRE version {version}"):
        GREPacket.decode(version.to_bytes(2, "big") + b"\x08\0payload")


def test_every_changed_octet_breaks_the_checksum():
    data = GREPacket(IPV4, b"some payload", 7, 9, checksummed=True).encode()
    for at in range(4, len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x5A
        with pytest.raises(ProtocolError, match="checksum"):
            GREPacket.decode(bytes(changed))


def test_anything_is_read_or_refused():
    generator = random.Random(1)
    read = 0
    for _ in range(20_000):
        data = generator.randbytes(generator.randrange(24))
        try:
            GREPacket.decode(data)
            read += 1
        except (ProtocolError, Truncated):
            continue
    assert read, "nothing at all was taken for GRE"
