"""IKE_INTERMEDIATE with additional key exchanges: both roles, loss, and peers that break the rules (RFC 9242, 9370)."""

import pytest

from lab.crypto.registry import group
from lab.ikev2 import int_auth
from lab.ikev2.int_auth import IntAuth
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Flag, KeMethod, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, Notify
from tests.pair import (
    LEFT,
    RIGHT,
    Datagram,
    Pair,
    Side,
    engine_of,
    forged,
    is_request,
    is_response,
    mirrored,
    net,
    seeded,
)

INIT, MIDDLE, AUTH = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_INTERMEDIATE, ExchangeType.IKE_AUTH
IKE = "fragmentation = no\n proposals = aes256gcm16-prfsha384-x25519"
M768, M1024 = f"{IKE}-ke1_mlkem768", f"{IKE}-ke1_mlkem1024"
SIDES = pytest.mark.parametrize("by", ["left", "right"])


def begin(connection: str = M768, right: str | None = None, steps: int = 0) -> Pair:
    """A pair whose left side initiates, after so many deliveries."""
    pair = Pair(net(connection), right)
    pair.left.do("initiate", "net")
    for _ in range(steps):
        pair.step()
    return pair


def exchanges(pair: Pair) -> list[tuple[str, int]]:
    """Exchange and message ID of every request."""
    return [(d.header.exchange.name, d.header.message_id) for d in pair.wire.seen(is_request())]


@SIDES
@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("ke1_mlkem768", 1),
        ("ke1_mlkem1024", 1),
        ("ke1_mlkem768-ke2_mlkem1024", 2),
        ("ke1_mlkem768-ke2_ecp256-ke4_ecp384", 3),
    ],
)
def test_one_exchange_for_each_additional_key_exchange(words: str, count: int, by: str) -> None:
    # HDR, SK {KEi(n)}  -->    <--  HDR, SK {KEr(n)}
    pair = Pair(net(f"{IKE}-{words}")).initiate(by)
    pair.check()
    wanted = [("IKE_SA_INIT", 0), *(("IKE_INTERMEDIATE", n) for n in range(1, count + 1)), ("IKE_AUTH", count + 1)]
    assert exchanges(pair) == wanted
    logged = [[e for e in side.keys if e["kind"] == "ike"] for side in pair.sides]
    assert logged[0] == logged[1]
    assert [entry["generation"] for entry in logged[0]] == list(range(count + 1))
    for name in ("SK_d", "SK_ei", "SK_er", "SK_pi", "SK_pr"):
        assert len({entry[name] for entry in logged[0]}) == count + 1, f"{name} was not renewed"


def test_none_is_skipped() -> None:
    left = net(f"{IKE}-ke1_none-ke1_mlkem768-ke2_mlkem1024")
    pair = Pair(left, mirrored(net(f"{IKE}-ke2_mlkem1024"))).initiate()
    pair.check()
    assert exchanges(pair) == [("IKE_SA_INIT", 0), ("IKE_INTERMEDIATE", 1), ("IKE_AUTH", 2)]


def test_without_additional_key_exchanges_nothing_is_announced_nor_covered() -> None:
    pair = Pair().initiate()
    assert exchanges(pair) == [("IKE_SA_INIT", 0), ("IKE_AUTH", 1)]
    assert not Message.decode(pair.wire.sent[0].ike).notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)
    assert IntAuth().octets == b""


def test_both_move_to_port_4500_with_the_first_ike_intermediate() -> None:
    # Port numbers of RFC 9242 3.1: as IKE_AUTH would.
    pair = Pair(net(f"{M768}\n encap = yes")).initiate()
    pair.check()
    assert [d.src[1] for d in pair.wire.seen(is_request())] == [500, 4500, 4500]


@pytest.mark.parametrize("message_id", [1, 2])
@pytest.mark.parametrize("lose", [is_request, is_response])
def test_a_lost_message_is_sent_again(lose, message_id: int) -> None:
    pair = Pair(net(f"{M768}-ke2_mlkem1024"))
    pair.wire.drop(lose(MIDDLE, message_id))
    pair.initiate()
    pair.run(30)
    pair.check()
    again = pair.wire.seen(is_request(MIDDLE, message_id))
    assert len(again) == 2
    assert again[0].data == again[1].data


