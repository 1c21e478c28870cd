"""Proof by signature and certificate: every kind of key, chains, mixed means, and what has to be refused."""

from dataclasses import dataclass, replace

import pytest

from lab.matrix import IKEV2, WE_INITIATE
from lab.peers.ca import EXPIRED, FUTURE
from lab.plugin import papers, proofs
from lab.plugin.tunnel import Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

SIDES = ("left", "right")
IDS = {"left": ("left.lab",), "right": ("right.lab",)}


@dataclass(frozen=True)
class Kind:
    """A key, how `auth` asks for its signature, what AUTH then holds; without RFC 7427 where a peer does not list."""

    key: str
    auth: str
    signs: str
    older: bool = False

    @property
    def settings(self) -> dict[str, str]:
        return {"signature_authentication": "no"} if self.older else {}


KINDS = {
    "rsa-sha256": Kind("rsa-2048", "rsa-sha256", "DIGITAL_SIGNATURE rsa-sha256"),
    "rsa-sha384": Kind("rsa-3072", "ike:rsa-sha384", "DIGITAL_SIGNATURE rsa-sha384"),
    "rsa-sha512": Kind("rsa-2048", "ike:rsa-sha512", "DIGITAL_SIGNATURE rsa-sha512"),
    "rsa-pss-sha256": Kind("rsa-2048", "ike:rsa/pss-sha256", "DIGITAL_SIGNATURE rsa/pss-sha256"),
    "rsa-pss-sha384": Kind("rsa-3072", "ike:rsa/pss-sha384", "DIGITAL_SIGNATURE rsa/pss-sha384"),
    "rsa-pss-sha512": Kind("rsa-2048", "ike:rsa/pss-sha512", "DIGITAL_SIGNATURE rsa/pss-sha512"),
    "ecdsa-256": Kind("ecdsa-256", "pubkey", "DIGITAL_SIGNATURE ecdsa-sha256"),
    "ecdsa-384": Kind("ecdsa-384", "pubkey", "DIGITAL_SIGNATURE ecdsa-sha384"),
    "ecdsa-521": Kind("ecdsa-521", "pubkey", "DIGITAL_SIGNATURE ecdsa-sha512"),
    "ecdsa-256-sha512": Kind("ecdsa-256", "ike:ecdsa-sha512", "DIGITAL_SIGNATURE ecdsa-sha512"),
    "ed25519": Kind("ed25519", "pubkey", "DIGITAL_SIGNATURE ed25519"),
    "ed448": Kind("ed448", "pubkey", "DIGITAL_SIGNATURE ed448"),
    "older-rsa": Kind("rsa-2048", "pubkey", "RSA_SIGNATURE", older=True),
    "older-ecdsa-256": Kind("ecdsa-256", "pubkey", "ECDSA_256", older=True),
    "older-ecdsa-384": Kind("ecdsa-384", "pubkey", "ECDSA_384", older=True),
    "older-ecdsa-521": Kind("ecdsa-521", "pubkey", "ECDSA_521", older=True),
}


def needs(kind: Kind) -> list[str]:
    return ["certificates", kind.key.partition("-")[0], *(["rsa/pss"] if "pss" in kind.auth else [])]


PARAMETERS = [pytest.param(kind, id=name, marks=pytest.mark.needs(*needs(kind))) for name, kind in KINDS.items()]


def tunnels(ca, *, left=None, right=None, **kinds) -> dict[str, Tunnel]:
    """Both sides with a certificate of the CA (or the one given), each trusting the CA."""
    own = {"left": left, "right": right}
    return {
        side: papers.trusting(
            papers.certified(Tunnel(), own[side] or ca.leaf(side, identities=IDS[side]), **kinds), ca.root
        )
        for side in SIDES
    }


def auths(ladder):
    return [e.get("auth", "") for e in ladder.ike("IKE_AUTH", again=False)]


