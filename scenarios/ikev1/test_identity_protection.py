"""Identity protection: what an observer who has the capture and no key can tell about who is there."""

import pytest

from lab.evidence import identities
from lab.matrix import ALL
from lab.plugin import first_version as v1
from lab.plugin.tunnel import Tunnel

NAMES = {"left.lab", "right.lab"}
KINDS = {
    "main-mode": (v1.tunnel(), set()),
    "aggressive-mode": (v1.tunnel(connection={"aggressive": "yes"}), NAMES),
    "ikev2": (Tunnel(), set()),
}


@pytest.mark.rfc("2409#5", "7296#1.2")
@pytest.mark.needs("ikev1", "aggressive")
@pytest.mark.pairings(*map(str, ALL))
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
    assert {one.identity for one in seen} == shown, f"readable: {seen or 'nothing'}"
    assert identities.leaked(frames, NAMES) == shown, "the octets of an identity stand where they should not"
    if shown:
        by = {one.source.partition(":")[0]: one.identity for one in seen}
        assert by == {left.address: "left.lab", right.address: "right.lab"}, f"who said what: {by}"
