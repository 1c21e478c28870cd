"""IKE_FOLLOWUP_KE: additional key exchanges behind each use of CREATE_CHILD_SA, in both roles (RFC 9370 2.2.4)."""

import hmac
import itertools
from collections.abc import Callable

import pytest

from lab.crypto import registry
from lab.errors import ConfigError
from lab.ike.config import load
from lab.ikev2 import followup_ke
from lab.ikev2.key_exchange import MOST_SERIES
from lab.wire.ids import ExchangeType, KeMethod, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, SA, TS, Nonce, Notify, Proposal
from tests.pair import LEFT, RIGHT, Pair, Side, engine_of, forged, is_request, is_response, mirrored, net

CHILD, FOLLOW, INFO = ExchangeType.CREATE_CHILD_SA, ExchangeType.IKE_FOLLOWUP_KE, ExchangeType.INFORMATIONAL
LINK = NotifyType.ADDITIONAL_KEY_EXCHANGE
ONE, TWO = "x25519-ke1_mlkem768", "x25519-ke1_mlkem768-ke2_mlkem1024"
WORDS = {"one": (ONE, 1), "two": (TWO, 2), "gap": ("x25519-ke2_ecp256-ke5_mlkem768-ke7_ecp384", 3)}
SECOND = "children {{ second {{ local_ts = 10.3.0.0/24\n remote_ts = 10.4.0.0/24\n {} }}\n"
BOTH = pytest.mark.parametrize("by", ["left", "right"])
# What is asked for, and how many children there are then.
KINDS: dict[str, tuple[Callable[[Side], None], int]] = {
    "new": (lambda side: side.do("initiate", "second"), 2),
    "child": (lambda side: side.do("rekey", child="net"), 1),
    "ike": (lambda side: side.do("rekey"), 1),
}
EACH = pytest.mark.parametrize("kind", KINDS)
DONE = {"new": "child-up", "child": "child-rekeyed", "ike": "ike-rekeyed"}


def text(words: str = ONE, connection: str = "", settings: str = "") -> str:
    """Both the IKE SA and two children with these key exchanges, and no rekeying but by command."""
    ike = f"proposals = aes256gcm16-prfsha384-{words}\n rekey_time = 0\n fragmentation = no\n {connection}"
    child = f"esp_proposals = aes256gcm16-{words}\n rekey_time = 0"
    return net(ike, child, settings).replace("children {", SECOND.format(child), 1)


def up(words: str = ONE, right: str | None = None, seed: str = "0", **named: str) -> Pair:
    left = text(words, **named)
    return Pair(left, right or mirrored(left), seed=seed).initiate()


def told(pair: Pair, *exchanges: str) -> list[str]:
    """Messages as they were sent from CREATE_CHILD_SA on, in order: `left IKE_FOLLOWUP_KE request 2 [ KE ]`."""
    records = [(r.now, side.name, r.text) for side in pair.sides for r in side.records if r.text.startswith("sent ")]
    wanted = exchanges or ("CREATE", "FOLLOWUP", "INFORMATIONAL")
    return [f"{name} {text[5:]}" for _, name, text in sorted(records) if any(word in text for word in wanted)]


def shapes(pair: Pair) -> list[str]:
    """The same without sender and number: `CREATE_CHILD_SA [ SA NONCE KE ]`."""
    return [" ".join((words := line.split(" "))[1:2] + words[4:]) for line in told(pair)]


def settled(pair: Pair, kind: str, times: int = 1) -> None:
    """What was asked for is there on both sides, the same, and nothing is left over."""
    pair.wait(20)
    count = KINDS[kind][1]
    pair.check(children=count)
    (here,), (there,) = (side.sas for side in pair.sides)
    assert (here["spi_i"], here["spi_r"]) == (there["spi_i"], there["spi_r"])
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.names.count(DONE[kind]) == times + (kind == "new"), side.names
        assert not {"ike-down", "child-down", "failed"} & set(side.names), side.events
        assert side.endpoint.stats()["child_spis"] == len(side.installed) == count
        assert engine_of(side).idle
        assert engine_of(side).sa.followups == {}
        side.do("liveness")
    pair.settle()
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