def certificates_travelled(ladder, *, asked=True):
    """CERTREQ of the responder in IKE_SA_INIT and of the initiator in IKE_AUTH; CERT and AUTH of both in IKE_AUTH."""
    answer = ladder.ike("IKE_SA_INIT", response=True, again=False)[-1]
    request, response = ladder.ike("IKE_AUTH", again=False)[:2]
    assert "CERTREQ" in answer["payloads"], f"the responder asks for no certificate: {answer['payloads']}"
    assert "CERTREQ" in request["payloads"], f"the initiator asks for no certificate: {request['payloads']}"
    for message in (request, response):
        wanted = {"CERT", "AUTH"}
        assert wanted <= set(message["payloads"]), f"{message['from']} sent no CERT or AUTH: {message['payloads']}"


@pytest.mark.rfc("7296#2.15", "7427#3", "4754#3", "8420#2")
@pytest.mark.parametrize("kind", PARAMETERS)
def test_signature(lab, left, right, kind):
    """Both sides prove themselves by this kind of signature, with certificates of a common CA."""
    ca = lab.ca()
    sides = {side: ca.leaf(side, kind.key, identities=IDS[side]) for side in SIDES}
    both = tunnels(ca, **sides, auth=kind.auth)
    lab.up("direct", **{side: replace(tunnel, settings=kind.settings) for side, tunnel in both.items()})
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("proofs", kind.signs)
    proofs.set_up_in_four_messages(ladder)
    certificates_travelled(ladder)
    assert auths(ladder) == [kind.signs, kind.signs], f"AUTH is {auths(ladder)}, not {kind.signs}"
    for message in ladder.ike("IKE_SA_INIT", again=False):
        listed = "N(SIGNATURE_HASH_ALGORITHMS)" in message["payloads"]
        assert listed != kind.older, f"{message['from']} sent {message['payloads']}"


@pytest.mark.rfc("7427#4")
@pytest.mark.needs("certificates", "ecdsa")
@pytest.mark.parametrize("asker", SIDES)
def test_only_a_listed_hash(lab, left, right, asker):
    """One side lists SHA2-384 only; the other one signs with it although its P-256 key would use SHA2-256."""
    if asker == "right" and right.peer.name.startswith("strongswan"):
        lab.unsupported("charon as responder lists all hashes that it knows, whatever its connections allow")
    ca = lab.ca()
    both = tunnels(ca)
    both[asker] = papers.trusting(both[asker], auth="ike:pubkey-sha384")
    lab.up("direct", **both)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    found = dict(zip(SIDES, auths(ladder), strict=True))
    other = {"left": "right", "right": "left"}[asker]
    assert found[other] == "DIGITAL_SIGNATURE ecdsa-sha384", f"{other} signed by {found[other]}"


@pytest.mark.rfc("7296#3.6", "4945#3.2")
@pytest.mark.needs("certificates", "ecdsa")
@pytest.mark.parametrize("deep", SIDES)
def test_chain(lab, left, right, deep):
    """One side's certificate is of an intermediate CA that the other does not have: it comes in a second CERT."""
    ca = lab.ca()
    middle = ca.intermediate("middle")
    both = tunnels(ca, **{deep: ca.leaf(deep, identities=IDS[deep], issuer=middle)})
    both[deep] = papers.knowing(both[deep], middle)
    lab.up("direct", **both)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    counts = {e["from"]: e["payloads"].count("CERT") for e in ladder.ike("IKE_AUTH", again=False)}
    shallow = {"left": "right", "right": "left"}[deep]
    assert counts == {deep: 2, shallow: 1}, f"CERT payloads: {counts}"


@pytest.mark.rfc("7296#2.15")
@pytest.mark.needs("certificates", "ed25519")
@pytest.mark.parametrize("signer", SIDES)
def test_signature_against_shared_key(lab, left, right, signer):
    """One side signs, the other one proves the shared key."""
    ca = lab.ca()
    other = {"left": "right", "right": "left"}[signer]
    both = {
        signer: papers.knowing(papers.certified(Tunnel(), ca.leaf(signer, "ed25519", identities=IDS[signer])), ca.root),
        other: papers.trusting(Tunnel(), ca.root),
    }
    lab.up("direct", **both)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    found = dict(zip(SIDES, auths(ladder), strict=True))
    assert found == {signer: "DIGITAL_SIGNATURE ed25519", other: "SHARED_KEY"}, f"AUTH is {found}"


