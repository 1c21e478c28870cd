"""IKE_AUTH with EAP between two endpoints: keys into AUTH, refusals in words, who must not get in."""

import pytest

from lab.errors import ConfigError
from lab.ike.config import load
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import EAP, Auth, Delete, Notify
from tests.pair import Pair, engine_of, forged, is_request, is_response, mirrored, net

AUTH, INFO = ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
SECRET = 'secrets {\n eap-carol {\n id = carol\n secret = "%s"\n }\n}\n'
BOTH = pytest.mark.parametrize("by", ["left", "right"])


LEFT_AUTH = "auth = psk\n            id = left"


def left(auth: str = "eap-mschapv2", *, user: str = "eap_id = carol", password: str = "Ar3etTnp") -> str:
    own = net().replace(
        "auth = psk\n            id = left", f"auth = {auth}\n            {user}\n            id = left"
    )
    return own + SECRET % password


def right(auth: str = "eap-mschapv2", *, asks: str = "eap_id = %any") -> str:
    own = net().replace(
        "auth = psk\n            id = left", f"auth = {auth}\n            {asks}\n            id = left"
    )
    return mirrored(own) + SECRET % "Ar3etTnp"


def payloads(pair: Pair) -> list[str]:
    sent = [r for side in pair.sides for r in side.records if r.text.startswith("sent IKE_AUTH")]
    return [r.text.removeprefix("sent IKE_AUTH ") for r in sorted(sent, key=lambda r: r.now)]


@pytest.mark.parametrize(
    ("auth", "asks", "exchanges"),
    [
        ("eap-md5", "", 3),
        ("eap-md5", "eap_id = %any", 4),
        ("eap-mschapv2", "", 4),
        ("eap-mschapv2", "eap_id = %any", 5),
    ],
)
def test_the_arrows_of_eap(auth: str, asks: str, exchanges: int) -> None:
    # HDR, SK {IDi, [IDr,] SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, EAP}
    # HDR, SK {EAP}  -->    <--  HDR, SK {EAP}      ... HDR, SK {AUTH}  -->    <--  HDR, SK {AUTH, SAr2, TSi, TSr}
    user = "eap_id = carol" if asks else ""
    text = right(auth, asks=asks)
    own = left(auth, user=user)
    if not asks:
        own, text = (one.replace("id = carol", "id = left.example.org") for one in (own, text))
    pair = Pair(own, text).initiate()
    pair.check()
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    requests, responses = pair.wire.seen(is_request(AUTH)), pair.wire.seen(is_response(AUTH))
    assert len(requests) == len(responses) == exchanges
    inside = payloads(pair)
    assert "AUTH" not in inside[0]
    assert inside[1].endswith("[ IDr AUTH EAP ]")
    assert inside[-2].endswith("[ AUTH ]")
    assert inside[-1].endswith("[ AUTH SA TSi TSr ]")


def test_the_right_side_may_begin() -> None:
    swapped = net().replace("auth = psk\n            id = right", "auth = eap-md5\n            id = right")
    secret = SECRET.replace("carol", "right.example.org") % "x"
    pair = Pair(swapped + secret, mirrored(swapped) + secret).initiate("right")
    pair.check()


def test_a_wrong_password() -> None:
    # HDR, SK {EAP}  -->    <--  HDR, SK {EAP(Failure), N(AUTHENTICATION_FAILED)}
    pair = Pair(left(password="guess"), right()).initiate()
    (refused,), (found,) = pair.left.told("failed"), pair.right.told("failed")
    assert found["reason"] == "EAP-MSCHAPv2 of carol does not verify: its password is not ours"
    assert refused["reason"] == "peer refuses carol by eap-mschapv2: authentication failure (691)"
    assert refused["stage"] == found["stage"] == "IKE_AUTH"
    assert pair.left.up == pair.right.up == []
    assert pair.left.ever == pair.right.ever == []
    assert payloads(pair)[-1] == "response 4 [ EAP N(AUTHENTICATION_FAILED) ]"


def test_a_responder_that_proves_nothing_is_refused() -> None:
    pair = Pair(left().replace("a shared secret", "another"), right()).initiate()
    assert "does not verify: its pre-shared key is not ours" in str(pair.left.told("failed")[0]["reason"])
    # HDR, SK {N(AUTHENTICATION_FAILED)}  -->    <--  HDR, SK {}      while the responder waits for EAP
    assert "AUTHENTICATION_FAILED" in str(pair.right.told("failed")[0]["reason"])
    assert pair.left.up == pair.right.up == []
    assert len(pair.wire.seen(is_request(INFO))) == len(pair.wire.seen(is_response(INFO))) == 1


