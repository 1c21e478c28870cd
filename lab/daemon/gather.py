"""Datagrams that came behind each other, put together: several trains of one sender are opened in one pass."""

from collections.abc import Iterable, Iterator

from lab.backends.datagrams import Datagram
from lab.ike.path import Path
from lab.ipsec.batch import TRAINS


def gathered(found: Iterable[tuple[Datagram, Path]]) -> Iterator[tuple[Datagram, Path]]:
    """The same octets in the same order; trains of one path, length and traffic class become one, up to `TRAINS`."""
    trains: list[Datagram] = []
    way: Path | None = None
    for datagram, path in found:
        if (
            trains
            and way is not None
            and not (len(trains) < TRAINS and path == way and _continues(trains[-1], datagram))
        ):
            yield _joined(trains), way
            trains = []
        if datagram.segment:
            trains.append(datagram)
            way = path
        else:
            yield datagram, path
    if trains and way is not None:
        yield _joined(trains), way


def _continues(before: Datagram, datagram: Datagram) -> bool:
    """Whether a train may stand behind another one, which must have no shorter packet at its end."""
    return (
        datagram.segment == before.segment
        and datagram.traffic_class == before.traffic_class
        and len(before.data) % before.segment == 0
    )


def _joined(trains: list[Datagram]) -> Datagram:
    first = trains[0]
    return first if len(trains) == 1 else first._replace(data=b"".join([one.data for one in trains]))
