"""Transport mode between two endpoints (RFC 7296 1.3.1, 2.23.1): agreed, declined, rekeyed, behind a NAT."""

import pytest

from lab.ikev2 import mode as modes
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


NETS = {"local": "10.1.0.0/24", "remote": "10.2.0.0/24"}


def test_networks_are_not_asked_for_in_transport_mode() -> None:
    """Nobody is asked for what cannot be: IKE_SA_INIT is the last message of the initiator."""
    pair = Pair(config(**NETS), mirrored(config(**NETS))).initiate()
    assert pair.left.ever == pair.right.ever == sent(pair.left) == []
    (failure,) = pair.left.told("failed")
    assert f"configured for transport mode, and 10.1.0.0/24 is not our address {LEFT}" in str(failure["reason"])
    assert "set mode = tunnel" in str(failure["reason"])


def test_networks_are_not_asked_for_under_an_ike_sa_that_is_up() -> None:
    """CREATE_CHILD_SA: the child fails, the IKE SA and the other child stay."""
    more = f"children {{ bad {{ mode = transport\nlocal_ts = {NETS['local']}\nremote_ts = {NETS['remote']} }}"
    left = config().replace("children {", more, 1)
    pair = Pair(left, mirrored(left)).initiate()
    pair.left.do("initiate", child="bad")
    pair.settle()
    assert "transport mode" in str(pair.left.told("failed")[0]["reason"])
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert [child.name for child in pair.left.ever] == ["net"]


def test_networks_of_a_peer_that_wants_a_tunnel_are_refused_where_transport_mode_is_configured() -> None:
    """--> TSi 10.1.0.0/24, TSr 10.2.0.0/24, no USE_TRANSPORT_MODE    <-- N(TS_UNACCEPTABLE)."""
    pair = Pair(config(mode="tunnel", **NETS), mirrored(config(**NETS))).initiate()
    refused(pair, f"10.2.0.0/24 is not our address {RIGHT}")


@pytest.mark.parametrize("theirs", [NETS, {"local": NETS["local"]}, {"remote": NETS["remote"]}])
def test_networks_that_are_asked_for_in_transport_mode_are_refused(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, str]
) -> None:
    """--> N(USE_TRANSPORT_MODE), TSi, TSr of networks    <-- N(TS_UNACCEPTABLE)."""
    with monkeypatch.context() as patch:
        pair = Pair(config(**theirs), mirrored(config(**theirs)))
        whole = modes.misfit
        patch.setattr(modes, "misfit", lambda path, *sides: "" if path.local_host == LEFT else whole(path, *sides))
        pair.initiate()
    assert "N(USE_TRANSPORT_MODE)" in sent(pair.left)[0]
    refused(pair, "is not the peer's address" if "remote" not in theirs else f"10.2.0.0/24 is not our address {RIGHT}")


def refused(pair: Pair, why: str) -> None:
    assert "N(TS_UNACCEPTABLE)" in [r.text for r in pair.right.records if r.text.startswith("sent ")][-1]
    assert pair.left.ever == pair.right.ever == []
    assert pair.left.up == pair.right.up == ["ESTABLISHED"], "the IKE SA stands without its child (1.2)"
    assert "TS_UNACCEPTABLE" in str(pair.left.told("failed")[0]["reason"])
    (told,) = pair.right.told("failed")
    assert why in str(told["reason"]) and "transport mode" in str(told["reason"])


@pytest.mark.parametrize("by", ["left", "right"])
def test_a_rekeyed_child_keeps_its_mode(by: str) -> None:
    pair = Pair(config(), mirrored(config())).initiate()
    side = pair.ends(by)[0]
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
