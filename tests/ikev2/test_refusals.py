"""Every refused proposal, selector, identity or proof in words, as both sides say it: what the responder was offered
and what it allows, and what the initiator had offered or claimed. Events are what `ikelab ctl events` shows.
"""

from dataclasses import dataclass

import pytest

from lab.peers.ca import EXPIRED
from lab.wire.ids import ExchangeType
from tests.ikev2.test_signature import Party, ca, leaf, party
from tests.pair import Pair, is_response, mirrored, net

BOTH = pytest.mark.parametrize("by", ["left", "right"])
US, THEM = "left.example.org", "right.example.org"
AUTHENTICATION = "peer refuses IKE_AUTH: AUTHENTICATION_FAILED, it does not accept our identity or our proof of it"
TWO_CHILDREN = "}\n other {\n local_ts = 10.8.0.0/24\n remote_ts = 10.9.0.0/24\n"


@dataclass(frozen=True)
class Case:
    """The initiator's configuration and the responder's; what the responder says, and what the initiator does."""

    initiator: str
    responder: str
    responder_says: str
    initiator_says: str


def auth(text: str, mine: str, theirs: str = "psk") -> str:
    """The configuration `net()` with other means of proof; EAP goes with a password of carol."""
    text = text.replace("auth = psk\n            id = left", f"auth = {mine}\n            id = left")
    text = text.replace("auth = psk\n            id = right", f"auth = {theirs}\n            id = right")
    return text + 'secrets {\n eap-carol {\n id = left.example.org\n secret = "Ar3etTnp"\n }\n}\n'


def cases() -> dict[str, Case]:
    """Name by name; `left` initiates."""
    base, other = net(), mirrored(net())
    claim = f"(we call ourselves {US}, proven by a pre-shared key, and ask for {THEM})"
    return {
        "proposal": Case(
            net("proposals = aes128-sha256-ecp256-modp2048"),
            mirrored(net("proposals = aes128-sha256-x25519-ecp384")),
            "no common KE: peer offers ecp256, modp2048; we allow x25519, ecp384",
            "peer refuses IKE_SA_INIT: NO_PROPOSAL_CHOSEN, none of our proposals is acceptable to it "
            "(we offer aes128-prfsha256-sha256-ecp256-modp2048)",
        ),
        "proposal of a child": Case(
            net(child="esp_proposals = aes128-sha256"),
            mirrored(net(child="esp_proposals = aes128gcm16, aes256gcm16")),
            "no common ENCR: peer offers aes128; we allow aes128gcm16",
            "peer refuses child net: NO_PROPOSAL_CHOSEN, none of our proposals is acceptable to it "
            "(we offer aes128-sha256)",
        ),
        "selectors": Case(
            base.replace("10.2.0.0/24", "10.7.0.0/24"),
            other,
            "peer offers local 10.7.0.0/24; we allow 10.2.0.0/24",
            "peer refuses child net: TS_UNACCEPTABLE, none of our traffic selectors is acceptable to it "
            "(we offer 10.1.0.0/24 to 10.7.0.0/24)",
        ),
        "selectors of several children": Case(
            base.replace("10.2.0.0/24", "10.7.0.0/24"),
            mirrored(net(child=TWO_CHILDREN)),
            "child net: peer offers local 10.7.0.0/24; we allow 10.2.0.0/24; "
            "child other: peer offers local 10.7.0.0/24; we allow 10.9.0.0/24",
            "peer refuses child net: TS_UNACCEPTABLE, none of our traffic selectors is acceptable to it "
            "(we offer 10.1.0.0/24 to 10.7.0.0/24)",
        ),
        "identity": Case(
            base.replace(US, "carol.example.org"),
            other,
            f"peer calls itself carol.example.org and asks for {THEM}; "
            f"connections at this address: gw (we as {THEM}, peer as {US})",
            f"{AUTHENTICATION} {claim.replace(US, 'carol.example.org')}",
        ),
        "identity of ours": Case(
            base.replace(THEM, "dave.example.org"),
            other,
            f"peer calls itself {US} and asks for dave.example.org; "
            f"connections at this address: gw (we as {THEM}, peer as {US})",
            f"{AUTHENTICATION} {claim.replace(THEM, 'dave.example.org')}",
        ),
        "pre-shared key": Case(
            base,
            other.replace("a shared secret", "another"),
            f"AUTH of {US} does not verify: its pre-shared key is not ours",
            f"{AUTHENTICATION} {claim}",
        ),
        "no pre-shared key": Case(
            base,
            other.replace("secret =", "id = somebody.else\n secret ="),
            f"we hold no pre-shared key for local {THEM} and remote {US}",
            f"{AUTHENTICATION} {claim}",
        ),
        "means": Case(
            auth(base, "psk"),
            mirrored(auth(base, "eap-md5")),
            "peer proves itself by SHARED_KEY; we take eap-md5",
            f"{AUTHENTICATION} {claim}",
        ),
        "EAP where none is taken": Case(
            auth(base, "eap-md5"),
            other,
            "peer wants EAP; we take a pre-shared key",
            f"{AUTHENTICATION} {claim.replace('a pre-shared key', 'eap-md5')}",
        ),
        "EAP method": Case(
            auth(base, "eap-md5"),
            mirrored(auth(base, "eap-mschapv2")),
            "peer does not take eap-mschapv2; it wants MD5; we allow eap-mschapv2",
            f"peer refuses {US} by EAP: it offers MSCHAPV2; we allow eap-md5",
        ),
        "EAP password": Case(
            auth(base, "eap-mschapv2").replace("Ar3etTnp", "guess"),
            mirrored(auth(base, "eap-mschapv2")),
            f"EAP-MSCHAPv2 of {US} does not verify: its password is not ours",
            f"peer refuses {US} by eap-mschapv2: authentication failure (691)",
        ),
        "configuration": Case(
            base,
            mirrored(base)
            .replace("mobike = no", "mobike = no\n pools = lab")
            .replace("secrets {", "pools {\n lab {\n addrs = 10.3.0.0/24\n }\n}\nsecrets {", 1),
            "peer asks for no virtual address; connection gw takes only peers with one of lab",
            "peer refuses child net: FAILED_CP_REQUIRED, it expected a configuration request (we ask for none)",
        ),
        "no child": Case(
            net("childless = force").replace("childless = force", "childless = never"),
            mirrored(net("childless = force")),
            "peer wants a child with IKE_AUTH, and `childless = force`",
            "peer refuses child net: NO_PROPOSAL_CHOSEN, none of our proposals is acceptable to it "
            "(we offer aes256gcm16-aes128gcm16-chacha20poly1305, aes256-aes128-sha256-sha384-sha512)",
        ),
    }


