"""RFC 7619: a side that proves nothing, where it may, and all that it must not get by that."""

import hashlib
import hmac

import pytest

from lab.errors import ConfigError
from lab.ike.config import load
from lab.ike.credentials import NOBODY, Identity
from lab.ikev2 import ike_auth, null_auth
from lab.wire.ids import AuthMethod, ExchangeType, IdType, NotifyType
from lab.wire.payloads_v2 import Auth, Notify
from tests.ikev2.test_signature import pair_of, party
from tests.pair import Pair, engine_of, is_request, mirrored, net

BOTH = pytest.mark.parametrize("by", ["left", "right"])
SHA256 = "proposals = aes128-sha256-x25519"


def side(text: str, name: str) -> str:
    """A configuration whose side `name` (local or remote) proves nothing."""
    begin = text.index(f"        {name} {{")
    end = text.index("}", begin)
    return text[:begin] + f"{name} {{\n auth = null\n " + text[end:]


def conf(*null: str, connection: str = SHA256) -> str:
    """The left configuration, in which these sides prove nothing."""
    text = net(connection)
    for name in null:
        text = side(text, name)
    return text


def reasons(pair: Pair) -> list[str]:
    return [str(failed["reason"]) for one in pair.sides for failed in one.told("failed")]


@BOTH
@pytest.mark.parametrize("null", [("local",), ("remote",), ("local", "remote")])
def test_one_side_or_both_prove_nothing(null: tuple[str, ...], by: str) -> None:
    # HDR, SK {IDi(ID_NULL), AUTH(NULL), SAi2, TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr}
    pair = Pair(conf(*null), mirrored(conf(*null))).initiate(by)
    pair.check()
    left, right = (engine_of(one).sa for one in pair.sides)
    assert (left.local_id == NOBODY, left.remote_id == NOBODY) == ("local" in null, "remote" in null)
    assert (left.local_id, left.remote_id) == (right.remote_id, right.local_id)
    assert str(NOBODY) == "ID_NULL"


def test_auth_is_that_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7619 2.1 written out for HMAC-SHA2-256, with the keys of the key log and the octets of the wire."""
    made: list[Auth] = []
    real = null_auth.auth
    monkeypatch.setattr(null_auth, "auth", lambda *args, **named: made.append(real(*args, **named)) or made[-1])
    pair = Pair(conf("local"), mirrored(conf("local"))).initiate()
    sk_pi = bytes.fromhex(str(next(entry for entry in pair.left.keys if entry["kind"] == "ike")["SK_pi"]))
    nr = engine_of(pair.left).sa.nr
    id_null = bytes([13, 0, 0, 0])
    octets = pair.wire.sent[0].ike + nr + hmac.digest(sk_pi, id_null, hashlib.sha256)
    expected = hmac.digest(hmac.digest(sk_pi, b"Key Pad for IKEv2", hashlib.sha256), octets, hashlib.sha256)
    assert {(auth.method, auth.data) for auth in made} == {(AuthMethod.NULL, expected)}
    assert len(made) == 2, "once made and once checked"


def test_nobody_finds_no_connection_that_names_its_peer() -> None:
    pair = Pair(conf("local"), mirrored(net(SHA256))).initiate()
    assert pair.left.up == pair.right.up == []
    assert reasons(pair)[1] == "peer proves nothing (NULL authentication); we take a pre-shared key"


@BOTH
def test_it_is_never_taken_where_it_is_not_configured(by: str) -> None:
    """The other side takes anybody who knows the key; a side that proves nothing is not even that."""
    pair = Pair(conf("local"), mirrored(net(SHA256)).replace("id = left.example.org", "id = %any")).initiate(by)
    assert pair.left.up == pair.right.up == []
    assert "peer proves nothing (NULL authentication); we take a pre-shared key" in reasons(pair)


@BOTH
def test_a_peer_that_proves_itself_is_not_taken_for_nobody(by: str) -> None:
    """`auth = null` says what the peer does, not that anything will do."""
    pair = Pair(net(SHA256), mirrored(conf("local"))).initiate(by)
    assert pair.left.up == pair.right.up == []
    assert any("by SHARED_KEY; we take" in text and "null" in text for text in reasons(pair)), reasons(pair)


def anonymous(remote_auth: str = "null") -> Pair:
    """A client that proves nothing, and a gateway with a certificate."""
    client = party("left", auth="null", id="%null", remote_auth="pubkey")
    return pair_of(client, party("right", remote_auth=remote_auth, remote_id="%any"))


def test_a_client_without_a_name_and_a_gateway_with_a_certificate() -> None:
    """RFC 7619 1: the usual case of one side alone; no PSK is there that everybody would know."""
    pair = anonymous().initiate()
    pair.check()
    assert engine_of(pair.left).sa.remote_id == Identity.parse("right.example.org")


def test_it_does_not_pass_for_a_signature() -> None:
    pair = anonymous(remote_auth="pubkey").initiate()
    assert pair.right.up == []
    assert reasons(pair)[1] == "peer proves nothing (NULL authentication); we take signatures (pubkey)"


def test_a_responder_that_shows_no_signature() -> None:
    # The left one, which answers, proves nothing; the right one wants a signature and tells it so (RFC 7296 2.21.2).
    pair = anonymous(remote_auth="pubkey").initiate("right")
    assert pair.left.up == pair.right.up == []
    assert reasons(pair) == ["peer proves nothing (NULL authentication); we take signatures (pubkey)"]


def claiming(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The initiator proves nothing and calls itself somebody."""
    claimed = Identity.parse(name)
    assert claimed is not None
    monkeypatch.setattr(ike_auth.proof, "own_identity", lambda sa: claimed if sa.initiator else sa.connection.local.id)


