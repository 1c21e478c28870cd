"""RFC 5685: a gateway sends its client elsewhere, in IKE_SA_INIT, in IKE_AUTH and in mid-session.

`left` is the client, `right` the gateway that it knows, `third` the one that it is sent to.
"""

import re
from collections.abc import Sequence
from functools import partial

import pytest

from lab.errors import ConfigError
from lab.ike.actions import InstallChild, RemoveChild
from lab.ike.config import load
from lab.ikev2 import redirect
from lab.ikev2.gate import unprotected
from lab.wire.gateway import Gateway
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify
from tests.pair import LEFT, RIGHT, Pair, Side, engine_of, forged, is_request, is_response, mirrored, net, sent_by

INIT, AUTH, INFO = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
THIRD = "198.51.100.9"
EVERY_TIME = pytest.mark.parametrize("when", ["ike_sa_init", "ike_auth"])


class Trio(Pair):
    """A client, the gateway that it knows, and another one."""

    def __init__(self, left: str = "", right: str = "", third: str = "", *, names: Sequence[str] = ()) -> None:
        super().__init__(left or net(), right or mirrored(net()))
        self.third = Side("third", third or gateway(host=THIRD), THIRD, "0", self)
        self.left.endpoint.host.resolve = lambda name: (THIRD,) if name in names else ()

    @property
    def sides(self) -> tuple[Side, ...]:  # type: ignore[override]
        return self.left, self.right, self.third

    def join(self, side: Side) -> None:
        """The client and this gateway have one child, and nobody else has any."""
        assert len(self.left.installed) == 1
        (ours,), (theirs,) = self.left.installed.values(), side.installed.values()
        assert (ours.spi_in, ours.key_encr_in) == (theirs.spi_out, theirs.key_encr_out)
        assert self.left.up == side.up == ["ESTABLISHED"]
        for other in {self.right, self.third} - {side}:
            assert (other.up, other.installed) == ([], {})


def gateway(connection: str = "", settings: str = "", host: str = RIGHT) -> str:
    text = mirrored(net(settings=settings)).replace(RIGHT, host)
    return text.replace("gw {", f"gw {{\n{connection}", 1)


def sending(to: str = THIRD, when: str = "ike_sa_init", settings: str = "", host: str = RIGHT) -> str:
    """A gateway that sends its clients on."""
    return gateway(f"redirect_to = {to}\n redirect_in = {when}", settings, host)


def up(**texts: str) -> Trio:
    """A session with the gateway that the client knows."""
    trio = Trio(**texts)
    trio.initiate()
    trio.join(trio.right)
    return trio


def reasons(side: Side) -> list[str]:
    return [str(failed["reason"]) for failed in side.told("failed")]


def sent(side: Side, exchange: ExchangeType) -> list[str]:
    """What a side sent in an exchange, by its trace."""
    return [r.text for r in side.records if r.text.startswith(f"sent {exchange.name} ")]


def test_in_ike_sa_init() -> None:
    trio = Trio(right=sending())
    trio.left.do("initiate", "net")
    trio.step()
    # HDR, SAi1, KEi, Ni, N(REDIRECT_SUPPORTED)  -->    <--  HDR(A,0), N(REDIRECT, third, Ni)
    request, answer = (Message.decode(datagram.ike) for datagram in trio.wire.sent)
    assert request.notify(NotifyType.REDIRECT_SUPPORTED) == Notify(NotifyType.REDIRECT_SUPPORTED)
    assert (answer.header.spi_i, answer.header.spi_r) == (request.header.spi_i, bytes(8))
    assert [payload.type.name for payload in answer.payloads] == ["N"]
    told = Gateway.decode(answer.notify(NotifyType.REDIRECT).data)  # type: ignore[union-attr]
    assert (str(told), told.nonce) == (THIRD, engine_of(trio.left).sa.ni)
    assert trio.right.endpoint.stats()["engines"] == 0, "a gateway that sends on keeps nothing"
    # HDR, SAi1, KEi, Ni, N(REDIRECTED_FROM, right)  -->    to the other gateway, with a nonce of its own
    trio.settle()
    again = next(Message.decode(d.ike) for d in trio.wire.sent if d.dst[0] == THIRD)
    origin = again.notify(NotifyType.REDIRECTED_FROM)
    assert origin is not None and origin.data == bytes([1, 4, 198, 51, 100, 1])
    assert again.notify(NotifyType.REDIRECT_SUPPORTED) is None
    assert again.header.spi_i != request.header.spi_i
    trio.join(trio.third)
    assert trio.left.names == ["redirected", "ike-up", "child-up"]
    assert trio.left.told("redirected")[0]["gateway"] == THIRD


