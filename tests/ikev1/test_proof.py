"""ECDSA signatures and hybrid authentication between two endpoints (RFC 4754, draft isakmp-hybrid-auth-05)."""

from functools import cache

import pytest

from lab.crypto.issue import Issuer
from lab.errors import ConfigError
from lab.ike.config import load
from lab.ikev1 import keys, proof
from lab.peers.ca import Ca
from lab.wire.ids_v1 import AuthMethod1, ExchangeType1, Phase1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import SA1
from tests.ikev1.v1 import AGGRESSIVE, IKE, MAIN, QUICK, of, sa, settled
from tests.pair import EPOCH, LEFT, RIGHT, Pair, seeded

TRANSACTION = ExchangeType1.TRANSACTION
MODES = pytest.mark.parametrize("mode", ["no", "yes"], ids=["main", "aggressive"])
HOSTS = {"left": LEFT, "right": RIGHT}
CURVES = {256: AuthMethod1.ECDSA_256, 384: AuthMethod1.ECDSA_384, 521: AuthMethod1.ECDSA_521}
SIGNS, WANTS = "auth = pubkey\n certs = own.pem", "auth = pubkey"
USER, ASKS = "auth = xauth\n xauth_id = carol", "auth = xauth"


@cache
def leaf(owner: str, kind: str, issuer: str = "root") -> Issuer:
    return Ca(seeded(issuer), EPOCH, issuer).leaf(owner, kind, identities=(f"{owner}.example.org",))


def side(owner: str, local: str, remote: str, *, mode: str = "no", ike: str = IKE, password: str = "Ar3etTnp") -> str:
    """One side's configuration; it trusts the CA and knows the user's password."""
    other = {"left": "right", "right": "left"}[owner]
    nets = {"left": "10.1.0.0/24", "right": "10.2.0.0/24"}
    key = "private-1 {\n file = own.key\n }" if "certs" in local else ""
    return f"""
    connections {{ gw {{
        version = 1
        aggressive = {mode}
        proposals = {ike}
        local_addrs = {HOSTS[owner]}
        remote_addrs = {HOSTS[other]}
        local {{
            id = {owner}.example.org
            {local}
        }}
        remote {{
            id = {other}.example.org
            {remote}
        }}
        children {{ net {{
            local_ts = {nets[owner]}
            remote_ts = {nets[other]}
        }} }}
    }} }}
    authorities {{ ca {{ cacert = ca.pem
    }} }}
    secrets {{
        {key}
        xauth-1 {{ id = carol
            secret = {password}
        }}
    }}
    """


def files(own: Issuer) -> dict[str, bytes]:
    root = Ca(seeded("root"), EPOCH, "root").root
    return {"ca.pem": root.certificate.pem, "own.pem": own.certificate.pem, "own.key": own.key.pem}


def signing(kind: str, other: str = "", *, mode: str = "no", ike: str = IKE) -> Pair:
    """Both sides sign, the left one with a key of this kind."""
    made = [side(owner, SIGNS, WANTS, mode=mode, ike=ike) for owner in HOSTS]
    return Pair(*made, files=(files(leaf("left", kind)), files(leaf("right", other or kind))))


def hybrid(*, mode: str = "no", password: str = "Ar3etTnp", issuer: str = "root", user: str = "left") -> Pair:
    """One side signs, the other has nothing but its user's password."""
    gateway = {"left": "right", "right": "left"}[user]
    texts = {
        user: side(user, USER, WANTS, mode=mode, password=password),
        gateway: side(gateway, SIGNS, ASKS, mode=mode),
    }
    own = files(leaf(gateway, "rsa-2048", issuer))
    return Pair(texts["left"], texts["right"], files=(own, own))


def method(pair: Pair) -> int:
    """What the responder chose, as it stands on the wire."""
    first = next(d for d in pair.wire.sent if d.src[0] == RIGHT)
    (proposal,) = Message1.decode(first.ike).need(SA1).proposals
    return proposal.transforms[0].get(Phase1.AUTHENTICATION) or 0


# -- ECDSA


@MODES
@pytest.mark.parametrize("bits", CURVES)
def test_ecdsa(bits: int, mode: str) -> None:
    # IDii, [CERT,] SIG_I -->    <-- IDir, [CERT,] SIG_R; HASH_I and HASH_R by the method's own hash
    pair = signing(f"ecdsa-{bits}", mode=mode, ike="aes256-sha1-modp2048").initiate()
    pair.check()
    assert method(pair) == CURVES[bits]
    assert len(pair.wire.seen(of(AGGRESSIVE if mode == "yes" else MAIN))) == (3 if mode == "yes" else 6)


def test_each_curve_has_a_method_of_its_own() -> None:
    """RFC 4754 4: the method says which curve both sides sign on, so two curves do not come together."""
    pair = signing("ecdsa-256", "ecdsa-384").initiate()
    pair.run(200)
    reason = "peer would authenticate by ECDSA_256; we allow ECDSA_384"
    assert reason in str(pair.right.told("failed")[0]["reason"])
    assert pair.left.sas == pair.right.sas == []


