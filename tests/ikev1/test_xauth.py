"""XAUTH and Mode Config between two endpoints (draft-ietf-ipsec-isakmp-xauth-06, -mode-cfg-05)."""

import random
from ipaddress import ip_address

import pytest

from lab.errors import ConfigError
from lab.ike import configuration
from lab.ike.config import load
from lab.ike.credentials import user_identity
from lab.ikev1 import attributes, mode_config
from lab.ikev1.sa import Sa
from lab.wire.ids import CfgAttribute
from lab.wire.ids_v1 import Attribute1, CfgType1, ExchangeType1, NotifyType1, Protocol1, Xauth1
from lab.wire.payloads_v1 import Attribute, Attributes1, Delete1, Hash1, Notify1
from tests.ikev1.test_hostile import answered
from tests.ikev1.v1 import (
    AGGRESSIVE,
    INFORMATIONAL,
    MAIN,
    QUICK,
    authentic,
    first,
    ladder,
    of,
    right_of,
    sa,
    sealed,
    settled,
)
from tests.pair import LEFT, Pair

TRANSACTION = ExchangeType1.TRANSACTION
MODES = pytest.mark.parametrize("mode", ["", "aggressive = yes"], ids=["main", "aggressive"])
POOL = "pools {\n lab {\n addrs = 10.3.0.1-10.3.0.1\n dns = 10.2.0.53\n }\n}\n"


def client(mode: str = "", *, name: str = "carol", password: str = "Ar3etTnp", more: str = "", child: str = "") -> str:
    """The left side, which proves itself as a user too."""
    text = first(f"{mode}\n{more}\nlocal-2 {{\n auth = xauth\n xauth_id = {name}\n}}", child)
    return f"{text}\nsecrets {{\n xauth-{name} {{\n id = {name}\n secret = {password}\n }}\n}}\n"


def gateway(mode: str = "", *, password: str = "Ar3etTnp", more: str = "", child: str = "", pool: str = "") -> str:
    """The right side, which asks for it."""
    text = right_of(first(f"{mode}\n{more}\nlocal-2 {{\n auth = xauth\n}}", child))
    return f"{text}\nsecrets {{\n xauth-1 {{\n id = carol\n secret = {password}\n }}\n}}\n{pool}"


def configured(mode: str = "", pool: str = POOL) -> Pair:
    """A client that wants an address, and a gateway that lends one."""
    left = client(mode, more="vips = 0.0.0.0", child="local_ts = dynamic")
    return Pair(left, gateway(mode, more="pools = lab", child="local_ts = dynamic", pool=pool))


def counts(pair: Pair) -> dict[ExchangeType1, int]:
    return {kind: len(pair.wire.seen(of(kind))) for kind in (MAIN, AGGRESSIVE, TRANSACTION, QUICK)}


@MODES
def test_xauth(mode: str) -> None:
    # CFG_REQUEST(TYPE, USER_NAME, USER_PASSWORD) <-- --> CFG_REPLY    CFG_SET(STATUS) <-- --> CFG_ACK
    pair = Pair(client(mode), gateway(mode)).initiate()
    pair.check()
    assert counts(pair) == {MAIN: 0 if mode else 6, AGGRESSIVE: 3 if mode else 0, TRANSACTION: 4, QUICK: 3}
    own = [line for line in ladder(pair) if line.endswith("TRANSACTION")]
    assert own == ["right TRANSACTION", "left TRANSACTION"] * 2
    assert ladder(pair).index("left QUICK_MODE") > max(n for n, x in enumerate(ladder(pair)) if "TRANSACTION" in x)
    assert str(sa(pair.right).user) == "carol"


def test_the_gateway_begins() -> None:
    """XAUTHRespPreShared: the initiator of phase 1 is who asks (7.2)."""
    pair = Pair(client(), gateway())
    pair.right.do("initiate", "net")
    pair.settle()
    pair.check()
    assert counts(pair)[TRANSACTION] == 4 and str(sa(pair.right).user) == "carol"


