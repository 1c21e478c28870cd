"""The octets of netem's options and of the filter before an ifb; that the kernel takes them is measured elsewhere."""

import struct

import pytest

from lab.emulation import netem, pedit
from lab.emulation.model import Bursts, Impairment

HEAD = struct.Struct("=6I")  # latency, limit, loss, gap, duplicate, jitter
CERTAIN = 0xFFFFFFFF


def attributes(data: bytes) -> dict[int, bytes]:
    """Kind -> value of a row of netlink attributes, without the flags of nested ones."""
    found = {}
    while data:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[length + -length % 4 :]
    return found


def written(**impairment: object) -> tuple[tuple[int, ...], dict[int, bytes]]:
    data = netem.options(Impairment(**impairment), seed=7)
    return HEAD.unpack_from(data), attributes(data[HEAD.size :])


def test_times_are_whole_nanoseconds() -> None:
    _, found = written(delay="20.5ms", jitter="250us")
    assert (struct.unpack("=q", found[10]), struct.unpack("=q", found[11])) == ((20_500_000,), (250_000,))


@pytest.mark.parametrize(("share", "chance"), [("100%", CERTAIN), ("50%", CERTAIN // 2), ("0.0001%", 4294)])
def test_shares_are_parts_of_a_u32(share: str, chance: int) -> None:
    head, _ = written(loss=share, duplicate=share)
    assert (head[2], head[4]) == (chance, chance)


def test_reordering_may_meet_every_packet() -> None:
    head, found = written(delay="1ms", reorder="25%")
    assert head[3] == 1 and struct.unpack("=2I", found[3]) == (CERTAIN // 4, 0)
    assert written(delay="1ms")[0][3] == 0


def test_bursts_are_the_model_of_gilbert_and_elliott() -> None:
    _, found = written(bursts=Bursts(begin="1%", end="25%", loss="75%", between="2%"))
    p, r, h, k1 = struct.unpack("=4I", attributes(found[5])[2])
    shares = [round(one / CERTAIN, 4) for one in (p, r, h, k1)]
    assert shares == [0.01, 0.25, 0.25, 0.02], "h is what a burst lets through, k1 what is lost between bursts"


def test_what_is_not_asked_for_is_not_there() -> None:
    assert set(written()[1]) == {10, 11, 14}, "no delay, no jitter, and the seed"
    assert set(written(corrupt="1%", rate="1mbit")[1]) == {4, 6, 10, 11, 14}


def test_rates_beyond_32_bits_are_said_twice() -> None:
    _, found = written(rate="100gbit")
    assert struct.unpack("=Q", found[8]) == (12_500_000_000,) and struct.unpack_from("=I", found[6]) == (CERTAIN,)


def test_every_direction_has_a_seed_of_its_own() -> None:
    seeds = {netem.seed_of(seed, link, end) for seed in (1, 2) for link in ("a", "b") for end in ("left", "right")}
    assert len(seeds) == 8 and max(seeds) < 1 << 64
    assert netem.seed_of(1, "a", "left") == netem.seed_of(1, "a", "left")


def test_a_packet_is_unshared_before_it_is_led_away() -> None:
    body = pedit.redirect(101, 1101)
    _, interface, _, parent, _ = struct.unpack_from("=BxxxiIII", body)
    assert (interface, parent) == (101, 0xFFFF0000)
    options = attributes(attributes(body[20:])[2])
    first, second = (attributes(action) for _, action in sorted(attributes(options[7]).items()))
    assert (first[1], second[1]) == (b"pedit\0", b"mirred\0")
    keep, turn = struct.unpack_from("=2I", attributes(first[2])[2], 24)
    assert (keep, turn) == (CERTAIN, 0), "the first word stays what it is"
    assert struct.unpack("=IIiiiiI", attributes(second[2])[2])[-1] == 1101