def test_in_ike_auth() -> None:
    trio = Trio(right=sending(when="ike_auth")).initiate()
    assert isinstance(trio, Trio)
    # HDR, SK {IDi, AUTH, SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, N(REDIRECT, third)}
    # HDR, SK {D(IKE)}  -->    <--  HDR, SK {}
    assert sent(trio.right, AUTH) == ["sent IKE_AUTH response 1 [ IDr AUTH N(REDIRECT) ]"]
    assert sent(trio.left, INFO) == ["sent INFORMATIONAL request 2 [ D ]"]
    trio.join(trio.third)
    assert trio.right.ever == []
    assert trio.left.names == ["redirected", "ike-up", "child-up"], "it never was up where it was sent on"
    assert "redirected" not in trio.third.names
    trio.wait(300)
    trio.join(trio.third)


def test_in_mid_session() -> None:
    trio = up()
    first = next(iter(trio.left.installed))
    trio.right.do("redirect", Gateway.parse(THIRD))
    trio.settle()
    # HDR, SK {N(REDIRECT, third)}  -->    <--  HDR, SK {}
    # HDR, SK {D(IKE)}  <--    -->  HDR, SK {}    once the other one is up
    assert sent(trio.right, INFO) == [
        "sent INFORMATIONAL request 0 [ N(REDIRECT) ]",
        "sent INFORMATIONAL response 2 [  ]",
    ]
    trio.join(trio.third)
    order = [a for a in trio.left.actions if isinstance(a, InstallChild | RemoveChild)]
    assert isinstance(order[1], InstallChild) and order[2] == RemoveChild(first), "made before the old one is broken"
    (down,) = trio.left.told("ike-down")
    assert down["reason"] == f"redirected to {THIRD}"
    assert "failed" not in [*trio.left.names, *trio.right.names, *trio.third.names]


def test_all_children_come_along() -> None:
    two = net().replace("children {", "children {\n other { local_ts = 10.3.0.0/24\n remote_ts = 10.4.0.0/24\n }", 1)
    trio = Trio(two, mirrored(two), mirrored(two).replace(RIGHT, THIRD))
    trio.initiate()
    trio.left.do("initiate", "other")
    trio.settle()
    trio.right.do("redirect", Gateway.parse(THIRD), ike="gw")
    trio.settle()
    assert {child.name for child in trio.third.installed.values()} == {"net", "other"}
    assert {child.name for child in trio.left.installed.values()} == {"net", "other"}
    assert (trio.left.up, trio.right.up, trio.third.up) == (["ESTABLISHED"], [], ["ESTABLISHED"])


def test_what_waited_goes_along() -> None:
    """A second child asked for while the first one is sent on."""
    two = net().replace("children {", "children {\n other { local_ts = 10.3.0.0/24\n remote_ts = 10.4.0.0/24\n }", 1)
    right = mirrored(two).replace("gw {", f"gw {{\n redirect_to = {THIRD}", 1)
    trio = Trio(two, right, mirrored(two).replace(RIGHT, THIRD))
    trio.left.do("initiate", "net")
    trio.left.do("initiate", "other")
    trio.settle()
    assert {child.name for child in trio.third.installed.values()} == {"net", "other"}
    assert trio.left.up == ["ESTABLISHED"]


def test_a_session_without_children_just_ends() -> None:
    trio = up()
    trio.left.do("terminate", child="net")
    trio.settle()
    trio.right.do("redirect", Gateway.parse(THIRD))
    trio.settle()
    assert (trio.left.up, trio.right.up, trio.third.up) == ([], [], [])


# -- what is lost, forged or wrong