@MODES
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_each_message_lost_once(mode: str, number: int) -> None:
    pair = Pair(client(mode), gateway(mode))
    pair.wire.drop(of(TRANSACTION, number))
    settled(pair).check()


@MODES
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_each_message_twice(mode: str, number: int) -> None:
    pair = Pair(client(mode), gateway(mode))
    pair.wire.duplicate(of(TRANSACTION, number))
    settled(pair).check()
    assert len({d.data for d in pair.wire.seen(of(TRANSACTION))}) == 4


@pytest.mark.parametrize(("mode", "number"), [("", 5), ("", 6), ("aggressive = yes", 2), ("aggressive = yes", 3)])
@pytest.mark.parametrize("begins", ["left", "right"])
def test_the_last_messages_of_phase_1_lost(mode: str, number: int, begins: str) -> None:
    """The peer waits for XAUTH and not for us: the last message of Aggressive Mode is repeated until it goes on."""
    pair = Pair(client(mode), gateway(mode))
    pair.wire.drop(of(AGGRESSIVE if mode else MAIN, number))
    pair.ends(begins)[0].do("initiate", "net")
    pair.run(60)
    pair.check()


@MODES
def test_wrong_password(mode: str) -> None:
    """Both sides say why, no Quick Mode is begun, and nothing stays."""
    pair = Pair(client(mode, password="wrong"), gateway(mode)).initiate()
    assert counts(pair)[TRANSACTION] == 4 and counts(pair)[QUICK] == 0
    assert pair.left.sas == pair.right.sas == []
    assert pair.right.told("failed")[0]["reason"] == "wrong password for XAUTH user carol"
    told = "peer refuses XAUTH user carol: it does not accept the name or the password"
    assert pair.left.told("failed")[0]["reason"] == told
    assert not pair.left.told("ike-up") and not pair.right.told("ike-up")
    pair.run(300)
    assert pair.right.endpoint.stats()["engines"] == pair.right.endpoint.stats()["half_open"] == 0


def test_unknown_user() -> None:
    pair = Pair(client(name="mallory"), gateway()).initiate()
    assert pair.right.told("failed")[0]["reason"] == "no secret for XAUTH user mallory"
    assert pair.left.sas == pair.right.sas == []


def test_another_user_than_expected() -> None:
    right = gateway().replace("auth = xauth", "auth = xauth\n xauth_id = dave")
    pair = Pair(client(), right).initiate()
    reason = str(pair.right.told("failed")[0]["reason"])
    assert "XAUTH user carol is not dave" in reason


def test_a_name_and_no_password_of_ours() -> None:
    pair = Pair(client().replace("xauth-carol", "ike-carol"), gateway()).initiate()
    assert "no secret for XAUTH user carol" in str(pair.left.told("failed")[0]["reason"])
    assert "gives no user name and password" in str(pair.right.told("failed")[0]["reason"])


def test_only_one_side_has_xauth() -> None:
    """The method is negotiated: whoever does not know of XAUTH is refused in words."""
    pair = Pair(first(), gateway()).initiate()
    reason = str(pair.right.told("failed")[0]["reason"])
    assert reason == "peer would authenticate by PRE_SHARED_KEY; we allow XAUTH_INIT_PRE_SHARED"
    assert pair.right.sas == []


def test_a_client_that_never_answers_is_forgotten() -> None:
    pair = Pair(client(), gateway())
    pair.wire.drop(of(TRANSACTION, 2), count=1000)
    settled(pair, 300)
    assert pair.right.sas == pair.left.sas == []
    assert "XAUTH is not over" in str(pair.right.told("failed")[0]["reason"])
    assert pair.right.endpoint.stats()["half_open"] == 0


def test_a_gateway_that_never_asks_is_given_up() -> None:
    pair = Pair(client(), gateway())
    pair.wire.drop(of(TRANSACTION, 1), count=1000)
    settled(pair, 300)
    assert pair.left.sas == []
    assert "XAUTH is not over" in str(pair.left.told("failed")[0]["reason"])