@pytest.mark.parametrize("double", [is_request, is_response])
def test_a_doubled_message_changes_nothing(double) -> None:
    # The late double reaches a side that has other keys by then: the request is answered from the cache, unread.
    pair = Pair(net(f"{M768}-ke2_mlkem1024"))
    pair.wire.duplicate(double(MIDDLE, 1), by=0.015)
    pair.initiate()
    pair.check()
    answers = pair.wire.seen(is_response(MIDDLE, 1))
    assert len({answer.data for answer in answers}) == 1
    assert len(answers) == (2 if double is is_request else 1)


def test_without_negotiation_it_has_no_place() -> None:
    pair = begin("", steps=2)
    data = forged(pair.left, MIDDLE, 1, KE(KeMethod.ML_KEM_768, bytes(1184)))
    pair.inject(data, (LEFT, 500), (RIGHT, 500))
    assert pair.right.drops == ["IKE_INTERMEDIATE has no place here (CONNECTING)"]
    pair.settle()
    pair.check()


def test_before_ike_sa_init_it_is_nobodys() -> None:
    pair = begin()
    header = Header(b"\1" * 8, b"\2" * 8, PayloadType.NONE, MIDDLE, Flag.INITIATOR, 1)
    pair.inject(Message(header, (KE(KeMethod.ML_KEM_768, bytes(1184)),)).encode(), (LEFT, 500), (RIGHT, 500))
    assert pair.right.drops
    pair.settle()
    pair.check()


def test_ike_auth_too_early_is_dropped() -> None:
    pair = begin(steps=2)
    pair.inject(forged(pair.left, AUTH, 1), (LEFT, 500), (RIGHT, 500))
    assert pair.right.drops == ["IKE_AUTH has no place here (CONNECTING)"]
    pair.settle()
    pair.check()


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ((), "no key"),
        ((KE(KeMethod.ML_KEM_1024, bytes(1568)),), "ML_KEM_1024"),
        ((KE(KeMethod.ML_KEM_768, bytes(1183)),), "1183 octets, not 1184"),
        ((KE(KeMethod.ML_KEM_768, b"\xff" * 1184),), "modulus check"),
    ],
)
def test_a_request_with_a_wrong_key_ends_the_ike_sa(payloads, words: str) -> None:
    pair = begin(steps=2)
    pair.wire.sent.clear()
    pair.inject(forged(pair.left, MIDDLE, 1, *payloads), (LEFT, 500), (RIGHT, 500))
    (failed,) = pair.right.told("failed")
    assert failed["stage"] == "IKE_INTERMEDIATE"
    assert words in str(failed["reason"])
    pair.settle()  # our own side is told, in a message that it can read
    (refused,) = pair.left.told("failed")
    assert "INVALID_SYNTAX" in str(refused["reason"])
    assert pair.left.up == pair.right.up == []


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ((KE(KeMethod.ML_KEM_768, bytes(1184)),), "1184 octets, not 1088"),
        ((KE(KeMethod.CURVE25519, bytes(32)),), "CURVE25519"),
        ((), "no key"),
    ],
)
def test_a_response_with_a_wrong_key_ends_the_ike_sa(payloads, words: str) -> None:
    pair = begin(steps=2)
    pair.inject(forged(pair.right, MIDDLE, 1, *payloads, response=True), (RIGHT, 500), (LEFT, 500))
    (failed,) = pair.left.told("failed")
    assert words in str(failed["reason"])
    assert pair.left.up == []


def test_a_broken_ciphertext_gives_other_keys_and_nothing_comes_up() -> None:
    """FIPS 203: decapsulation never fails; the two sides hold different keys, so IKE_AUTH does not open."""
    pair = begin(steps=2)
    _, ciphertext = ciphertext_for(pair.left)
    data = forged(pair.right, MIDDLE, 1, KE(KeMethod.ML_KEM_768, ciphertext), response=True)
    pair.inject(data, (RIGHT, 500), (LEFT, 500))
    pair.settle()
    assert pair.left.ever == pair.right.ever == []
    assert "ESTABLISHED" not in pair.left.up + pair.right.up
    assert any("ICV" in text or "integrity" in text or "tag" in text for text in pair.right.drops), pair.right.drops
    pair.run(400)
    assert pair.left.up == pair.right.up == []