@pytest.mark.parametrize("lost", [is_request(INIT), sent_by(RIGHT), is_request(AUTH), is_response(AUTH)])
@EVERY_TIME
def test_one_message_lost(when: str, lost) -> None:  # type: ignore[no-untyped-def]
    trio = Trio(right=sending(when=when))
    trio.wire.drop(lost)
    trio.initiate()
    trio.wait(20)
    trio.join(trio.third)


@pytest.mark.parametrize("lost", [is_request(INFO), is_response(INFO), is_request(INIT), is_response(AUTH)])
def test_one_message_of_a_session_lost(lost) -> None:  # type: ignore[no-untyped-def]
    trio = up()
    trio.wire.drop(lost)
    trio.right.do("redirect", Gateway.parse(THIRD))
    trio.wait(20)
    trio.join(trio.third)


BAD = [b"", b"\x01", b"\x01\x04\xc0\x00\x02", b"\x09\x04\xc0\x00\x02\x07", b"\x03\x02 x"]


@pytest.mark.parametrize("data", [*BAD, Gateway.parse(THIRD).encode(), Gateway.parse(THIRD).encode() + bytes(32)])
def test_one_that_does_not_know_our_nonce_is_not_heard(data: bytes) -> None:
    trio = Trio()
    trio.left.do("initiate", "net")
    header = trio.wire.sent[0].header
    path = next(iter(trio.left.endpoint.table.engines.values())).sa.path
    trio.inject(unprotected(header, Notify(NotifyType.REDIRECT, data), path), (RIGHT, 500), (LEFT, 500))
    assert trio.left.drops and "REDIRECT" in trio.left.drops[0]
    trio.settle()
    trio.join(trio.right)


@pytest.mark.parametrize("data", BAD)
def test_nonsense_in_ike_auth_ends_the_attempt(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirect, "instead_of_child", lambda sa: (Notify(NotifyType.REDIRECT, data),))
    trio = Trio(right=sending(when="ike_auth"))
    trio.initiate()
    assert trio.left.up == [] and len(reasons(trio.left)) == 1
    assert trio.third.endpoint.stats()["engines"] == 0


@pytest.mark.parametrize("data", BAD)
def test_nonsense_in_mid_session_is_answered_and_dropped(data: bytes) -> None:
    trio = up()
    notify = Notify(NotifyType.REDIRECT, data)
    trio.inject(forged(trio.right, INFO, 0, notify), (RIGHT, 500), (LEFT, 500))
    assert sent(trio.left, INFO) == ["sent INFORMATIONAL response 0 [  ]"]
    assert any(drop.startswith("REDIRECT: ") for drop in trio.left.drops)
    trio.join(trio.right)


def test_a_gateway_that_does_not_prove_itself_sends_nobody_on() -> None:
    trio = Trio(right=sending(when="ike_auth").replace("a shared secret", "another"))
    trio.initiate()
    assert trio.left.told("redirected") == [] and trio.third.endpoint.stats()["engines"] == 0


def test_one_that_comes_before_auth_is_not_heard() -> None:
    """With EAP alone the first answer proves nothing yet."""
    trio = up()
    sa = engine_of(trio.left).sa
    message = Message(trio.wire.sent[-1].header, (Notify(NotifyType.REDIRECT, Gateway.parse(THIRD).encode()),))
    with pytest.raises(StopIteration) as done:
        next(redirect.from_auth(sa, message))
    assert done.value.value is False
    assert trio.left.endpoint.host.detours == []


def test_who_is_found_there_is_verified_anew() -> None:
    trio = up(third=gateway(host=THIRD).replace("a shared secret", "another"))
    trio.right.do("redirect", Gateway.parse(THIRD))
    trio.settle()
    assert "AUTHENTICATION_FAILED" in reasons(trio.left)[0]
    assert trio.third.ever == []
    assert trio.left.up == ["ESTABLISHED"], "what there was goes on"
    # ... until the gateway has waited long enough.
    trio.wait(31)
    assert trio.right.up == trio.left.up == []
    assert trio.right.told("ike-down")[0]["reason"] == f"redirected to {THIRD}, and the peer has not gone there"