def waiting() -> Pair:
    """Phase 1 is over on both sides; the client's CFG_REPLY is not through."""
    pair = Pair(client(), gateway())
    pair.wire.drop(of(TRANSACTION, 2), count=1000)
    pair.left.do("initiate", "net")
    pair.wait(1.0)
    assert sa(pair.left).waits_for_xauth and sa(pair.right).waits_for_xauth
    return pair


def test_quick_mode_is_not_served_before_xauth() -> None:
    """A client that leaves XAUTH out gets nothing."""
    pair = waiting()
    data = authentic(pair.left, QUICK)
    assert answered(pair.right, data, pair.now) == []
    assert pair.right.drops[-1] == "QUICK_MODE before XAUTH is over"
    assert not pair.right.installed


def sent(pair: Pair, kind: CfgType1, *attributes: Attribute) -> list[object]:
    """What the client does with an Attribute payload by its gateway."""
    data = authentic(pair.right, TRANSACTION, Attributes1(kind, 1, attributes))
    return list(answered(pair.left, data, pair.now, ("198.51.100.1", 500)))


def test_hostile_transactions() -> None:
    """Types, statuses and sizes of every kind by somebody who has the keys: an answer or a drop, never more."""
    draw = random.Random(65001)
    for _ in range(150):
        pair = waiting()
        for _ in range(4):
            found = []
            for _ in range(draw.randrange(12)):
                number = draw.choice([int(one) for one in Xauth1] + [1, 3, 8, 13, 15, draw.randrange(0x8000)])
                value = draw.choice([draw.randrange(0x10000), draw.randbytes(draw.choice([0, 1, 4, 17, 300]))])
                found.append(Attribute(Attribute.of(number, 0).type, value))
            kind = CfgType1(draw.choice([0, 1, 2, 3, 4, 200]))
            data = authentic(pair.right, TRANSACTION, Attributes1(kind, 1, tuple(found)))
            answered(pair.left, data, pair.now, ("198.51.100.1", 500))
            if not pair.left.sas:
                break
        assert not pair.left.installed and pair.left.endpoint.stats()["engines"] <= 1


def test_truncated_transactions() -> None:
    """Each message of a whole conversation cut at every octet, before and behind its end."""
    whole = [d.data for d in configured().initiate().wire.seen(of(TRANSACTION))]
    pair = configured().initiate()
    for data in whole:
        for size in range(len(data)):
            for side in pair.sides:
                answered(side, data[:size], pair.now)
                if size >= 28:
                    answered(side, data[:24] + size.to_bytes(4, "big") + data[28:size], pair.now)
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


@MODES
def test_fuzzed_conversations(mode: str) -> None:
    draw = random.Random(2026)
    for _ in range(60):
        pair = configured(mode)

        def damage(data: bytes) -> bytes:
            octets = bytearray(data)
            octets[draw.randrange(len(octets))] = draw.randrange(256)
            return bytes(octets)

        pair.wire.change(lambda d: not d.keepalive and draw.random() < 0.3, damage, count=1000)
        pair.left.do("initiate", "net")
        pair.run(300)
        for side in pair.sides:
            stats = side.endpoint.stats()
            assert stats["engines"] <= 4 and stats["child_spis"] <= 2, stats


def test_the_client_refuses_by_a_notify() -> None:
    """An error notify in the midst of XAUTH ends the ISAKMP SA, and nothing is sent for it."""
    pair = waiting()
    notify = Notify1(NotifyType1.AUTHENTICATION_FAILED)
    assert answered(pair.right, authentic(pair.left, INFORMATIONAL, notify), pair.now) == []
    assert pair.right.sas == []
    assert "AUTHENTICATION_FAILED" in str(pair.right.told("failed")[0]["reason"])


