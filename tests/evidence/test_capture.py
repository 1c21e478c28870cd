"""From pcapng to frames to datagrams: link layers, fragments, and the annotated file that is written back."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from scapy.layers.inet import IP as ScapyIP
from scapy.layers.inet import UDP as ScapyUDP
from scapy.layers.inet import fragment
from scapy.layers.inet6 import IPv6 as ScapyIPv6
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from lab.errors import BrokenError
from lab.evidence import annotate, capture, wireshark
from lab.evidence.capture import Frame
from lab.evidence.datagram import sightings
from lab.evidence.scene import Scene
from lab.wire import pcapng
from lab.wire.packets import IPv4, IPv6
from tests.evidence.made import esp, ike
from tests.evidence.recorded import NAMES, frames, keys_of, places_of

# With both addresses given: scapy would ask the network for them.
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
BIG = ike(5, tail=bytes(range(256)) * 12)


def test_bare_esp_vlan_and_raw_ip_are_recognised() -> None:
    inner = esp(3)
    v4 = IPv4(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"), 50, inner).encode()
    v6 = IPv6(IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2"), 50, inner).encode()
    seen = sightings(
        [
            Frame(0, "a:wan", bytes(12) + b"\x08\x00" + v4),
            Frame(1, "a:wan", bytes(ETHER / Dot1Q(vlan=7, type=0x86DD) / Raw(v6))),
            Frame(2, "a:tun", v4, pcapng.LinkType.RAW),
            Frame(3, "a:odd", v4, 999),
            Frame(4, "a:wan", bytes(12) + b"\x08\x06" + bytes(28)),
        ]
    )
    assert [(s.kind, s.src, s.udp, s.body) for s in seen] == [
        ("esp", "192.0.2.1", False, inner),
        ("esp", "2001:db8::1", False, inner),
        ("esp", "192.0.2.1", False, inner),
    ]


@pytest.mark.parametrize("order", ["as sent", "reversed", "with a copy"])
def test_fragments_of_ipv4_are_put_together_at_each_point(order: str) -> None:
    whole = ETHER / ScapyIP(src="192.0.2.1", dst="192.0.2.2", id=77) / ScapyUDP(sport=4500, dport=4500) / Raw(BIG)
    pieces = [bytes(piece) for piece in fragment(whole, fragsize=1000)]
    assert len(pieces) > 2
    order_of = {"as sent": pieces, "reversed": pieces[::-1], "with a copy": [pieces[0], *pieces]}[order]
    seen = sightings([Frame(n, point, piece) for n, piece in enumerate(order_of) for point in ("a:wan", "b:wan")])
    assert [(s.point, s.content == BIG, s.first_ns) for s in seen] == [("a:wan", True, 0), ("b:wan", True, 0)]
    assert seen[0].last_ns == len(order_of) - 1
    assert len(seen[0].frames) == len(order_of)


def test_fragments_and_extension_headers_of_ipv6() -> None:
    whole = (
        ScapyIPv6(src="2001:db8::1", dst="2001:db8::2")
        / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrFragment(id=9)
        / ScapyUDP(sport=500, dport=500)
        / Raw(BIG)
    )
    pieces = [bytes(ETHER / piece) for piece in fragment6(whole, 1280)]
    assert len(pieces) > 2
    (seen,) = sightings([Frame(n, "a:wan", piece) for n, piece in enumerate(pieces)])
    assert (seen.kind, seen.body, len(seen.frames)) == ("ike", BIG, len(pieces))


def test_missing_fragment_is_no_datagram() -> None:
    whole = ETHER / ScapyIP(src="192.0.2.1", dst="192.0.2.2", id=7) / ScapyUDP(sport=500, dport=500) / Raw(BIG)
    pieces = [bytes(piece) for piece in fragment(whole, fragsize=1000)]
    assert sightings([Frame(n, "a:wan", piece) for n, piece in enumerate(pieces[:1] + pieces[2:])]) == []


@pytest.mark.parametrize("name", NAMES)
def test_annotated_capture_holds_the_same_frames(name: str, tmp_path: Path) -> None:
    scene = Scene(frames(name), keys_of(name), places_of(name))
    file = tmp_path / "wire.pcapng"
    secrets = wireshark.tables(scene.keys, scene.sightings).secrets
    file.write_bytes(annotate.encode(scene, secrets))
    assert capture.read(file) == [replace(frame, length=len(frame.data)) for frame in frames(name)]
    written = pcapng.decode(file.read_bytes())
    commented = [packet.comment for packet in written.packets if packet.comment]
    assert len(commented) == sum(len(sighting.frames) for sighting in scene.sightings)
    assert commented[0].startswith("#0 left > right: IKE_SA_INIT request 0 {SAi1 KEi Ni")


def test_esp_keys_come_before_the_packets_in_ten_columns() -> None:
    scene = Scene(frames("direct-chapoly"), keys_of("direct-chapoly"), places_of("direct-chapoly"))
    data = annotate.encode(scene, wireshark.tables(scene.keys, scene.sightings).secrets)
    (secrets,) = pcapng.decode(data).secrets
    assert secrets.kind == 0x45535053
    rows = secrets.data.decode().splitlines()
    assert len(rows) == 2
    columns = rows[0].strip('"').split('","')
    assert columns[:5] == ["IPv4", "192.168.1.2", "198.51.100.2", "0x35cbd3a4", "ChaCha20 with Poly1305 [RFC7634]"]
    assert columns[6:] == ["NULL", "", "32-bit", "0x00000000"]
    assert len(columns[5]) == 2 + 2 * 36
    # type 6 is a packet, type 10 the secrets; both are little-endian at the start of a block
    assert data.index(secrets.data) < data.index(frames("direct-chapoly")[0].data)


def test_absent_capture_is_said(tmp_path: Path) -> None:
    with pytest.raises(BrokenError, match=r"no capture raw\.pcapng"):
        capture.read(tmp_path / "raw.pcapng")