def ciphertext_for(side: Side) -> tuple[bytes, bytes]:
    """A ciphertext under somebody else's key, of the right length."""
    other = group(KeMethod.ML_KEM_768)
    public, secret = other.respond(seeded("x"), other.generate(seeded("y")).public)
    return secret, public


def test_auth_fails_where_a_message_of_ike_intermediate_was_another() -> None:
    """Both hold the same keys, but what one sent is not what the other saw: only IntAuth tells."""
    pair = begin(steps=4)
    sa = engine_of(pair.right).sa
    assert sa.generation == 1
    sa.int_auth = IntAuth(sa.int_auth.i, b"\0" + sa.int_auth.r[1:], sa.int_auth.message_id)
    pair.settle()
    (failed,) = pair.right.told("failed")
    assert "AUTH of left.example.org does not verify" in str(failed["reason"])
    assert pair.left.up == pair.right.up == []


@pytest.mark.parametrize("exchange", [is_request(INIT), is_response(INIT)], ids=["request", "response"])
def test_a_peer_that_does_not_announce_it_gets_none(exchange) -> None:
    pair = Pair(net(M768))
    pair.wire.change(exchange, unannounced)
    pair.initiate()
    reasons = [str(event["reason"]) for event in pair.left.told("failed")]
    told = "NO_PROPOSAL_CHOSEN" if exchange(pair.wire.sent[0]) else "does not say INTERMEDIATE_EXCHANGE_SUPPORTED"
    assert len(reasons) == 1
    assert told in reasons[0]


def unannounced(data: bytes) -> bytes:
    message = Message.decode(data)
    keep = [p for p in message.payloads if getattr(p, "notify_type", 0) != NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED]
    return Message(message.header, tuple(keep)).encode()


def test_an_error_of_the_peer_is_its_own_words() -> None:
    pair = begin(steps=2)
    data = forged(pair.right, MIDDLE, 1, Notify(NotifyType.INVALID_SYNTAX), response=True)
    pair.inject(data, (RIGHT, 500), (LEFT, 500))
    (failed,) = pair.left.told("failed")
    assert "IKE_INTERMEDIATE" in str(failed["reason"])
    assert "INVALID_SYNTAX" in str(failed["reason"])


def test_both_ends_cover_the_same_octets() -> None:
    """RFC 9242 3.3.2: what was sent, computed from its parts, and what was received, computed from the wire."""
    pair = begin(steps=2)
    opener = engine_of(pair.right).sa.opener
    request: Datagram = pair.wire.sent[-1]
    message = Message.decode(request.ike).opened(opener)
    octets = int_auth.received(message)
    assert octets == int_auth.sent(Header.decode(request.ike), message.payloads)
    # Header, generic header of SK, KE with its own header: no IV, padding or ICV.
    assert len(octets) == 28 + 4 + 4 + 4 + 1184
    assert octets[:16] == request.ike[:16]
    assert octets[16] == PayloadType.SK
    assert int.from_bytes(octets[24:28], "big") == len(octets)
    assert octets[28:32] == bytes([PayloadType.KE, 0]) + (len(octets) - 28).to_bytes(2, "big")
    assert octets[32:] == message.plaintext


def test_int_auth_chains_each_side_and_ends_with_the_message_id_of_ike_auth() -> None:
    pair = begin(f"{M768}-ke2_mlkem1024")
    pair.settle()
    sa = engine_of(pair.left).sa
    assert sa.int_auth == engine_of(pair.right).sa.int_auth
    prf = sa.agreed.prf_spec
    keys = sa.keys
    one = IntAuth().then(prf, keys, b"request 1", b"response 1", 1)
    two = one.then(prf, keys, b"request 2", b"response 2", 2)
    assert two.octets[-4:] == bytes([0, 0, 0, 3])
    assert two.i == prf.compute(keys.sk_pi, prf.compute(keys.sk_pi, b"request 1") + b"request 2")
    assert two.r == prf.compute(keys.sk_pr, prf.compute(keys.sk_pr, b"response 1") + b"response 2")
