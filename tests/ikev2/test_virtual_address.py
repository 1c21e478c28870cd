"""Virtual addresses between two endpoints (RFC 7296 2.19, 3.15.4): asked for, lent, refused, kept and given back."""

from functools import partial
from random import Random

import pytest

from lab.ike import configuration
from lab.ike.actions import AddAddress, InstallChild, RemoveAddress
from lab.ikev2 import create_child_sa, virtual_address
from lab.ikev2.exchange import Exchange, Request
from lab.ikev2.sa import Sa
from lab.wire.ids import CfgAttribute as A
from lab.wire.ids import CfgType, ExchangeType
from lab.wire.message import Message
from lab.wire.payloads_v2 import CP
from tests.pair import LEFT, RIGHT, Pair, Side, engine_of, is_request, mirrored, net

CLIENTS = pytest.mark.parametrize("client", ["left", "right"])
POOL = "pools {\n lab {\n addrs = %s\n dns = 10.3.0.53\n subnet = 10.2.0.0/24\n }\n%s}\n"
SIX = " six {\n addrs = 2001:db8:3::/64\n dns = 2001:db8:3::53\n subnet = 2001:db8:2::/64\n }\n"
LAB, ONE = POOL % ("10.3.0.0/24", ""), POOL % ("10.3.0.7/32", "")
Texts = list[str]
FOUR = (A.INTERNAL_IP4_ADDRESS, b"\x0a\x03\x00\x09")


def texts(
    client: str = "left", vips: str = "vips = 0.0.0.0", gives: str = "pools = lab", pools: str = LAB
) -> list[str]:
    """Both configurations: the client's side of the child is `dynamic`, the other side lends from the pools."""

    def own(connection: str) -> str:
        return net(connection).replace("10.1.0.0/24" if client == "left" else "10.2.0.0/24", "dynamic")

    if client == "left":
        return [own(vips), mirrored(own(gives)) + pools]
    return [own(gives) + pools, mirrored(own(vips))]


def selectors(side: Side) -> list[tuple[list[str], list[str]]]:
    return [([str(s) for s in c.ts_local], [str(s) for s in c.ts_remote]) for c in side.installed.values()]


def holders(side: Side, name: str = "lab") -> list[str]:
    return [str(address) for address in side.endpoint.host.pools[name].holders]


def reasons(side: Side) -> str:
    return "; ".join(str(event["reason"]) for event in side.told("failed"))


def sent(side: Side) -> list[str]:
    return [r.text for r in side.records if r.text.startswith("sent ")]


@CLIENTS
def test_one_address(client: str) -> None:
    # HDR, SK {IDi, AUTH, CP(CFG_REQUEST), SAi2, TSi, TSr}  -->  <--  HDR, SK {IDr, AUTH, CP(CFG_REPLY), SAr2, TSi, TSr}
    pair = Pair(*texts(client)).initiate(client)
    pair.check()
    asks, lends = pair.ends(client)
    net_behind = "10.2.0.0/24" if client == "left" else "10.1.0.0/24"
    assert selectors(asks) == [(["10.3.0.1/32"], [net_behind])]
    assert asks.addresses == ["10.3.0.1"] and lends.addresses == []
    assert holders(lends) == ["10.3.0.1"]
    assert [(sa["local_vips"], sa["remote_vips"]) for sa in asks.sas] == [(["10.3.0.1"], [])]
    assert [(sa["local_vips"], sa["remote_vips"]) for sa in lends.sas] == [([], ["10.3.0.1"])]
    assert "AUTH CP SA TSi TSr" in sent(asks)[1] and "AUTH CP SA TSi TSr" in sent(lends)[1]
    assert len(pair.wire.sent) == 4


def test_the_address_is_there_before_the_child_and_goes_after_it() -> None:
    pair = Pair(*texts()).initiate()
    pair.left.do("terminate")
    pair.settle()
    kinds = [type(action).__name__ for action in pair.left.actions]
    order = [kind for kind in kinds if kind in ("AddAddress", "InstallChild", "RemoveChild", "RemoveAddress")]
    assert order == ["AddAddress", "InstallChild", "RemoveChild", "RemoveAddress"]


