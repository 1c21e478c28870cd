"""Main Mode between two endpoints: six messages, keys, refusals in words (RFC 2409 5.1, 5.4)."""

import pytest

from lab.wire.header import Header
from lab.wire.ids_v1 import Flag1
from tests.ikev1.v1 import AGGRESSIVE, MAIN, QUICK, first, ladder, of, right_of, sa, settled, up
from tests.pair import Nat, Pair

SIX = ["left MAIN_MODE", "right MAIN_MODE"] * 3
THREE = ["left QUICK_MODE", "right QUICK_MODE", "left QUICK_MODE"]


def test_six_messages_and_three() -> None:
    # SAi --> <-- SAr    KE, Ni --> <-- KE, Nr    IDii, HASH_I --> <-- IDir, HASH_R    then Quick Mode
    pair = Pair(first()).initiate()
    assert ladder(pair) == SIX + THREE
    sealed = [bool(d.header.flags & Flag1.ENCRYPTION) for d in pair.wire.sent]
    assert sealed == [False] * 4 + [True] * 5
    assert [side.names for side in pair.sides] == [["ike-up", "child-up"]] * 2
    assert up(pair.left) == up(pair.right) == ["ESTABLISHED"]
    pair.check()


def test_both_sides_log_the_same_keys() -> None:
    pair = Pair(first()).initiate()
    left, right = ([k for k in side.keys if k["kind"] == "ike"] for side in pair.sides)
    assert left == right and len(left) == 1
    assert (left[0]["version"], left[0]["encr"], left[0]["integ"]) == (1, "ENCR_AES_CBC", "AUTH_HMAC_SHA2_256_128")
    assert len(bytes.fromhex(str(left[0]["Ka"]))) == 32 and len(bytes.fromhex(str(left[0]["IV"]))) == 16


def test_identities_are_hidden() -> None:
    pair = Pair(first()).initiate()
    assert not any(name in d.data for d in pair.wire.sent for name in (b"left.example", b"right.example"))
    assert str(sa(pair.right).remote_id) == "left.example.org"
    assert str(sa(pair.left).remote_id) == "right.example.org"


@pytest.mark.parametrize("ike", ["aes128-sha1-modp2048", "aes192-sha384-ecp384", "3des-sha1-modp1024",
                                 "camellia256-sha512-ecp521", "aes256-sha256-ecp256bp"])  # fmt: skip
def test_algorithms(ike: str) -> None:
    Pair(first(ike=ike)).initiate().check()


@pytest.mark.parametrize("number", range(1, 7))
def test_each_message_lost_once(number: int) -> None:
    """Whoever waits repeats bit for bit; one SA comes of it."""
    pair = Pair(first())
    pair.wire.drop(of(MAIN, number))
    settled(pair).check()
    assert [side.names for side in pair.sides] == [["ike-up", "child-up"]] * 2
    assert len(pair.wire.seen(of(MAIN))) == 6 + (1 if number % 2 else 2)


@pytest.mark.parametrize("number", range(1, 7))
def test_each_message_twice(number: int) -> None:
    pair = Pair(first())
    pair.wire.duplicate(of(MAIN, number))
    settled(pair).check()
    assert [side.names for side in pair.sides] == [["ike-up", "child-up"]] * 2


def test_a_responder_never_repeats_its_first_reply() -> None:
    """No amplification: a stranger that goes silent gets one reply and no more."""
    pair = Pair(first())
    pair.wire.drop(of(MAIN, 3), count=100)
    pair.left.do("initiate", "net")
    pair.run(29)
    assert len([d for d in pair.wire.seen(of(MAIN)) if d.src[0] == "198.51.100.1"]) == 1
    pair.run(31)
    assert pair.right.endpoint.stats()["half_open"] == 0
    assert pair.right.told("failed")[-1]["reason"] == "peer did not go on after MAIN_MODE"


def test_nobody_answers() -> None:
    """Six times in 165 seconds, then the reason in words."""
    pair = Pair(first())
    pair.wire.drop(of(MAIN), count=100)
    pair.left.do("initiate", "net")
    pair.run(200)
    assert len(pair.wire.sent) == 6
    assert pair.left.told("failed")[0]["reason"] == "peer does not answer: a message of MAIN_MODE was sent 6 times"
    assert pair.left.sas == []


def test_different_secrets() -> None:
    """The fifth message does not open; the initiator learns nothing, the responder says why."""
    text = first()
    pair = Pair(text, right_of(text, ("a shared secret", "another secret")))
    settled(pair, 200)
    assert pair.left.sas == pair.right.sas == []
    assert "does not open with our keys" in str(pair.right.told("failed")[0]["reason"])
    assert not pair.wire.seen(of(QUICK))


