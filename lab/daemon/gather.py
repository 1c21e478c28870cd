"""Datagrams that came behind each other, put together: several trains of one sender are opened in one pass."""

from collections.abc import Iterable, Iterator

from lab.backends.datagrams import Datagram
from lab.ike.path import Path
from lab.ipsec.batch import TRAINS


def gathered(found: Iterable[tuple[Datagram, Path]]) -> Iterator[tuple[Datagram, Path]]:
    """The same octets in the same order; trains of one path, length and traffic class become one, up to `TRAINS`."""
    trains: list[tuple[Datagram, Path]] = []
    for datagram, path in found:
        if trains and not (len(trains) < TRAINS and path == trains[0][1] and _continues(trains[-1][0], datagram)):
            yield _joined(trains)
            trains = []
        if datagram.segment:
            trains.append((datagram, path))
        else:
            yield datagram, path
    if trains:
        yield _joined(trains)


def _continues(before: Datagram, datagram: Datagram) -> bool:
    """Whether a train may stand behind another one, which must have no shorter packet at its end."""
    return (
        datagram.segment == before.segment
        and datagram.traffic_class == before.traffic_class
        and len(before.data) % before.segment == 0
    )


def _joined(trains: list[tuple[Datagram, Path]]) -> tuple[Datagram, Path]:
    if len(trains) == 1:
        return trains[0]
    first, way = trains[0]
    return first._replace(data=b"".join([one.data for one, _ in trains])), way