@CLIENTS
def test_both_families(client: str) -> None:
    own, other = texts(client, "vips = 0.0.0.0, ::", "pools = lab, six", POOL % ("10.3.0.0/24", SIX))
    nets = ("10.2.0.0/24", "10.1.0.0/24")
    behind = nets[0] if client == "left" else nets[1]
    own, other = (text.replace(f"_ts = {behind}", f"_ts = {behind}, 2001:db8:2::/64") for text in (own, other))
    pair = Pair(own, other).initiate(client)
    pair.check()
    asks, lends = pair.ends(client)
    assert selectors(asks) == [(["10.3.0.1/32", "2001:db8:3::1/128"], [behind, "2001:db8:2::/64"])]
    (told,) = asks.told("configured")
    assert told["addresses"] == ["10.3.0.1", "2001:db8:3::1"]
    assert told["dns"] == ["10.3.0.53", "2001:db8:3::53"]
    assert told["subnets"] == ["10.2.0.0/24", "2001:db8:2::/64"]
    assert (holders(lends), holders(lends, "six")) == (["10.3.0.1"], ["2001:db8:3::1"])


def test_one_family_of_two_is_enough() -> None:
    pair = Pair(*texts(vips="vips = ::, 0.0.0.0")).initiate()
    pair.check()
    assert pair.left.addresses == ["10.3.0.1"]


def test_a_particular_address() -> None:
    pair = Pair(*texts(vips="vips = 10.3.0.77")).initiate()
    assert pair.left.addresses == ["10.3.0.77"]
    pair.left.do("initiate", "net", anew=True)
    pair.settle()
    assert pair.left.addresses == ["10.3.0.77", "10.3.0.1"], "taken already: another one"
    pair.check(2)


def test_two_pools_of_one_family_are_tried_in_turn() -> None:
    pools = POOL % ("10.3.0.7/32", " more {\n addrs = 10.4.0.1-10.4.0.2\n dns = 10.4.0.53\n }\n")
    pair = Pair(*texts(gives="pools = lab, more", pools=pools)).initiate()
    pair.left.do("initiate", "net", anew=True)
    pair.settle()
    assert pair.left.addresses == ["10.3.0.7", "10.4.0.1"]
    assert [told["dns"] for told in pair.left.told("configured")] == [["10.3.0.53"], ["10.4.0.53"]]


@CLIENTS
def test_exhausted_the_ike_sa_lives_and_a_later_child_works(client: str) -> None:
    pair = Pair(*texts(client, pools=ONE)).initiate(client)
    asks, lends = pair.ends(client)
    # HDR, SK {IDi, AUTH, CP(CFG_REQUEST), ...}  -->    <--  HDR, SK {IDr, AUTH, N(INTERNAL_ADDRESS_FAILURE)}
    asks.do("initiate", "net", anew=True)
    pair.settle()
    assert "N(INTERNAL_ADDRESS_FAILURE)" in sent(lends)[-1] and " SA" not in sent(lends)[-1]
    assert asks.up == lends.up == ["ESTABLISHED", "ESTABLISHED"]
    assert (
        reasons(asks)
        == "peer refuses child net: INTERNAL_ADDRESS_FAILURE, it has no address to assign (we ask for 0.0.0.0)"
    )
    name = "left.example.org" if client == "left" else "right.example.org"
    no_more = "no virtual IPv4 address is left for"
    assert reasons(lends) == f"{no_more} {name} (pools: lab 10.3.0.7-10.3.0.7: 1 taken)"
    pair.check(1)
    # The holder ends, and the address is free.
    asks.do("terminate", ike=1)
    pair.settle()
    assert holders(lends) == asks.addresses == []
    # HDR, SK {CP(CFG_REQUEST), SA, Ni, TSi, TSr}  -->    <--  HDR, SK {CP(CFG_REPLY), SA, Nr, TSi, TSr}
    asks.do("initiate", "net")
    pair.settle()
    pair.check(1)
    assert len(asks.sas) == 1 and asks.addresses == holders(lends) == ["10.3.0.7"]
    assert selectors(asks)[0][0] == ["10.3.0.7/32"]
    assert sent(asks)[-1].startswith("sent CREATE_CHILD_SA") and "[ CP SA " in sent(asks)[-1]


def test_exhausted_with_the_later_child_too() -> None:
    pair = Pair(*texts(pools=ONE)).initiate()
    pair.left.do("initiate", "net", anew=True)
    pair.settle()
    (second,) = [sa for sa in pair.left.endpoint.host.ike_sas.values() if sa.number == 2]
    assert isinstance(second, Sa)
    second.start(partial(create_child_sa.initiator, config=second.connection.children["net"]))
    pair.left.do("tick")
    pair.settle()
    assert [event["stage"] for event in pair.right.told("failed")] == ["IKE_AUTH", "CREATE_CHILD_SA"]
    assert pair.left.up == pair.right.up == ["ESTABLISHED", "ESTABLISHED"]
    pair.check(1)


