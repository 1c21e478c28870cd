"""IKE_AUTH with EAP methods that carry TLS: beside a pre-shared key, and alone (RFC 5998)."""

from collections.abc import Mapping
from functools import cache

import pytest

from lab.crypto.issue import Issuer
from lab.peers.ca import EXPIRED, Ca
from lab.wire.ids import ExchangeType
from tests.pair import EPOCH, Pair, is_request, is_response, net, seeded

AUTH, INFO = ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL
NAMES = {"left": "left.example.org", "right": "right.example.org"}
VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])
ALONE = pytest.mark.parametrize("alone", [False, True])


@cache
def ca(name: str = "root") -> Ca:
    return Ca(seeded(f"eap {name}"), EPOCH, name)


@cache
def leaf(owner: str, root: str, **how: object) -> Issuer:
    return ca(root).leaf(owner, identities=(NAMES.get(owner, owner),), **how)  # type: ignore[arg-type]


def side(owner: str, means: tuple[str, str], version: str, own: Issuer) -> tuple[str, Mapping[str, bytes]]:
    """The configuration of one side and its files; means of the left side and of the right one."""
    other = "right" if owner == "left" else "left"
    text = net(settings=f"tls_version_min = {version}\n tls_version_max = {version}")
    ours, theirs = means if owner == "left" else means[::-1]
    here = f"auth = {ours}\n certs = own.pem\n id = {NAMES[owner]}"
    there = f"auth = {theirs}\n id = {NAMES[other]}"
    text = text.replace("auth = psk\n            id = left.example.org", here)
    text = text.replace("auth = psk\n            id = right.example.org", there)
    if owner == "right":
        swap = {"192.0.2.1": "198.51.100.1", "10.1.0.0": "10.2.0.0"}
        for a, b in swap.items():
            text = text.replace(a, "SWAP").replace(b, a).replace("SWAP", b)
    text += "secrets {\n private-own {\n file = own.key\n }\n}\nauthorities {\n lab {\n cacert = ca.pem\n }\n}\n"
    files = {"own.pem": own.certificate.pem, "own.key": own.key.pem, "ca.pem": ca().root.certificate.pem}
    return text, files


def pair(
    *,
    alone: bool,
    version: str = "1.3",
    right_version: str = "",
    left: Issuer | None = None,
    right: Issuer | None = None,
) -> Pair:
    means = ("eap-tls", "eap-tls" if alone else "psk")
    here = side("left", means, version, left or leaf("left", "root"))
    there = side("right", means, right_version or version, right or leaf("right", "root"))
    return Pair(here[0], there[0], files=(here[1], there[1])).initiate()


@VERSIONS
@ALONE
def test_eap_tls(version: str, alone: bool) -> None:
    # HDR, SK {IDi, [N(EAP_ONLY),] ...}  -->    <--  HDR, SK {IDr, [AUTH,] EAP}    ...
    made = pair(alone=alone, version=version)
    made.check()
    sent = [r.text for r in made.right.records if r.text.startswith("sent IKE_AUTH response 1 ")]
    assert sent[0].endswith("[ IDr EAP ]" if alone else "[ IDr AUTH EAP ]")
    asked = [r.text for r in made.left.records if r.text.startswith("sent IKE_AUTH request 1 ")]
    assert ("EAP_ONLY_AUTHENTICATION" in asked[0]) is alone
    assert len(made.wire.seen(is_request(AUTH))) == len(made.wire.seen(is_response(AUTH))) >= 5


@ALONE
def test_a_responder_whose_certificate_is_not_trusted_is_told_so(alone: bool) -> None:
    made = pair(alone=alone, right=leaf("right", "stranger"))
    (failed,) = made.left.told("failed")
    assert "stranger" in str(failed["reason"])
    assert "AUTHENTICATION_FAILED" in str(made.right.told("failed")[0]["reason"])
    assert made.left.up == made.right.up == []
    assert len(made.wire.seen(is_request(INFO))) == 1


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        pytest.param(lambda: leaf("left", "stranger"), "stranger", id="another CA"),
        pytest.param(lambda: leaf("mallory.example.org", "root"), "its certificate is that of", id="another name"),
        pytest.param(lambda: leaf("left", "root", validity=EXPIRED), "expired", id="expired"),
    ],
)
@VERSIONS
def test_an_initiator_whose_certificate_is_refused(own, reason: str, version: str) -> None:
    made = pair(alone=True, version=version, left=own())
    assert reason in str(made.right.told("failed")[0]["reason"])
    assert "peer refuses left.example.org by eap-tls" in str(made.left.told("failed")[0]["reason"])
    assert made.left.up == made.right.up == []
    assert made.left.ever == made.right.ever == []