@pytest.mark.parametrize("method", ["eap-md5", "eap-mschapv2"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_last_auth_needs_the_key(method: str, side: str) -> None:
    pair = Pair(left(method), right(method))

    def forge(data: bytes) -> bytes:
        here, there = pair.ends(side)
        message = Message.decode(data).opened(engine_of(there).sa.opener)
        changed = tuple(Auth(p.method, bytes(len(p.data))) if isinstance(p, Auth) else p for p in message.payloads)
        return Message(message.header, changed).encode(engine_of(here).sa.sealer)

    last = 4 if method == "eap-md5" else 5
    pair.wire.change((is_request if side == "left" else is_response)(AUTH, last), forge)
    pair.initiate()
    judge = pair.right if side == "left" else pair.left
    assert "does not verify with the key of EAP" in str(judge.told("failed")[0]["reason"])
    assert pair.left.installed == {}


def test_a_psk_does_not_open_the_door_that_eap_guards() -> None:
    pair = Pair(net(), right()).initiate()
    assert pair.right.told("failed")[0]["reason"] == "peer proves itself by SHARED_KEY; we take eap-mschapv2"
    assert pair.left.up == pair.right.up == []


def test_eap_where_a_psk_is_wanted() -> None:
    pair = Pair(left(), mirrored(net())).initiate()
    assert pair.right.told("failed")[0]["reason"] == "peer wants EAP; we take a pre-shared key"
    assert pair.left.up == pair.right.up == []


def test_an_initiator_cannot_have_the_responder_prove_itself_by_eap_alone() -> None:
    pair = Pair(net().replace("auth = psk\n            id = right", "auth = eap\n            id = right"), right())
    pair.initiate()
    assert "local { auth = eap-... } is needed" in str(pair.left.told("failed")[0]["reason"])


def test_mschapv2_cannot_stand_alone() -> None:
    only = left().replace("auth = psk", "auth = eap-mschapv2")
    pair = Pair(only, mirrored(only)).initiate()
    assert "cannot stand alone" in str(pair.right.told("failed")[0]["reason"])
    assert pair.left.up == pair.right.up == []


def test_a_responder_with_eap_alone_and_an_initiator_that_wants_more() -> None:
    only = left().replace("auth = psk", "auth = eap-mschapv2")
    pair = Pair(left(), mirrored(only)).initiate()
    assert "wants more proof" in str(pair.right.told("failed")[0]["reason"])


def test_eap_payload_missing() -> None:
    pair = Pair(left(), right())

    def without(data: bytes) -> bytes:
        message = Message.decode(data).opened(engine_of(pair.right).sa.opener)
        kept = tuple(p for p in message.payloads if not isinstance(p, EAP))
        return Message(message.header, kept).encode(engine_of(pair.left).sa.sealer)

    pair.wire.change(is_request(AUTH, 2), without)
    pair.initiate()
    assert pair.right.told("failed")[0]["reason"] == "no EAP payload where EAP is due"


def test_nothing_but_giving_up_is_served_while_eap_runs() -> None:
    # CVE-2026-78135: what an unauthenticated peer asks for before IKE_AUTH has ended must have no effect.
    pair = Pair(left(), right())
    pair.left.do("initiate", "net")
    for _ in range(4):
        pair.step()
    engine = engine_of(pair.right)
    src, dst = (pair.left.host, 500), (pair.right.host, 500)
    number = engine._next_expected
    for inside in ((), (Delete(1),), (Notify(NotifyType.INITIAL_CONTACT),)):
        pair.inject(forged(pair.left, INFO, number, *inside), src, dst)
    pair.inject(forged(pair.left, ExchangeType.CREATE_CHILD_SA, number), src, dst)
    assert engine._next_expected == number
    assert pair.right.drops[-1].startswith("CREATE_CHILD_SA has no place here")
    assert pair.right.drops[-2] == "INFORMATIONAL before the peer is authenticated"
    pair.settle()
    pair.check()


def test_configuration() -> None:
    config = load(left(), "left.conf")
    assert (config.connections[0].local.auth.text, config.connections[0].local.eap_id) == ("eap-mschapv2", "carol")
    credentials = config.credentials
    assert credentials.eap_secret(b"carol") == b"Ar3etTnp"
    assert credentials.eap_secret(b"dave") is None
    assert credentials.eap_secret(b"%any") is None, "no name means anybody"
    assert credentials.eap_secret(b"\xff") is None
    with pytest.raises(ConfigError, match="eap-gtc"):
        load(left("eap-gtc"), "left.conf")