@pytest.mark.parametrize("when", ["ike_sa_init", "ike_auth", "session"])
def test_nobody_is_there(when: str) -> None:
    nowhere = "203.0.113.99"
    if when == "session":
        trio = up()
        trio.right.do("redirect", Gateway.parse(nowhere))
    else:
        trio = Trio(right=sending(nowhere, when))
        trio.left.do("initiate", "net")
    trio.run(until=trio.now + 170)
    assert reasons(trio.left) == ["peer does not answer: IKE_SA_INIT request 0 was sent 6 times"]
    assert (trio.left.up, trio.right.up) == ([], [])


# -- who follows, and who does not


@EVERY_TIME
def test_a_client_that_does_not_follow_is_served(when: str) -> None:
    trio = Trio(net(settings="follow_redirects = no"), sending(when=when))
    trio.initiate()
    assert "REDIRECT" not in sent(trio.left, INIT)[0]
    trio.join(trio.right)
    with pytest.raises(ConfigError, match="does not follow redirections"):
        trio.right.endpoint.redirect(Gateway.parse(THIRD), trio.now)


def test_a_redirect_that_we_did_not_ask_for() -> None:
    trio = up(left=net(settings="follow_redirects = no"))
    notify = Notify(NotifyType.REDIRECT, Gateway.parse(THIRD).encode())
    trio.inject(forged(trio.right, INFO, 0, notify), (RIGHT, 500), (LEFT, 500))
    trio.settle()
    assert trio.left.drops[-1] == "REDIRECT, although we did not say that we follow one"
    trio.join(trio.right)


def test_in_ike_auth_one_that_we_did_not_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirect, "_due", lambda sa, when: sa.connection.redirect_to if when == "ike_auth" else None)
    trio = Trio(net(settings="follow_redirects = no"), sending(when="ike_auth"))
    trio.initiate()
    assert reasons(trio.left) == [f"peer redirects us to {THIRD}, and `follow_redirects = no`"]
    assert (trio.left.up, trio.right.up, trio.third.up) == ([], [], [])


def test_a_client_redirects_nobody() -> None:
    trio = up()
    with pytest.raises(ConfigError, match="we are the client of IKE SA 1: only a gateway redirects"):
        trio.left.endpoint.redirect(Gateway.parse(THIRD), trio.now)
    notify = Notify(NotifyType.REDIRECT, Gateway.parse(THIRD).encode())
    trio.inject(forged(trio.left, INFO, 2, notify), (LEFT, 500), (RIGHT, 500))
    assert trio.right.drops[-1] == "REDIRECT, although it is we who are the gateway"
    trio.join(trio.right)


@pytest.mark.parametrize("by", ["left", "right"])
def test_the_client_stays_the_client_when_the_ike_sa_is_rekeyed(by: str) -> None:
    trio = up()
    {"left": trio.left, "right": trio.right}[by].do("rekey")
    trio.settle()
    trio.right.do("redirect", Gateway.parse(THIRD))
    trio.settle()
    trio.join(trio.third)


def test_rekeyed_on_the_way() -> None:
    """The IKE SA that is left behind is rekeyed before the new one is up: its heir goes in its place."""
    trio = up()
    trio.wire.drop(lambda datagram: datagram.dst[0] == THIRD)  # 4 s until it is repeated
    trio.right.do("redirect", Gateway.parse(THIRD))
    trio.wait(1)
    trio.left.do("rekey", ike=1)
    trio.wait(10)
    trio.join(trio.third)


def test_no_command_without_a_session() -> None:
    trio = Trio()
    with pytest.raises(ConfigError, match="no IKE SA is up"):
        trio.right.endpoint.redirect(Gateway.parse(THIRD), 0.0)


# -- loops


def test_two_gateways_do_not_play_ball() -> None:
    """One that would send the client back to where it came from serves it instead."""
    trio = Trio(right=sending(THIRD), third=sending(RIGHT, host=THIRD))
    trio.initiate()
    trio.join(trio.third)
    assert [d.dst[0] for d in trio.wire.seen(is_request(INIT))] == [RIGHT, THIRD]