def opened(pair: Pair, side: Side) -> list[Message]:
    """CREATE_CHILD_SA and IKE_FOLLOWUP_KE messages of a side, opened with the keys of its first IKE SA."""
    sa = min((engine.sa for engine in side.endpoint.table.engines.values()), key=lambda sa: sa.number)
    opener = next(e.sa for other in pair.sides if other is not side for e in other.endpoint.table.engines.values()
                  if e.sa.spi_i == sa.spi_i).opener  # fmt: skip
    sent = [d for d in pair.wire.sent if d.src[0] == side.host and d.header.exchange in (CHILD, FOLLOW)]
    return [Message.decode(d.ike).opened(opener) for d in sent if d.header.spi_i == sa.spi_i]


# -- the exchanges


@BOTH
@EACH
@pytest.mark.parametrize("words", WORDS)
def test_one_exchange_for_each_additional_key_exchange(words: str, kind: str, by: str) -> None:
    # HDR, SK {SA, Ni, KEi, ...}  -->    <--  HDR, SK {SA, Nr, KEr, ..., N(link1)}
    # HDR, SK {KEi(1), N(link1)}  -->    <--  HDR, SK {KEr(1), N(link2)}
    # HDR, SK {KEi(2), N(link2)}  -->    <--  HDR, SK {KEr(2)}
    suite, count = WORDS[words]
    pair = up(suite)
    KINDS[kind][0](pair.ends(by)[0])
    settled(pair, kind)
    head, tail = ("N(REKEY_SA) " if kind == "child" else ""), ("" if kind == "ike" else " TSi TSr")
    found = shapes(pair)
    link = "N(ADDITIONAL_KEY_EXCHANGE)"
    assert found[:2] == [
        f"CREATE_CHILD_SA [ {head}SA NONCE KE{tail} ]",
        f"CREATE_CHILD_SA [ SA NONCE KE{tail} {link} ]",
    ]
    follow = [f"IKE_FOLLOWUP_KE [ KE {link} ]"] * (2 * count - 1)
    assert found[2 : 2 + 2 * count] == [*follow, "IKE_FOLLOWUP_KE [ KE ]"]
    deletes = [] if kind == "new" else ["INFORMATIONAL [ D ]"]
    assert found[2 + 2 * count :][: len(deletes)] == deletes
    assert {line.split(" ")[0] for line in told(pair, "FOLLOWUP_KE request")} == {by}


@BOTH
def test_the_initiator_sends_back_the_link_of_the_last_answer(by: str) -> None:
    pair = up(TWO)
    here, there = pair.ends(by)
    here.do("rekey", child="net")
    pair.settle()
    asked = [m.notify(LINK) for m in opened(pair, here)[1:]]
    given = [m.notify(LINK) for m in opened(pair, there)]
    assert [link.data for link in asked if link] == [link.data for link in given if link]
    assert len({link.data for link in asked if link}) == 2, "each link is good for one step"
    assert all(link and not link.protocol and not link.spi and 1 <= len(link.data) <= 64 for link in asked)


@pytest.mark.parametrize("kind", ["child", "ike"])
def test_rekeying_again_and_again_by_turns(kind: str) -> None:
    pair = up(TWO)
    for times, by in enumerate(["left", "right", "right", "left"], 1):
        KINDS[kind][0](pair.ends(by)[0])
        settled(pair, kind, times)


@BOTH
@EACH
def test_with_fragmentation(kind: str, by: str) -> None:
    """RFC 7383: the public key of ML-KEM-1024 does not fit into one datagram of the default size."""
    pair = up(TWO, connection="fragmentation = yes")
    KINDS[kind][0](pair.ends(by)[0])
    settled(pair, kind)
    assert any(d.ike[16] == PayloadType.SKF for d in pair.wire.seen(is_request(FOLLOW)))


@BOTH
@pytest.mark.parametrize("kind", ["child", "ike"])
def test_no_packet_is_lost(kind: str, by: str) -> None:
    pair = Pair(text(TWO), delay=0.05).initiate()
    pair.ping(1)
    KINDS[kind][0](pair.ends(by)[0])
    pair.ping(8)
    assert pair.lost == []
    settled(pair, kind)


