"""RFC 8784: a PPK in the secrets of an IKE SA, in both roles, and what happens where one side lacks it."""

import hashlib
import hmac

import pytest

from lab.errors import ConfigError
from lab.ike.config import load
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.payloads_v2 import Notify
from tests.pair import Pair, engine_of, is_request, mirrored, net

PPK = "ppk-1 {\n id = lab.ppk\n secret = 0x00112233445566778899aabbccddeeff\n }"
PROPOSALS = "proposals = aes128-sha256-x25519"
WISH = f"{PROPOSALS}\n ppk_id = lab.ppk"


def conf(connection: str = WISH, ppk: str = PPK) -> str:
    return net(connection).replace("secrets {", f"secrets {{\n{ppk}\n", 1)


def other(text: str, connection: str = PROPOSALS, ppk: str = PPK) -> str:
    return mirrored(conf(connection, ppk))


def outcome(pair: Pair) -> tuple[list[str], list[str]]:
    return pair.left.up, pair.right.up


def names(pair: Pair, side: int, exchange: str) -> list[str]:
    return [r.text for r in pair.sides[side].records if r.text.startswith(f"sent {exchange}")]


@pytest.mark.parametrize("by", ["left", "right"])
def test_both_have_the_ppk(by: str) -> None:
    # HDR, SAi1, KEi, Ni, N(USE_PPK)  -->    <--  HDR, SAr1, KEr, Nr, N(USE_PPK)
    # HDR, SK {IDi, AUTH, N(PPK_IDENTITY), N(NO_PPK_AUTH), ...}  -->    <--  HDR, SK {IDr, AUTH, N(PPK_IDENTITY), ...}
    pair = Pair(conf(), other("", WISH)).initiate(by)
    pair.check()
    asks, answers = (0, 1) if by == "left" else (1, 0)
    assert "N(USE_PPK)" in names(pair, asks, "IKE_SA_INIT")[0]
    assert "N(USE_PPK)" in names(pair, answers, "IKE_SA_INIT")[0]
    assert "N(PPK_IDENTITY)" in names(pair, asks, "IKE_AUTH")[0]
    assert "N(NO_PPK_AUTH)" in names(pair, asks, "IKE_AUTH")[0]
    assert "N(PPK_IDENTITY)" in names(pair, answers, "IKE_AUTH")[0]
    keys = [engine_of(side).sa.keys for side in pair.sides]
    assert keys[0] == keys[1]


def test_the_secrets_are_those_of_the_rfc() -> None:
    """RFC 8784 3: prf+ with the PPK as key, here written out for HMAC-SHA2-256 (one block)."""
    pair = Pair(conf(), other("")).initiate()
    plain, mixed = [entry for entry in pair.left.keys if entry["kind"] == "ike"]
    ppk = bytes.fromhex("00112233445566778899aabbccddeeff")
    for name in ("SK_d", "SK_pi", "SK_pr"):
        old = bytes.fromhex(str(plain[name]))
        assert hmac.digest(ppk, old + b"\x01", hashlib.sha256).hex() == mixed[name], name
    for name in ("SK_ai", "SK_ar", "SK_ei", "SK_er"):
        assert plain[name] == mixed[name], name


@pytest.mark.parametrize("lacks", ["other", "none"])
def test_a_responder_without_the_ppk_goes_on_without(lacks: str) -> None:
    text = PPK.replace("lab.ppk", "another.ppk") if lacks == "other" else ""
    pair = Pair(conf(), other("", PROPOSALS, text)).initiate()
    pair.check()
    assert "N(PPK_IDENTITY)" not in names(pair, 1, "IKE_AUTH")[0]
    assert len({engine_of(side).sa.keys.sk_d for side in pair.sides}) == 1


@pytest.mark.parametrize("lacks", ["other", "none"])
def test_an_initiator_that_insists_is_refused_by_a_responder_without(lacks: str) -> None:
    text = PPK.replace("lab.ppk", "another.ppk") if lacks == "other" else ""
    pair = Pair(conf(f"{WISH}\n ppk_required = yes"), other("", PROPOSALS, text)).initiate()
    pair.wait(31)  # a responder that hears no more forgets its half-open SA
    assert outcome(pair) == ([], [])
    (failed,) = pair.left.told("failed")
    assert ("PPK" in str(failed["reason"])) == (lacks == "none"), failed


def test_a_responder_that_insists_refuses_who_has_none() -> None:
    insisting = other("", f"{PROPOSALS}\n ppk_required = yes")
    pair = Pair(conf(PROPOSALS), insisting).initiate()
    assert outcome(pair) == ([], [])
    (failed,) = pair.right.told("failed")
    assert failed["reason"] == "peer names no PPK that we have, and `ppk_required = yes`"


def test_another_secret_under_the_same_name() -> None:
    pair = Pair(conf(), other("", PROPOSALS, PPK.replace("0x00", "0x11"))).initiate()
    assert outcome(pair) == ([], [])
    assert "does not verify" in str(pair.right.told("failed")[0]["reason"])


def test_a_rekeyed_ike_sa_stands_on_the_mixed_sk_d() -> None:
    pair = Pair(conf(), other("")).initiate()
    for what in ({}, {"child": "net"}):
        pair.left.do("rekey", **what)
        pair.wait(10)
        pair.check()
    for side in pair.sides:
        assert len([state for state in side.up if state == "ESTABLISHED"]) == 1


def test_the_first_request_lost() -> None:
    pair = Pair(conf(), other(""))
    pair.wire.drop(is_request(ExchangeType.IKE_AUTH))
    pair.initiate()
    pair.wait(10)
    pair.check()


@pytest.mark.parametrize("data", [b"", b"\x01lab.ppk", b"\x02", b"\x02" + bytes(300)])
def test_a_ppk_identity_that_names_none(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.ikev2.ppk.name", lambda sa: Notify(NotifyType.PPK_IDENTITY, data))
    pair = Pair(conf(), other("")).initiate()
    pair.check()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (conf(ppk=""), "no PPK in `secrets` is called lab.ppk"),
        (conf(ppk="ppk-1 { secret = x }"), "id = ... is needed"),
        (conf().replace("auth = psk", "auth = eap-md5", 1), "not with EAP"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(text, "x.conf")