@EVERY_TIME
def test_nobody_is_sent_where_it_is(when: str) -> None:
    trio = Trio(right=sending(RIGHT, when))
    trio.initiate()
    trio.join(trio.right)
    assert len(trio.wire.sent) == 4


def test_five_times_in_a_row_are_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5685 7, with gateways that take no heed of where the client comes from."""
    trio = Trio(right=sending(THIRD), third=sending(RIGHT, host=THIRD))
    monkeypatch.setattr(redirect, "_due", lambda sa, when: sa.connection.redirect_to if when == "ike_sa_init" else None)
    monkeypatch.setattr(redirect, "_origin", lambda request: None)
    trio.initiate()
    assert [d.dst[0] for d in trio.wire.seen(is_request(INIT))] == [RIGHT, THIRD] * 3
    (reason,) = reasons(trio.left)
    assert re.search(r"once more than 5 times in 300 s: a loop", reason)
    assert (trio.left.up, trio.right.up, trio.third.up) == ([], [], [])


def test_the_count_goes_along_and_fades() -> None:
    """In mid-session to and fro: five times, no more, and again when the first is 300 s ago."""
    trio = up()
    here, there = trio.right, trio.third
    for _ in range(redirect.MOST):
        here.do("redirect", Gateway.parse(there.host))
        trio.wait(10)
        here, there = there, here
        trio.join(here)
    here.do("redirect", Gateway.parse(there.host))
    trio.wait(10)
    assert "a loop" in reasons(trio.left)[0]
    trio.join(here)
    trio.wait(40)  # the gateway ends what did not go
    assert trio.left.up == []
    trio.left.do("initiate", "net")
    trio.wait(5)
    trio.join(trio.right)
    sa = engine_of(trio.left).sa
    sa.redirects = tuple(trio.now - age for age in (299, 200, 100, 50, 10))
    trio.wait(2)
    trio.right.do("redirect", Gateway.parse(THIRD))
    trio.wait(5)
    trio.join(trio.third)


# -- names, families, cookies, mistakes


def test_a_name_is_looked_up_where_it_is_known() -> None:
    trio = Trio(right=sending("gw.example.org"), names=["gw.example.org"])
    trio.initiate()
    trio.join(trio.third)
    assert trio.left.told("redirected")[0]["gateway"] == "gw.example.org"


@pytest.mark.parametrize("to", ["unknown.example.org", "2001:db8::9"])
@EVERY_TIME
def test_a_gateway_that_cannot_be_reached(to: str, when: str) -> None:
    trio = Trio(right=sending(to, when))
    trio.initiate()
    assert reasons(trio.left) == [f"peer redirects us to {to}, for which we have no address"]
    assert (trio.left.up, trio.right.up) == ([], [])


def test_a_cookie_comes_first() -> None:
    # HDR, ...  -->  <-- HDR, N(COOKIE)    HDR, N(COOKIE), ...  -->  <--  HDR(A,0), N(REDIRECT, third, Ni)
    busy = "cookie_threshold = 0"
    trio = Trio(right=sending(settings=busy), third=gateway(settings=busy, host=THIRD))
    trio.initiate()
    trio.join(trio.third)
    assert len(trio.wire.seen(is_request(INIT))) == 4


def test_no_proposal_is_said_before_anybody_is_sent_on() -> None:
    trio = Trio(
        net("proposals = aes256-sha512-modp3072"),
        sending().replace("gw {", "gw {\n proposals = aes128-sha256-x25519", 1),
    )
    trio.initiate()
    assert "NO_PROPOSAL_CHOSEN" in reasons(trio.left)[0]


def test_many_clients_leave_no_trace() -> None:
    trio = Trio(right=sending())
    before = trio.right.endpoint.stats()
    ask = partial(trio.left.do, "initiate", "net", anew=True)
    for _ in range(20):
        ask()
    trio.settle()
    assert trio.right.endpoint.stats() == before


@pytest.mark.parametrize(
    ("line", "says"),
    [("redirect_to = a b", "neither an address nor the name of a host"), ("redirect_in = auth", "write ike_sa_init")],
)
def test_mistakes(line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(net(line), "x.conf")
