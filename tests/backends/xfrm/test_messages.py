"""Our messages beside those of `ip xfrm`, recorded on their way into the kernel (nlmon), octet by octet."""

import contextlib
import os
import shutil
import socket
import subprocess

import pytest

from lab.backends.xfrm import messages as m
from lab.backends.xfrm import structs as s
from lab.backends.xfrm.algorithms import AEAD, AUTH, CRYPT
from lab.backends.xfrm.link import Link, parts
from lab.backends.xfrm.policies import Key as PolicyKey
from lab.backends.xfrm.policies import Way
from lab.backends.xfrm.policies import message as policy
from lab.backends.xfrm.selectors import selectors
from lab.backends.xfrm.states import message as state
from lab.ike.child import TO_THE_MTU, ChildSa, Limits
from lab.ike.path import Path as Way4
from lab.wire.ids import Encr, Integ, ProtocolId, TransformType
from lab.wire.payloads_v2 import TrafficSelector, Transform
from tests.netns import Node, needs_root

SIZES = {
    # sizeof of the structs on x86-64, in the words of the header file
    s.Selector: 56, s.Id: 24, s.Limits: 64, s.Counted: 32, s.SaInfo: 224, s.SaId: 24, s.PolicyInfo: 168,
    s.PolicyId: 64, s.Template: 64, s.Encap: 24, s.Crypt: 68, s.Authentic: 72, s.ReplayEsn: 24, s.Replay: 12,
    s.Migration: 76,
}  # fmt: skip


@pytest.mark.parametrize(("part", "size"), SIZES.items(), ids=lambda x: getattr(x, "__name__", None))
def test_structs_are_as_long_as_the_kernel_has_them(part: type[s.Part], size: int) -> None:
    assert part.size() == size == len(part.pack({}))


@pytest.mark.parametrize("part", SIZES, ids=lambda part: part.__name__)
def test_every_field_comes_back_from_its_own_place(part: type[s.Part]) -> None:
    octets = bytes(number & 0xFF or 1 for number in range(1, part.size() + 1))
    value = part.read(octets)
    padding = [n for n, (a, b) in enumerate(zip(part.pack(value), octets, strict=True)) if a != b]
    assert part.read(part.pack(value)) == value
    assert all(part.pack(value)[n] == 0 for n in padding)


def child(encr: Transform, key: int, integ: tuple[Integ, int] | None, **changes: object) -> ChildSa:
    values: dict[str, object] = {
        "name": "net",
        "spi_in": b"\xc0\1\2\3",
        "spi_out": b"\xc1\1\2\3",
        "protocol": ProtocolId.ESP,
        "mode": "tunnel",
        "encr": encr,
        "integ": Transform(TransformType.INTEG, integ[0]) if integ else None,
        "esn": False,
        "key_encr_in": bytes(range(1, key + 1)),
        "key_integ_in": bytes(range(101, 101 + (integ[1] if integ else 0))),
        "key_encr_out": bytes(range(2, key + 2)),
        "key_integ_out": bytes(range(102, 102 + (integ[1] if integ else 0))),
        "ts_local": (TrafficSelector.of_network("10.1.0.0/24"),),
        "ts_remote": (TrafficSelector.of_network("10.2.0.0/24"),),
        "path": Way4("192.0.2.1", 4500, "192.0.2.2", 1024),
        "encap": False,
        "reqid": 7,
    }
    return ChildSa(**(values | changes))


def esp(number: Encr, bits: int | None = None) -> Transform:
    return Transform(TransformType.ENCR, number, bits)


