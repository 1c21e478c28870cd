"""What a disturbance costs a routed tunnel: hellos that did not come, and for how long hosts were cut off.

    with watch(lab, "child rekey", pings=240, every=0.05) as watched:
        left.rekey(child=CHILD)
    unbroken(watched.cost)

Rules: hellos are counted where they left one gateway and came in at the other, as the ESP packets that they travelled
in; being cut off is counted at the tap of the host that asked. Both are read from the capture. Of what ospfd says are
taken: how many hellos it took (a packet that came in may be under an SA that is no more), how often a neighbour's state
changed, and how long it has been up. What was measured is in routing.json.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from lab.evidence.files import write_json
from lab.evidence.layers import Packet
from lab.plugin import routing
from lab.plugin.echoes import Echo, Pinging, echoes
from lab.plugin.routing import Said
from lab.wire.ospf import OspfType

if TYPE_CHECKING:
    from lab.plugin.laboratory import Lab

FILE, SCHEMA = "routing.json", "ikelab.routing/1"
SIDES = ("left", "right")
# What a hello may take to the other gateway: one that left later may still be under way.
UNDER_WAY_S = 0.3


@dataclass(frozen=True, slots=True)
class Hellos:
    """Hellos that one router sent, how many did not come in at the other one in ESP, and how many of these in a row.

    `taken` are those that the other one's ospfd counted until the end, None where its count began anew meanwhile.
    """

    sent: int
    lost: int
    in_a_row: int
    taken: int | None = None


@dataclass(frozen=True, slots=True)
class Echoes:
    """Echo requests and how many stayed without reply; `outage_s` is the longest time without an answered one.

    `series` has a pair for each: seconds since the disturbance was awaited, and whether it was answered.
    """

    every_s: float
    sent: int
    lost: int
    outage_s: float
    series: list[tuple[float, bool]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Adjacency:
    """How often a neighbour's state has changed before and after, and for how long it has been up (seconds)."""

    changes_before: int
    changes_after: int
    up_s: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured while the disturbance was watched, which took `took_s` seconds.

    `descriptions` counts database description packets: a router that sends one is forming an adjacency anew.
    """

    event: str
    took_s: float
    hellos: dict[str, Hellos]
    echoes: Echoes
    adjacencies: dict[str, Adjacency]
    descriptions: int


class Watched:
    """A disturbance under observation; its cost is known at the end."""

    def __init__(self) -> None:
        self._cost: Cost | None = None

    @property
    def cost(self) -> Cost:
        """What it cost; AssertionError while it is still going on."""
        assert self._cost is not None, "the disturbance is not over"
        return self._cost

    def over(self, cost: Cost) -> None:
        """It is over."""
        self._cost = cost


@contextmanager
def watch(lab: "Lab", event: str, *, pings: int, every: float, before: int = 20) -> Iterator[Watched]:
    """Watch for as long as `pings` echo requests take; the block runs when `before` of them are answered."""
    watched, changes, taken, began = Watched(), _changes(lab), _taken(lab), time.time()
    ping = Pinging(lab.network.node("left-host"), lab.inner("right"), pings, every)
    ping.begun(before)
    yield watched
    ping.over()
    ended = time.time()
    # At once: reading the capture takes long enough for further hellos.
    counted, adjacencies = _since(taken, _taken(lab)), _adjacencies(lab, changes)
    seen = [echo for echo in echoes(lab.frames(), "left-host") if echo.t >= began]
    packets = [packet for packet in lab.packets() if packet.t >= began]
    said = routing.heard(packets)
    watched.over(
        Cost(
            event=event,
            took_s=round(ended - began, 6),
            hellos={
                name: replace(hellos(said, packets, name, ended - UNDER_WAY_S), taken=count)
                for name, count in counted.items()
            },
            echoes=cut_off(seen, lab.inner("left"), lab.inner("right"), every, began),
            adjacencies=adjacencies,
            descriptions=len({one.packet.last("ESP") for one in said if one.ospf.kind is _DESCRIPTION}),
        )
    )
    write_json(lab.directory / FILE, {"schema": SCHEMA, "events": [asdict(watched.cost)]})


_DESCRIPTION = OspfType.DATABASE_DESCRIPTION


def _changes(lab: "Lab") -> dict[str, int]:
    return {name: sum(neighbor.changes for neighbor in lab.routers[name].neighbors()) for name in SIDES}


def _taken(lab: "Lab") -> dict[str, int]:
    """How many hellos of each router the other one has taken."""
    return {"left": lab.routers["right"].hellos_in(), "right": lab.routers["left"].hellos_in()}


def _since(before: dict[str, int], after: dict[str, int]) -> dict[str, int | None]:
    return {name: count - before[name] if count >= before[name] else None for name, count in after.items()}


def _adjacencies(lab: "Lab", before: dict[str, int]) -> dict[str, Adjacency]:
    found = {}
    for name in SIDES:
        neighbors = lab.routers[name].neighbors()
        changes, up = sum(n.changes for n in neighbors), min((n.up_s for n in neighbors), default=0.0)
        found[name] = Adjacency(before[name], changes, round(up, 3))
    return found


def hellos(said: Sequence[Said], packets: Sequence[Packet], name: str, until: float) -> Hellos:
    """Which of a router's hellos came in at the other gateway, of those that left before `until`."""
    left = [one.packet.last("ESP") for one in routing.sent(said, name, OspfType.HELLO) if one.t < until]
    other = "right" if name == "left" else "left"
    came = {packet.last("ESP") for packet in packets if packet.node == other}
    arrived = [packet is not None and packet in came for packet in left]  # None: it left in the clear
    return Hellos(len(left), arrived.count(False), _longest_run(arrived))


