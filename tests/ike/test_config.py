"""swanctl.conf to typed configuration: meanings, defaults, and mistakes named by file, line and key."""

from pathlib import Path as File

import pytest

from lab.crypto.schemes import keyword
from lab.errors import ConfigError
from lab.ike import config
from lab.ike.config import Child, Config, Connection, Settings, load
from lab.ike.credentials import Identity
from lab.ike.means import Means
from lab.ike.options import Selector, addresses, seconds, selectors
from lab.peers.ca import Ca
from lab.wire.ids import IdType, KeMethod, TransformType
from lab.wire.payloads_v2 import TrafficSelector
from tests.pair import mirrored, net, seeded

PSK = "local { auth = psk }\n remote { auth = psk }"


def one(text: str) -> Connection:
    (connection,) = load(f"connections {{ gw {{ {text}\n {PSK} }} }}", "x.conf").connections
    return connection


def test_defaults() -> None:
    connection = one("children { net { } }")
    assert (connection.local_addrs, connection.remote_addrs) == ((), ())
    assert (connection.local_port, connection.remote_port) == (500, 500)
    assert [p.number for p in connection.proposals] == [1, 2]
    assert connection.children["net"].local_ts == (Selector(None),)
    assert connection.children["net"].esp_proposals
    assert load("") == Config()
    assert load("").settings == Settings()


def test_the_default_retransmission_gives_up_after_165_seconds() -> None:
    s = Settings()
    assert sum(s.retransmit_timeout * s.retransmit_base**n for n in range(s.retransmit_tries + 1)) == pytest.approx(
        165.06, abs=0.01
    )


def test_a_whole_configuration() -> None:
    settings = "keep_alive = 5\n cookie_threshold = 0"
    config = load(net("dpd_delay = 30s\n encap = yes", "esp_proposals = aes128-sha256", settings))
    (gw,) = config.connections
    assert (gw.name, gw.local_addrs, gw.remote_addrs) == ("gw", ("192.0.2.1",), ("198.51.100.1",))
    assert (gw.dpd_delay, gw.encap) == (30.0, True)
    assert gw.local.id == Identity(IdType.ID_FQDN, b"left.example.org")
    assert config.credentials.shared[0].secret == b"a shared secret"
    assert (config.settings.keep_alive, config.settings.cookie_threshold) == (5.0, 0)
    assert config.child("net") == (gw, gw.children["net"])
    assert config.child("none") is None
    there = load(mirrored(net())).connections[0]
    assert there.remote.id == gw.local.id
    assert there.children["net"].local_ts == gw.children["net"].remote_ts


def test_proposals_in_order() -> None:
    connection = one("proposals = aes128-sha256-x25519, default")
    assert [p.number for p in connection.proposals] == [1, 2, 3]
    assert connection.proposals[0].of(TransformType.KE)[0].id == KeMethod.CURVE25519


def test_addresses_and_who_is_served() -> None:
    assert addresses("%any") == addresses("") == ()
    connection = one("local_addrs = 192.0.2.1\n remote_addrs = 198.51.100.0/24, 2001:db8::1")
    assert connection.serves("192.0.2.1", "198.51.100.7")
    assert connection.serves("192.0.2.1", "2001:db8::1")
    assert not connection.serves("192.0.2.2", "198.51.100.7")
    assert not connection.serves("192.0.2.1", "203.0.113.7")
    assert one("").serves("192.0.2.2", "203.0.113.7")


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0.0), ("90", 90.0), ("30s", 30.0), ("5m", 300.0), ("4h", 14400.0), ("1d", 86400.0)]
)
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10.1.0.0/24", "10.1.0.0/24"),
        ("10.1.0.5", "10.1.0.5/32"),
        ("10.1.0.5-10.1.0.9", "10.1.0.5-10.1.0.9"),
        ("10.1.0.0/24[tcp]", "10.1.0.0/24[6]"),
        ("10.1.0.0/24[tcp/80]", "10.1.0.0/24[6/80]"),
        ("10.1.0.0/24[udp/1000-2000]", "10.1.0.0/24[17/1000-2000]"),
        ("dynamic[gre]", "192.0.2.1/32[47]"),
        ("2001:db8::/64", "2001:db8::/64"),
    ],
)
def test_selectors(text: str, shown: str) -> None:
    (selector,) = selectors(text)
    assert str(selector.at("192.0.2.1")) == shown