@CLIENTS
def test_none_asked_for_where_one_is_needed(client: str) -> None:
    # HDR, SK {IDi, AUTH, SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, N(FAILED_CP_REQUIRED)}
    pair = Pair(*texts(client, vips="")).initiate(client)
    asks, lends = pair.ends(client)
    assert asks.up == lends.up == ["ESTABLISHED"]
    assert (
        reasons(asks)
        == "peer refuses child net: FAILED_CP_REQUIRED, it expected a configuration request (we ask for none)"
    )
    assert "peer asks for no virtual address; connection gw takes only peers with one of lab" in reasons(lends)
    # The same with CREATE_CHILD_SA.
    asks.do("initiate", "net")
    pair.settle()
    assert "N(FAILED_CP_REQUIRED)" in sent(lends)[-1] and sent(lends)[-1].startswith("sent CREATE_CHILD_SA")
    pair.check(0)
    assert holders(lends) == []


def test_the_gateway_itself_needs_none_for_a_child_that_it_begins() -> None:
    pair = Pair(*texts()).initiate()
    pair.left.do("terminate", child="net")
    pair.settle()
    pair.right.do("initiate", "net")
    pair.settle()
    pair.check()
    assert selectors(pair.left) == [(["10.3.0.1/32"], ["10.2.0.0/24"])]


def test_a_connection_without_pools_has_no_address_to_lend() -> None:
    pair = Pair(*texts(gives="")).initiate()
    assert "N(INTERNAL_ADDRESS_FAILURE)" in sent(pair.right)[-1]
    assert reasons(pair.right) == "no virtual IPv4 address is left for left.example.org (pools: none)"
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


def test_no_pool_of_the_family() -> None:
    pair = Pair(*texts(vips="vips = ::")).initiate()
    assert "no virtual IPv6 address is left" in reasons(pair.right)
    pair.check(0)


def test_an_answer_without_configuration_is_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_address, "lend", lambda sa, request: ())
    pair = Pair(*texts()).initiate()
    assert reasons(pair.left) == "peer's answer lacks CFG_REPLY, though we asked for a virtual address"
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    pair.check(0)
    assert pair.left.addresses == []


def replied(monkeypatch: pytest.MonkeyPatch, *attributes: tuple[A, bytes]) -> Pair:
    """A pair whose responder lends as ever and says something else."""
    monkeypatch.setattr(configuration, "reply", lambda cp, given: CP(CfgType.CFG_REPLY, attributes))
    return Pair(*texts()).initiate()


def test_thousands_of_attributes_in_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [(A.INTERNAL_IP4_ADDRESS, bytes((10, 3, n >> 8, n & 255))) for n in range(1, 6001)]
    pair = replied(monkeypatch, *many)
    assert len(pair.left.addresses) == len(pair.left.sas[0]["local_vips"]) == configuration.MOST  # type: ignore[arg-type]
    # Of those only what the responder lent is in its own selectors, and it says so.
    assert selectors(pair.left) == [(["10.3.0.1/32"], ["10.2.0.0/24"])]
    pair.check()


def test_unknown_attributes_and_wrong_lengths_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    first = (A.INTERNAL_IP4_ADDRESS, b"\x0a\x03\x00\x01")
    odd = [(A(n), b"x" * (n % 7)) for n in range(20, 5000)]
    wrong = [(A.INTERNAL_IP4_ADDRESS, bytes(n)) for n in (0, 3, 5, 4000)]
    pair = replied(monkeypatch, *odd, *wrong, (A.INTERNAL_IP4_DNS, b"\1\2\3"), first)
    pair.check()
    assert pair.left.addresses == ["10.3.0.1"]
    assert pair.left.told("configured")[0]["dns"] == []


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ((), "peer's CFG_REPLY gives no virtual address"),
        (((A.INTERNAL_IP4_ADDRESS, b""),), "peer's CFG_REPLY gives no virtual address"),
        (((A.INTERNAL_IP4_ADDRESS, b"\x7f\0\0\1"),), "peer's CFG_REPLY gives no virtual address"),
        (((A.INTERNAL_IP4_ADDRESS, bytes((198, 51, 100, 1))),), f"gives {RIGHT}, which is an end of this IKE SA"),
        (((A.INTERNAL_IP4_ADDRESS, bytes((192, 0, 2, 1))), FOUR), f"gives {LEFT}, which is an end of this IKE SA"),
    ],
)
def test_a_reply_that_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch, attributes: tuple[tuple[A, bytes], ...], reason: str
) -> None:
    pair = replied(monkeypatch, *attributes)
    assert reason in reasons(pair.left)
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert pair.left.addresses == []
    pair.check(0)