def test_a_delete_in_the_midst_of_xauth() -> None:
    pair = waiting()
    cookies = sa(pair.left).spi_i + sa(pair.left).spi_r
    answered(pair.right, authentic(pair.left, INFORMATIONAL, Delete1(Protocol1.ISAKMP, (cookies,))), pair.now)
    assert pair.right.sas == []
    assert pair.right.told("failed")[0]["reason"] == "deleted by the peer before XAUTH was over"
    assert pair.right.endpoint.stats()["half_open"] == 0


def test_another_type_is_refused_in_words() -> None:
    pair = waiting()
    assert sent(pair, CfgType1.CFG_REQUEST, Attribute.of(Xauth1.XAUTH_TYPE, 1))
    assert sent(pair, CfgType1.CFG_SET, Attribute.of(Xauth1.XAUTH_STATUS, 0))
    assert "XAUTH of type 1; we know the generic one" in str(pair.left.told("failed")[0]["reason"])


def test_nobody_else_is_asked() -> None:
    """A peer without XAUTH in its connection gives its password to nobody."""
    pair = Pair(first()).initiate()
    assert sent(pair, CfgType1.CFG_REQUEST, Attribute.of(Xauth1.XAUTH_USER_PASSWORD, 0)) != []
    assert "peer asks us for XAUTH" in str(pair.left.told("failed")[0]["reason"])
    assert pair.left.up == ["ESTABLISHED"]


def test_the_key_of_phase_1_counts() -> None:
    """What is sealed with other keys, or whose HASH is wrong, is dropped."""
    pair = waiting()
    ok = Attributes1(CfgType1.CFG_SET, 1, (Attribute.of(Xauth1.XAUTH_STATUS, 1),))
    data = sealed(pair.right, TRANSACTION, Hash1(bytes(32)), ok)
    assert answered(pair.left, data, pair.now, ("198.51.100.1", 500)) == []
    assert "HASH of TRANSACTION does not verify" in pair.left.drops[-1]
    assert sa(pair.left).waits_for_xauth


def test_two_users_of_one_group_are_two() -> None:
    """They share identity and key; INITIAL-CONTACT of one is not the other's."""
    pair = Pair(client(), gateway()).initiate()
    one = sa(pair.right)
    other = Sa(one.host, one.connection, one.path, initiator=False, number=99)
    other.local_id, other.remote_id, other.user = one.local_id, one.remote_id, one.user
    assert one.twin_of(other)
    other.user = user_identity(b"dave")
    assert not one.twin_of(other)


# -- Mode Config


@MODES
def test_a_virtual_address(mode: str) -> None:
    # CFG_REQUEST(INTERNAL_IP4_ADDRESS, ...) --> <-- CFG_REPLY(INTERNAL_IP4_ADDRESS 10.3.0.1, ...)
    pair = configured(mode).initiate()
    pair.check()
    assert counts(pair) == {MAIN: 0 if mode else 6, AGGRESSIVE: 3 if mode else 0, TRANSACTION: 6, QUICK: 3}
    assert pair.left.sas[0]["local_vips"] == pair.right.sas[0]["remote_vips"] == ["10.3.0.1"]
    (child,) = pair.left.installed.values()
    assert [str(one) for one in child.ts_local] == ["10.3.0.1/32"]
    assert pair.left.told("configured")[0]["dns"] == ["10.2.0.53"]
    pair.left.do("terminate")
    pair.settle()
    assert not pair.left.addresses and not pair.right.endpoint.host.pools["lab"].holders


def test_mode_config_without_xauth() -> None:
    left = first("vips = 0.0.0.0", "local_ts = dynamic")
    pair = Pair(left, right_of(first("pools = lab", "local_ts = dynamic")) + POOL).initiate()
    pair.check()
    assert counts(pair) == {MAIN: 6, AGGRESSIVE: 0, TRANSACTION: 2, QUICK: 3}


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("fate", ["drop", "duplicate"])
def test_mode_config_lost_or_doubled(number: int, fate: str) -> None:
    pair = configured()
    getattr(pair.wire, fate)(of(TRANSACTION, number))
    settled(pair).check()
    assert pair.left.sas[0]["local_vips"] == ["10.3.0.1"]