def test_a_key_of_another_curve_than_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A responder that agrees to P-256 and then signs with its other key, on P-384, is refused in words."""
    one, other = leaf("right", "ecdsa-256"), leaf("right", "ecdsa-384")
    right = side("right", SIGNS.replace("own.pem", "own.pem, other.pem"), WANTS)
    right = right.replace("private-1 {", "private-2 {\n file = other.key\n }\n private-1 {", 1)
    more = {"other.pem": other.certificate.pem, "other.key": other.key.pem}
    pair = Pair(side("left", SIGNS, WANTS), right, files=(files(leaf("left", "ecdsa-256")), files(one) | more))
    usual = proof._own
    monkeypatch.setattr(proof, "_own", lambda sa: usual(sa) if sa.initiator else other.certificate)
    pair.initiate()
    reason = "right.example.org signs with a key ecdsa-384; agreed is ECDSA_256"
    assert reason in str(pair.left.told("failed")[0]["reason"])
    assert pair.left.sas == []


# -- hybrid authentication


@MODES
def test_hybrid(mode: str) -> None:
    # IDii, HASH_I -->    <-- IDir, CERT, SIG_R    then XAUTH in four messages, then Quick Mode
    pair = hybrid(mode=mode).initiate()
    pair.check()
    assert method(pair) == AuthMethod1.HYBRID_INIT_RSA
    assert (len(pair.wire.seen(of(TRANSACTION))), len(pair.wire.seen(of(QUICK)))) == (4, 3)
    assert str(sa(pair.right).user) == "carol" and str(sa(pair.left).remote_id) == "right.example.org"


def test_hybrid_begun_by_the_side_that_signs() -> None:
    """HybridRespRSA: the responder of phase 1 is the user."""
    pair = hybrid()
    pair.right.do("initiate", "net")
    pair.settle()
    pair.check()
    assert str(sa(pair.right).user) == "carol" and len(pair.wire.seen(of(TRANSACTION))) == 4


@MODES
def test_a_wrong_password(mode: str) -> None:
    """HASH_I of somebody without any secret verifies: so nothing but XAUTH keeps a stranger out."""
    pair = hybrid(mode=mode, password="wrong").initiate()
    assert pair.right.told("failed")[0]["reason"] == "wrong password for XAUTH user carol"
    assert not pair.wire.seen(of(QUICK)) and pair.left.sas == pair.right.sas == []


@MODES
def test_a_gateway_of_another_ca_never_sees_the_password(mode: str) -> None:
    pair = hybrid(mode=mode, issuer="other").initiate()
    pair.run(200)
    assert any("whom we do not trust" in str(one["reason"]) for one in pair.left.told("failed"))
    assert not pair.wire.seen(of(TRANSACTION, 2)) and not pair.wire.seen(of(QUICK))
    assert pair.left.sas == pair.right.sas == []


@pytest.mark.parametrize(("mode", "number"), [*(("no", n) for n in range(1, 7)), *(("yes", n) for n in range(1, 4))])
def test_each_message_lost_once(mode: str, number: int) -> None:
    pair = hybrid(mode=mode)
    pair.wire.drop(of(AGGRESSIVE if mode == "yes" else MAIN, number))
    settled(pair).check()


def test_the_keys_follow_from_nonces_and_secret() -> None:
    """SKEYID of signatures (RFC 2409 5), although one side sends none: both sides log the same keys, and these."""
    pair = hybrid().initiate()
    one, other = sa(pair.left), sa(pair.right)
    assert one.keys == other.keys
    assert one.keys.skeyid not in (keys.skeyid_psk(one.agreed.prf_spec, b"", one.nonces), b"")


# -- configurations


@pytest.mark.parametrize(
    ("local", "remote", "words"),
    [
        (USER, "auth = psk", "the other has auth = pubkey"),
        (USER, ASKS, "the other has auth = pubkey"),
        (f"{USER}\n certs = own.pem", WANTS, "unknown key"),
    ],
)
def test_mistakes(local: str, remote: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(side("left", local, remote), "x.conf", files(leaf("left", "rsa-2048")).__getitem__)


def test_xauth_twice() -> None:
    text = side("left", USER, WANTS).replace("remote {", "local-2 {\n auth = xauth\n }\n remote {", 1)
    with pytest.raises(ConfigError, match="one section of 'local' has auth = xauth, 2 found"):
        load(text, "x.conf", files(leaf("left", "rsa-2048")).__getitem__)


@pytest.mark.parametrize(
    ("kind", "words"), [("ecdsa-256", "XAUTH goes with signatures by RSA keys"), ("ed25519", "RSA or an ECDSA key")]
)
def test_keys_that_no_method_has_a_number_for(kind: str, words: str) -> None:
    local, remote = (SIGNS, ASKS) if kind == "ecdsa-256" else (SIGNS, WANTS)
    with pytest.raises(ConfigError, match=words):
        load(side("left", local, remote), "x.conf", files(leaf("left", kind)).__getitem__)
