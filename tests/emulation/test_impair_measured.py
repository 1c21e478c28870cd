"""What netem is asked for is what packets suffer: each share, size and spread is counted in the capture.

Every test plays both places at which a direction is impaired: behind the tap at which a gateway's packets come in
(`left`, by way of an ifb) and before the one at which a router's go out (`internet`). Shares are those of 1000 packets:
the bounds lie four standard deviations from what was asked for, and the seed is fixed.
"""

import statistics
from dataclasses import dataclass

import pytest

from lab.emulation import topology
from lab.emulation.network import Network
from tests.emulation.conftest import Up
from tests.emulation.wire import seen, udp

pytestmark = [pytest.mark.usefixtures("netem", "virtual_time")]
RIGHT, MANY, AT_ONCE = "198.51.100.2", 1000, 100
PLACES = {"left": "left-wan", "internet": "right-wan"}
MS = 1_000_000
both_places = pytest.mark.parametrize("sender", PLACES)


@dataclass(frozen=True)
class Flow:
    """Numbered datagrams from left to right: when each was sent, and what arrived when, in order."""

    sent: dict[int, int]
    arrived: list[tuple[int, int]]
    changed: list[bytes]

    @property
    def lost(self) -> list[int]:
        """The numbers that never arrived."""
        there = {number for number, _ in self.arrived}
        return [number for number in self.sent if number not in there]

    @property
    def delays(self) -> list[int]:
        """Nanoseconds on the way, in the order of arrival."""
        return [at - self.sent[number] for number, at in self.arrived]


def payload(number: int) -> bytes:
    return number.to_bytes(4, "big") + bytes(60)


def flow(network: Network, sender: str, *, back: bool = False, **impairment: object) -> Flow:
    """Impair one direction, send, and count at the taps of the two gateways; `back` the other way."""
    network.set_link(PLACES[sender], sender, **impairment)
    with udp(network.node("left"), 4500) as left, udp(network.node("right"), 4500) as right:
        source, target, to = (right, left, "203.0.113.2") if back else (left, right, RIGHT)
        for first in range(0, MANY, AT_ONCE):
            for number in range(first, first + AT_ONCE):
                source.sendto(payload(number), (to, 4500))
            network.flush_capture()
        target.settimeout(1.0)  # of virtual time: until nothing is under way any more
        while _received(target):
            pass
    here, there = ("right:wan", "left:wan") if back else ("left:wan", "right:wan")
    packets = seen(network)
    whole = {payload(number): number for number in range(MANY)}
    return Flow(
        {whole[packet.payload]: packet.time_ns for packet in packets if packet.point == here},
        [(whole[p.payload], p.time_ns) for p in packets if p.point == there and p.payload in whole],
        [p.payload for p in packets if p.point == there and p.payload not in whole],
    )


def _received(sock) -> bool:
    try:
        return bool(sock.recv(2000))
    except TimeoutError:
        return False


@both_places
def test_loss_one_by_one(up: Up, sender: str) -> None:
    found = flow(up("direct"), sender, loss="20%")
    assert 150 <= len(found.lost) <= 250
    assert max(runs(found.lost)) <= 6, "single losses stay short"


def test_one_seed_loses_the_same(up: Up, tmp_path) -> None:
    lost = []
    for number, seed in enumerate((7, 7, 8)):
        with Network(topology.load("direct"), tmp_path / str(number), seed) as network:
            lost.append(flow(network, "left", loss="20%").lost)
    assert lost[0] == lost[1] != lost[2]


@both_places
def test_loss_in_bursts(up: Up, sender: str) -> None:
    found = flow(up("direct"), sender, bursts={"begin": "4%", "end": "25%"})
    lengths = runs(found.lost)
    assert 80 <= len(found.lost) <= 200, "4 / (4 + 25) of 1000"
    assert 2.5 <= statistics.mean(lengths) <= 5.5, "1 / 25% packets each"


@both_places
def test_jitter(up: Up, sender: str) -> None:
    delays = flow(up("direct"), sender, delay="20ms", jitter="10ms").delays
    assert len(delays) == MANY
    assert 10 * MS <= min(delays) < 11 * MS and 29 * MS < max(delays) <= 31 * MS
    assert abs(statistics.mean(delays) - 20 * MS) < MS
    assert abs(statistics.pstdev(delays) - 10 * MS / 3**0.5) < MS, "spread evenly"


@both_places
def test_reorder(up: Up, sender: str) -> None:
    found = flow(up("direct"), sender, delay="20ms", reorder="10%")
    quick = [delay for delay in found.delays if delay < MS]
    assert 62 <= len(quick) <= 138 and len(found.delays) == MANY
    assert all(20 * MS <= delay < 21 * MS for delay in found.delays if delay >= MS)
    numbers = [number for number, _ in found.arrived]
    assert numbers != sorted(numbers), "nobody overtook anybody"


@both_places
def test_duplicate(up: Up, sender: str) -> None:
    found = flow(up("direct"), sender, duplicate="10%")
    assert 62 <= len(found.arrived) - MANY <= 138 and not found.lost


@both_places
def test_corrupt(up: Up, sender: str) -> None:
    found = flow(up("direct"), sender, corrupt="20%")
    touched = found.lost
    # A change of a source address of Ethernet, a port or a checksum of UDP does not show here: 18 octets of 106.
    assert 110 <= len(touched) <= 230
    whole = len(payload(0))  # the length in the header of UDP may be what changed
    for data in (one for one in found.changed if len(one) == whole):
        assert min(bits(data, payload(number)) for number in range(MANY)) == 1, "more than one bit was turned over"
    # Of the octets that show, two thirds are payload; a change of the headers of IP and Ethernet keeps a packet away.
    assert len(found.changed) > len(touched) // 3, "corrupted packets are lost, not changed"


def test_each_direction_suffers_alone(up: Up) -> None:
    network = up("direct")
    network.set_link("left-wan", "internet", delay="5ms")
    answers = flow(network, "left", back=True, loss="100%", delay="300ms")
    assert not answers.lost and all(5 * MS <= delay < 6 * MS for delay in answers.delays)


def runs(numbers: list[int]) -> list[int]:
    """How many of consecutive numbers follow one another, for each run of them."""
    found: list[int] = []
    for place, number in enumerate(numbers):
        if place and number == numbers[place - 1] + 1:
            found[-1] += 1
        else:
            found.append(1)
    return found


def bits(one: bytes, two: bytes) -> int:
    """In how many bits two texts of one length differ."""
    return (int.from_bytes(one) ^ int.from_bytes(two)).bit_count()