def test_versions_without_a_common_one() -> None:
    made = pair(alone=True, version="1.2", right_version="1.3")
    assert "TLS handshake failed" in str(made.right.told("failed")[0]["reason"])
    assert "TLS handshake failed" in str(made.left.told("failed")[0]["reason"])


def test_eap_tls_without_a_certificate() -> None:
    text = net().replace("auth = psk\n            id = left", "auth = eap-tls\n            id = left")
    made = Pair(
        text,
        side("right", ("eap-tls", "psk"), "1.3", leaf("right", "root"))[0],
        files=({}, side("right", ("eap-tls", "psk"), "1.3", leaf("right", "root"))[1]),
    ).initiate()
    assert made.left.told("failed")[0]["reason"] == "no certificate for eap-tls"


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_mschapv2_beside_a_certificate(password: str) -> None:
    # HDR, SK {IDi, CERTREQ, ...}  -->    <--  HDR, SK {IDr, CERT, AUTH, EAP}
    means = ("eap-mschapv2", "pubkey")
    secret = "secrets {\n eap-1 {\n id = left.example.org\n secret = %s\n }\n}\n"
    here = side("left", means, "1.3", leaf("left", "root"))
    there = side("right", means, "1.3", leaf("right", "root"))
    made = Pair(here[0] + secret % password, there[0] + secret % "right", files=(here[1], there[1])).initiate()
    sent = [r.text for r in made.right.records if r.text.startswith("sent IKE_AUTH response 1 ")]
    assert sent[0].endswith("[ IDr CERT AUTH EAP ]")
    if password == "right":
        made.check()
    else:
        assert made.left.up == made.right.up == []
        assert made.left.ever == made.right.ever == []


USERS = "secrets {\n eap-1 {\n id1 = left.example.org\n id2 = right.example.org\n secret = %s\n }\n}\n"


def by_password(word: str, version: str, *, left: str = "one", right: str = "one") -> Pair:
    """Both sides may begin: whoever does proves a password inside TLS, and the other its certificate."""
    (here, files), (there, others) = (
        side(name, (word, word), version, leaf(name, "root")) for name in ("left", "right")
    )
    return Pair(here + USERS % left, there + USERS % right, files=(files, others))


@VERSIONS
@pytest.mark.parametrize("word", ["eap-ttls", "eap-peap"])
@pytest.mark.parametrize("by", ["left", "right"])
def test_a_password_inside_tls(by: str, word: str, version: str) -> None:
    # HDR, SK {IDi, N(EAP_ONLY), ...}  -->    <--  HDR, SK {IDr, EAP}    ...
    # HDR, SK {AUTH}  -->    <--  HDR, SK {AUTH, SAr2, TSi, TSr}      by the key of TLS
    made = by_password(word, version).initiate(by)
    made.check()
    assert made.left.up == made.right.up == ["ESTABLISHED"]
    asks, answers = (made.left, made.right) if by == "left" else (made.right, made.left)
    requests = [r.text for r in asks.records if r.text.startswith("sent IKE_AUTH request")]
    assert all(text.endswith("[ EAP ]") for text in requests[1:-1])
    assert requests[-1].endswith("[ AUTH ]")
    assert any(f"EAP: {word} succeeded for {NAMES[by]}" in r.text for r in answers.records)


@VERSIONS
@pytest.mark.parametrize("word", ["eap-ttls", "eap-peap"])
def test_a_wrong_password_inside_tls(word: str, version: str) -> None:
    made = by_password(word, version, left="another").initiate()
    assert (
        made.left.told("failed")[0]["reason"]
        == f"peer refuses left.example.org by {word}: authentication failure (691)"
    )
    assert "does not verify: its password is not ours" in str(made.right.told("failed")[0]["reason"])
    assert made.left.up == made.right.up == []
    assert made.left.ever == made.right.ever == []


@pytest.mark.parametrize("message", [3, 6, 9])
@pytest.mark.parametrize("what", [is_request, is_response])
def test_peap_with_a_lost_message(what, message: int) -> None:
    made = by_password("eap-peap", "1.3")
    made.wire.drop(what(AUTH, message))
    made.initiate()
    made.run(30)
    made.check()
