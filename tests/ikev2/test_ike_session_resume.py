"""RFC 5723: a session that goes on by a ticket, in both roles, and every ticket that must not be taken."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.ike.config import ike_proposals
from lab.ike.credentials import Identity
from lab.ike.tickets import Held
from lab.ikev2 import ike_auth, redirect, resumption, tickets
from lab.ikev2.session import Session
from lab.wire.header import Header
from lab.wire.ids import AuthMethod, ExchangeType, Flag, KeMethod, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, Auth, Nonce, Notify
from tests.ikev2.test_signature import pair_of, party
from tests.pair import LEFT, RIGHT, Nat, Pair, Side, engine_of, forged, is_request, is_response, mirrored, net

RESUME, INIT, AUTH = ExchangeType.IKE_SESSION_RESUME, ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH
INFO = ExchangeType.INFORMATIONAL
BOTH = pytest.mark.parametrize("by", ["left", "right"])
YES = "proposals = aes128-sha256-x25519\n resumption = yes"
Settle = Callable[[Pair], None]


def pair(connection: str = YES, settings: str = "", **named) -> Pair:  # type: ignore[no-untyped-def]
    return Pair(net(connection, settings=settings), **named)


def roles(made: Pair, by: str) -> tuple[Side, Side]:
    """The client and its gateway."""
    return (made.left, made.right) if by == "left" else (made.right, made.left)


def leave(made: Pair, by: str = "left") -> None:
    """The client ends its session, and its ticket stays."""
    client, gateway = roles(made, by)
    client.do("terminate")
    made.settle()
    assert client.up == gateway.up == []
    made.wire.sent.clear()


def begun(made: Pair, by: str = "left") -> Pair:
    """A session that was, and whose client has a ticket."""
    made.initiate(by)
    made.check()
    leave(made, by)
    assert list(roles(made, by)[0].endpoint.host.held) == ["gw"]
    return made


def exchanges(made: Pair) -> list[str]:
    """The requests on the wire since the session was left."""
    return [datagram.header.exchange.name for datagram in made.wire.sent if not datagram.header.response]


RESUMED = [RESUME.name, AUTH.name]
ANEW = [RESUME.name, INIT.name, AUTH.name]


def notes(side: Side) -> list[str]:
    return [record.text for record in side.records if record.kind in ("note", "refusal")]


def sent(side: Side, exchange: ExchangeType) -> list[str]:
    return [r.text for r in side.records if r.text.startswith(f"sent {exchange.name} ")]


# -- the way it should go


@BOTH
def test_a_session_goes_on(by: str) -> None:
    made = begun(pair(), by)
    client, gateway = roles(made, by)
    before = {entry["SK_d"] for entry in client.keys if entry["kind"] == "ike"}
    made.initiate(by)
    # HDR, Ni, N(TICKET_OPAQUE)  -->    <--  HDR, Nr
    # HDR, SK {IDi, AUTH, SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr}
    assert len(made.wire.sent) == 4 and exchanges(made) == RESUMED
    request, answer = (Message.decode(datagram.ike) for datagram in made.wire.sent[:2])
    assert (request.header.message_id, request.header.spi_r) == (0, bytes(8))
    assert {payload.type for payload in (*request.payloads, *answer.payloads)} == {PayloadType.NONCE, PayloadType.N}
    made.check()
    ours, theirs = engine_of(client).sa, engine_of(gateway).sa
    assert ours.keys == theirs.keys and ours.keys.sk_d.hex() not in before
    assert (ours.local_id, ours.remote_id) == (theirs.remote_id, theirs.local_id)
    assert "failed" not in [*client.names, *gateway.names]


def test_the_keys_are_those_of_the_rfc() -> None:
    """RFC 5723 5.1 and RFC 7296 2.14 written out for HMAC-SHA2-256 (one block), from the key log and the wire."""
    made = begun(pair())
    made.initiate()
    old, new = (entry for entry in made.left.keys if entry["kind"] == "ike")
    ni, nr = (Message.decode(d.ike).get(Nonce).data for d in made.wire.sent[:2])  # type: ignore[union-attr]
    spis = bytes.fromhex(f"{new['spi_i']}{new['spi_r']}")
    skeyseed = hmac.digest(bytes.fromhex(str(old["SK_d"])), b"Resumption" + ni + nr, hashlib.sha256)
    assert hmac.digest(skeyseed, ni + nr + spis + b"\x01", hashlib.sha256).hex() == new["SK_d"]
    assert (old["spi_i"], old["spi_r"]) != (new["spi_i"], new["spi_r"])


def test_auth_is_that_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Auth] = []
    real = resumption.auth
    monkeypatch.setattr(resumption, "auth", lambda *args, **named: made.append(real(*args, **named)) or made[-1])
    both = begun(pair())
    both.initiate()
    keys = [entry for entry in both.left.keys if entry["kind"] == "ike"][-1]
    sk_pi, sk_pr = (bytes.fromhex(str(keys[name])) for name in ("SK_pi", "SK_pr"))
    request, answer = (datagram.ike for datagram in both.wire.sent[:2])
    ni, nr = (Message.decode(one).get(Nonce).data for one in (request, answer))  # type: ignore[union-attr]
    wanted = set()
    for key, message, nonce, name in ((sk_pi, request, nr, b"left"), (sk_pr, answer, ni, b"right")):
        identity = bytes([2, 0, 0, 0]) + name + b".example.org"
        octets = message + nonce + hmac.digest(key, identity, hashlib.sha256)
        wanted.add((AuthMethod.SHARED_KEY, hmac.digest(key, octets, hashlib.sha256)))
    assert {(auth.method, auth.data) for auth in made} == wanted


HYBRID = "proposals = aes128-sha256-x25519-ke1_mlkem768\n resumption = yes"


@BOTH
def test_a_session_with_additional_key_exchanges_goes_on_without_them(by: str) -> None:
    """RFC 5723 5.1 exchanges no keys, so IKE_INTERMEDIATE has nothing to add (RFC 9370 2.2.2): SK_d of the session has
    ML-KEM in it. The next rekeying does them all again (RFC 9370 2.2.4)."""
    made = pair(HYBRID)
    made.initiate(by)
    assert list(dict.fromkeys(exchanges(made))) == [INIT.name, "IKE_INTERMEDIATE", AUTH.name]
    client, gateway = roles(made, by)
    newest = [entry for entry in client.keys if entry["kind"] == "ike"][-1]
    assert newest["generation"] == 1
    leave(made, by)
    made.initiate(by)
    assert exchanges(made) == RESUMED
    made.check()
    ours, theirs = engine_of(client).sa, engine_of(gateway).sa
    assert ours.keys == theirs.keys and ours.generation == 0
    assert ours.agreed.additional == theirs.agreed.additional == ()
    assert ours.int_auth.octets == theirs.int_auth.octets == b""
    # SKEYSEED stands on the SK_d of the last generation, behind ML-KEM, and on no other.
    ni, nr = ours.ni, ours.nr
    resumed_seed = hmac.digest(bytes.fromhex(str(newest["SK_d"])), b"Resumption" + ni + nr, "sha256")
    spis = ours.spi_i + ours.spi_r
    assert ours.keys.sk_d == hmac.digest(resumed_seed, ni + nr + spis + b"\1", "sha256")
    made.wire.sent.clear()
    client.do("rekey")
    made.settle()
    assert list(dict.fromkeys(exchanges(made)))[:2] == ["CREATE_CHILD_SA", "IKE_FOLLOWUP_KE"]
    assert engine_of(client).sa.agreed.additional == engine_of(gateway).sa.agreed.additional != ()


def test_ike_intermediate_has_no_place_in_a_resumed_session() -> None:
    made = begun(pair(HYBRID))
    made.wire.drop(is_request(AUTH))
    made.initiate()
    data = forged(made.left, ExchangeType.IKE_INTERMEDIATE, 1, KE(KeMethod.ML_KEM_768, bytes(1184)))
    made.inject(data, (LEFT, 500), (RIGHT, 500))
    assert any("IKE_INTERMEDIATE has no place here" in reason for reason in made.right.drops)
    made.wait(5)
    made.check()


def test_again_and_again() -> None:
    made = begun(pair())
    for _ in range(4):
        made.initiate()
        made.check()
        assert exchanges(made) == RESUMED
        leave(made)
    assert made.right.endpoint.stats()["tickets_spent"] == 4


def test_certificates_do_not_travel_again() -> None:
    made = pair_of(*(party(name, connection="resumption = yes") for name in ("left", "right"))).initiate()
    assert "CERT" in sent(made.left, AUTH)[0]
    leave(made)
    made.initiate()
    made.check()
    assert exchanges(made) == RESUMED
    assert not any("CERT" in text for side in made.sides for text in sent(side, AUTH)[-1:])


def test_eap_is_not_run_again() -> None:
    """RFC 5723 1: what resumption is for."""
    left = net(YES).replace("auth = psk", "auth = eap-mschapv2", 1)
    left = left.replace("secrets {", "secrets {\n eap-1 { id = left.example.org\n secret = pw\n }", 1)
    right = mirrored(left)
    made = Pair(left, right).initiate()
    made.check()
    assert len(made.wire.sent) > 8
    assert "TICKET_LT_OPAQUE" in sent(made.right, AUTH)[-1], "the answer of the last exchange has the ticket"
    leave(made)
    made.initiate()
    made.check()
    assert len(made.wire.sent) == 4 and exchanges(made) == RESUMED


@pytest.mark.parametrize("lost", [is_request(RESUME), is_response(RESUME), is_request(AUTH), is_response(AUTH)])
@BOTH
def test_one_message_lost(by: str, lost) -> None:  # type: ignore[no-untyped-def]
    made = begun(pair(), by)
    made.wire.drop(lost)
    made.initiate(by)
    made.wait(10)
    made.check()
    assert INIT.name not in exchanges(made)


def test_through_a_nat() -> None:
    anywhere = mirrored(net(YES)).replace(f"remote_addrs = {LEFT}", "remote_addrs = %any")
    made = begun(Pair(net(YES), anywhere, nats=(Nat(LEFT, "203.0.113.1"),)))
    made.initiate()
    made.check()
    assert exchanges(made) == RESUMED
    assert made.wire.sent[2].dst == (RIGHT, 4500)


def test_a_cookie_comes_first() -> None:
    # HDR, Ni, N(TICKET_OPAQUE)  -->    <--  HDR, N(COOKIE)
    # HDR, N(COOKIE), Ni, N(TICKET_OPAQUE)  -->    <--  HDR, Nr
    made = begun(pair(settings="cookie_threshold = 0"))
    made.initiate()
    made.check()
    assert exchanges(made) == [RESUME.name, RESUME.name, AUTH.name]
    requests = [Message.decode(d.ike) for d in made.wire.seen(is_request(RESUME))]
    assert [one.names[0] for one in requests] == ["NONCE", "N(COOKIE)"]
    assert requests[0].get(Nonce) == requests[1].get(Nonce)


def test_what_the_gateway_still_has_of_the_session_goes() -> None:
    """The client was cut off and its gateway does not know; when it is back, the old IKE SA goes without a word."""
    made = pair().initiate()
    made.wire.drop(lambda datagram: True, count=6)
    made.left.do("terminate")
    made.wait(170)
    assert (made.left.up, made.right.up) == ([], ["ESTABLISHED"])
    old = made.right.sas[0]["spi_r"]
    made.wire.sent.clear()
    made.initiate()
    made.check()
    assert exchanges(made) == RESUMED
    assert made.right.up == ["ESTABLISHED"] and made.right.sas[0]["spi_r"] != old
    assert made.right.told("ike-down")[0]["reason"] == "resumed as another IKE SA"


def test_a_peer_that_fell_silent_is_tried_by_the_ticket() -> None:
    text = net(f"{YES}\n dpd_delay = 10", "dpd_action = start")
    made = Pair(text).initiate()
    made.wire.drop(lambda datagram: True, count=30)
    made.wire.sent.clear()
    made.wait(200)
    made.wire.rules.clear()
    made.wait(60)
    assert RESUME.name in exchanges(made)
    assert made.left.up[-1:] == ["ESTABLISHED"]


# -- tickets asked for and given


@BOTH
def test_a_new_ticket_when_the_ike_sa_is_rekeyed(by: str) -> None:
    # HDR, SK {N(TICKET_REQUEST)}  -->    <--  HDR, SK {N(TICKET_LT_OPAQUE)}    of the client, whoever rekeyed
    made = pair().initiate()
    first = made.left.endpoint.host.held["gw"]
    roles(made, by)[0].do("rekey")
    made.wait(10)
    second = made.left.endpoint.host.held["gw"]
    assert second.ticket != first.ticket
    assert any("N(TICKET_REQUEST)" in text for text in sent(made.left, INFO))
    assert any("N(TICKET_LT_OPAQUE)" in text for text in sent(made.right, INFO))
    leave(made)
    made.initiate()
    made.check()
    assert exchanges(made) == RESUMED


@pytest.mark.parametrize("wishes", ["client", "gateway", "neither"])
def test_both_have_to_wish_it(wishes: str) -> None:
    no = YES.replace("yes", "no")
    left, right = (YES if wishes == name else no for name in ("client", "gateway"))
    made = Pair(net(left), mirrored(net(right))).initiate()
    made.check()
    assert ("N(TICKET_REQUEST)" in sent(made.left, AUTH)[0]) == (wishes == "client")
    assert ("N(TICKET_NACK)" in sent(made.right, AUTH)[0]) == (wishes == "client")
    assert ("peer gives no ticket for resumption" in notes(made.left)) == (wishes == "client")
    leave(made)
    made.initiate()
    assert exchanges(made) == [INIT.name, AUTH.name]


def test_a_ticket_that_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """TICKET_ACK in IKE_AUTH, the ticket in an INFORMATIONAL request of the gateway (4.1)."""
    monkeypatch.setattr(tickets, "grant", lambda sa: (Notify(NotifyType.TICKET_ACK),) if sa.ticket_wanted else ())
    made = pair().initiate()
    assert "peer gives a ticket later for resumption" in notes(made.left)
    assert made.left.endpoint.host.held == {}
    monkeypatch.undo()
    sa = engine_of(made.right).sa
    sa.ticket_wanted, sa.host.now = True, made.now
    (granted,) = tickets.grant(sa)
    made.inject(forged(made.right, INFO, 0, granted), (RIGHT, 500), (LEFT, 500))
    leave(made)
    made.initiate()
    made.check()
    assert exchanges(made) == RESUMED


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"\0\0\1\0", bytes(4) + b"ticket", b"\0\0\1\0" + bytes(1025)])
def test_what_is_no_ticket_is_not_kept(data: bytes) -> None:
    made = pair(YES.replace("yes", "no")).initiate()
    sa = engine_of(made.left).sa
    sa.connection = replace(sa.connection, resumption=True)
    made.inject(forged(made.right, INFO, 0, Notify(NotifyType.TICKET_LT_OPAQUE, data)), (RIGHT, 500), (LEFT, 500))
    assert made.left.endpoint.host.held == {}
    assert "ticket" in made.left.drops[-1].lower()
    made.check()


def test_a_client_gives_no_tickets() -> None:
    made = pair().initiate()
    made.inject(forged(made.right, INFO, 0, Notify(NotifyType.TICKET_REQUEST)), (RIGHT, 500), (LEFT, 500))
    assert sent(made.left, INFO) == ["sent INFORMATIONAL response 0 [ N(TICKET_NACK) ]"]
    made.inject(
        forged(made.left, INFO, 2, Notify(NotifyType.TICKET_LT_OPAQUE, b"\0\0\1\0x")), (LEFT, 500), (RIGHT, 500)
    )
    assert made.right.endpoint.host.held == {}


def test_a_ticket_lives_no_longer_than_its_ike_sa() -> None:
    made = pair(f"{YES}\n rekey_time = 50s\n over_time = 10s\n rand_time = 0s").initiate()
    held = made.left.endpoint.host.held["gw"]
    assert 55 < held.expires - made.now <= 60


# -- when no ticket is used


def test_beside_an_ike_sa_that_is_up_another_begins_anew() -> None:
    made = pair().initiate()
    made.wire.sent.clear()
    made.left.do("initiate", "net", anew=True)
    made.settle()
    assert exchanges(made) == [INIT.name, AUTH.name]


def test_a_ticket_that_has_expired_is_not_even_shown() -> None:
    made = begun(pair(settings="ticket_lifetime = 60s"))
    made.wait(61)
    made.initiate()
    made.check()
    assert exchanges(made) == [INIT.name, AUTH.name]


def test_a_ticket_is_shown_only_where_it_is_from() -> None:
    made = begun(pair())
    held = made.left.endpoint.host.held
    held["gw"] = replace(held["gw"], host="198.51.100.99")
    made.initiate()
    assert exchanges(made) == [INIT.name, AUTH.name]


def test_a_ticket_is_shown_once_whatever_becomes_of_it() -> None:
    """RFC 5723 4.3: a client must not use a ticket again, with this gateway or another."""
    made = begun(pair())
    made.wire.drop(is_request(RESUME), count=6)
    made.initiate()
    made.wait(170)
    assert made.left.up == []
    made.wire.sent.clear()
    made.initiate()
    made.check()
    assert exchanges(made) == [INIT.name, AUTH.name]


def test_a_gateway_that_ends_the_session_means_it() -> None:
    """The client forgets its ticket; one that does not is sent back to the full exchange."""
    made = pair().initiate()
    kept = made.left.endpoint.host.held["gw"]
    made.right.do("terminate")
    made.settle()
    assert made.left.endpoint.host.held == {}
    made.left.endpoint.host.held["gw"] = kept
    made.wire.sent.clear()
    made.initiate()
    made.check()
    assert exchanges(made) == ANEW
    assert "ticket was used before" in notes(made.right)[-1]


# -- tickets that are refused: a full exchange follows, and nothing stays


def spoiled(change: Callable[[Held], Held], by: str = "left", **named: str) -> Pair:
    """A session whose client comes back with another ticket than it was given."""
    made = begun(pair(**named), by)
    client, gateway = roles(made, by)
    client.endpoint.host.held["gw"] = change(client.endpoint.host.held["gw"])
    tables = gateway.endpoint.stats()
    client.do("initiate", "net")
    made.step()
    assert gateway.endpoint.stats() == tables, "a ticket that is not taken leaves state"
    made.settle()
    made.check()
    assert exchanges(made) == ANEW
    # HDR, Ni, N(TICKET_OPAQUE)  -->    <--  HDR(A,0), N(TICKET_NACK)
    nack = Message.decode(made.wire.seen(is_response(RESUME))[0].ike)
    assert nack.names == ("N(TICKET_NACK)",) and nack.header.spi_r == bytes(8)
    assert "peer does not resume the session (TICKET_NACK): beginning anew" in notes(client)
    assert "failed" not in [*client.names, *gateway.names]
    return made


def changed(ticket: bytes, at: int) -> bytes:
    return ticket[:at] + bytes([ticket[at] ^ 0x80]) + ticket[at + 1 :]


@BOTH
@pytest.mark.parametrize("at", [0, 4, 11, 12, 20, 60, -1])
def test_tampered(at: int, by: str) -> None:
    made = spoiled(lambda held: replace(held, ticket=changed(held.ticket, at % len(held.ticket))), by)
    assert "IKE_SESSION_RESUME refused with TICKET_NACK: ticket" in notes(roles(made, by)[1])[-1]


@pytest.mark.parametrize("size", [1, 11, 12, 20, 36, 100])
def test_truncated(size: int) -> None:
    spoiled(lambda held: replace(held, ticket=held.ticket[:size]))


def test_expired_by_the_gateway_s_clock() -> None:
    made = begun(pair(settings="ticket_lifetime = 60s"))
    held = made.left.endpoint.host.held
    held["gw"] = replace(held["gw"], expires=1e9)
    made.wait(65)
    made.initiate()
    made.check()
    assert exchanges(made) == ANEW
    assert "ticket expired 5 s ago" in notes(made.right)[-1]


def test_the_key_is_gone() -> None:
    made = begun(pair(settings="ticket_lifetime = 60s"))
    held = made.left.endpoint.host.held
    held["gw"] = replace(held["gw"], expires=1e9)
    made.wait(125)
    made.initiate()
    made.check()
    assert "ticket under a key that we do not have, or have no longer" in notes(made.right)[-1]


def test_the_key_was_replaced_meanwhile() -> None:
    """A ticket from late in the life of its key is good in the life of the next one."""
    made = pair(settings="ticket_lifetime = 60s").initiate()
    made.wait(50)
    made.left.do("rekey")
    made.wait(5)
    leave(made)
    made.right.endpoint.host.mint.seal(b"", now=made.now + 20)
    made.wait(30)
    made.initiate()
    made.check()
    assert exchanges(made) == RESUMED
    assert made.right.endpoint.stats()["ticket_keys"] == 2


def test_of_another_gateway() -> None:
    elsewhere = begun(pair(seed="another"))
    foreign = elsewhere.left.endpoint.host.held["gw"]
    made = spoiled(lambda held: foreign)
    assert "ticket under a key that we do not have" in notes(made.right)[-1]


def test_used_before() -> None:
    made = begun(pair())
    used = made.left.endpoint.host.held["gw"]
    made.initiate()
    leave(made)
    made.left.endpoint.host.held["gw"] = used
    made.initiate()
    made.check()
    assert exchanges(made) == ANEW
    assert "ticket was used before" in notes(made.right)[-1]


def test_a_request_replayed_by_a_third_party() -> None:
    made = begun(pair())
    made.initiate()
    (request,) = made.wire.seen(is_request(RESUME))
    tables = made.right.endpoint.stats()
    # To the last bit: it belongs to an IKE SA that is further. With another SPI or nonce: the ticket is used.
    answers = len(made.wire.sent)
    made.inject(request.ike, ("203.0.113.66", 500), (RIGHT, 500))
    assert len(made.wire.sent) == answers
    message = Message.decode(request.ike)
    fresh = replace(message, header=replace(message.header, spi_i=b"attacker"))
    made.inject(fresh.encode(), ("203.0.113.66", 500), (RIGHT, 500))
    assert Message.decode(made.wire.sent[-1].ike).names == ("N(TICKET_NACK)",)
    assert made.right.endpoint.stats() == tables
    made.check()


@pytest.mark.parametrize(
    "payloads", [(), (Notify(NotifyType.TICKET_OPAQUE),), (Notify(NotifyType.TICKET_OPAQUE, b"x" * 900),)]
)
def test_a_forged_ticket_leaves_no_state(payloads: tuple[Notify, ...]) -> None:
    made = begun(pair())
    tables = made.right.endpoint.stats()
    for number in range(30):
        header = Header(bytes([number + 1] * 8), bytes(8), PayloadType.NONE, RESUME, Flag.INITIATOR, 0)
        data = Message(header, (Nonce(bytes(32)), *payloads)).encode()
        made.inject(data, ("203.0.113.66", 500), (RIGHT, 500))
    assert made.right.endpoint.stats() == tables
    assert all(Message.decode(d.ike).names == ("N(TICKET_NACK)",) for d in made.wire.sent)


def test_under_load_a_forged_ticket_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    made = begun(pair(settings="cookie_threshold = 0"))
    monkeypatch.setattr(made.right.endpoint.host.mint, "open", None)
    header = Header(b"attacker", bytes(8), PayloadType.NONE, RESUME, Flag.INITIATOR, 0)
    data = Message(header, (Nonce(bytes(32)), Notify(NotifyType.TICKET_OPAQUE, b"x" * 100))).encode()
    made.inject(data, ("203.0.113.66", 500), (RIGHT, 500))
    assert Message.decode(made.wire.sent[-1].ike).names == ("N(COOKIE)",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "other"}, "there is no connection 'gw' any more"),
        ({"resumption": False}, "connection gw is not resumable: `resumption = yes` is needed"),
        ({"remote_addrs": ("203.0.113.0/24",)}, f"connection gw does not serve {LEFT} at {RIGHT}"),
        ({"proposals": net}, "the algorithms of the session are not allowed any more: "),
        ({"remote": Identity.parse("somebody.else")}, "connection gw does not take left.example.org by psk any more"),
    ],
)
def test_the_connection_is_not_what_it_was(change: dict[str, object], words: str) -> None:
    made = begun(pair())
    host = made.right.endpoint.host
    connection = host.config.connections[0]
    if "proposals" in change:
        change = {"proposals": ike_proposals("aes256gcm16-prfsha384-x25519")}
    if "remote" in change:
        change = {"remote": replace(connection.remote, id=change["remote"])}
    host.config = replace(host.config, connections=(replace(connection, **change),))  # type: ignore[arg-type]
    made.left.do("initiate", "net")
    made.step()
    assert words in notes(made.right)[-1]
    assert made.right.up == []


# -- whoever has a ticket, but not what belongs to it


def test_a_stolen_ticket_is_of_no_use_and_not_used_up() -> None:
    made = begun(pair())
    held = made.left.endpoint.host.held["gw"]
    session = Session.decode(held.state)
    thief = replace(held, state=replace(session, sk_d=bytes(len(session.sk_d))).encode())
    made.left.endpoint.host.held["gw"] = thief
    made.initiate()
    made.wait(170)
    assert len(made.right.ever) == 1 and made.left.up == made.right.up == []
    assert made.right.drops, "what is not sealed with the keys of the session is dropped"
    made.left.endpoint.host.held["gw"] = held
    made.wire.sent.clear()
    made.initiate()
    made.check()
    assert exchanges(made) == RESUMED


@BOTH
def test_auth_of_somebody_else(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = begun(pair(), by)
    real = resumption.auth

    def other(sa, signed, *, initiator):  # type: ignore[no-untyped-def]
        found = real(sa, signed, initiator=initiator)
        return Auth(found.method, bytes(32)) if sa.initiator == initiator else found

    monkeypatch.setattr(resumption, "auth", other)
    made.initiate(by)
    reasons = [str(f["reason"]) for side in made.sides for f in side.told("failed")]
    assert any("does not have SK_d of the session to resume" in reason for reason in reasons), reasons
    assert made.left.up == made.right.up == []


def test_nobody_becomes_somebody_else_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5723 4.3.3: IDi and IDr are those of the session."""
    made = begun(pair())
    other = Identity.parse("other.example.org")
    assert other is not None
    real = ike_auth.proof.own_identity
    monkeypatch.setattr(ike_auth.proof, "own_identity", lambda sa: other if sa.initiator else real(sa))
    made.initiate()
    (failed,) = made.right.told("failed")
    words = "peer calls itself other.example.org; the session to resume is that of left.example.org"
    assert failed["reason"] == words
    assert made.left.up == made.right.up == []