@pytest.mark.rfc("7296#2.16")
@pytest.mark.needs("certificates", "ecdsa", "eap-mschapv2")
def test_certificate_and_eap(lab, left, right):
    """The responder shows its certificate in front of EAP, the initiator proves a password."""
    ca = lab.ca()
    user = {"eap-user": {"id": "left.lab", "secret": "Ar3etTnp"}}
    mine = papers.trusting(Tunnel(local={"auth": "eap-mschapv2"}, secrets=user), ca.root)
    gateway = Tunnel(remote={"auth": "eap-mschapv2"}, secrets=user)
    gateway = papers.knowing(papers.certified(gateway, ca.leaf("right", identities=IDS["right"])), ca.root)
    lab.up("direct", left=mine, right=gateway)
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    answer = ladder.ike("IKE_AUTH", response=True, again=False)[0]
    assert {"CERT", "AUTH", "EAP"} <= set(answer["payloads"]), f"the first answer holds {answer['payloads']}"
    assert answer["auth"] == "DIGITAL_SIGNATURE ecdsa-sha256", f"the responder proved itself by {answer['auth']}"


IDENTITIES = {
    "ipv4": ("10.0.0.1", ("10.0.0.1",)),
    "ipv6": ("2001:db8::1", ("2001:db8::1",)),
    "email": ("left@lab.example", ("left@lab.example",)),
    "name": ("C=CH, O=ikelab, CN=left", ()),
}


@pytest.mark.rfc("7296#3.5", "4945#3.1")
@pytest.mark.needs("certificates", "ecdsa")
@pytest.mark.parametrize(("identity", "names"), IDENTITIES.values(), ids=IDENTITIES.keys())
def test_identity(lab, left, right, identity, names):
    """The initiator is known by another type of identity, which its certificate has."""
    ca = lab.ca()
    both = tunnels(ca, left=ca.leaf("left", identities=names))
    both["left"] = replace(both["left"], local={**both["left"].local, "id": identity})
    both["right"] = replace(both["right"], remote={**both["right"].remote, "id": identity})
    lab.up("direct", **both)
    lab.establish()
    lab.ping()
    lab.prove_protected()
    (sa,) = right.established()
    assert sa["remote_id"] == identity, f"{right} knows its peer as {sa['remote_id']}"


@pytest.mark.rfc("7296#3.5", "4945#3.1")
@pytest.mark.needs("certificates", "ecdsa")
def test_key_id(lab, left, right):
    """The initiator is known by ID_KEY_ID, the octets that its certificate has as the identifier of its key."""
    ca = lab.ca()
    own = ca.leaf("left", identities=())
    identity = f"@#{own.certificate.key_id.hex()}"
    both = tunnels(ca, left=own)
    both["left"] = replace(both["left"], local={**both["left"].local, "id": identity})
    both["right"] = replace(both["right"], remote={**both["right"].remote, "id": identity})
    lab.up("direct", **both)
    lab.establish()
    lab.ping()
    lab.prove_protected()
    if right.peer.name == "ours":
        (sa,) = right.established()
        assert sa["remote_id"] == f"ID_KEY_ID:{identity[2:]}", f"{right} knows its peer as {sa['remote_id']}"


# -- refusals


def refused(lab, good, bad, words):
    """The good side does not take the proof of the bad one, says AUTHENTICATION_FAILED, and nothing is set up."""
    lab.step("refused", words)
    left, right = lab.gateways
    outcome = left.initiate()
    assert not outcome.up, "a tunnel came up although one proof is worth nothing"
    lab.until(lambda: not left.established() and not right.established(), "neither side holds an IKE SA", 5)
    ladder = lab.ladder()
    word = "N(AUTHENTICATION_FAILED)"
    refusals = [e for e in ladder.ike(payload=word) if e["from"] == good.name]
    assert refusals, f"{good} did not say {word}: {ladder.words()}"
    assert refusals[0]["payloads"] == [word], f"the refusal holds {refusals[0]['payloads']}"
    assert refusals[0]["opened"], "the refusal was not protected with the keys of the IKE SA"
    exchange = "IKE_AUTH" if good.name == "right" else "INFORMATIONAL"
    assert refusals[0]["exchange"] == exchange, f"the refusal came in {refusals[0]['exchange']}"
    assert "CERT" in ladder.ike("IKE_AUTH", sender=bad.name)[0]["payloads"], f"{bad} sent no CERT"
    assert not ladder.esp(), "ESP was sent although a proof was refused"
    proofs.all_opened(ladder)
    if good.peer.name == "ours":
        reasons = [str(event.fields.get("reason")) for event in good.events() if event.name == "failed"]
        assert any(words in reason for reason in reasons), f"the reason is {reasons}, not {words!r}"