SHA256, SHA512 = (Integ.AUTH_HMAC_SHA2_256_128, 32), (Integ.AUTH_HMAC_SHA2_512_256, 64)
CHILDREN = {
    "gcm": child(esp(Encr.ENCR_AES_GCM_16, 256), 36, None),
    "gcm-8": child(esp(Encr.ENCR_AES_GCM_8, 128), 20, None),
    "ccm": child(esp(Encr.ENCR_AES_CCM_16, 128), 19, None),
    "gmac": child(esp(Encr.ENCR_NULL_AUTH_AES_GMAC, 128), 20, None),
    "chacha": child(esp(Encr.ENCR_CHACHA20_POLY1305), 36, None),
    "cbc-sha256": child(esp(Encr.ENCR_AES_CBC, 256), 32, SHA256),
    "cbc-sha384": child(esp(Encr.ENCR_AES_CBC, 192), 24, (Integ.AUTH_HMAC_SHA2_384_192, 48)),
    "cbc-sha512": child(esp(Encr.ENCR_AES_CBC, 256), 32, SHA512),
    "cbc-sha1": child(esp(Encr.ENCR_AES_CBC, 128), 16, (Integ.AUTH_HMAC_SHA1_96, 20)),
    "ctr-xcbc": child(esp(Encr.ENCR_AES_CTR, 128), 20, (Integ.AUTH_AES_XCBC_96, 16)),
    "camellia-cmac": child(esp(Encr.ENCR_CAMELLIA_CBC, 128), 16, (Integ.AUTH_AES_CMAC_96, 16)),
    "3des": child(esp(Encr.ENCR_3DES), 24, SHA256),
    "null": child(esp(Encr.ENCR_NULL), 0, SHA256),
    "in-udp": child(esp(Encr.ENCR_AES_GCM_16, 128), 20, None, encap=True),
    "esn": child(esp(Encr.ENCR_AES_GCM_16, 128), 20, None, esn=True),
    "window-128": child(esp(Encr.ENCR_AES_GCM_16, 128), 20, None, replay_window=128),
    "transport": child(esp(Encr.ENCR_AES_GCM_16, 128), 20, None, mode="transport"),
    "tfc": child(esp(Encr.ENCR_AES_GCM_16, 128), 20, None, tfc_padding=700),
    "tfc-mtu": child(esp(Encr.ENCR_AES_GCM_16, 128), 20, None, tfc_padding=TO_THE_MTU),
    "df-clear": child(esp(Encr.ENCR_AES_GCM_16, 128), 20, None, copy_df="no"),
    "limits": child(*(esp(Encr.ENCR_AES_GCM_16, 128), 20, None), limits=Limits(1000, 20, 2000, 40)),
    "ah": child(None, 0, SHA256, protocol=ProtocolId.AH),
    "ah-ipv6": child(
        *(None, 0, SHA256),
        protocol=ProtocolId.AH,
        mode="transport",
        path=Way4("2001:db8::1", 500, "2001:db8::2", 500),
        ts_local=(TrafficSelector.of_network("2001:db8::1/128"),),
        ts_remote=(TrafficSelector.of_network("2001:db8::2/128"),),
    ),
    "ipv6": child(
        *(esp(Encr.ENCR_AES_GCM_16, 128), 20, None),
        path=Way4("2001:db8::1", 500, "2001:db8::2", 500),
        ts_local=(TrafficSelector.of_network("2001:db8:1::/64"),),
        ts_remote=(TrafficSelector.of_network("2001:db8:2::/64"),),
    ),
    "interface": child(*(esp(Encr.ENCR_AES_GCM_16, 128), 20, None), if_id_in=0x29, if_id_out=0x2A),
    "ports": child(
        *(esp(Encr.ENCR_AES_GCM_16, 128), 20, None),
        ts_local=(TrafficSelector.of_network("10.1.0.7/32", 6, 443, 443),),
        ts_remote=(TrafficSelector.of_network("10.2.0.0/16", 6),),
    ),
}


def words_of_state(given: ChildSa, *, inbound: bool) -> list[str]:
    """What to say to `ip xfrm state add` for the same state."""
    path = given.path
    ends = [path.remote_host, path.local_host] if inbound else [path.local_host, path.remote_host]
    keys = (given.key_encr_in, given.key_integ_in) if inbound else (given.key_encr_out, given.key_integ_out)
    window = given.replay_window
    said = ["src", ends[0], "dst", ends[1], "proto", given.protocol.name.lower()]
    said += ["spi", f"0x{(given.spi_in if inbound else given.spi_out).hex()}", "mode", given.mode, "reqid", str(REQID)]
    flags = ["af-unspec"] * (given.mode == "tunnel") + ["esn"] * given.esn
    flags += ["nopmtudisc"] * (given.copy_df == "no")
    flags += ["align4"] * (given.protocol == ProtocolId.AH and ":" not in path.local_host)
    said += ["replay-window", str(window)] + (["flag", *flags] if flags else [])
    padding = 65535 if given.tfc_padding == TO_THE_MTU else given.tfc_padding
    said += ["tfcpad", str(padding)] if padding and not inbound else []
    if_id = given.if_id_in if inbound else given.if_id_out
    said += ["if_id", hex(if_id)] if if_id else []
    limits = given.limits
    for word, limit in (
        ("byte-soft", limits.rekey_bytes),
        ("packet-soft", limits.rekey_packets),
        ("byte-hard", limits.life_bytes),
    ):
        said += ["limit", word, str(limit)] if limit else []
    last = limits.life_packets or (0 if given.esn else 2**32 - 1)
    said += ["limit", "packet-hard", str(last)] if last else []
    if given.encap:
        ports = [path.remote_port, path.local_port] if inbound else [path.local_port, path.remote_port]
        said += ["encap", "espinudp", *map(str, ports), "0.0.0.0"]
    if given.encr is not None and given.encr.id in AEAD:
        name, icv = AEAD[given.encr.id]
        return [*said, "aead", name, f"0x{keys[0].hex()}", str(icv)]
    if given.encr is not None:
        said += ["enc", CRYPT[given.encr.id], f"0x{keys[0].hex()}" if keys[0] else ""]
    name, icv = AUTH[given.integ.id]
    return [*said, "auth-trunc", name, f"0x{keys[1].hex()}", str(icv)]