def test_no_address_is_left() -> None:
    """The pool of one is taken: the reply gives none, both say why, and the ISAKMP SA ends."""
    pair = configured()
    pair.right.endpoint.host.pools["lab"].lease(user_identity(b"dave"), "another SA")
    pair.initiate()
    assert counts(pair)[QUICK] == 0
    assert pair.left.told("failed")[0]["reason"] == "peer's CFG_REPLY gives no virtual address"
    assert "no virtual IPv4 address is left" in str(pair.right.told("failed")[0]["reason"])
    assert pair.left.sas == pair.right.sas == []


def test_who_asks_for_none_gets_no_child() -> None:
    pair = Pair(client(), gateway(more="pools = lab", child="local_ts = dynamic", pool=POOL)).initiate()
    assert "asks for no virtual address" in str(pair.right.told("failed")[0]["reason"])
    assert not pair.right.installed


def test_an_end_of_the_sa_is_no_address() -> None:
    pair = configured(pool=POOL.replace("10.3.0.1", "198.51.100.1")).initiate()
    assert "which is an end of this IKE SA" in str(pair.left.told("failed")[0]["reason"])
    assert not pair.left.addresses


def test_the_address_outlives_authenticating_anew() -> None:
    """XAUTH and Mode Config anew: the address goes with the children, and its lease with it."""
    pair = configured().initiate()
    pair.left.do("rekey")
    pair.wait(10)
    assert pair.left.sas[-1]["local_vips"] == pair.right.sas[-1]["remote_vips"] == ["10.3.0.1"]
    assert [str(a) for a in pair.left.addresses] == ["10.3.0.1"]
    assert list(pair.right.endpoint.host.pools["lab"].holders) == [ip_address("10.3.0.1")]
    assert len(pair.wire.seen(of(TRANSACTION))) == 12
    pair.check()


# -- what a user may write wrong


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("version = 1", "version = 2", "auth = xauth goes with version = 1 only"),
        ("auth = xauth", "auth = xauth-radius", "'xauth-radius' is not supported"),
        ("local-2 {", "remote-2 {\n auth = xauth\n }\nlocal-2 {", "XAUTH is for one side"),
        ("local-2 {", "local-3 {\n auth = xauth\n }\nlocal-2 {", "2 found"),
        ("xauth_id", "eap_id", "unknown key"),
    ],
)
def test_mistakes(before: str, after: str, reason: str) -> None:
    text = client()
    assert before in text
    with pytest.raises(ConfigError, match=reason):
        load(text.replace(before, after, 1), "here.conf")


@MODES
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_message_lost_while_a_user_authenticates_anew(mode: str, number: int) -> None:
    """The old SA lives until the peer had time to ask for the last message once more: the child is never lost."""
    pair = Pair(client(mode), gateway(mode)).initiate()
    before = sa(pair.left).spi_i
    pair.wire.drop(of(TRANSACTION, number))
    pair.left.do("rekey")
    pair.run(60)
    pair.check()
    assert sa(pair.left).spi_i == sa(pair.right).spi_i != before
    assert not pair.left.told("child-down") and not pair.right.told("child-down")


# -- Mode Config pushed (draft-ietf-ipsec-isakmp-mode-cfg-05 3.1.2), and IPv6

SIX = POOL.replace("}\n}", "}\n six {\n addrs = 2001:db8::7-2001:db8::7\n dns = 2001:db8::53\n }\n}")
BOTH_VIPS, BOTH_POOLS = "vips = 0.0.0.0, ::", "pools = lab, six"


def pushed(
    *, vips: str = "vips = 0.0.0.0", pools: str = "pools = lab", pool: str = POOL, left: str = "no", right: str = "no"
) -> Pair:
    mine = client(more=f"{vips}\npull = {left}", child="local_ts = dynamic")
    return Pair(mine, gateway(more=f"{pools}\npull = {right}", child="local_ts = dynamic", pool=pool))