@EACH
def test_none_is_skipped(kind: str) -> None:
    pair = up("x25519-ke1_none-ke1_mlkem768-ke2_ecp256", mirrored(text("x25519-ke2_ecp256")))
    KINDS[kind][0](pair.left)
    settled(pair, kind)
    assert len(pair.wire.seen(is_request(FOLLOW))) == 1


def test_without_a_first_key_exchange_there_is_no_additional_one() -> None:
    """RFC 9370 2.2.1: they go along with Transform Type 4; both here may be left out, and both are."""
    words = "none-x25519-ke1_none-ke1_mlkem768"
    left = net("rekey_time = 0", f"rekey_time = 0\n esp_proposals = aes256gcm16-{words}")
    right = mirrored(net("rekey_time = 0", "rekey_time = 0\n esp_proposals = aes256gcm16-none-ke1_mlkem768-ke1_none"))
    with pytest.raises(ConfigError, match="no key exchange that it could be additional to"):
        load(net(child="esp_proposals = aes256gcm16-ke1_mlkem768"))
    pair = Pair(left, right).initiate()
    pair.left.do("rekey", child="net")
    pair.wait(20)
    pair.check()
    assert pair.wire.seen(is_request(FOLLOW)) == []
    assert pair.left.ever[1].ke is None


# -- the keys


@BOTH
def test_keymat_of_a_child_by_the_formula(by: str) -> None:
    """KEYMAT = prf+(SK_d, SK(0) | Ni | Nr | SK(1) | SK(2)), computed here with Python's hmac alone."""
    pair = up(TWO)
    here, there = pair.ends(by)
    secrets = listen(here)
    here.do("rekey", child="net")
    pair.settle()
    nonces = b"".join(opened(pair, side)[0].get(Nonce).data for side in (here, there))
    (ike,) = (bytes.fromhex(e["SK_d"]) for e in here.keys if e["kind"] == "ike" and e["generation"] == 2)
    assert [len(secret) for secret in secrets] == [32, 32, 32]
    seed = secrets[0] + nonces + secrets[1] + secrets[2]
    keymat = plus(ike, seed, 72)
    child = here.ever[1]
    assert (child.key_encr_out, child.key_encr_in) == (keymat[:36], keymat[36:])
    assert (there.ever[1].key_encr_in, there.ever[1].key_encr_out) == (keymat[:36], keymat[36:])


@BOTH
def test_keys_of_a_rekeyed_ike_sa_by_the_formula(by: str) -> None:
    """SKEYSEED = prf(SK_d, SK(0) | Ni | Nr | SK(1) | SK(2)), then prf+ over the nonces and the new SPIs."""
    pair = up(TWO)
    here, there = pair.ends(by)
    secrets = listen(here)
    here.do("rekey")
    pair.settle()
    nonces = b"".join(opened(pair, side)[0].get(Nonce).data for side in (here, there))
    (_, _, before, after) = (entry for entry in here.keys if entry["kind"] == "ike")
    assert (before["generation"], after["generation"]) == (2, 0)
    seed = hmac.digest(bytes.fromhex(before["SK_d"]), secrets[0] + nonces + secrets[1] + secrets[2], "sha384")
    spis = bytes.fromhex(after["spi_i"] + after["spi_r"])
    assert after["spi_i"] != before["spi_i"]
    octets = plus(seed, nonces + spis, 48 + 2 * 36 + 2 * 48)
    assert octets.hex() == "".join(after[name] for name in ("SK_d", "SK_ei", "SK_er", "SK_pi", "SK_pr"))
    assert after == [entry for entry in there.keys if entry["kind"] == "ike"][-1]


def plus(key: bytes, seed: bytes, octets: int) -> bytes:
    """prf+ of RFC 7296 2.13 with HMAC-SHA-384."""
    out, block = b"", b""
    for number in itertools.count(1):
        if len(out) >= octets:
            return out[:octets]
        block = hmac.digest(key, block + seed + bytes([number]), "sha384")
        out += block
    raise AssertionError


