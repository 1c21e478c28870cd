"""RFC 6023: an IKE SA without a child, whose children come by CREATE_CHILD_SA."""

import pytest

from lab.wire.ids import ExchangeType, PayloadType
from tests.pair import Pair, is_request, mirrored, net

AUTH, CREATE = ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA
CHILD_PAYLOADS = {PayloadType.SA.name, PayloadType.TSi.name, PayloadType.TSr.name}


def between(left: str, right: str, by: str = "left") -> Pair:
    return Pair(net(f"childless = {left}"), mirrored(net(f"childless = {right}"))).initiate(by)


def sent(pair: Pair, side: int, exchange: ExchangeType) -> list[set[str]]:
    """The payload names of what a side sent in an exchange."""
    texts = [r.text for r in pair.sides[side].records if r.text.startswith(f"sent {exchange.name} ")]
    return [set(text.partition("[ ")[2].removesuffix(" ]").split()) for text in texts]


@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize("wish", ["prefer", "force"])
def test_the_child_follows_in_an_exchange_of_its_own(wish: str, by: str) -> None:
    # HDR, SK {IDi, AUTH}  -->    <--  HDR, SK {IDr, AUTH}
    # HDR, SK {SA, Ni, [KEi], TSi, TSr}  -->    <--  HDR, SK {SA, Nr, [KEr], TSi, TSr}
    pair = between(wish, "allow") if by == "left" else between("allow", wish, "right")
    pair.check()
    asks = 0 if by == "left" else 1
    assert not any(CHILD_PAYLOADS & names for side in (0, 1) for names in sent(pair, side, AUTH))
    assert len(sent(pair, asks, CREATE)) == 1
    assert len(pair.wire.sent) == 6
    assert [side.names for side in pair.sides] == [["ike-up", "child-up"]] * 2


@pytest.mark.parametrize(("ours", "theirs"), [("allow", "allow"), ("allow", "never"), ("prefer", "never")])
def test_the_child_comes_with_ike_auth(ours: str, theirs: str) -> None:
    pair = between(ours, theirs)
    pair.check()
    assert len(pair.wire.sent) == 4
    assert [bool(CHILD_PAYLOADS & names) for side in (0, 1) for names in sent(pair, side, AUTH)] == [True, True]


def test_force_ends_the_attempt_where_the_responder_cannot() -> None:
    pair = between("force", "never")
    assert pair.left.told("failed")[0]["reason"] == "peer takes no IKE SA without a child, and `childless = force`"
    assert len(pair.wire.sent) == 2
    assert pair.left.up == []


def test_a_responder_that_insists_refuses_the_child_and_keeps_the_ike_sa() -> None:
    pair = between("allow", "force")
    assert (pair.left.up, pair.right.up) == (["ESTABLISHED"], ["ESTABLISHED"])
    assert pair.left.installed == pair.right.installed == {}
    assert "childless = force" in str(pair.right.told("failed")[0]["reason"])


def test_a_responder_that_said_never_answers_invalid_syntax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.ikev2.childless.heard", lambda sa, answer: setattr(sa, "childless", True))
    pair = between("force", "never")
    assert (pair.left.up, pair.right.up) == ([], [])
    assert "childless = never" in str(pair.right.told("failed")[0]["reason"])


@pytest.mark.parametrize("exchange", [AUTH, CREATE])
def test_the_request_lost(exchange: ExchangeType) -> None:
    pair = Pair(net("childless = force"))
    pair.wire.drop(is_request(exchange))
    pair.initiate()
    pair.wait(10)
    pair.check()


def test_a_child_refused_later_leaves_the_ike_sa() -> None:
    left = net("childless = force", "esp_proposals = aes128gcm16")
    pair = Pair(left, mirrored(left).replace("aes128gcm16", "aes256gcm16")).initiate()
    assert (pair.left.up, pair.right.up) == (["ESTABLISHED"], ["ESTABLISHED"])
    (failed,) = pair.left.told("failed")
    assert (failed["stage"], failed["child"]) == ("CREATE_CHILD_SA", "net")