def lines(pair: Pair) -> list[str]:
    return [line for line in ladder(pair) if line.endswith("TRANSACTION")]


def test_an_address_is_pushed() -> None:
    # XAUTH, then CFG_SET(INTERNAL_IP4_ADDRESS, ...) <-- --> CFG_ACK(INTERNAL_IP4_ADDRESS, ...), then Quick Mode
    pair = pushed().initiate()
    pair.check()
    assert lines(pair) == ["right TRANSACTION", "left TRANSACTION"] * 3
    assert ladder(pair).index("left QUICK_MODE") > max(n for n, x in enumerate(ladder(pair)) if "TRANSACTION" in x)
    assert sa(pair.left).virtual.local == sa(pair.right).virtual.remote == (ip_address("10.3.0.1"),)
    assert pair.left.told("configured")[0]["dns"] == ["10.2.0.53"]


@pytest.mark.parametrize("number", range(1, 7))
def test_each_message_of_a_push_lost_once(number: int) -> None:
    pair = pushed()
    pair.wire.drop(of(TRANSACTION, number))
    settled(pair).check()
    assert sa(pair.left).virtual.local == (ip_address("10.3.0.1"),)


def test_a_push_to_a_client_that_asks() -> None:
    """Whoever asks for its address acknowledges none of what is pushed, and is answered: the tunnel comes up."""
    # CFG_REQUEST --> and <-- CFG_SET at once    <-- CFG_REPLY(INTERNAL_IP4_ADDRESS, ...)    CFG_ACK() -->
    pair = pushed(left="yes").initiate()
    pair.check()
    assert sa(pair.left).virtual.local == sa(pair.right).virtual.remote == (ip_address("10.3.0.1"),)
    assert not pair.left.told("failed") and not pair.right.told("failed")
    words = "peer pushes a virtual address, and we ask for ours (pull = yes): nothing of it is taken"
    assert words in [record.text for record in pair.left.records]
    pair.run(300)
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


def test_a_push_to_a_client_that_wants_none() -> None:
    """It takes nothing, both sides say so, and its Quick Mode from an address of its own is refused in words."""
    pair = Pair(client(), gateway(more="pools = lab\npull = no", child="local_ts = dynamic", pool=POOL)).initiate()
    assert any("we want none (no vips)" in record.text for record in pair.left.records)
    assert any("peer takes nothing of what we push" in record.text for record in pair.right.records)
    assert not pair.right.installed and not pair.left.installed and not pair.left.addresses
    assert pair.right.told("failed")[0]["stage"] == "QUICK_MODE"


@pytest.mark.parametrize("number", range(1, 9))
def test_each_message_of_a_push_to_a_client_that_asks_lost_once(number: int) -> None:
    pair = pushed(left="yes")
    pair.wire.drop(of(TRANSACTION, number))
    settled(pair).check()
    assert sa(pair.left).virtual.local == sa(pair.right).virtual.remote == (ip_address("10.3.0.1"),)


def test_hostile_pushes() -> None:
    """CFG_SET of every kind and size by a gateway that has proven itself: an answer or a drop, and bounded state."""
    draw = random.Random(2409)
    kinds = [int(one) for one in CfgAttribute]
    for round_ in range(150):
        pair = pushed(left="no" if round_ % 2 else "yes")
        pair.wire.drop(of(TRANSACTION, 5), count=1000)
        pair.left.do("initiate", "net")
        pair.wait(1.0)
        for _ in range(4):
            if not pair.left.sas:
                break
            found = []
            for _ in range(draw.randrange(8)):
                number = draw.choice([*kinds, 1, 1, 8, draw.randrange(0x8000)])
                value = draw.choice(
                    [draw.randrange(0x10000), draw.randbytes(draw.choice([0, 3, 4, 4, 5, 16, 17, 300]))]
                )
                found.append(Attribute(Attribute.of(number, 0).type, value))
            data = authentic(pair.right, TRANSACTION, Attributes1(CfgType1.CFG_SET, 1, tuple(found)))
            before = len(pair.wire.sent)
            pair.inject(data, ("198.51.100.1", 500), (LEFT, 500))
            # an answer, and a Delete where the address is of no use
            assert len(pair.wire.sent) <= before + 2
        assert len(pair.left.addresses) <= 1 and pair.left.endpoint.stats()["engines"] <= 1