def listen(side: Side) -> list[bytes]:
    """The shared secrets that a side computes as an initiator, as the key exchange itself returns them."""
    heard: list[bytes] = []
    sa, genuine = engine_of(side).sa, registry.group

    class Ear:
        def __init__(self, pair) -> None:
            self.pair, self.public = pair, pair.public

        def shared(self, peer: bytes) -> bytes:
            heard.append(self.pair.shared(peer))
            return heard[-1]

    class Group:
        def __init__(self, group) -> None:
            self.group = group

        def generate(self, random):
            return Ear(self.group.generate(random)) if random is sa.host.random else self.group.generate(random)

        def respond(self, random, peer):
            return self.group.respond(random, peer)

    patch = pytest.MonkeyPatch()
    patch.setattr(registry, "group", lambda method: Group(genuine(method)))
    _PATCHES.append(patch)
    return heard


_PATCHES: list[pytest.MonkeyPatch] = []


@pytest.fixture(autouse=True)
def _unpatched():
    yield
    while _PATCHES:
        _PATCHES.pop().undo()


# -- loss, doubles, delay


@BOTH
@EACH
@pytest.mark.parametrize("trouble", ["drop", "duplicate", "delay"])
@pytest.mark.parametrize("response", [False, True], ids=["request", "response"])
@pytest.mark.parametrize("message", [0, 1, 2])
def test_each_message_in_trouble(message: int, response: bool, trouble: str, kind: str, by: str) -> None:
    pair = up(TWO)
    exchange = CHILD if message == 0 else FOLLOW
    here, _ = pair.ends(by)
    # The message IDs of a side go on; the responder of the IKE SA has not asked anything yet.
    number = message + (4 if by == "left" else 0)
    what = (is_response if response else is_request)(exchange, number)
    getattr(pair.wire, trouble)(what, **({"by": 4.5} if trouble == "delay" else {}))
    KINDS[kind][0](here)
    pair.ping(20, every=0.1)
    assert pair.lost == [] or kind == "new", "a further child carries nothing before both have it"
    assert any(d.fate != "sent" for d in pair.wire.sent), "nothing was in trouble"
    settled(pair, kind)
    datagrams = {d.data for d in pair.wire.seen(is_request(FOLLOW))}
    assert len(datagrams) == 2, "a repeated request is the same to the last bit"


# -- a responder that does not wait


@BOTH
@EACH
def test_a_request_that_comes_too_late_finds_nothing_and_all_begins_anew(kind: str, by: str) -> None:
    # HDR, SK {KEi(1), N(link1)}  -->    <--  HDR, SK {N(STATE_NOT_FOUND)}    and later  HDR, SK {SA, Ni, KEi}  -->
    pair = up(ONE)
    here, there = pair.ends(by)
    pair.wire.drop(is_request(FOLLOW), count=3)
    KINDS[kind][0](here)
    pair.wait(followup_ke.WAIT + 1)
    (failed,) = there.told("failed")
    assert failed["stage"] == "IKE_FOLLOWUP_KE"
    assert failed["reason"] == "peer did not go on with ML_KEM_768 in 20 s"
    assert there.endpoint.stats()["child_spis"] == 1
    assert engine_of(there).sa.followups == {}
    there.events.clear()
    pair.ping(40, every=0.1)
    assert pair.lost == []
    assert "IKE_FOLLOWUP_KE [ N(STATE_NOT_FOUND) ]" in shapes(pair)
    assert engine_of(here).sa.state_lost == 0, "success ends the row"
    settled_later(pair, kind)


def settled_later(pair: Pair, kind: str) -> None:
    pair.wait(60)
    pair.check(children=KINDS[kind][1])
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.endpoint.stats()["child_spis"] == KINDS[kind][1]
        assert not {"ike-down", "child-down", "failed"} & set(side.names), side.events
        assert DONE[kind] in side.names