def test_a_name_that_is_not_proven_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7619 2.2: nobody gets the connection of a name by calling itself so."""
    claiming(monkeypatch, "left.example.org")
    pair = Pair(conf("local"), mirrored(net(SHA256))).initiate()
    assert pair.right.up == []
    assert reasons(pair)[1] == "peer proves nothing (NULL authentication); we take a pre-shared key"
    # Where nobody may come, it comes as nobody, and the trace tells what it said.
    pair = Pair(conf("local"), mirrored(conf("local"))).initiate()
    pair.check()
    assert engine_of(pair.right).sa.remote_id == NOBODY
    said = "peer calls itself left.example.org and does not prove it: it is ID_NULL to us"
    assert said in [record.text for record in pair.right.records]


def two_connections(name: str) -> str:
    """A responder with a connection for a name, proven by a key, and one for nobody."""
    named, open_ = (mirrored(conf("local")) if null else mirrored(net(SHA256)) for null in (False, True))
    body = open_[open_.index("    gw {") : open_.index("secrets {")].rsplit("}", 1)[0].replace("gw {", "open {", 1)
    first, second = (body, "") if name == "first" else ("", body)
    head, rest = named.split("connections {", 1)
    inner, tail = rest.split("secrets {", 1)
    closed = inner.rsplit("}", 1)[0]
    return f"{head}connections {{\n{first}{closed}{second}}}\nsecrets {{{tail}"


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize(("left", "serves"), [(conf("local"), "open"), (net(SHA256), "gw")])
def test_each_gets_the_connection_of_its_proof(place: str, left: str, serves: str) -> None:
    pair = Pair(left, two_connections(place)).initiate()
    pair.check()
    assert pair.right.sas[0]["name"] == serves


@pytest.mark.parametrize("policy", ["no", "never", "keep", "replace"])
def test_nobody_ends_no_ike_sa_of_nobody_else(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7619 2.3: INITIAL_CONTACT of ID_NULL deletes nothing, and no two nobodies are the same."""
    text = conf("local", "remote", connection=f"{SHA256}\n unique = {policy}")
    pair = Pair(text, mirrored(text)).initiate()
    assert not any("INITIAL_CONTACT" in record.text for record in pair.left.records)
    contact = (Notify(NotifyType.INITIAL_CONTACT),)
    real = ike_auth._our_window
    monkeypatch.setattr(ike_auth, "_our_window", lambda sa: (*real(sa), *(contact if sa.initiator else ())))
    pair.left.do("initiate", "net", anew=True)
    pair.settle()
    assert pair.right.up == ["ESTABLISHED", "ESTABLISHED"]
    assert pair.right.told("ike-down") == []


def test_a_named_ike_sa_survives_a_nobody_that_takes_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(net(SHA256), two_connections("first")).initiate()
    assert pair.right.sas[0]["remote_id"] == "left.example.org"
    claiming(monkeypatch, "left.example.org")
    attacker = Pair(conf("local"), two_connections("first"), seed="1")
    attacker.right.endpoint = pair.right.endpoint
    attacker.initiate()
    names = sorted((str(sa["name"]), str(sa["remote_id"])) for sa in pair.right.sas)
    assert names == [("gw", "left.example.org"), ("open", "ID_NULL")]


def test_id_null_with_octets_is_bad_syntax(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ike_auth._payload
    monkeypatch.setattr(ike_auth, "_payload", lambda kind, one: real(kind, Identity(IdType.ID_NULL, one.data + b"x")))
    pair = Pair(conf("local"), mirrored(conf("local"))).initiate()
    assert pair.left.up == pair.right.up == []
    assert "ID_NULL carries 1 octets of identity, none are allowed" in reasons(pair)


@BOTH
def test_an_auth_that_is_not_of_this_ike_sa(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = null_auth.auth

    def other(sa, signed, *, initiator):  # type: ignore[no-untyped-def]
        found = real(sa, signed, initiator=initiator)
        ours = sa.initiator == initiator
        return Auth(found.method, bytes(len(found.data))) if ours else found

    monkeypatch.setattr(null_auth, "auth", other)
    pair = Pair(conf("local", "remote"), mirrored(conf("local", "remote"))).initiate(by)
    assert pair.left.up == pair.right.up == []
    assert any("AUTH (NULL) of the peer does not verify" in text for text in reasons(pair)), reasons(pair)


def test_the_first_request_lost() -> None:
    pair = Pair(conf("local", "remote"), mirrored(conf("local", "remote")))
    pair.wire.drop(is_request(ExchangeType.IKE_AUTH))
    pair.initiate()
    pair.wait(10)
    pair.check()


def test_a_named_peer_may_call_itself_nobody_with_a_key() -> None:
    """RFC 7619 2.2: ID_NULL goes with other methods too; `%any` serves it then."""
    left = net(SHA256).replace("id = left.example.org", "id = %null")
    right = mirrored(net(SHA256)).replace("id = left.example.org", "id = %any")
    pair = Pair(left, right).initiate()
    pair.check()
    assert engine_of(pair.right).sa.remote_id == NOBODY


def test_a_name_with_no_proof_is_a_mistake_of_the_user() -> None:
    with pytest.raises(ConfigError, match=r"x\.conf:\d+: .*leave id out with auth = null"):
        load(net().replace("auth = psk", "auth = null", 1), "x.conf")
