"""Rekeying the IKE SA by one side: new SPIs, keys and message IDs; the children come along."""

from dataclasses import replace

import pytest

from lab.ike.config import ike_proposals
from lab.ike.states import IkeState
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.payloads_v2 import Notify
from tests.ikev2.test_create_child_sa import BOTH, PFS, told, two
from tests.pair import LEFT, OUTSIDE, RIGHT, Nat, Pair, engine_of, forged, is_request, is_response, mirrored, net

CHILD, INFO = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL


def rekeyed(pair: Pair, times: int = 1) -> None:
    """One IKE SA on both sides, the same, with the child that was there."""
    pair.wait(20)
    pair.check()
    (here,), (there,) = (side.sas for side in pair.sides)
    assert (here["spi_i"], here["spi_r"]) == (there["spi_i"], there["spi_r"])
    for side in pair.sides:
        assert side.up == ["ESTABLISHED"]
        assert side.names.count("ike-rekeyed") == times
        assert not {"ike-down", "child-down", "failed"} & set(side.names)
    for side in pair.sides:
        side.do("liveness")
    pair.settle()
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


@BOTH
def test_rekeying_the_ike_sa(by: str) -> None:
    # HDR, SK {SA, Ni, KEi}  -->    <--  HDR, SK {SA, Nr, KEr}
    # HDR, SK {D(IKE)}  -->         <--  HDR, SK {}                on the old IKE SA
    pair = Pair().initiate()
    here, there = pair.ends(by)
    (old,) = here.sas
    here.do("rekey")
    rekeyed(pair)
    assert [t.split("[")[1] for t in told(pair)][:4] == [" SA NONCE KE ]", " SA NONCE KE ]", " D ]", "  ]"]
    (new,) = here.sas
    assert {new["spi_i"], new["spi_r"]}.isdisjoint({old["spi_i"], old["spi_r"]})
    assert new["role"] == "initiator", "whoever rekeys is the new SA's initiator"
    assert there.sas[0]["role"] == "responder"
    assert here.told("ike-rekeyed")[0]["old_spi_i"] == old["spi_i"]
    assert [d.header.message_id for d in pair.wire.seen(is_request(INFO))][-2:] == [0, 0], "message IDs begin anew"
    first, second = (entry for entry in here.keys if entry["kind"] == "ike")
    assert first["SK_d"] != second["SK_d"]


@BOTH
def test_no_packet_is_lost_while_the_ike_sa_is_rekeyed(by: str) -> None:
    pair = Pair(delay=0.05).initiate()
    pair.ping(1)
    pair.ends(by)[0].do("rekey")
    pair.ping(3)
    assert pair.lost == []
    rekeyed(pair)


@BOTH
@pytest.mark.parametrize("exchange", [CHILD, INFO], ids=["rekey", "delete"])
@pytest.mark.parametrize("trouble", ["drop", "duplicate", "delay"])
@pytest.mark.parametrize("response", [False, True], ids=["request", "response"])
def test_rekeying_with_trouble(by: str, exchange: ExchangeType, trouble: str, response: bool) -> None:
    pair = Pair().initiate()
    what = is_response(exchange) if response else is_request(exchange)
    getattr(pair.wire, trouble)(what, **({"by": 4.5} if trouble == "delay" else {}))
    pair.ends(by)[0].do("rekey")
    pair.wait(20)
    rekeyed(pair)


@pytest.mark.parametrize("suite", ["aes128-sha256-modp2048", "chacha20poly1305-prfsha512-ecp384"])
def test_other_algorithms_keep_their_prf_for_the_new_skeyseed(suite: str) -> None:
    pair = Pair(net(f"proposals = {suite}")).initiate()
    pair.left.do("rekey")
    rekeyed(pair)
    pair.right.do("rekey")
    rekeyed(pair, times=2)


def test_everything_works_on_under_the_new_ike_sa() -> None:
    pair = Pair(two(child=PFS), mirrored(two(child=PFS))).initiate()
    pair.left.do("rekey")
    rekeyed(pair)
    pair.right.do("initiate", "second")
    pair.settle()
    pair.left.do("rekey", child="net")
    pair.wait(20)
    pair.check(children=2)
    pair.right.do("terminate")
    pair.wait(200)
    assert set(pair.left.endpoint.stats().values()) == set(pair.right.endpoint.stats().values()) == {0}


def test_what_waited_for_the_old_ike_sa_goes_on_under_the_new_one() -> None:
    pair = Pair(two(), mirrored(two())).initiate()
    pair.left.do("rekey")
    pair.left.do("initiate", "second")
    pair.settle()
    pair.check(children=2)
    ((sa,), (_,)) = (side.sas for side in pair.sides)
    assert len(sa["children"]) == 2