def asked(monkeypatch: pytest.MonkeyPatch, *attributes: tuple[A, bytes]) -> Pair:
    """A pair whose initiator asks for this."""
    monkeypatch.setattr(virtual_address, "ask", lambda sa: (CP(CfgType.CFG_REQUEST, attributes),))
    return Pair(*texts()).initiate()


def test_thousands_of_attributes_in_the_request_lend_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [(A.INTERNAL_IP4_ADDRESS, bytes((10, 3, 0, n & 255))) for n in range(5000)]
    odd = [(A(n), b"x") for n in range(20, 3000)]
    pair = asked(monkeypatch, *many, *odd)
    pair.check()
    assert len(holders(pair.right)) == 1
    assert pair.left.addresses == holders(pair.right)


def test_a_request_of_wrong_lengths_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = asked(monkeypatch, (A.INTERNAL_IP4_ADDRESS, b"abc"), (A.INTERNAL_IP6_ADDRESS, bytes(16)))
    assert "N(FAILED_CP_REQUIRED)" in sent(pair.right)[-1]
    assert holders(pair.right) == []


@pytest.mark.parametrize("end", ["delete", "silence", "contact"])
def test_the_address_is_free_again(end: str) -> None:
    gives = "pools = lab\n dpd_delay = 30s"
    pair = Pair(*texts(gives=gives, pools=ONE)).initiate()
    if end == "delete":
        pair.left.do("terminate")
        pair.settle()
    elif end == "silence":
        pair.wire.drop(lambda datagram: True, 10**6)
        pair.wait(600)
        pair.wire.rules.clear()
    assert holders(pair.right) == (["10.3.0.7"] if end == "contact" else [])
    if end != "delete":  # INITIAL_CONTACT replaces the old SA, if any, before the new one gets an address
        pair.left.endpoint = Pair(texts()[0], seed="after the crash").left.endpoint
        pair.left.installed.clear()
        pair.left.addresses.clear()
    pair.initiate()
    pair.check()
    assert pair.left.addresses == holders(pair.right) == ["10.3.0.7"]


def test_an_identity_gets_its_address_again() -> None:
    pair = Pair(*texts(vips="vips = 10.3.0.77")).initiate()
    pair.left.do("terminate")
    pair.settle()
    pair.left.endpoint = Pair(texts()[0], seed="another day").left.endpoint
    pair.initiate()
    assert pair.left.addresses == ["10.3.0.77"], "asked for any, given the one of before"


@pytest.mark.parametrize("by", ["left", "right", "both"])
@CLIENTS
def test_a_rekeyed_ike_sa_keeps_the_address(client: str, by: str) -> None:
    pair = Pair(*texts(client, pools=ONE)).initiate(client)
    asks, lends = pair.ends(client)
    for side in (pair.left, pair.right):
        if by in (side.name, "both"):
            side.do("rekey")
    pair.settle()
    pair.wait(60)
    pair.check()
    assert len(asks.sas) == len(lends.sas) == 1
    assert asks.sas[0]["local_vips"] == lends.sas[0]["remote_vips"] == holders(lends) == ["10.3.0.7"]
    assert sum(isinstance(a, AddAddress) for a in asks.actions) == 1
    assert not any(isinstance(a, RemoveAddress) for a in asks.actions)
    # The child's selectors stay when it is rekeyed from either end, and a further one has the same.
    for side in (lends, asks):
        side.do("rekey", child="net")
        pair.settle()
        pair.wait(10)
        pair.check()
        assert selectors(asks)[0][0] == ["10.3.0.7/32"]
    lends.do("terminate")
    pair.settle()
    assert asks.addresses == holders(lends) == []


def test_nothing_is_lent_before_the_proof() -> None:
    own, other = texts()
    pair = Pair(own, other.replace("a shared secret", "another secret")).initiate()
    assert pair.left.up == pair.right.up == []
    pool = pair.right.endpoint.host.pools["lab"]
    assert not pool.holders and not pool.owners


def eap(user: str) -> list[str]:
    secrets = f'secrets {{\n eap-{user} {{\n id = {user}\n secret = "x"\n }}\n}}\n'
    own, other = texts()
    proves = f"auth = eap-mschapv2\n eap_id = {user}\n id = left.example.org"
    own = own.replace("auth = psk\n            id = left.example.org", proves, 1)
    wants = "auth = eap-mschapv2\n eap_id = %any\n        id = left.example.org"
    marked = "remote {\n            auth = psk\n            id = left.example.org"
    assert marked in other, other
    return [own + secrets, other.replace(marked, "remote {\n" + wants) + secrets]