REQID = int.from_bytes(b"IK\0\7")


class Monitor:
    """What goes into the kernel's XFRM in this network namespace."""

    def __init__(self) -> None:
        self._tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._tap.bind(("nlmon0", 0))
        self._tap.settimeout(5)

    def drain(self) -> None:
        """Forget what was sent until now."""
        self._tap.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._tap.recv(65536)
        self._tap.settimeout(5)

    def request(self, kind: int) -> bytes:
        """The next request of this type, without what differs by nature: sequence number and port."""
        while True:
            for found, _, data in parts(self._tap.recv(65536)):
                if found == kind:
                    return data[:8] + bytes(8) + data[16:]


in_guest = [
    pytest.mark.guest,
    *needs_root,
    pytest.mark.skipif(os.environ.get("IKELAB_GUEST") != "1", reason="needs a kernel with XFRM: the guest"),
]


def guest(function: object) -> object:
    for mark in in_guest:
        function = mark(function)
    return function


def ip(words: list[str]) -> None:
    done = subprocess.run([shutil.which("ip") or "ip", "xfrm", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip xfrm {' '.join(words)}: {done.stderr}"


def words_of_policy(key: PolicyKey, way: Way) -> list[str]:
    """What to say to `ip xfrm policy add` for the same policy."""
    said = ["src", str(key.selector.src.network), "dst", str(key.selector.dst.network)]
    if key.selector.protocol:
        said += ["proto", str(key.selector.protocol)]
        for word, side in (("sport", key.selector.src), ("dport", key.selector.dst)):
            said += [word, str(side.port)] if side.mask else []
    said += ["if_id", hex(key.if_id)] if key.if_id else []
    said += ["dir", ("in", "out", "fwd")[key.direction], "priority", str(100_000 + 2 * key.selector.breadth)]
    said += ["tmpl", "src", way.src, "dst", way.dst, "proto", "esp"]
    said += ["spi", f"0x{way.spi.hex()}"] if any(way.spi) else []
    return [*said, "reqid", str(way.reqid), "mode", ("transport", "tunnel")[way.mode]]


POLICIES = ["gcm", "ipv6", "ports", "transport", "interface"]


def policy_of(name: str, direction: int) -> tuple[PolicyKey, Way]:
    given = CHILDREN[name]
    (selector,) = selectors(given.ts_local, given.ts_remote)
    spi = given.spi_out if direction == m.OUT else bytes(4)
    way = Way(given.path.local_host, given.path.remote_host, REQID, int(given.mode == "tunnel"), spi=spi)
    return PolicyKey(direction, selector, given.if_id_out if direction == m.OUT else given.if_id_in), way


def record() -> dict[str, list[str]]:
    """Every message of ours and of `ip xfrm`, by test."""
    link, monitor, found = Link(), Monitor(), {}
    for name, given in CHILDREN.items():
        for inbound in (True, False):
            link.ask(m.NEWSA, state(given, given.path, inbound=inbound))
            ours = monitor.request(m.NEWSA)
            ip(["state", "flush"])
            ip(["state", "add", *words_of_state(given, inbound=inbound)])
            found[f"{name} {inbound}"] = [ours.hex(), monitor.request(m.NEWSA).hex()]
            ip(["state", "flush"])
    for name in POLICIES:
        for direction in (m.IN, m.OUT, m.FWD):
            key, way = policy_of(name, direction)
            link.ask(m.NEWPOLICY, policy(key, way))
            ours = monitor.request(m.NEWPOLICY)
            ip(["policy", "flush"])
            ip(["policy", "add", *words_of_policy(key, way)])
            found[f"{name} {direction}"] = [ours.hex(), monitor.request(m.NEWPOLICY).hex()]
            ip(["policy", "flush"])
    return found


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[str]]:
    # One namespace for all of them: a namespace each would cost a second each.
    node = Node()
    node.ip("link add nlmon0 type nlmon")
    node.ip("link set nlmon0 up")
    try:
        return node.call(record)
    finally:
        node.close()


@guest
@pytest.mark.parametrize("inbound", [True, False], ids=["in", "out"])
@pytest.mark.parametrize("name", CHILDREN)
def test_newsa_is_what_ip_xfrm_sends(recorded: dict[str, list[str]], name: str, inbound: bool) -> None:
    ours, theirs = recorded[f"{name} {inbound}"]
    assert ours == theirs


@guest
@pytest.mark.parametrize("direction", [m.IN, m.OUT, m.FWD])
@pytest.mark.parametrize("name", POLICIES)
def test_newpolicy_is_what_ip_xfrm_sends(recorded: dict[str, list[str]], name: str, direction: int) -> None:
    ours, theirs = recorded[f"{name} {direction}"]
    assert ours == theirs
