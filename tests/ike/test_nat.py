"""NAT detection hashes and what they tell."""

import hashlib
import socket

from lab.ike.nat import NatSituation, detect, nat_hash
from lab.ike.path import Path

SPIS = (b"initiatr", b"respondr")
PATH = Path("192.0.2.1", 500, "198.51.100.1", 500)


def test_the_hash_covers_spis_address_and_port() -> None:
    octets = b"initiatr" + bytes(8) + socket.inet_aton("192.0.2.1") + b"\x01\xf4"
    assert nat_hash(b"initiatr", bytes(8), "192.0.2.1", 500) == hashlib.sha1(octets).digest()
    octets = b"initiatr" + bytes(8) + socket.inet_pton(socket.AF_INET6, "2001:db8::1") + b"\x11\x94"
    assert nat_hash(b"initiatr", bytes(8), "2001:db8::1", 4500) == hashlib.sha1(octets).digest()


def hashes(*ends: tuple[str, int]) -> list[bytes]:
    return [nat_hash(*SPIS, host, port) for host, port in ends]


def test_no_nat() -> None:
    found = detect(SPIS, PATH, hashes(("198.51.100.1", 500)), hashes(("192.0.2.1", 500)))
    assert found == NatSituation(spoken=True)
    assert not found.detected


def test_several_source_hashes_one_fits() -> None:
    sources = hashes(("10.0.0.1", 500), ("198.51.100.1", 500), ("10.0.0.2", 500))
    assert not detect(SPIS, PATH, sources, hashes(("192.0.2.1", 500))).detected


def test_the_peer_is_behind_a_nat_by_address_or_port() -> None:
    for sources in hashes(("10.0.0.1", 500)), hashes(("198.51.100.1", 1024)):
        assert detect(SPIS, PATH, sources, hashes(("192.0.2.1", 500))) == NatSituation(True, False, True)


def test_we_are_behind_a_nat() -> None:
    found = detect(SPIS, PATH, hashes(("198.51.100.1", 500)), hashes(("203.0.113.1", 500)))
    assert found == NatSituation(True, True, False)
    assert found.detected


def test_a_peer_without_nat_detection() -> None:
    assert detect(SPIS, PATH, [], []) == NatSituation(spoken=False)
    assert detect(SPIS, PATH, hashes(("10.0.0.1", 500)), []) == NatSituation(spoken=False)
