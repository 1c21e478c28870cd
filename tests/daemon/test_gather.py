"""Trains that came behind each other are put together, and nothing else is."""

from hypothesis import given
from hypothesis import strategies as st

from lab.backends.datagrams import Datagram
from lab.daemon.gather import gathered
from lab.ike.path import Path
from lab.ipsec.batch import TRAINS

HERE, THERE = Path("192.0.2.1", 4500, "192.0.2.2", 4500), Path("192.0.2.1", 4500, "192.0.2.9", 4500)


def datagram(data: bytes, segment: int = 0, traffic_class: int = 0) -> Datagram:
    return Datagram(data, "192.0.2.1", "192.0.2.2", 4500, traffic_class, 1, segment=segment)


def octets(*found: tuple[Datagram, Path]) -> list[bytes]:
    return [one.data for one, _ in gathered(found)]


def test_trains_alike_become_one() -> None:
    train = datagram(b"abcd" * 3, 4), HERE
    assert octets(train, train, (datagram(b"abcdxy", 4), HERE), train) == [b"abcd" * 7 + b"xy", b"abcd" * 3]
    assert octets(*[train] * (TRAINS + 1)) == [b"abcd" * 3 * TRAINS, b"abcd" * 3]


def test_what_differs_stays_apart() -> None:
    train = datagram(b"abcd" * 3, 4), HERE
    others = [(datagram(b"abcd" * 3, 6), HERE), (datagram(b"abcd" * 3, 4, 3), HERE), (datagram(b"abcd" * 3, 4), THERE)]
    for other in (*others, (datagram(b"abcd"), HERE)):
        assert [*gathered([train, other, train])] == [train, other, train]


@given(
    st.lists(
        st.tuples(
            st.builds(
                datagram, st.binary(min_size=1, max_size=20), st.sampled_from((0, 2, 4)), st.sampled_from((0, 0, 1))
            ),
            st.sampled_from((HERE, HERE, THERE)),
        )
    )
)
def test_the_packets_stay_what_and_in_what_order_they_were(found: list[tuple[Datagram, Path]]) -> None:
    def packets(some: list[tuple[Datagram, Path]]) -> list[tuple[bytes, Path, int]]:
        return [
            (one.data[at : at + (one.segment or len(one.data))], path, one.traffic_class)
            for one, path in some
            for at in range(0, len(one.data), one.segment or len(one.data))
        ]

    assert packets([*gathered(found)]) == packets(found)