@BOTH
@EACH
def test_an_initiator_that_is_never_waited_for_gives_the_ike_sa_up(kind: str, by: str, monkeypatch) -> None:
    """RFC 9370 2.2.4: "it MUST treat this situation as a fatal error and delete the IKE SA"."""
    monkeypatch.setattr(followup_ke, "WAIT", 0.001)
    pair = up(ONE)
    here, there = pair.ends(by)
    KINDS[kind][0](here)
    pair.wait(100)
    assert shapes(pair).count("IKE_FOLLOWUP_KE [ N(STATE_NOT_FOUND) ]") == followup_ke.MOST_LOST == 3
    (down,) = here.told("ike-down")
    assert "STATE_NOT_FOUND" in str(down["reason"])
    assert "3 times in a row" in str(down["reason"])
    assert there.told("ike-down")[0]["reason"] == "deleted by the peer"
    assert pair.left.installed == pair.right.installed == {}


def ask(pair: Pair, number: int, *payloads) -> Message:
    """Send an IKE_FOLLOWUP_KE request from left without its engine knowing; right's answer."""
    pair.wire.sent.clear()
    pair.inject(forged(pair.left, FOLLOW, number, *payloads), (LEFT, 500), (RIGHT, 500))
    return Message.decode(pair.wire.sent[-1].ike).opened(engine_of(pair.left).sa.opener)


def begun(pair: Pair, number: int = 3, nonce: bytes = bytes(32)) -> Message:
    """A CREATE_CHILD_SA request of left for the child `second`, without its engine knowing; right's answer."""
    sa = engine_of(pair.left).sa
    config = sa.connection.children["second"]
    (offer,) = config.esp_proposals
    pair.wire.sent.clear()
    payloads = (
        SA((Proposal(1, offer.protocol, b"\1\1\1" + bytes([number]), offer.transforms),)),
        Nonce(nonce),
        KE(KeMethod.CURVE25519, registry.group(KeMethod.CURVE25519).generate(sa.host.random).public),
        TS(PayloadType.TSi, tuple(s.at(LEFT) for s in config.local_ts)),
        TS(PayloadType.TSr, tuple(s.at(RIGHT) for s in config.remote_ts)),
    )  # fmt: skip
    pair.inject(forged(pair.left, CHILD, number, *payloads), (LEFT, 500), (RIGHT, 500))
    return Message.decode(pair.wire.sent[-1].ike).opened(engine_of(pair.left).sa.opener)


def kem(method: KeMethod = KeMethod.ML_KEM_768) -> KE:
    return KE(method, registry.group(method).generate(lambda octets: bytes(octets)).public)


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ((kem(),), "without ADDITIONAL_KEY_EXCHANGE"),
        ((kem(), Notify(LINK, b"\0" * 8)), "with a link that nothing waits under"),
        ((kem(), Notify(LINK)), "with a link that nothing waits under"),
    ],
)
def test_a_link_that_nothing_waits_under(payloads, words: str) -> None:
    pair = up(ONE)
    answer = ask(pair, 3, *payloads)
    assert answer.names == ("N(STATE_NOT_FOUND)",)
    assert any(words in record.text for record in pair.right.records)
    assert pair.right.up == ["ESTABLISHED"]


def test_a_link_is_good_for_one_request() -> None:
    pair = up(TWO)
    link = begun(pair, 4).notify(LINK)
    assert link is not None
    answer = ask(pair, 5, kem(), Notify(LINK, link.data))
    assert answer.names == ("KE", "N(ADDITIONAL_KEY_EXCHANGE)")
    assert ask(pair, 6, kem(KeMethod.ML_KEM_1024), Notify(LINK, link.data)).names == ("N(STATE_NOT_FOUND)",)
    link = answer.notify(LINK)
    assert link is not None
    assert ask(pair, 7, kem(KeMethod.ML_KEM_1024), Notify(LINK, link.data)).names == ("KE",)
    assert [child.name for child in pair.right.ever] == ["net", "second"]