def _longest_run(arrived: Sequence[bool]) -> int:
    longest = run = 0
    for there in arrived:
        run = 0 if there else run + 1
        longest = max(longest, run)
    return longest


def cut_off(seen: Sequence[Echo], source: str, target: str, every: float, began: float) -> Echoes:
    """Which echo requests of a host were answered, and the longest time for which none was."""
    asked = [echo for echo in seen if not echo.reply and (echo.source, echo.target) == (source, target)]
    answered = {echo.name for echo in seen if echo.reply and (echo.source, echo.target) == (target, source)}
    series = [(round(echo.t - began, 6), echo.name in answered) for echo in asked]
    longest, since = 0.0, None
    for t, there in series:
        since = None if there else t if since is None else since
        longest = max(longest, t + every - since) if since is not None else longest
    lost = sum(not there for _, there in series)
    return Echoes(every, len(series), lost, round(longest, 6), series)


def unbroken(cost: Cost) -> None:
    """The adjacency went through it: no state changed, nobody described a database again, no neighbour is younger."""
    for name, adjacency in cost.adjacencies.items():
        changes = adjacency.changes_after - adjacency.changes_before
        assert changes == 0, f"on {name} the neighbour's state changed {changes} times during {cost.event}"
        assert adjacency.up_s > cost.took_s, f"on {name} the neighbour is up for {adjacency.up_s} s only"
    assert not cost.descriptions, f"{cost.descriptions} database descriptions were sent during {cost.event}"


def nothing_lost(cost: Cost) -> None:
    """Every hello came, and every echo was answered."""
    for name, count in cost.hellos.items():
        assert count.sent, f"{name} sent no hello during {cost.event}"
        assert not count.lost, f"{count.lost} of {count.sent} hellos of {name} were lost during {cost.event}"
        assert count.taken is not None and count.taken >= count.sent, (
            f"of {count.sent} hellos of {name} only {count.taken} were taken during {cost.event}"
        )
    echo = cost.echoes
    assert not echo.lost, f"{echo.lost} of {echo.sent} echoes were lost during {cost.event}, {echo.outage_s:g} s long"