def sides(left, right, bad):
    """The gateway that refuses, and the one that is refused."""
    return (right, left) if bad == "left" else (left, right)


BAD = pytest.mark.parametrize("bad", SIDES)


@pytest.mark.rfc("5280#6.1.3", "4945#5.1")
@pytest.mark.needs("certificates", "ecdsa")
@BAD
@pytest.mark.parametrize(
    ("validity", "words"), [(EXPIRED, "expired on"), (FUTURE, "is not valid before")], ids=["expired", "not-yet-valid"]
)
def test_outside_its_validity(lab, left, right, bad, validity, words):
    """A certificate of the past or of the future is refused."""
    ca = lab.ca()
    lab.up("direct", **tunnels(ca, **{bad: ca.leaf(bad, identities=IDS[bad], validity=validity)}))
    refused(lab, *sides(left, right, bad), words)


@pytest.mark.rfc("5280#6.1.3")
@pytest.mark.needs("certificates", "ecdsa")
@BAD
def test_another_ca(lab, left, right, bad):
    """A certificate of a CA that the other side does not trust is refused."""
    ca, other = lab.ca(), lab.ca("other")
    both = tunnels(ca, **{bad: other.leaf(bad, identities=IDS[bad])})
    both[bad] = papers.knowing(both[bad], other.root)
    lab.up("direct", **{side: replace(t, connection={"send_cert": "always"}) for side, t in both.items()})
    refused(lab, *sides(left, right, bad), "whom we do not trust")


@pytest.mark.rfc("5280#6.3")
@pytest.mark.needs("certificates", "ecdsa", "crl")
@BAD
def test_revoked(lab, left, right, bad):
    """A certificate on its CA's CRL is refused."""
    ca = lab.ca()
    both = tunnels(ca, **{bad: (revoked := ca.leaf(bad, identities=IDS[bad]))})
    good = {"left": "right", "right": "left"}[bad]
    crl = ca.crl(revoked.certificate)
    fresh = papers.certified(Tunnel(), ca.leaf(good, identities=IDS[good]))
    both[good] = papers.trusting(fresh, ca.root, crl=crl)
    lab.up("direct", **both)
    refused(lab, *sides(left, right, bad), "was revoked on")


@pytest.mark.rfc("7296#2.15", "4945#3.1")
@pytest.mark.needs("certificates", "ecdsa")
# charon itself takes the certificate's subject where an identity is not in its certificate: it cannot be the bad one.
@pytest.mark.pairings(*map(str, WE_INITIATE), "ours>ours")
def test_identity_of_somebody_else(lab, left, right):
    """The initiator calls itself what its certificate does not say."""
    ca = lab.ca()
    lab.up("direct", **tunnels(ca, left=ca.leaf("mallory", identities=("mallory.lab",))))
    refused(lab, right, left, "peer calls itself left.lab; its certificate is that of")


@pytest.mark.rfc("7427#4")
@pytest.mark.needs("certificates", "ecdsa", "rsa")
@BAD
def test_key_of_another_kind(lab, left, right, bad):
    """One side takes ECDSA only, the other one has an RSA key."""
    ca = lab.ca()
    both = tunnels(ca, **{bad: ca.leaf(bad, "rsa-2048", identities=IDS[bad])})
    good = {"left": "right", "right": "left"}[bad]
    both[good] = papers.trusting(both[good], auth="ecdsa-256-sha256")
    lab.up("direct", **both)
    refused(lab, *sides(left, right, bad), "we take signatures (ecdsa-256-sha256)")
