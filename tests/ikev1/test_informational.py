"""Delete, dead peer detection, INITIAL-CONTACT, phase 1 anew (RFC 2408 3.15, RFC 3706, RFC 2407 4.6.3.3)."""

from itertools import pairwise

import pytest

from tests.ikev1.v1 import INFORMATIONAL, MAIN, first, ladder, of, right_of, sa
from tests.pair import Nat, Pair, sent_by


@pytest.mark.parametrize("deleter", ["left", "right"])
def test_deleting_the_isakmp_sa(deleter: str) -> None:
    pair = Pair(first()).initiate()
    side, other = pair.ends(deleter)
    # HDR*, HASH(1), D(ESP) -->    HDR*, HASH(1), D(ISAKMP) -->
    side.do("terminate")
    pair.settle()
    assert pair.left.sas == pair.right.sas == []
    assert not pair.left.installed and not pair.right.installed
    assert ladder(pair)[-1] == f"{deleter} INFORMATIONAL" and len(pair.wire.seen(of(INFORMATIONAL))) == 2
    assert other.told("ike-down")[0]["reason"] == "deleted by the peer"


def test_dead_peer_detection() -> None:
    # HDR*, HASH(1), N(R-U-THERE) -->    <-- HDR*, HASH(1), N(R-U-THERE-ACK)
    pair = Pair(first("dpd_delay = 10s")).initiate()
    pair.run(45)
    told = pair.wire.seen(of(INFORMATIONAL))
    assert len(told) >= 6 and pair.left.up == ["ESTABLISHED"]
    assert len({d.header.message_id for d in told}) == len(told), "each is an exchange of its own"


def test_a_dead_peer_is_given_up() -> None:
    """Questions at the times of retransmissions, each with a higher number, then the SA is gone."""
    pair = Pair(first("dpd_delay = 10s")).initiate()
    pair.wire.drop(sent_by("198.51.100.1"), count=1000)
    began = len(pair.wire.sent)
    pair.run(250)
    asked = [d for d in pair.wire.sent[began:] if d.src[0] == "192.0.2.1"]
    assert len(asked) == 6
    gaps = [round(b.at - a.at, 3) for a, b in pairwise(asked)]
    assert gaps == [4.0, 7.2, 12.96, 23.328, 41.99]
    assert pair.left.sas == [] and not pair.left.installed
    assert "sent 6 times" in str(pair.left.told("ike-down")[0]["reason"])


def test_a_lost_answer_ends_nothing() -> None:
    pair = Pair(first("dpd_delay = 10s")).initiate()
    pair.wire.drop(lambda d: of(INFORMATIONAL)(d) and d.src[0] == "198.51.100.1")
    pair.run(60)
    assert pair.left.up == ["ESTABLISHED"]


def test_an_answer_to_no_question_is_dropped() -> None:
    pair = Pair(first()).initiate()
    assert not sa(pair.left).dpd.answered(5)


def test_initial_contact_takes_the_old_sa_away() -> None:
    """The peer has lost its state and comes again: the responder drops what it still holds."""
    pair = Pair(first()).initiate()
    fresh = Pair(first(), seed="1")
    pair.left.endpoint, old = fresh.left.endpoint, pair.left.installed
    pair.left.installed, pair.left.order = {}, []
    pair.left.do("initiate", "net")
    pair.settle()
    assert len(pair.right.sas) == 1 and len(pair.right.installed) == 1 and old
    assert "first contact anew" in str(pair.right.told("ike-down")[0]["reason"])


@pytest.mark.parametrize("asker", ["left", "right"])
def test_phase_1_anew_keeps_the_children(asker: str) -> None:
    """IKEv1 rekeys an ISAKMP SA by authenticating anew; no packet of its children is lost."""
    pair = Pair(first()).initiate()
    (before,) = pair.left.installed
    old = pair.left.sas[0]["spi_i"]
    pair.ping(0.5)
    pair.ends(asker)[0].do("rekey", ike="gw")
    pair.ping(5)
    assert pair.lost == []
    assert len(pair.left.sas) == len(pair.right.sas) == 1
    assert pair.left.sas[0]["spi_i"] == pair.right.sas[0]["spi_i"] != old
    assert list(pair.left.installed) == [before]
    assert "ike-rekeyed" in pair.left.names and "ike-rekeyed" in pair.right.names
    assert "ike-down" not in pair.left.names and "ike-down" not in pair.right.names
    # the new SA carries the next exchange, and can delete the old one's child
    pair.left.do("rekey", child="net")
    pair.ping(10)
    assert pair.lost == []
    pair.check()
    pair.left.do("terminate", child="net")
    pair.settle()
    assert not pair.left.installed and not pair.right.installed


@pytest.mark.parametrize("asker", ["left", "right"])
def test_phase_1_anew_behind_a_nat(asker: str) -> None:
    """Either side begins at the ports that the NAT has open, although the right one could not begin by itself."""
    text = first()
    pair = Pair(text, right_of(text, ("local_addrs = 192.0.2.1", "local_addrs = %any")),
                nats=(Nat("192.0.2.1", "203.0.113.1"),)).initiate()  # fmt: skip
    old = pair.left.sas[0]["spi_i"]
    pair.ends(asker)[0].do("rekey", ike="gw")
    pair.ping(5)
    assert pair.lost == []
    assert len(pair.left.sas) == len(pair.right.sas) == 1 and pair.left.sas[0]["spi_i"] != old
    pair.check()


def test_phase_1_anew_by_lifetime() -> None:
    pair = Pair(first("rekey_time = 200s\n over_time = 20s\n rand_time = 0")).initiate()
    pair.run(1000)
    assert len(pair.left.sas) == len(pair.right.sas) == 1
    assert pair.left.names.count("ike-rekeyed") >= 4
    pair.check()
    pair.ping(1)
    assert pair.lost == []


def test_a_replayed_delete_does_nothing() -> None:
    pair = Pair(first()).initiate()
    pair.left.do("terminate", child="net")
    pair.settle()
    pair.left.do("initiate", "net")
    pair.settle()
    told = pair.wire.seen(of(INFORMATIONAL))[0]
    pair.inject(told.data, told.src, told.dst)
    pair.check()
    assert len(pair.wire.seen(of(MAIN))) == 6
