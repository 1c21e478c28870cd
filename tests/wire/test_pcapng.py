"""pcapng: round trips, torn files, and what tshark and scapy make of our blocks."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from scapy.utils import RawPcapNgReader

from lab.errors import ProtocolError
from lab.wire import pcapng
from lab.wire.pcapng import Direction, Packet, PcapngWriter, Secrets, SecretsType

# Ethernet, IPv4 192.0.2.1 > 192.0.2.2, UDP 500 > 500, four octets
FRAME = bytes.fromhex("020000000002020000000001080045000020000100004011f6c9c0000201c000020201f401f4000c0000deadbeef")
TIME = 1_700_000_000_123_456_789


def sample() -> bytes:
    blocks: list[bytes] = []
    writer = PcapngWriter(blocks.append, comment="a test")
    assert writer.interface("left:wan", description="link left-wan") == 0
    assert writer.interface("right:wan") == 1
    writer.secrets(Secrets(SecretsType.TLS_KEY_LOG, b"CLIENT_RANDOM 00 11\n"))
    writer.packet(Packet(TIME, 0, FRAME, "sent", Direction.OUTBOUND))
    writer.packet(Packet(TIME + 20_000_000, 1, FRAME[:43], direction=Direction.INBOUND, length=len(FRAME)))
    return b"".join(blocks)


def test_round_trip() -> None:
    capture = pcapng.decode(sample())
    assert [point.name for point in capture.interfaces] == ["left:wan", "right:wan"]
    assert capture.interfaces[0].description == "link left-wan"
    assert capture.comment == "a test"
    assert capture.secrets == [Secrets(SecretsType.TLS_KEY_LOG, b"CLIENT_RANDOM 00 11\n")]
    assert capture.packets[0] == Packet(TIME, 0, FRAME, "sent", Direction.OUTBOUND, len(FRAME))
    assert capture.packets[1] == Packet(TIME + 20_000_000, 1, FRAME[:43], "", Direction.INBOUND, len(FRAME))
    assert not capture.torn


def test_every_truncation_keeps_the_whole_blocks() -> None:
    data = sample()
    ends = [len(data)]
    while ends[-1]:  # walk the blocks backwards by their trailing lengths
        ends.append(ends[-1] - int.from_bytes(data[ends[-1] - 4 : ends[-1]], "little"))
    for cut in range(12, len(data)):
        capture = pcapng.decode(data[:cut])
        assert capture.torn == (cut not in ends), cut
        assert len(capture.packets) == sum(end <= cut for end in ends[:2]), cut


def test_big_endian_microseconds_and_a_second_section() -> None:
    def block(kind: int, body: bytes) -> bytes:
        return struct.pack(">II", kind, len(body) + 12) + body + struct.pack(">I", len(body) + 12)

    other = block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack(">HHI", 101, 0, 0))
    other += block(6, struct.pack(">IIIII", 0, 0, 1_500_000, 3, 3) + b"abc\0")
    other += block(3, struct.pack(">I", 2) + b"xy\0\0") + block(0xBAD, b"")
    capture = pcapng.decode(sample() + other)
    assert capture.interfaces[2].link_type == pcapng.LinkType.RAW
    assert capture.packets[2] == Packet(1_500_000_000, 2, b"abc", length=3)
    assert capture.packets[3].data == b"xy"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xd4\xc3\xb2\xa1" + bytes(20),
        sample()[:4] + b"\x09\0\0\0" + sample()[8:],
        pcapng.section_block() + struct.pack("<II", 6, 16) + bytes(4) + struct.pack("<I", 16),
        pcapng.section_block() + pcapng.packet_block(Packet(0, 7, b"no such interface")),
    ],
    ids=["empty", "pcap", "length", "short-packet", "unknown-interface"],
)
def test_bad_files_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        pcapng.decode(data)


def test_scapy_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(sample())
    with RawPcapNgReader(str(path)) as reader:
        packets = [(data, meta) for data, meta in reader]
    assert [data for data, _ in packets] == [FRAME, FRAME[:43]]
    _, meta = packets[0]
    assert (meta.tshigh << 32 | meta.tslow) == TIME
    assert meta.ifname == b"left:wan"
    assert meta.direction == 2


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(sample())
    fields = [
        "frame.time_epoch",
        "frame.interface_name",
        "frame.comment",
        "frame.len",
        "udp.srcport",
        "frame.packet_flags_direction",
    ]
    command = ["tshark", "-r", str(path), "-T", "fields", *(word for name in fields for word in ("-e", name))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    first, second = (line.split("\t") for line in done.stdout.splitlines())
    assert first[:5] == ["1700000000.123456789", "left:wan", "sent", str(len(FRAME)), "500"]
    assert first[5] in {"0x00000002", "2"}
    assert second[:2] == ["1700000000.143456789", "right:wan"]