def test_with_eap_the_address_is_kept_for_the_user() -> None:
    pair = Pair(*eap("carol"))
    pool = pair.right.endpoint.host.pools["lab"]
    pair.left.do("initiate", "net")
    while "ike-up" not in pair.right.names:
        owners = len(pool.owners)
        pair.step()
        assert not owners, "nothing is lent before EAP is at its end"
    pair.settle()
    pair.check()
    # HDR, SK {IDi, CP(CFG_REQUEST), SAi2, TSi, TSr}  -->   ...   <--  HDR, SK {AUTH, CP(CFG_REPLY), SAr2, TSi, TSr}
    assert " CP SA TSi TSr" in sent(pair.left)[1]
    assert "[ AUTH CP SA TSi TSr ]" in sent(pair.right)[-1]
    assert [identity.data for identity in pool.owners.values()] == [b"carol"]
    assert pair.left.addresses == ["10.3.0.1"]


@pytest.mark.parametrize("childless", ["prefer", "force"])
def test_without_a_child_in_ike_auth(childless: str) -> None:
    # HDR, SK {IDi, AUTH, CP(CFG_REQUEST)}  -->    <--  HDR, SK {IDr, AUTH, CP(CFG_REPLY)}      (RFC 6023)
    pair = Pair(*texts(vips=f"vips = 0.0.0.0\n childless = {childless}")).initiate()
    pair.check()
    assert "AUTH CP ]" in sent(pair.left)[1] and "AUTH CP ]" in sent(pair.right)[1]
    assert selectors(pair.left)[0][0] == ["10.3.0.1/32"]
    assert "CP" not in sent(pair.left)[2]


@pytest.mark.parametrize(("pools", "told"), [(LAB, "[ CP ]"), (ONE, "[ N(INTERNAL_ADDRESS_FAILURE) ]")])
def test_asked_once_more_in_an_informational(pools: str, told: str) -> None:
    # HDR, SK {CP(CFG_REQUEST)}  -->    <--  HDR, SK {CP(CFG_REPLY)}      (3.15.4)
    pair = Pair(*texts(vips="", pools=pools))
    if pools is ONE:
        pool = pair.right.endpoint.host.pools["lab"]
        pool.holders[pool.span.first] = "somebody else"
        pool.owners[pool.span.first] = None  # type: ignore[assignment]
    pair.initiate()
    answers: list[Message] = []

    def late(sa: Sa) -> Exchange:
        answers.append((yield Request(ExchangeType.INFORMATIONAL, (CP(CfgType.CFG_REQUEST, (FOUR,)),))))

    engine_of(pair.left).sa.start(late)
    pair.left.do("tick")
    pair.settle()
    assert told in sent(pair.right)[-1] and len(answers) == 1
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


def test_the_request_lost_lends_once() -> None:
    pair = Pair(*texts(pools=ONE))
    pair.wire.drop(is_request(ExchangeType.IKE_AUTH))
    pair.wire.duplicate(is_request(ExchangeType.IKE_AUTH), by=0.001)
    pair.initiate()
    pair.wait(10)
    pair.check()
    assert holders(pair.right) == pair.left.addresses == ["10.3.0.7"]
    assert sum(isinstance(a, InstallChild) for a in pair.right.actions) == 1


def test_selectors_stay_within_a_payload() -> None:
    own, other = texts()
    many = ", ".join(["dynamic"] * 255)
    own = own.replace("local_ts = dynamic", f"local_ts = {many}").replace("vips = 0.0.0.0", "vips = 0.0.0.0, ::")
    pair = Pair(own, other).initiate()
    pair.check()


def noise(seed: int) -> tuple[tuple[A, bytes], ...]:
    """Attributes of known and unknown types with values of any length."""
    draw = Random(seed)
    kinds = [*(kind for kind in range(1, 16)), 25, 16384, 32767]
    return tuple((A(draw.choice(kinds)), draw.randbytes(draw.choice((0, 1, 4, 8, 16, 17, 40)))) for _ in range(30))


@pytest.mark.parametrize("seed", range(40))
def test_noise_in_either_message_costs_at_most_the_child(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    if seed % 2:
        pair = replied(monkeypatch, *noise(seed))
    else:
        pair = asked(monkeypatch, *noise(seed))
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert len(pair.left.installed) == len(pair.right.installed) <= 1
    assert len(pair.left.addresses) <= configuration.MOST and len(holders(pair.right)) <= 1