def test_a_responder_waits_for_a_few_series_only() -> None:
    pair = up(ONE)
    for number in range(3, 3 + MOST_SERIES):
        assert begun(pair, number).notify(LINK), "this one is still taken"
    assert begun(pair, 3 + MOST_SERIES).names == ("N(TEMPORARY_FAILURE)",)
    assert (
        pair.right.told("failed")[0]["reason"]
        == "8 series of additional key exchanges are under way, no more are begun"
    )
    assert pair.right.endpoint.stats()["child_spis"] == 1 + MOST_SERIES
    pair.wait(21)
    assert pair.right.endpoint.stats()["child_spis"] == 1
    assert begun(pair, 4 + MOST_SERIES).notify(LINK)


# -- peers that break the rules


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ((), "no key in IKE_FOLLOWUP_KE; ML_KEM_768 was agreed"),
        ((kem(KeMethod.ML_KEM_1024),), "ML_KEM_1024 in IKE_FOLLOWUP_KE"),
        ((KE(KeMethod.ML_KEM_768, bytes(1183)),), "1183 octets, not 1184"),
    ],
)
def test_a_request_with_a_wrong_key_ends_the_ike_sa(payloads, words: str) -> None:
    pair = up(ONE)
    link = begun(pair).notify(LINK)
    assert link is not None
    assert ask(pair, 4, *payloads, Notify(LINK, link.data)).names == ("N(INVALID_SYNTAX)",)
    (down,) = pair.right.told("ike-down")
    assert words in str(down["reason"])
    assert pair.right.installed == {}
    assert pair.right.endpoint.stats()["child_spis"] == 0


@BOTH
@pytest.mark.parametrize("kind", ["new", "child"])
@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ((), "no key in IKE_FOLLOWUP_KE"),
        ((KE(KeMethod.CURVE25519, bytes(32)),), "CURVE25519 in IKE_FOLLOWUP_KE"),
        ((KE(KeMethod.ML_KEM_768, bytes(1184)),), "1184 octets, not 1088"),
    ],
)
def test_a_response_with_a_wrong_key_ends_the_ike_sa(payloads, words: str, kind: str, by: str) -> None:
    pair = up(ONE)
    here, there = pair.ends(by)
    pair.wire.drop(is_request(FOLLOW))
    KINDS[kind][0](here)
    pair.wait(0.5)
    (request,) = pair.wire.seen(is_request(FOLLOW))
    data = forged(there, FOLLOW, request.header.message_id, *payloads, response=True)
    pair.inject(data, request.dst, request.src)
    (down,) = here.told("ike-down")
    assert words in str(down["reason"])
    assert here.installed == {}
    assert here.endpoint.stats()["child_spis"] == 0


@EACH
def test_an_error_of_the_peer_is_its_own_words(kind: str) -> None:
    pair = up(ONE)
    pair.wire.drop(is_request(FOLLOW), count=10)
    KINDS[kind][0](pair.left)
    pair.wait(0.5)
    (request,) = pair.wire.seen(is_request(FOLLOW))
    refusal = Notify(NotifyType.NO_PROPOSAL_CHOSEN)
    data = forged(pair.right, FOLLOW, request.header.message_id, refusal, response=True)
    pair.inject(data, request.dst, request.src)
    (failed,) = pair.left.told("failed")
    assert "peer refuses IKE_FOLLOWUP_KE: NO_PROPOSAL_CHOSEN" in str(failed["reason"])
    assert pair.left.up == ["ESTABLISHED"]
    assert [c["state"] for c in pair.left.sas[0]["children"]] == ["INSTALLED"]


@pytest.mark.parametrize("kind", ["new", "child"])
def test_an_answer_without_a_link_leaves_no_child(kind: str) -> None:
    """The peer believes to be done: what it made is deleted, and the old child goes on."""
    pair = up(ONE)
    pair.wire.change(is_response(CHILD), without_link(pair))
    KINDS[kind][0](pair.left)
    pair.settle()
    (failed, *_) = pair.left.told("failed")
    assert failed["reason"] == "peer's answer lacks ADDITIONAL_KEY_EXCHANGE, with ML_KEM_768 yet to be exchanged"
    assert "INFORMATIONAL [ D ]" in shapes(pair)
    pair.wait(60)
    assert "net" in [child["name"] for child in pair.left.sas[0]["children"]]