def test_the_group_that_the_responder_wants() -> None:
    left = net("proposals = aes256gcm16-prfsha384-x25519-ecp256")
    pair = Pair(left).initiate()
    for engine in pair.right.endpoint.table.engines.values():
        wanted = ike_proposals("aes256gcm16-prfsha384-ecp256")
        engine.sa.connection = replace(engine.sa.connection, proposals=wanted)
    pair.left.do("rekey")
    rekeyed(pair)
    assert " N(INVALID_KE_PAYLOAD) ]" in [t.split("[")[1] for t in told(pair)]
    assert pair.left.sas[0]["ke"] == "ECP_256"


def answered(pair: Pair, *payloads: Notify) -> None:
    pair.wire.rules.clear()
    pair.inject(forged(pair.right, CHILD, 2, *payloads, response=True), (RIGHT, 500), (LEFT, 500))
    engine_of(pair.right)._next_expected = 3


@pytest.mark.parametrize(
    "notify",
    [NotifyType.TEMPORARY_FAILURE, NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.NO_ADDITIONAL_SAS],
)
def test_a_refusal_keeps_the_old_ike_sa_and_it_is_tried_again(notify: NotifyType) -> None:
    pair = Pair().initiate()
    pair.wire.drop(is_request(CHILD), count=10)
    pair.left.do("rekey")
    assert pair.left.up == ["REKEYING"]
    answered(pair, Notify(notify))
    assert pair.left.up == ["ESTABLISHED"]
    assert pair.left.names.count("failed") == (notify != NotifyType.TEMPORARY_FAILURE)
    pair.left.events = [e for e in pair.left.events if e.name != "failed"]
    pair.wait(11)
    rekeyed(pair)


@BOTH
def test_a_child_under_way_makes_the_ike_sa_wait(by: str) -> None:
    # left makes a child, right rekeys the IKE SA: each answers TEMPORARY_FAILURE to the other and comes again
    pair = Pair(two(), mirrored(two())).initiate()
    here, there = pair.ends(by)
    here.do("initiate", "second")
    there.do("rekey")
    pair.settle()
    assert {t.split("[")[1] for t in told(pair)} >= {" N(TEMPORARY_FAILURE) ]"}
    pair.wait(60)
    pair.check(children=2)
    assert there.names.count("ike-rekeyed") == 1
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


@BOTH
def test_a_deleted_ike_sa_is_not_rekeyed(by: str) -> None:
    pair = Pair().initiate()
    here, there = pair.ends(by)
    here.do("terminate")
    there.do("rekey")
    pair.wait(300)
    assert pair.left.up == pair.right.up == []
    assert set(pair.left.endpoint.stats().values()) == set(pair.right.endpoint.stats().values()) == {0}


@BOTH
def test_a_delete_does_not_overtake_the_rekeying_whatever_the_window(by: str) -> None:
    """Were the old IKE SA deleted while it is rekeyed, the new one would be left with the children."""
    pair = Pair(net(settings="window_size = 2")).initiate()
    here, _ = pair.ends(by)
    here.do("rekey")
    here.do("terminate")
    pair.wait(400)
    assert here.names[2:] == ["ike-rekeyed", "child-down", "ike-down"]
    for side in pair.sides:
        assert side.installed == {}
        assert set(side.endpoint.stats().values()) == {0}


def test_behind_a_nat_the_new_ike_sa_keeps_port_and_keepalives() -> None:
    right = mirrored(net(left="%any"))
    pair = Pair(net(), right, nats=(Nat(LEFT, OUTSIDE),)).initiate()
    pair.left.do("rekey")
    pair.wait(65)
    assert all(d.marked or d.keepalive for d in pair.wire.sent[2:])
    assert len(pair.wire.seen(lambda d: d.keepalive)) == 3
    assert pair.left.sas[0]["nat_local"]
    assert pair.right.sas[0]["remote_port"] == 24500
    pair.nats[0].rebind(30000)
    pair.left.do("liveness")
    pair.settle()
    assert pair.right.sas[0]["remote_port"] == 34500


def test_ike_sas_are_rekeyed_before_their_lifetime_ends() -> None:
    pair = Pair(net("rekey_time = 100s"), mirrored(net("rekey_time = 0"))).initiate()
    pair.run(1000)
    assert 9 <= pair.left.names.count("ike-rekeyed") <= 12
    pair.check()
    assert pair.left.endpoint.stats()["engines"] <= 4, "the old ones linger 165 s"


def test_an_ike_sa_that_cannot_be_rekeyed_ends_with_its_lifetime() -> None:
    pair = Pair(net("rekey_time = 100s\n over_time = 20s"), mirrored(net("rekey_time = 0"))).initiate()
    for side in pair.sides:
        for engine in side.endpoint.table.engines.values():
            engine.sa.rekey_at = None
    pair.run(130)
    assert pair.left.told("ike-down")[0]["reason"] == "its lifetime is over"
    assert pair.right.up == []


def test_rekeyed_sas_are_in_state_rekeyed_until_they_are_deleted() -> None:
    pair = Pair().initiate()
    pair.left.do("rekey")
    pair.step()
    states = [engine.sa.state for engine in pair.right.endpoint.table.engines.values()]
    assert states == [IkeState.REKEYED, IkeState.ESTABLISHED]
