"""Quick Mode: several at a time, selectors with protocol and port, algorithms, and the peer's first contact."""

from dataclasses import replace

import pytest

from lab.matrix import IKEV1
from lab.plugin import first_version as v1
from lab.plugin.tunnel import CONNECTION
from lab.wire.payloads_v1 import ID1

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

SETTLED_S, PORT = 10, 7777
# Of every child but `net` the selectors are for one port, so that they differ.
MORE = {"alpha": 7001, "beta": 7002, "gamma": 7003}


def with_more(start):
    """The tunnel with further children; the initiator begins them all by itself."""

    def side(own, peer, action):
        children = "\n".join(
            f"{name} {{\n local_ts = {own}[udp/{port}]\n remote_ts = {peer}[udp/{port}]\n"
            f" esp_proposals = {v1.ESP}\n start_action = {action}\n }}"
            for name, port in MORE.items()
        )
        return f"connections {{\n {CONNECTION} {{\n children {{\n {children}\n }}\n }}\n}}"

    left, right = side("10.1.0.0/24", "10.2.0.0/24", start), side("10.2.0.0/24", "10.1.0.0/24", "none")
    plain = v1.tunnel()
    return replace(plain, child={"start_action": start}, more=left), replace(plain, more=right)


@pytest.mark.rfc("2409#5.5", "2407#4.6.2")
@pytest.mark.needs("ikev1")
def test_several_quick_modes(lab, left, right):
    """Four children under one ISAKMP SA: a Quick Mode each, by message IDs and chains of IVs of their own."""
    ours, theirs = with_more("start")
    lab.up("direct", left=ours, right=theirs)
    wanted = {"net", *MORE}

    def names(gateway):
        return {child["name"] for child in gateway.children()}

    lab.step("handshake", f"{left} begins {len(wanted)} children by itself")
    lab.until(lambda: names(left) == names(right) == wanted, "four children on both sides", SETTLED_S)
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", "one Main Mode, and Quick Mode four times three, told by the message ID")
    assert len(v1.messages(ladder, v1.MAIN)) == 6, f"not one Main Mode: {ladder.words()}"
    quick = v1.messages(ladder, v1.QUICK)
    talks = {}
    for entry in quick:
        talks.setdefault(entry["message_id"], []).append(entry["from"])
    assert list(talks.values()) == [["left", "right", "left"]] * 4, f"Quick Modes: {talks}"
    spis = [child["spi_in"] for gateway in (left, right) for child in gateway.children()]
    assert len(set(spis)) == 8, f"SPIs are shared: {spis}"
    first = [entry["message_id"] for entry in quick[:4]]
    lab.steps.note("interleaved" if len(set(first)) > 2 else "one behind the other")


@pytest.mark.rfc("2407#4.6.2", "2409#5.5")
@pytest.mark.needs("ikev1")
def test_protocol_and_port(lab, left, right):
    """The ID payloads of Quick Mode name a protocol and a port: such a datagram is in ESP, and no other is."""
    port = f"[udp/{PORT}]"
    child = {"local_ts": f"10.1.0.0/24{port}", "remote_ts": f"10.2.0.0/24{port}"}
    ours = v1.tunnel(child=child)
    theirs = v1.tunnel(child={"local_ts": child["remote_ts"], "remote_ts": child["local_ts"]})
    lab.up("direct", left=ours, right=theirs)
    lab.establish()

    lab.step("sent", f"a datagram from and to UDP port {PORT}, and one to another port")
    for other in (PORT, PORT + 1):
        script = (
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            f"s.bind(('{lab.inner('left')}', {PORT})); s.sendto(b'x', ('{lab.inner('right')}', {other}))"
        )
        done = lab.network.node("left-host").run(["python3", "-c", script])
        assert done.returncode == 0, f"the datagram could not be sent: {done.stderr}"
    lab.until(lambda: lab.ladder().esp("left"), "the datagram is in ESP", SETTLED_S, every=0.5)
    ladder = lab.ladder()
    inside = [entry.get("inner", "") for entry in ladder.esp("left")]
    assert len(inside) == 1 and f":{PORT} -> " in inside[0], f"inside ESP: {inside}"

    lab.step("named", "protocol 17 and the port in both ID payloads of messages 1 and 2")
    quick = v1.inside(lab.frames(), lab.keys(), v1.QUICK)
    for message in quick[:2]:
        found = [(one.protocol, one.port) for one in message.all(ID1)]
        assert found == [(17, PORT)] * 2, f"the ID payloads name {found}"


SUITES = {
    "aes128-sha1-modp2048": "aes128-sha1",
    "aes192-sha384-ecp384": "aes192-sha384",
    "aes256-sha512-modp4096": "aes256-sha512",
    "aes256-sha512-ecp521": "aes256ctr-sha256",
    "aes128-sha256-modp3072": "aes256gcm16",
    "aes256-sha256-modp1536": "aes128ccm8",
    "3des-md5-modp1024": "3des-md5",
    "aes256-sha384-modp6144": "null-sha256",
    "aes256-sha512-modp8192": "aes128-aesxcbc",
}


@pytest.mark.rfc("2409#A", "2407#4.4.4")
@pytest.mark.needs("ikev1")
@pytest.mark.parametrize("ike", SUITES)
def test_algorithms(lab, left, right, ike):
    """What IKEv1 has numbers for, in both phases; whatever is weak only because the configuration asks for it."""
    lab.up("direct", v1.tunnel(ike=ike, esp=SUITES[ike]))
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    v1.set_up(ladder)


@pytest.mark.rfc("2407#4.6.3.3")
@pytest.mark.needs("ikev1")
def test_initial_contact(lab, left, right):
    """A peer that has lost its SAs says that the new one is its only one: what was held of the old ones goes."""
    lab.up("direct", v1.tunnel())
    lab.establish()
    lab.ping()
    (before,) = right.established()

    lab.step("restart", f"{left} is switched off and on, and initiates anew")
    left.restart(SETTLED_S)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    fifth = v1.messages(ladder, v1.MAIN)[10]
    assert "N(INITIAL_CONTACT)" in fifth["payloads"], f"message 5 of the second Main Mode: {fifth['payloads']}"
    lab.until(lambda: len(right.established()) == 1, f"one ISAKMP SA at {right}", SETTLED_S)
    (after,) = right.established()
    assert after["spi_i"] != before["spi_i"], f"{right} kept the old ISAKMP SA"
    assert len(right.children()) == 1, f"{right} keeps {len(right.children())} children"
