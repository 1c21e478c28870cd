"""Two clients behind one NAT with one responder: same address, different ports, nothing shared between them."""

import random

from lab.ike.actions import Path
from lab.ipsec.dataplane import Dataplane, Deliver, EspPacket
from lab.trace import Trace
from tests.ipsec.test_dataplane import packet
from tests.pair import LEFT, OUTSIDE, RIGHT, Pair, Side, mirrored, net

SECOND = "192.0.2.2"
FIRST_NET, SECOND_NET = "10.1.0.0/24", "10.3.0.0/24"


class SharedNat:
    """Keeps the source port for the first client that has it; the next one gets another."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, int], int] = {}
        self.next = 1024

    def out(self, src: tuple[str, int]) -> tuple[str, int]:
        if src[0] == RIGHT:
            return src
        if src not in self.known:
            self.next += 1
            self.known[src] = self.next if src[1] in self.known.values() else src[1]
        return OUTSIDE, self.known[src]

    def back(self, dst: tuple[str, int]) -> tuple[str, int] | None:
        if dst[0] != OUTSIDE:
            return dst if dst[0] == RIGHT else None
        return next((inside for inside, port in self.known.items() if port == dst[1]), None)


class Trio(Pair):
    """A pair with one more client in the place of the left side."""

    def __init__(self) -> None:
        text = mirrored(net(left="%any")).replace(FIRST_NET, f"{FIRST_NET}, {SECOND_NET}")
        right = text.replace("id = left.example.org", "id = %any")
        self.second: Side | None = None
        super().__init__(net(), right, nats=(SharedNat(),))  # type: ignore[arg-type]
        other = net(left=SECOND).replace("left.example.org", "second.example.org").replace(FIRST_NET, SECOND_NET)
        self.second = Side("second", other, SECOND, "0", self)

    @property
    def sides(self) -> tuple[Side, ...]:  # type: ignore[override]
        return (self.left, self.right, *([self.second] if self.second else []))


def both_up() -> Trio:
    trio = Trio()
    for client in (trio.left, trio.second):
        client.do("initiate", "net")
    trio.settle()
    assert [side.up for side in trio.sides] == [["ESTABLISHED"], ["ESTABLISHED"] * 2, ["ESTABLISHED"]]
    return trio


def remotes(trio: Trio) -> dict[object, tuple[object, object]]:
    return {sa["remote_id"]: (sa["remote_host"], sa["remote_port"]) for sa in trio.right.sas}


def test_each_has_an_sa_at_its_own_port() -> None:
    trio = both_up()
    first, second = (trio.nats[0].known[host, 4500] for host in (LEFT, SECOND))
    assert first == 4500 != second
    assert remotes(trio) == {"left.example.org": (OUTSIDE, first), "second.example.org": (OUTSIDE, second)}
    assert all(child.encap for side in trio.sides for child in side.ever)


def test_packets_go_to_the_client_whose_net_they_are_for() -> None:
    trio = both_up()
    planes = {side.name: Dataplane(Trace(), random.Random(1).randbytes) for side in trio.sides}
    for side in trio.sides:
        for child in side.ever:
            planes[side.name].install(child)
    for name, host, inside in (("left", LEFT, "10.1.0.7"), ("second", SECOND, "10.3.0.7")):
        inner = packet(src="10.2.0.7", dst=inside)
        (sent,) = planes["right"].outbound(inner, 0.0)
        assert isinstance(sent, EspPacket)
        assert sent.path == Path(RIGHT, 4500, OUTSIDE, trio.nats[0].known[host, 4500])
        assert planes[name].inbound(sent.data, Path(host, 4500, RIGHT, 4500), 0.0) == [Deliver(inner)]
        (back,) = planes[name].outbound(packet(src=inside, dst="10.2.0.7"), 0.0)
        assert len(planes["right"].inbound(back.data, sent.path, 0.0)) == 1, "the path is known, so nobody has moved"


def test_a_client_that_moves_or_leaves_takes_only_its_own_along() -> None:
    trio = both_up()
    before = remotes(trio)
    trio.nats[0].known[SECOND, 4500] = 34500
    trio.second.do("liveness")
    trio.settle()
    assert remotes(trio) == before | {"second.example.org": (OUTSIDE, 34500)}
    trio.second.do("terminate", ike="gw")
    trio.settle()
    assert list(remotes(trio)) == ["left.example.org"]
    trio.right.do("liveness")
    trio.settle()
    assert trio.left.up == trio.right.up == ["ESTABLISHED"]