def test_the_gateway_does_not_become_somebody_else_either(monkeypatch: pytest.MonkeyPatch) -> None:
    made = begun(pair())
    other = Identity.parse("other.example.org")
    real = ike_auth.proof.own_identity
    monkeypatch.setattr(ike_auth.proof, "own_identity", lambda sa: real(sa) if sa.initiator else other)
    made.initiate()
    (failed,) = made.left.told("failed")
    assert failed["reason"] == "peer calls itself other.example.org; the session to resume is that of right.example.org"
    assert made.left.up == made.right.up == []


def test_no_auth_is_no_eap(monkeypatch: pytest.MonkeyPatch) -> None:
    made = begun(pair())
    monkeypatch.setattr(ike_auth, "_proof", lambda sa, idi, expected: ())
    made.initiate()
    (failed,) = made.right.told("failed")
    assert failed["reason"] == "peer's message lacks AUTH, and the session is resumed"


def test_twice_at_once_is_once() -> None:
    """Two that have the same ticket and all that belongs to it: the second to prove itself is refused."""
    made = begun(pair())
    held = made.left.endpoint.host.held["gw"]
    made.left.do("initiate", "net")
    made.left.endpoint.host.held["gw"] = held
    made.left.do("initiate", "net", anew=True)
    made.settle()
    assert made.right.up == ["ESTABLISHED"]
    (failed,) = made.right.told("failed")
    assert failed["reason"] == "ticket was used before"


def test_a_gateway_may_send_the_client_on_instead() -> None:
    """REDIRECT in answer to a ticket; the ticket is not shown to the other gateway."""
    made = begun(pair())
    host, target = made.right.endpoint.host, redirect.Gateway.parse("203.0.113.9")
    connection = replace(host.config.connections[0], redirect_to=target)
    host.config = replace(host.config, connections=(connection,))
    made.initiate()
    assert made.left.told("redirected")[0]["gateway"] == "203.0.113.9"
    assert [(d.header.exchange, d.dst[0]) for d in made.wire.seen(is_request())] == [
        (RESUME, RIGHT),
        (INIT, "203.0.113.9"),
    ]


def test_an_established_sa_hears_no_resumption() -> None:
    made = pair().initiate()
    made.inject(forged(made.left, RESUME, 2, Nonce(bytes(32))), (LEFT, 500), (RIGHT, 500))
    assert made.right.drops[-1] == "IKE_SESSION_RESUME has no place here (ESTABLISHED)"
    made.check()