def test_truncated_pushes() -> None:
    """Each message cut at every octet, to endpoints that wait for it or are past it."""
    whole = [d.data for d in pushed().initiate().wire.seen(of(TRANSACTION))]
    late, waiting_ = pushed().initiate(), pushed()
    waiting_.wire.drop(of(TRANSACTION, 5), count=1000)
    waiting_.left.do("initiate", "net")
    waiting_.wait(1.0)
    for data in whole:
        for size in range(28, len(data)):
            for pair in (late, waiting_):
                for side in pair.sides:
                    answered(side, data[:24] + size.to_bytes(4, "big") + data[28:size], pair.now)
    assert late.left.up == late.right.up == ["ESTABLISHED"]
    assert sa(waiting_.left).awaits_push and not waiting_.left.addresses


def test_a_push_that_never_comes() -> None:
    """No Quick Mode is begun, and the SA ends after as long as a phase 1 may take."""
    pair = pushed(right="yes").initiate()
    pair.run(29)
    assert not pair.wire.seen(of(QUICK)) and pair.left.sas
    pair.run(32)
    assert pair.left.sas == pair.right.sas == []
    assert "peer pushes no virtual address" in str(pair.left.told("failed")[0]["reason"])


def test_a_push_without_an_address_left() -> None:
    pair = pushed()
    pool = pair.right.endpoint.host.pools["lab"]
    pool.holders[ip_address("10.3.0.1")], pool.owners[ip_address("10.3.0.1")] = "another", user_identity(b"dave")
    pair.initiate()
    assert "no virtual IPv4 address is left" in str(pair.right.told("failed")[0]["reason"])
    assert pair.left.sas == pair.right.sas == [] and not pair.wire.seen(of(QUICK))


def test_a_pushed_address_is_kept_behind_a_phase_1_anew() -> None:
    pair = pushed().initiate()
    pair.left.do("rekey")
    pair.run(30)
    pair.check()
    assert len(lines(pair)) == 12
    assert sa(pair.left).virtual.local == sa(pair.right).virtual.remote == (ip_address("10.3.0.1"),)


@pytest.mark.parametrize("pull", ["yes", "no"])
def test_addresses_of_both_families(pull: str) -> None:
    """An IPv6 address has 16 octets here, without the prefix length that IKEv2 puts behind it."""
    pair = pushed(vips=BOTH_VIPS, pools=BOTH_POOLS, pool=SIX, left=pull, right=pull).initiate()
    both = (ip_address("10.3.0.1"), ip_address("2001:db8::7"))
    assert sa(pair.left).virtual.local == sa(pair.right).virtual.remote == both
    assert pair.left.told("configured")[0]["dns"] == ["10.2.0.53", "2001:db8::53"]
    given = mode_config._of(configuration.reply(configuration.request(both), configuration.Configuration(both)))
    assert [len(attributes.octets(one)) for one in given] == [4, 16]


def test_an_ipv6_address_with_its_prefix_length_is_understood() -> None:
    """As charon sent it before 5.9.8."""
    (pair_,) = mode_config._pairs([Attribute(Attribute1(CfgAttribute.INTERNAL_IP6_ADDRESS), bytes(16) + b"\x40")])
    assert pair_ == (CfgAttribute.INTERNAL_IP6_ADDRESS, bytes(16) + b"\x40")


def test_ikev2_has_no_push() -> None:
    with pytest.raises(ConfigError, match="pull = no goes with version = 1"):
        load(first("pull = no").replace("version = 1", "version = 2"))
