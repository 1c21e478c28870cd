"""How much ESP and AH carried, and how long each packet was under way: two pictures for each direction, and a table.

Rules of this file: all from ladder.json, so figures are those of the wire (octets of ESP or AH, from the tap of the
sender to that of the receiver). The
pictures are `aria-hidden`; the table says what they show. Few packets make no picture, and no latency makes none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from markupsafe import Markup

from lab.report import facts, words
from lab.report.facts import Doubts, Facts
from lab.report.svg import element

FEWEST = 6
BINS, MOST_DOTS = 60, 600
SEEN_S = 0.0005  # shorter latencies, as on links without a delay under a virtual clock, make no picture
WIDTH, HEIGHT, TOP, LOW = 800.0, 102.0, 22.0, 86.0
COLUMNS = (
    "Packets",
    "Lost",
    "Octets",
    "Throughput, mean",
    "Throughput, highest",
    "Latency, median",
    "Latency, highest",
)


@dataclass(frozen=True, slots=True)
class Way:
    """One direction: its name, both pictures, and its row of the table."""

    name: str
    throughput: Markup
    latency: Markup | None
    figures: list[str]


@dataclass(frozen=True, slots=True)
class _Packet:
    sent: float
    octets: int
    took: float | None
    lost: bool


def load(directory: Path, doubts: Doubts) -> list[Way]:
    """The directions of a scenario that carried some packets."""
    ways: dict[str, list[_Packet]] = {}
    for entry in facts.rows(facts.load(directory / "ladder.json", doubts)):
        sent = facts.number(entry, "t_sent")
        if facts.text(entry, "protocol") in ("ESP", "AH") and sent is not None:
            name = f"{facts.text(entry, 'from')} \u2192 {facts.text(entry, 'to') or '?'}"
            ways.setdefault(name, []).append(_packet(entry, sent))
    busy = {name: packets for name, packets in ways.items() if len(packets) >= FEWEST}
    if not busy:
        return []
    start = min(one.sent for packets in busy.values() for one in packets)
    span = max(one.sent for packets in busy.values() for one in packets) - start or 1e-3
    return [_way(name, packets, start, span) for name, packets in sorted(busy.items())]


def _packet(entry: Facts, sent: float) -> _Packet:
    received = facts.number(entry, "t_received")
    took = received - sent if received is not None and received >= sent else None
    return _Packet(sent, max(0, facts.whole(entry, "length") or 0), took, facts.flag(entry, "lost"))


def _way(name: str, packets: Sequence[_Packet], start: float, span: float) -> Way:
    rates = _rates(packets, start, span)
    octets = sum(one.octets for one in packets)
    taken = [one.took for one in packets if one.took is not None]
    figures = [
        str(len(packets)), str(sum(one.lost for one in packets)), str(octets), bits(8 * octets / span),
        bits(max(rates)), words.seconds(median(taken)) if taken else "", words.seconds(max(taken)) if taken else "",
    ]  # fmt: skip
    shown = bool(taken) and max(taken) >= SEEN_S
    return Way(name, _bars(rates, span), _dots(packets, start, span) if shown else None, figures)


def _rates(packets: Iterable[_Packet], start: float, span: float) -> list[float]:
    """Bits per second in each of BINS equal parts of the time."""
    octets = [0] * BINS
    for one in packets:
        octets[min(BINS - 1, int(BINS * (one.sent - start) / span))] += one.octets
    return [8 * count / (span / BINS) for count in octets]


def bits(rate: float) -> str:
    """A rate: `812 bit/s`, `14.2 kbit/s`, `3.1 Mbit/s`."""
    for unit, size in (("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if rate >= size:
            return f"{rate / size:.1f} {unit}"
    return f"{rate:.0f} bit/s"


def _bars(rates: Sequence[float], span: float) -> Markup:
    highest, width = max(rates) or 1.0, WIDTH / BINS
    bars = [
        element("rect", x=width * n, y=LOW - (LOW - TOP) * rate / highest, width=width - 1,
                height=(LOW - TOP) * rate / highest, class_="answered")
        for n, rate in enumerate(rates) if rate
    ]  # fmt: skip
    return _picture(f"up to {bits(highest)}", bars, span)


def _dots(packets: Sequence[_Packet], start: float, span: float) -> Markup:
    shown = [one for one in packets if one.took is not None][:: 1 + len(packets) // MOST_DOTS]
    highest = max(one.took or 0.0 for one in shown) or 1e-9
    dots = [
        element("circle", cx=WIDTH * (one.sent - start) / span, cy=LOW - (LOW - TOP) * (one.took or 0.0) / highest,
                r=2.5, class_="answered")
        for one in shown
    ]  # fmt: skip
    return _picture(f"latency up to {words.seconds(highest)}", dots, span)


def _picture(caption: str, drawn: Sequence[Markup], span: float) -> Markup:
    return element(
        "svg",
        element("text", caption, x=0, y=11, class_="caption"),
        *drawn,
        element("line", x1=0, y1=LOW, x2=WIDTH, y2=LOW, class_="tick"),
        element("text", "0 s", x=0, y=HEIGHT - 3, class_="caption"),
        element("text", words.seconds(span), x=WIDTH, y=HEIGHT - 3, class_="caption", text_anchor="end"),
        class_="outage", viewBox=f"-4 0 {WIDTH + 8:g} {HEIGHT:g}", aria_hidden="true",
    )  # fmt: skip
