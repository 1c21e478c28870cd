"""Transport mode between two endpoints (RFC 7296 1.3.1, 2.23.1): agreed, declined, rekeyed, behind a NAT."""

import pytest

from tests.pair import LEFT, OUTSIDE, RIGHT, Nat, Pair, Side, mirrored, net


def config(*, mode: str = "transport", local: str = "dynamic", remote: str = "dynamic", left: str = LEFT) -> str:
    text = net(child=f"mode = {mode}", left=left)
    return text.replace("10.1.0.0/24", local).replace("10.2.0.0/24", remote)


def notes(side: Side) -> list[str]:
    return [r.text for r in side.records if r.kind == "note" and "no transport mode" in r.text]


def sent(side: Side) -> list[str]:
    return [r.text for r in side.records if r.text.startswith("sent ") and "TSi" in r.text]


@pytest.mark.parametrize("by", ["left", "right"])
def test_both_want_it(by: str) -> None:
    pair = Pair(config(), mirrored(config())).initiate(by)
    pair.check()
    assert [side.ever[0].mode for side in pair.sides] == ["transport"] * 2
    assert all("N(USE_TRANSPORT_MODE)" in sent(side)[0] for side in pair.sides)
    assert notes(pair.left) == notes(pair.right) == []


@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize("modes", [("transport", "tunnel"), ("tunnel", "transport")])
def test_one_wants_a_tunnel(modes: tuple[str, str], by: str) -> None:
    left, right = modes
    pair = Pair(config(mode=left), mirrored(config(mode=right))).initiate(by)
    pair.check()
    assert [side.ever[0].mode for side in pair.sides] == ["tunnel"] * 2
    wishing = pair.left if left == "transport" else pair.right
    assert notes(wishing) == ["child net is no transport mode: the peer wants a tunnel"]


def test_networks_are_not_asked_for_in_transport_mode() -> None:
    nets = config(local="10.1.0.0/24", remote="10.2.0.0/24")
    pair = Pair(nets, mirrored(nets)).initiate()
    pair.check()
    assert pair.left.ever[0].mode == "tunnel"
    assert "USE_TRANSPORT_MODE" not in sent(pair.left)[0]
    assert notes(pair.left) == [f"child net is no transport mode: 10.1.0.0/24 is not our address {LEFT}"]


@pytest.mark.parametrize("by", ["left", "right"])
def test_a_rekeyed_child_keeps_its_mode(by: str) -> None:
    pair = Pair(config(), mirrored(config())).initiate()
    side = pair.left if by == "left" else pair.right
    side.do("rekey", child="net")
    pair.settle()
    pair.wait(10)
    pair.check()
    assert [child.mode for child in pair.left.ever] == ["transport"] * 2
    assert pair.left.ever[0].spi_in != pair.left.ever[1].spi_in


def test_a_nat_before_the_initiator_is_seen_through() -> None:
    right = mirrored(config(left="%any"))
    pair = Pair(config(), right, nats=(Nat(LEFT, OUTSIDE),)).initiate()
    assert [side.ever[0].mode for side in pair.sides] == ["transport"] * 2
    for side, ends in ((pair.left, (LEFT, RIGHT)), (pair.right, (RIGHT, OUTSIDE))):
        child = side.ever[0]
        assert (str(child.ts_local[0]), str(child.ts_remote[0])) == (f"{ends[0]}/32", f"{ends[1]}/32")
        assert child.encap
    for side in (pair.right, pair.left):
        side.do("rekey", child="net")
        pair.settle()
        pair.wait(10)
    assert [child.mode for child in pair.left.ever] == ["transport"] * 3
