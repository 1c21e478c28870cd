"""RFC 8784: a PPK in the secrets of an IKE SA, in both roles, and what happens where one side lacks it.

Beside EAP the AUTH at the end of it stands on the mixed keys, and the responder's first one does not.
"""

import hashlib
import hmac

import pytest

from lab.errors import ConfigError
from lab.ike.config import load
from lab.ikev2 import ppk
from lab.wire.ids import ExchangeType, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Auth, Notify
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
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(text, "x.conf")


# -- beside EAP

EAP = pytest.mark.parametrize("method", ["eap-mschapv2", "eap-md5"])  # a key of the method's own, and none
CAROL = 'eap-carol {\n id = carol\n secret = "Ar3etTnp"\n }'


def by_eap(
    connection: str = WISH, there: str = PROPOSALS, ppk: str = PPK, *, method: str = "eap-mschapv2", by: str = "left"
) -> tuple[str, str]:
    """Both sides' configurations where one side proves itself by EAP and has the wish, the other one `there`."""

    def text(connection: str, secrets: str, eap_id: str) -> str:
        means = f"auth = {method}\n eap_id = {eap_id}\n id = {by}"
        return conf(connection, f"{secrets}\n{CAROL}").replace(f"auth = psk\n            id = {by}", means)

    asks, answers = text(connection, PPK, "carol"), text(there, ppk, "%any")
    return (asks, mirrored(answers)) if by == "left" else (answers, mirrored(asks))


@EAP
@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize("required", ["no", "yes"])
def test_eap_with_a_ppk(method: str, by: str, required: str) -> None:
    # HDR, SK {IDi, ...}  -->  <--  HDR, SK {IDr, AUTH, EAP}  ...
    # HDR, SK {AUTH, N(PPK_IDENTITY), [N(NO_PPK_AUTH)]}  -->    <--  HDR, SK {AUTH, N(PPK_IDENTITY), SAr2, TSi, TSr}
    wish = f"{WISH}\n ppk_required = {required}"
    pair = Pair(*by_eap(wish, wish, method=method, by=by)).initiate(by)
    pair.check()
    asks, answers = (0, 1) if by == "left" else (1, 0)
    *early, last = names(pair, asks, "IKE_AUTH request")
    spare = "N(NO_PPK_AUTH) " if required == "no" else ""
    assert last.endswith(f"[ AUTH N(PPK_IDENTITY) {spare}]")
    *before, end = names(pair, answers, "IKE_AUTH response")
    assert end.endswith("[ AUTH N(PPK_IDENTITY) SA TSi TSr ]")
    assert not any("PPK" in text for text in (*early, *before))
    assert before[0].endswith("[ IDr AUTH EAP ]"), "the responder proves itself before anybody names a PPK"
    keys = [engine_of(side).sa.keys for side in pair.sides]
    assert keys[0] == keys[1]
    plain, mixed = [entry for entry in pair.left.keys if entry["kind"] == "ike"]
    assert plain["SK_d"] != mixed["SK_d"]


@EAP
@pytest.mark.parametrize("lacks", ["other", "none"])
def test_eap_with_a_responder_without_the_ppk(method: str, lacks: str) -> None:
    text = PPK.replace("lab.ppk", "another.ppk") if lacks == "other" else ""
    pair = Pair(*by_eap(ppk=text, method=method)).initiate()
    pair.check()
    assert "PPK" not in names(pair, 1, "IKE_AUTH")[-1]
    assert len({engine_of(side).sa.keys.sk_d for side in pair.sides}) == 1


@EAP
def test_eap_with_a_responder_that_does_not_say_that_it_uses_the_ppk(method: str, monkeypatch) -> None:
    """The initiator insists, and tells the responder, which believes the IKE SA to be up."""
    genuine = ppk.serve
    monkeypatch.setattr(ppk, "serve", lambda sa, request: (genuine(sa, request)[0], ()))
    pair = Pair(*by_eap(f"{WISH}\n ppk_required = yes", method=method)).initiate()
    assert pair.left.told("failed")[0]["reason"] == "peer does not use PPK lab.ppk, and `ppk_required = yes`"
    assert "AUTHENTICATION_FAILED" in str(pair.right.told("ike-down")[0]["reason"])
    assert outcome(pair) == ([], [])
    assert pair.left.installed == pair.right.installed == {}


@EAP
def test_eap_with_an_initiator_that_insists(method: str) -> None:
    pair = Pair(*by_eap(f"{WISH}\n ppk_required = yes", ppk=PPK.replace("lab.ppk", "another.ppk"), method=method))
    pair.initiate()
    pair.wait(31)
    assert outcome(pair) == ([], [])
    assert pair.right.told("failed")[0]["reason"] == "peer insists on a PPK that we do not have"
    assert "AUTHENTICATION_FAILED" in str(pair.left.told("failed")[0]["reason"])


@EAP
def test_eap_with_a_responder_that_insists(method: str) -> None:
    pair = Pair(*by_eap(PROPOSALS, f"{PROPOSALS}\n ppk_required = yes", method=method)).initiate()
    pair.wait(31)
    assert outcome(pair) == ([], [])
    assert pair.right.told("failed")[0]["reason"] == "peer names no PPK that we have, and `ppk_required = yes`"


@EAP
def test_eap_with_another_secret_under_the_same_name(method: str) -> None:
    pair = Pair(*by_eap(ppk=PPK.replace("0x00", "0x11"), method=method)).initiate()
    pair.wait(31)
    assert outcome(pair) == ([], [])
    assert pair.right.told("failed")[0]["reason"] == "AUTH of left.example.org does not verify with the key of EAP"


def test_the_last_auth_of_eap_by_the_formula() -> None:
    """EAP-MD5 makes no key: AUTH is by SK_pi, which is the mixed one (RFC 7296 2.16, RFC 8784 3)."""
    pair = Pair(*by_eap(method="eap-md5")).initiate()
    _, mixed = [entry for entry in pair.left.keys if entry["kind"] == "ike"]
    sa = engine_of(pair.right).sa
    request = Message.decode(pair.wire.seen(is_request(ExchangeType.IKE_AUTH))[-1].ike).opened(sa.opener)
    first = Message.decode(pair.wire.seen(is_request(ExchangeType.IKE_AUTH))[0].ike).opened(sa.opener)
    key = bytes.fromhex(str(mixed["SK_pi"]))
    signed = sa.init_i + sa.nr + hmac.digest(key, first.of(PayloadType.IDi).encode(), "sha256")
    expected = hmac.digest(hmac.digest(key, b"Key Pad for IKEv2", "sha256"), signed, "sha256")
    assert request.get(Auth).data == expected