def test_opaque_ports_and_several_selectors() -> None:
    first, second = selectors("10.0.0.0/8[tcp/opaque], dynamic")
    assert (first.start_port, first.end_port) == (65535, 0)
    assert second.at("2001:db8::1") == TrafficSelector.of_network("2001:db8::1")


def test_virtual_addresses_and_the_pools_to_lend_from() -> None:
    pools = """pools {
        four { addrs = 10.3.0.0/24
            dns = 10.3.0.53, 10.3.0.54
            subnet = 10.1.0.0/16, 10.2.0.0/16
        }
        six { addrs = 2001:db8::1-2001:db8::9
        }
    }"""
    config = load(pools + gw("vips = 0.0.0.0, ::\n pools = six, four"))
    (connection,) = config.connections
    assert [str(vip) for vip in connection.vips] == ["0.0.0.0", "::"]
    assert [pool.name for pool in connection.pools] == ["six", "four"]
    four = config.pools["four"]
    assert str(four.addrs.first) == "10.3.0.1" and str(config.pools["six"].addrs.last) == "2001:db8::9"
    assert [str(dns) for dns in four.dns] == ["10.3.0.53", "10.3.0.54"]
    assert [str(net) for net in four.subnet] == ["10.1.0.0/16", "10.2.0.0/16"]
    assert one("").vips == one("").pools == ()


def test_xfrm_interfaces_of_a_connection_hold_for_its_children() -> None:
    children = "children { a { }\n b { if_id_out = 7 } }"
    text = f"connections {{ gw {{ {PSK}\n if_id_in = 0x2A\n if_id_out = 42\n {children} }} }}"
    config = load(text, "x.conf")
    found = config.connections[0].children
    assert [(c.if_id_in, c.if_id_out) for c in found.values()] == [(42, 42), (42, 7)]
    assert sorted((e.line, e.key) for e in config.kernel_only) == [(3, "if_id_in"), (4, "if_id_out"), (6, "if_id_out")]
    assert load(gw(""), "x.conf").kernel_only == ()


def gw(line: str) -> str:
    """A connection that would be right but for its third line."""
    return f"connections {{ gw {{ {PSK}\n{line}\n }} }}"


def child(line: str) -> str:
    return gw(f"children {{ net {{ {line}\n }} }}")


