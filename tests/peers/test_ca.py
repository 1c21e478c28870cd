"""The CA of a scenario: what it issues holds, follows from seed and time, and has the times that were asked for."""

from random import Random

import pytest

from lab.crypto.trust import Anchors
from lab.ike.credentials import Identity
from lab.peers.ca import EXPIRED, FUTURE, Ca

NOW = 1_800_000_000.0
NAMES = ("left.lab", "192.0.2.1", "2001:db8::1", "left@lab.example")


def made(seed: int = 1) -> Ca:
    return Ca(Random(seed).randbytes, NOW)


@pytest.mark.parametrize("kind", ["rsa-2048", "ecdsa-256", "ecdsa-384", "ecdsa-521", "ed25519", "ed448"])
def test_a_leaf_of_every_kind(kind: str) -> None:
    ca = made()
    middle = ca.intermediate("middle")
    leaf = ca.leaf("left", kind, identities=NAMES, issuer=middle).certificate
    assert str(leaf.public) == kind
    anchors = Anchors((ca.root.certificate,), (ca.crl(), ca.crl(issuer=middle)), strict=True)
    assert anchors.refusal(leaf, (middle.certificate,), now=NOW) == ""
    for name in (*NAMES, "C=CH, O=ikelab, CN=left"):
        identity = Identity.parse(name)
        assert identity and identity.named_in(leaf)
    revoked = Anchors((ca.root.certificate,), (ca.crl(leaf, issuer=middle),))
    assert "was revoked" in revoked.refusal(leaf, (middle.certificate,), now=NOW)


def test_the_same_seed_and_time_give_the_same_certificates() -> None:
    first, again, other = ([ca.root, ca.leaf("left"), ca.leaf("right", "ed448")] for ca in (made(), made(), made(2)))
    assert [i.certificate.der for i in first] == [i.certificate.der for i in again]
    assert not {i.certificate.der for i in first} & {i.certificate.der for i in other}


def test_times() -> None:
    ca = made()
    anchors = Anchors((ca.root.certificate,))
    assert "expired" in anchors.refusal(ca.leaf("left", validity=EXPIRED).certificate, (), now=NOW)
    assert "not valid before" in anchors.refusal(ca.leaf("left", validity=FUTURE).certificate, (), now=NOW)