def test_no_common_algorithms() -> None:
    text = first()
    pair = Pair(text, right_of(text, ("aes256-sha256-ecp256", "aes128-sha256-ecp256")))
    settled(pair, 200)
    # SAi --> <-- N(NO-PROPOSAL-CHOSEN) in clear, which anybody could have sent: a hint, and no more
    assert "no common ENCR: peer offers aes256; we allow aes128" in str(pair.right.told("failed")[0]["reason"])
    assert str(pair.left.told("failed")[0]["reason"]).endswith("(somebody, maybe the peer, says NO_PROPOSAL_CHOSEN)")
    assert pair.right.endpoint.stats()["engines"] == 0


def test_somebody_else_answers() -> None:
    """The initiator finds another identity than it expects, and says so."""
    text = first()
    pair = Pair(text, right_of(text, ("id = right.example.org", "id = stranger.example.org")))
    settled(pair, 200)
    reason = "peer calls itself stranger.example.org; we expect right.example.org"
    assert reason in [str(f["reason"]) for f in pair.left.told("failed")]
    assert pair.left.sas == []


def test_the_peer_is_somebody_that_no_connection_expects() -> None:
    text = first()
    pair = Pair(text, right_of(text, ("id = left.example.org", "id = other.example.org")))
    settled(pair, 200)
    assert "peer calls itself left.example.org" in str(pair.right.told("failed")[0]["reason"])
    # HDR*, HASH(1), N(INVALID-ID-INFORMATION) <--
    assert "INVALID_ID_INFORMATION" in str(pair.left.told("failed")[0]["reason"])


def test_off_by_default() -> None:
    """RFC 9395: an endpoint without a connection of version 1 takes no notice of it."""
    pair = Pair(first(), right_of(first(), ("version = 1", "version = 2")))
    settled(pair, 200)
    assert not [d for d in pair.wire.sent if d.src[0] == "198.51.100.1"]
    assert pair.right.drops[0] == "IKE version 1"


def test_both_versions_beside_each_other() -> None:
    """One endpoint, a connection of each version; each child comes up by its own."""
    one = first()
    body = one[one.index("    gw {") : one.index("secrets {")]
    second = body.replace("gw {", "new {").replace("net {", "net2 {").replace("version = 1", "version = 2")
    second = second.replace("10.1.0.0", "10.3.0.0").replace("10.2.0.0", "10.4.0.0")
    text = one.replace("secrets {", "").replace(body, body.rstrip().removesuffix("}") + second + "secrets {", 1)
    pair = Pair(text)
    for name in ("net", "net2"):
        pair.left.do("initiate", name)
        pair.settle()
    assert sorted(one["version"] for one in pair.left.sas) == [1, 2]
    assert sorted(one["version"] for one in pair.right.sas) == [1, 2]
    pair.check(children=2)


def test_behind_a_nat() -> None:
    """NAT-D in messages 3 and 4; from message 5 on port 4500, the child in UDP (RFC 3947)."""
    pair = Pair(first(left="192.0.2.1"), right_of(first(), ("local_addrs = 192.0.2.1", "local_addrs = %any")),
                nats=(Nat("192.0.2.1", "203.0.113.1"),))  # fmt: skip
    pair.initiate()
    ports = [d.dst[1] for d in pair.wire.sent if d.dst[0] == "198.51.100.1"]
    assert ports == [500, 500, 4500, 4500, 4500]
    left, right = pair.left.sas[0], pair.right.sas[0]
    assert (left["nat_local"], left["nat_remote"], right["nat_local"], right["nat_remote"]) == (
        True,
        False,
        False,
        True,
    )
    assert all(child.encap for side in pair.sides for child in side.installed.values())


def test_a_lost_third_message_of_aggressive_mode_is_asked_for_again() -> None:
    """Its sender has gone on to Quick Mode: that reminds the responder, which may not repeat by itself."""
    pair = Pair(first("aggressive = yes"))
    pair.wire.drop(of(AGGRESSIVE, 3))
    settled(pair).check()
    assert ladder(pair)[:3] == ["left AGGRESSIVE_MODE", "right AGGRESSIVE_MODE", "left AGGRESSIVE_MODE"]


def test_headers_are_of_version_1() -> None:
    pair = Pair(first()).initiate()
    assert {(h.major, h.minor) for h in (Header.decode(d.ike) for d in pair.wire.sent)} == {(1, 0)}