MISTAKES = [
    ("conections { }", 1, "conections", "unknown section"),
    ("connections {\n gw {\n colour = red\n } }", 3, "colour", "unknown key"),
    ("connections {\n gw {\n locl { }\n } }", 3, "locl", "unknown section"),
    (gw("version = 3"), 3, "version", "write 0 or 1 or 2"),
    (gw("version = 1\nproposals = aes256gcm16-prfsha256-ecp256"), 4, "proposals", "no numbers for aes256gcm16"),
    (
        gw("version = 1\nproposals = aes256-sha256-x25519"),
        4,
        "proposals",
        "write a CBC cipher, a hash and a MODP or ECP",
    ),
    (gw("version = 1\nppk_required = yes"), 4, "ppk_required", "version = 1 has none"),
    (
        "connections {\n gw {\n version = 1\n local { auth = psk }\n remote { auth = eap-md5 }\n } }",
        3,
        "version",
        "both sides have auth = psk",
    ),
    (
        "connections {\n gw {\n version = 1\n local { auth = psk }\n remote { auth = psk }\n children {\n net {\n"
        " esp_proposals = chacha20poly1305\n } }\n } }",
        8,
        "esp_proposals",
        "no numbers for chacha20poly1305",
    ),
    (gw("proposals = aes999"), 3, "proposals", "unknown algorithm 'aes999'"),
    (gw("local_addrs = 1.2.3"), 3, "local_addrs", "1.2.3"),
    (gw("dpd_delay = soon"), 3, "dpd_delay", "30s"),
    (gw("encap = maybe"), 3, "encap", "neither yes nor no"),
    (gw("mobike = perhaps"), 3, "mobike", "neither yes nor no"),
    ("connections {\n gw { local { auth = psk }\n } }", 2, "gw", "exactly one section 'remote'"),
    ("connections { gw { local { auth = xauth }\n remote { auth = psk } } }", 1, "auth", "goes with version = 1 only"),
    ("connections { gw { local { auth = rsa-sha1 }\n remote { auth = psk } } }", 1, "auth", "'sha1' in 'rsa-sha1'"),
    ("connections { gw { local { auth = pubkey }\n remote { auth = psk } } }", 1, "auth", "certs = FILE is needed"),
    ("connections { gw { local { auth = psk }\n remote { cacerts = x } } }", 2, "cacerts", "loaded without files"),
    ("authorities { a { crl_uris = file:///x\n } }", 1, "crl_uris", "'/x' cannot be read here"),
    ("authorities { a { } }", 1, "a", "cacert = FILE is needed"),
    ("secrets { rsa-1 { } }", 1, "rsa-1", "file = ... is needed"),
    ("connections { gw { local { }\n remote { auth = psk } } }", 1, "local", "auth = psk or auth = pubkey is needed"),
    (child("local_ts = 10.0.0.1/24"), 3, "local_ts", "host bits"),
    (child("local_ts = 10.0.0.0/24[tcp"), 3, "local_ts", "selector"),
    (child("local_ts = dynamic[999]"), 3, "local_ts", "larger"),
    (child("local_ts = 10.0.0.9-10.0.0.1"), 3, "local_ts", "range"),
    (child("local_ts = 10.0.0.9-::1"), 3, "local_ts", "range"),
    (child("local_ts ="), 3, "local_ts", "at least one"),
    (child("if_id_in = %unique"), 3, "if_id_in", "no number of an interface (%unique and"),
    (child("if_id_out = 0x100000000"), 3, "if_id_out", "not between 0 and 4294967295"),
    (child("mode = beet"), 3, "mode", "not supported"),
    ("secrets { ike { id = a\n } }", 1, "ike", "secret = ... is needed"),
    ("secrets { ike { secret = 0xz\n } }", 1, "secret", "0x"),
    ("secrets { ike { secret = x\n file = y } }", 2, "file", "unknown key"),
    ("secrets { ntlm { } }", 1, "ntlm", "unknown section"),
    ("ikelab { retransmit_tries = -1 }", 1, "retransmit_tries", "no number"),
    ("ikelab { retransmit_base = x }", 1, "retransmit_base", "no number"),
    ("x = 1", 1, "x", "unknown key"),
    (gw("vips = 10.3.0.0/24"), 3, "vips", "10.3.0.0/24"),
    (gw("vips = " + ", ".join(["0.0.0.0"] * 17)), 3, "vips", "17 values, at most 16"),
    (gw("pools = lab"), 3, "pools", "no pool is called 'lab'; there are: none"),
    ("pools {\n lab {\n dns = 10.3.0.53\n } }", 2, "lab", "addrs = 10.3.0.0/24"),
    ("pools {\n lab {\n addrs = 10.3.0.9-10.3.0.1\n } }", 3, "addrs", "no range of addresses"),
    ("pools {\n lab {\n addrs = 10.3.0.0/24\n dns = here\n } }", 4, "dns", "here"),
    ("pools {\n lab {\n addrs = 10.3.0.0/24\n subnet = 10.3.0.1/24\n } }", 4, "subnet", "host bits"),
    ("pools {\n lab {\n addrs = 10.3.0.0/24\n nbns = 10.3.0.1\n } }", 4, "nbns", "unknown key"),
    ("pools {\n addrs = 10.3.0.0/24\n }", 2, "addrs", "unknown key"),
    (gw("local_port = 65536"), 3, "local_port", "not between 1 and 65535"),
    (gw("remote_port = 0"), 3, "remote_port", "not between 1 and 65535"),
    (gw(f"dpd_delay = {'9' * 400}"), 3, "dpd_delay", "longer than"),
    (gw(f"dpd_delay = {'9' * 5000}"), 3, "dpd_delay", "longer than"),
    (gw(f"local_port = {'9' * 5000}"), 3, "local_port", "digits"),
    (gw("proposals = " + ", ".join(["aes128-sha256-x25519"] * 256)), 3, "proposals", "at most 255"),
    (child("local_ts = " + ", ".join(["10.0.0.0/24"] * 256)), 3, "local_ts", "at most 255"),
    (child("replay_window = 100000000"), 3, "replay_window", "not between 0 and 65536"),
    (child("replay_window = 0\nesp_proposals = aes128gcm16-esn"), 3, "replay_window", "without esn"),
    ("ikelab { window_size = 0 }", 1, "window_size", "not between 1 and 1024"),
    ("ikelab { window_size = 4294967296 }", 1, "window_size", "not between 1 and 1024"),
    ("ikelab { retransmit_tries = 100000 }", 1, "retransmit_tries", "not between 0 and 100"),
    ("ikelab { retransmit_base = 0.5 }", 1, "retransmit_base", "not between 1 and 10"),
    ("ikelab { retransmit_timeout = 0 }", 1, "retransmit_timeout", "not between 0.001 and 3600"),
    ("ikelab { cookie_lifetime = 0 }", 1, "cookie_lifetime", "not between 1 and 86400"),
]


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES)
def test_mistakes_name_file_line_and_key(text: str, line: int, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, "x.conf")
    assert (caught.value.file, caught.value.line, caught.value.key) == ("x.conf", line, key), str(caught.value)
    assert words in str(caught.value)