def without_link(pair: Pair) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        message = Message.decode(data).opened(engine_of(pair.left).sa.opener)
        keep = tuple(p for p in message.payloads if getattr(p, "notify_type", 0) != LINK)
        return forged(pair.right, CHILD, message.header.message_id, *keep, response=True)

    return change


# -- what else happens meanwhile


@BOTH
@EACH
@pytest.mark.parametrize("later", [0.015, 0.025, 0.035, 0.045, 0.055])
def test_the_peer_ends_the_ike_sa_meanwhile(later: float, kind: str, by: str) -> None:
    pair = up(TWO)
    here, there = pair.ends(by)
    KINDS[kind][0](here)
    pair.wait(later)
    there.do("terminate")
    pair.wait(300)
    for side in pair.sides:
        assert side.up == []
        assert side.installed == {}
        assert set(side.endpoint.stats().values()) == {0}


@BOTH
@pytest.mark.parametrize("later", [0.005, 0.015, 0.025, 0.035, 0.045, 0.055, 0.065, 0.085])
def test_the_peer_deletes_the_child_meanwhile(later: float, by: str) -> None:
    pair = up(TWO)
    here, there = pair.ends(by)
    here.do("rekey", child="net")
    pair.wait(later)
    there.do("terminate", child="net")
    pair.wait(60)
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.installed == {}
        assert side.endpoint.stats()["child_spis"] == 0
        assert side.names.count("child-down") == 1
        assert engine_of(side).idle


@BOTH
@pytest.mark.parametrize("kind", ["new", "child"])
@pytest.mark.parametrize("later", [0.0, 0.015, 0.025, 0.035, 0.045, 0.055, 0.065])
def test_the_peer_rekeys_the_ike_sa_meanwhile(later: float, kind: str, by: str) -> None:
    """2.25.2: not while a child is being made or rekeyed: TEMPORARY_FAILURE, and again later."""
    pair = up(TWO)
    here, there = pair.ends(by)
    KINDS[kind][0](here)
    pair.wait(later)
    there.do("rekey")
    pair.ping(60, every=0.1)
    assert pair.lost == []
    pair.check(children=KINDS[kind][1])
    for side in pair.sides:
        assert side.names.count("ike-rekeyed") == 1
        assert DONE[kind] in side.names
        assert not {"child-down", "ike-down", "failed"} & set(side.names)
        assert side.endpoint.stats()["child_spis"] == KINDS[kind][1]


@BOTH
@pytest.mark.parametrize("later", [0.015, 0.025, 0.035, 0.045, 0.055, 0.065])
def test_the_peer_wants_a_child_while_the_ike_sa_is_rekeyed(later: float, by: str) -> None:
    pair = up(TWO)
    here, there = pair.ends(by)
    here.do("rekey")
    pair.wait(later)
    there.do("initiate", "second")
    pair.wait(60)
    pair.check(children=2)
    for side in pair.sides:
        assert side.names.count("ike-rekeyed") == 1
        assert not {"child-down", "ike-down", "failed"} & set(side.names)


@EACH
def test_an_initiator_that_vanishes_leaves_nothing_behind(kind: str) -> None:
    """The responder forgets the series after a while; what was there before goes on."""
    pair = up(ONE)
    pair.wire.drop(lambda datagram: datagram.src[0] == LEFT and datagram.header.exchange == FOLLOW, count=100)
    KINDS[kind][0](pair.left)
    pair.wait(followup_ke.WAIT + 1)
    sa = engine_of(pair.right).sa
    assert sa.followups == {}
    assert sa.usable
    assert sa.collisions.theirs is None
    assert [child.state.name for child in sa.children.values()] == ["INSTALLED"]
    assert pair.right.endpoint.stats()["child_spis"] == 1


def test_no_child_is_taken_while_the_ike_sa_waits_to_be_replaced() -> None:
    pair = up(ONE)
    pair.wire.drop(is_request(FOLLOW), count=10)
    pair.left.do("rekey")
    pair.wait(0.5)
    assert begun(pair, 4).names == ("N(TEMPORARY_FAILURE)",)