def reasons(pair: Pair) -> tuple[list[str], list[str]]:
    """What both sides give as the reason of what failed."""
    left, right = ([str(told["reason"]) for told in side.told("failed")] for side in pair.sides)
    return left, right


@pytest.mark.parametrize("name", cases())
def test_both_sides_say_why(name: str) -> None:
    case = cases()[name]
    pair = Pair(case.initiator, case.responder).initiate()
    assert reasons(pair) == ([case.initiator_says], [case.responder_says])
    for side, text in zip(pair.sides, (case.initiator_says, case.responder_says), strict=True):
        assert any(text in record.text for record in side.records), "the trace tells it too"


# -- certificates: either side may be the one that is refused

CERTIFICATES = {
    "expired": (
        lambda: ca().leaf("left", identities=(US,), validity=EXPIRED),
        'certificate "C=CH, O=ikelab, CN=left" expired on 2027-01-14 08:00:00 UTC; it is 2027-01-15 08:00:00 UTC',
    ),
    "wrong CA": (
        lambda: ca("other").leaf("left", identities=(US,)),
        'certificate "C=CH, O=ikelab, CN=left" was issued by "C=CH, O=ikelab, CN=other", whom we do not trust',
    ),
    "revoked": (
        lambda: leaf("left"),
        'certificate "C=CH, O=ikelab, CN=left" was revoked on 2027-01-15 07:00:00 UTC',
    ),
    "another identity": (
        lambda: ca().leaf("mallory", identities=("mallory.example.org",)),
        f"peer calls itself {US}; its certificate is that of C=CH, O=ikelab, CN=mallory, mallory.example.org",
    ),
    "another key": (
        lambda: ca().leaf("left", "rsa-2048", identities=(US,)),
        f"{US} signs with a key rsa-2048 by rsa-sha256; we take signatures (ecdsa)",
    ),
}
CLAIM = "we call ourselves left.example.org, proven by signatures (pubkey)"


@BOTH
@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_that_is_refused(name: str, by: str) -> None:
    own, words = CERTIFICATES[name]
    issuer = own()
    crls = (ca().crl(issuer.certificate),) if name == "revoked" else ()
    good: Party = party("right", crls=crls, remote_auth="ecdsa" if name == "another key" else "pubkey")
    bad = party("left", own=issuer)
    pair = Pair(bad.text, good.text, files=(bad.files, good.files)).initiate(by)
    left, right = reasons(pair)
    assert right == [words]
    told = [*left, *(str(event["reason"]) for event in pair.left.told("ike-down"))]
    assert len(told) == 1 and f"({CLAIM}" in told[0] and "AUTHENTICATION_FAILED" in told[0], told


# -- another key exchange method is wanted, which ends nothing


def test_another_group_is_told_by_both() -> None:
    pair = Pair(net("proposals = aes128-sha256-x25519-ecp384"), mirrored(net("proposals = aes128-sha256-ecp384")))
    pair.initiate().check()
    left, right = ([one.text for one in side.records if one.kind in ("note", "refusal")] for side in pair.sides)
    assert "peer wants a key for ECP_384; we sent one for CURVE25519, and send anew" in left
    assert "IKE_SA_INIT refused with INVALID_KE_PAYLOAD: peer sent a key for CURVE25519; we want ECP_384" in right


def test_another_group_in_create_child_sa_is_told_by_both() -> None:
    pair = Pair(
        net(child="esp_proposals = aes128gcm16-x25519-ecp384"),
        mirrored(net(child="esp_proposals = aes128gcm16-ecp384")),
    ).initiate()
    pair.left.do("rekey", child="net")
    pair.wait(10)  # the old child is heard for a while
    pair.check()
    assert len(pair.wire.seen(is_response(ExchangeType.CREATE_CHILD_SA))) == 2
    left, right = ([one.text for one in side.records if one.kind in ("note", "refusal")] for side in pair.sides)
    assert "peer wants a key for ECP_384; we sent one for CURVE25519, and send anew" in left
    assert "CREATE_CHILD_SA refused with INVALID_KE_PAYLOAD: peer sent CURVE25519; we want ECP_384" in right
