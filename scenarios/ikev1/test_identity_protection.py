"""Identity protection: what an observer without keys, or an attacker with its own, can tell about who is there."""

import pytest

from lab.evidence import identities, keys
from lab.ike.swanctl import parse
from lab.matrix import IKEV1, SELVES
from lab.plugin import first_version as v1
from lab.plugin.tunnel import CONNECTION, Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

NAMES = {"left.lab", "right.lab"}
KINDS = {
    "main-mode": (v1.tunnel(), set()),
    "aggressive-mode": (v1.tunnel(connection={"aggressive": "yes"}), NAMES),
    "ikev2": (Tunnel(), set()),
}


@pytest.mark.rfc("2409#5", "7296#1.2")
@pytest.mark.needs("ikev1", "aggressive")
@pytest.mark.pairings(*map(str, (*IKEV1, *SELVES)))
@pytest.mark.parametrize("kind", KINDS)
def test_identity_protection(lab, left, right, kind):
    """Main Mode and IKEv2 show a passive observer no identity, Aggressive Mode shows both."""
    tunnel, shown = KINDS[kind]
    lab.up("direct", tunnel)
    lab.establish()
    lab.ping()
    lab.prove_protected()

    lab.step("audit", "the capture without keys: every readable identity")
    frames = lab.frames()
    seen = identities.readable(frames)
    lab.steps.note(f"found: {', '.join(sorted({one.identity for one in seen})) or 'none'}")
    assert {one.identity for one in seen} == shown, f"readable: {seen or 'nothing'}"
    assert identities.leaked(frames, NAMES) == shown, "the octets of an identity stand where they should not"
    if shown:
        by = {one.source.partition(":")[0]: one.identity for one in seen}
        assert by == {left.address: "left.lab", right.address: "right.lab"}, f"who said what: {by}"


ATTACKER, ADDRESS = "third", "192.0.2.2"
# It takes anybody and knows no secret; what it is after comes before any proof.
CREDULOUS = """
connections {{ {name} {{
    version = {version}
    local_addrs = {address}
    remote_addrs = %any
    proposals = {ike}
    local {{
        auth = psk
        id = right.lab
    }}
    remote {{ auth = psk
    }}
    children {{ net {{
        local_ts = 10.2.0.0/24
        remote_ts = 10.1.0.0/24
    }} }}
}} }}
secrets {{ ike-guess {{ secret = "a guess of the attacker"
}} }}
"""
# Packets for the right gateway go to the attacker, and its answers come back in the name of the right gateway.
HIJACK = """
table ip hijack {{
    chain prerouting {{
        type nat hook prerouting priority -100
        iifname "left" ip daddr {right} udp dport {{ 500, 4500 }} dnat to {attacker}
    }}
}}
"""
ATTACKS = {"ikev2": (2, Tunnel(), {"left.lab", "right.lab"}), "main-mode": (1, v1.tunnel(), set())}


@pytest.mark.rfc("7296#5", "2409#5.4")
@pytest.mark.needs("ikev1")
@pytest.mark.pairings("ours>ours", "strongswan>ours", "strongswan-5.9>ours")
@pytest.mark.parametrize("kind", ATTACKS)
def test_active_attacker(lab, left, right, kind):
    """Somebody in the middle answers with keys of its own: IKEv2's initiator names itself, Main Mode's does not."""
    version, tunnel, shown = ATTACKS[kind]
    lab.up("triangle", tunnel, start=("left",))
    lab.step("attacker", f"what is for the right gateway goes to {ATTACKER}, which knows no secret")
    text = CREDULOUS.format(name=CONNECTION, version=version, address=ADDRESS, ike=tunnel.ike)
    attacker = lab.add_gateway(ATTACKER, "ours", parse(text))
    rules = HIJACK.format(right=lab.ends().right_public, attacker=ADDRESS)
    done = lab.network.node("internet").run(["nft", "-f", "-"], input=rules)
    assert done.returncode == 0, f"the packets could not be led astray: {done.stderr}"
    lab.step("handshake", f"{left} initiates")
    outcome = left.initiate(timeout=8)
    assert not outcome.up and not left.established(), f"{left} took the attacker for its peer"

    lab.step("audit", "a passive observer has the capture, the attacker has its own keys besides")
    frames = lab.frames()
    assert lab.ladder().ike(sender=ATTACKER), "the attacker was never asked"
    passive = identities.readable(frames)
    assert not passive and not identities.leaked(frames, NAMES), f"a passive observer reads {passive}"
    own = keys.merge(attacker.logged_keys())
    lab.dismiss(attacker)
    assert own.ike, "the attacker came to no keys"
    seen = identities.readable(frames, own)
    read = ", ".join(sorted({one.identity for one in seen})) or "none"
    lab.steps.note(f"the observer finds no identity, the attacker: {read}")
    assert {one.identity for one in seen} == shown, f"the attacker reads {seen or 'nothing'}"
    assert not shown or {one.source.partition(":")[0] for one in seen} == {left.address}, f"who said what: {seen}"
