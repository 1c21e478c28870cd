"""Flips: what is changed, how counters become outcomes, and that a map which contradicts the RFC is told.

The receiver here is our own data plane, so that the whole of it runs without a network.
"""

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from lab.errors import ProtocolError
from lab.ike.path import Path
from lab.ipsec.dataplane import Dataplane
from lab.plugin import flips
from lab.trace import Trace
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, IPv4, IPv6, checksum, decode_ip
from tests.evidence.test_layout import around
from tests.ipsec.children import LEFT, RIGHT, ah_child, child, mirror, predictable
from tests.ipsec.test_dataplane import packet


@dataclass
class Receiver:
    """A data plane behind the link that a Thrower throws on."""

    protocol: int
    plane: Dataplane
    spi: str = "c2000002"
    thrown: list[bytes] = field(default_factory=list)

    def throw(self, octets: bytes) -> None:
        self.thrown.append(octets)
        try:
            ip = decode_ip(octets)
        except ProtocolError:
            return  # IP drops it
        path = self.plane.children()[0].path
        if ip.protocol != self.protocol or str(ip.dst) != path.local_host:
            return
        if isinstance(ip, IPv4) and ip.fragment & 0x3FFF:
            return
        if self.protocol == AH_NUMBER:
            self.plane.inbound_ah(ip.encode(), path, 0.0)
        else:
            self.plane.inbound(ip.payload, path, 0.0)

    def read(self) -> Counter[str]:
        drops = {str(why): count for why, count in self.plane.drops.counts.items()}
        return Counter(drops | {"taken": self.plane.usage()[self.spi]["packets_in"]})


def sent(protocol: int, number: int, path: Path = LEFT) -> tuple[Receiver, list[bytes]]:
    sa = ah_child(path=path) if protocol == AH_NUMBER else child("aes128-sha256", encap=False, path=path)
    left, right = Dataplane(Trace(), predictable), Dataplane(Trace(), predictable)
    left.install(sa)
    right.install(mirror(sa))
    datas = [left.outbound(packet(payload=bytes(16)), 0.0)[0].data for _ in range(number)]
    return Receiver(protocol, right), [d if protocol == AH_NUMBER else outside(d, path) for d in datas]


def outside(esp: bytes, path: Path) -> bytes:
    if path == LEFT:
        return around(esp)
    return IPv6(ip_address(path.local_host), ip_address(path.remote_host), ESP_NUMBER, esp).encode()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flips, "PATIENCE_S", 0.0)
    monkeypatch.setattr(flips, "POLL_S", 0.0)


@pytest.mark.parametrize("protocol", [AH_NUMBER, ESP_NUMBER], ids=["AH", "ESP"])
def test_our_own_data_plane_notices_what_the_rfc_says(protocol: int) -> None:
    receiver, packets = sent(protocol, 150)
    found = flips.flip_all(receiver.read, receiver, packets)
    assert flips.contradictions(protocol, found) == []
    assert len(found) == len(packets[0])
    outcomes = {flip.at: flip.outcome for flip in found}
    assert outcomes[8] == "taken" and outcomes[4] == ("icv" if protocol == AH_NUMBER else "taken")
    assert outcomes[len(found) - 1] == "icv" and outcomes[0] == "ip"


@pytest.mark.parametrize("protocol", [AH_NUMBER, ESP_NUMBER], ids=["AH", "ESP"])
def test_of_ipv6_too(protocol: int) -> None:
    receiver, packets = sent(protocol, 200, Path("2001:db8::1", 0, "2001:db8::2", 0))
    found = flips.flip_all(receiver.read, receiver, packets)
    assert flips.contradictions(protocol, found, 6) == [] and len(found) == len(packets[0])
    outcomes = {flip.at: flip.outcome for flip in found}
    assert {outcomes[at] for at in (0, 1, 2, 3, 7)} == {"taken"} and outcomes[6] == outcomes[30] == "ip"
    assert outcomes[8] == ("icv" if protocol == AH_NUMBER else "taken") and outcomes[len(found) - 1] == "icv"
    assert flips.contradictions(protocol, [flips.Flip(7, 255, "icv")], 6), "the hop limit changes under way"


def test_an_unchanged_packet_is_taken_once_and_then_seen_before() -> None:
    receiver, (first, *_) = sent(AH_NUMBER, 1)
    assert flips.outcome(receiver.read, receiver, first) == ("taken", "taken")
    assert flips.outcome(receiver.read, receiver, first) == ("window", "sequence number seen before")


def test_a_map_that_contradicts_the_rfc_is_told() -> None:
    fine = [flips.Flip(at, 255, "icv" if at >= 20 else "taken") for at in range(60) if at not in flips.IP_DECIDES[4]]
    assert flips.contradictions(ESP_NUMBER, fine) == []
    unguarded = [flips.Flip(30, 255, "taken", "taken")]
    assert flips.contradictions(ESP_NUMBER, unguarded) == [
        "octet 30 is covered by the ICV, and its change came out as taken taken"
    ]
    assert flips.contradictions(ESP_NUMBER, [flips.Flip(8, 255, "icv", "x")]) == [
        "octet 8 is not covered by the ICV, and its change came out as icv x"
    ]
    assert flips.contradictions(AH_NUMBER, [flips.Flip(12, 255, "taken")]) and flips.contradictions(
        AH_NUMBER, [flips.Flip(30, 255, "ip")]
    )
    assert flips.contradictions(ESP_NUMBER, [flips.Flip(16, 255, "taken")]), "IP takes no packet for somebody else"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("XfrmInStateProtoError", "icv"), ("XfrmInStateSeqError", "window"), ("XfrmInNoStates", "spi"),
        ("XfrmInTmplMismatch", "policy"), ("XfrmInStateMismatch", "policy"), ("XfrmInNoPols", "policy"),
        ("XfrmInHdrError", "header"), ("integrity check failed", "icv"), ("unknown SPI", "spi"),
        ("inner packet is outside the selectors", "policy"),
        ("AH header of another length than its algorithm has", "header"),
        ("sequence number left of the replay window", "window"),
    ],
)  # fmt: skip
def test_counters_have_meanings(name: str, wanted: str) -> None:
    counts = Counter({name: 3, "taken": 2})

    class Thrower:
        def throw(self, octets: bytes) -> None:
            counts[name] += 1

    assert flips.outcome(lambda: Counter(counts), Thrower(), b"") == (wanted, name)


def test_a_changed_packet_has_a_right_checksum_unless_that_is_what_changed() -> None:
    original = packet()
    for at in range(len(original)):
        made = flips.changed(original, at, 0x10)
        assert (checksum(made[:20]) == 0) == (at not in (10, 11))
        assert sum(a != b for a, b in zip(original, made, strict=True)) <= 3
    assert IPv4.decode(flips.changed(original, 8, 0xFF)).ttl == 64 ^ 0xFF
    assert LEFT.local_host == RIGHT.remote_host