def test_files_are_read_by_whoever_loads() -> None:
    ca = Ca(seeded("config"), 1_800_000_000.0)
    own, crl = ca.leaf("left"), ca.crl()
    files = {"ca.pem": ca.root.certificate.pem, "left.pem": own.certificate.pem, "k": own.key.pem, "/crl": crl.pem}
    text = """
    connections { gw { local { auth = ecdsa-256-sha512-sha256
        certs = left.pem
    } remote { auth = pubkey
        cacerts = ca.pem, ca.pem
        revocation = strict
    } } }
    authorities { lab { cacert = ca.pem
        crl_uris = file:///crl
    } }
    secrets { {key} }
    """
    config = load(text.replace("{key}", "private-left { file = k\n }"), "x.conf", files.__getitem__)
    (connection,) = config.connections
    root = ca.root.certificate
    assert (connection.local.certs, connection.remote.cacerts) == ((own.certificate,), (root, root))
    assert (connection.remote.revocation, config.credentials.authorities) == ("strict", (root,))
    assert [c.issuer for c in config.credentials.crls] == [root.subject]
    key = config.credentials.key(own.certificate.public)
    assert key is not None and key.pem == own.key.pem
    assert repr(own.key) not in repr(config.credentials)
    with pytest.raises(ConfigError, match="no private key in `secrets` belongs to certificate"):
        load(text.replace("{key}", ""), "x.conf", files.__getitem__)


@pytest.mark.parametrize(
    ("text", "families", "bits", "hashes"),
    [
        ("pubkey", set(), 0, ""),
        ("ike:pubkey-sha512-sha256", set(), 0, "sha512 sha256"),
        ("rsa/pss-3072-sha384", {"rsa/pss"}, 3072, "sha384"),
        ("rsa-4096-ecdsa-sha256", {"rsa", "ecdsa"}, 4096, "sha256"),
        ("ed448", {"ed448"}, 0, ""),
    ],
)
def test_means(text: str, families: set[str], bits: int, hashes: str) -> None:
    means = Means.parse(text)
    assert (means.families, means.bits) == (families, bits)
    assert " ".join(keyword(digest) for digest in means.hashes) == hashes
    assert not means.shared and str(means) == f"signatures ({text})"
    assert [keyword(d) for d in means.listed] == [*(hashes.split() or ["sha256", "sha384", "sha512"]), "identity"]


def test_a_secret_of_several_owners() -> None:
    (secret,) = load("secrets { ike-1 { id-a = left\n id-b = %any\n secret = 0x00ff } }").credentials.shared
    assert secret.owners == (Identity(IdType.ID_FQDN, b"left"), None)
    assert secret.secret == b"\x00\xff"


def test_children_carry_their_keys() -> None:
    text = "children { net { rekey_time = 1h\n life_time = 2h\n mode = transport\n replay_window = 0\n reqid = 7 } }"
    assert one(text).children["net"] == Child(
        "net",
        esp_proposals=one("children { net { } }").children["net"].esp_proposals,
        rekey_time=3600.0,
        life_time=7200.0,
        mode="transport",
        replay_window=0,
        reqid=7,
    )


@pytest.mark.parametrize(
    "table", [config._CONNECTION, config._CHILD, config._SETTINGS], ids=["connection", "child", "own"]
)
def test_every_key_is_in_the_documentation(table: dict[str, object]) -> None:
    text = (File(__file__).parents[2] / "docs" / "configuration.md").read_text()
    assert [key for key in table if f"`{key}`" not in text] == []
