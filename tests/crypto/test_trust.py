"""Paths to trust anchors: NIST's PKITS, certificates of our own making, and damaged ones."""

import base64
import json
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lab.crypto import distinguished
from lab.crypto.certificates import Certificate, Crl, load_certificates, load_crl
from lab.crypto.issue import Issuer, Subject, issue, revoke
from lab.crypto.schemes import RSA, scheme
from lab.crypto.signatures import generate
from lab.crypto.trust import LONGEST, MOST_STEPS, Anchors, _Search
from lab.errors import ProtocolError
from lab.wire.ids import HashAlgorithm, IdType
from tests.pair import seeded

PKITS = json.loads((Path(__file__).parent.parent / "vectors" / "pkits.json").read_text())
IN_2020 = 1577836800.0
NOW, DAY = 1_800_000_000.0, 86400.0


@cache
def certificate(name: str) -> Certificate:
    return Certificate.decode(base64.b64decode(PKITS["files"][name]))


@pytest.mark.parametrize("case", PKITS["cases"], ids=lambda case: case["name"])
def test_pkits(case: dict) -> None:
    crls = tuple(Crl.decode(base64.b64decode(PKITS["files"][f"{name}.crl"])) for name in case["crls"])
    leaf, *others = (certificate(name) for name in case["chain"])
    anchors = Anchors((certificate(PKITS["anchor"]),), crls, strict=True)
    refusal = anchors.refusal(leaf, others, now=IN_2020)
    assert (not refusal) is case["valid"], refusal


@cache
def key(name: str, kind: str = "ecdsa-256"):
    return generate(kind, seeded(name))


def authority(name: str, above: Issuer | None = None, kind: str = "ecdsa-256", **fields) -> Issuer:
    subject = Subject(f"C=CH, O=Lab, CN={name}", **{**BASE, "serial": 1 + len(name), "path_length": -1, **fields})
    own = key(name, kind)
    return Issuer(issue(subject, own.public, above or own), own)


BASE = {"not_before": NOW - DAY, "not_after": NOW + DAY}


def leaf_of(above: Issuer, name: str = "left", **fields) -> Certificate:
    subject = Subject(f"C=CH, O=Lab, CN={name}", **{**BASE, "serial": 77, **fields})
    return issue(subject, key(name).public, above)


def test_a_leaf_of_the_root_and_one_of_an_intermediate() -> None:
    root = authority("root")
    middle = authority("middle", root)
    anchors = Anchors((root.certificate,))
    assert anchors.refusal(leaf_of(root), (), now=NOW) == ""
    assert anchors.refusal(leaf_of(middle), (middle.certificate,), now=NOW) == ""
    assert anchors.refusal(leaf_of(middle), (), now=NOW) == (
        'certificate "C=CH, O=Lab, CN=left" was issued by "C=CH, O=Lab, CN=middle", whom we do not trust'
    )
    # An intermediate that we trust ends the path.
    assert Anchors((middle.certificate,)).refusal(leaf_of(middle), (), now=NOW) == ""
    assert Anchors((leaf_of(middle),)).refusal(leaf_of(middle), (), now=NOW) == ""
    # The same arguments, the same octets.
    assert leaf_of(middle).der == leaf_of(middle).der


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"not_after": NOW - 1}, "expired on 2027-01-15 07:59:59 UTC; it is 2027-01-15 08:00:00 UTC"),
        ({"not_before": NOW + 1}, "is not valid before 2027-01-15 08:00:01 UTC; it is 2027-01-15 08:00:00 UTC"),
        ({"usage": ("key_encipherment",)}, "its keyUsage lacks digitalSignature"),
        ({"purpose": "1.3.6.1.5.5.7.3.3"}, "its extendedKeyUsage is 1.3.6.1.5.5.7.3.3"),
    ],
)
def test_a_leaf_that_is_not_good_by_itself(fields: dict, reason: str) -> None:
    root = authority("root")
    assert reason in Anchors((root.certificate,)).refusal(leaf_of(root, **fields), (), now=NOW)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"not_after": NOW - 1}, 'certificate "C=CH, O=Lab, CN=middle" expired'),
        ({"path_length": None}, 'certificate "C=CH, O=Lab, CN=middle" is not that of a CA'),
        ({"usage": ("crl_sign",)}, "its keyUsage lacks keyCertSign"),
    ],
)
def test_an_intermediate_that_may_not_issue(fields: dict, reason: str) -> None:
    root = authority("root")
    middle = authority("middle", root, **fields)
    refusal = Anchors((root.certificate,)).refusal(leaf_of(middle), (middle.certificate,), now=NOW)
    assert reason in refusal


def test_path_length() -> None:
    root = authority("root", path_length=0)
    middle = authority("middle", root)
    refusal = Anchors((root.certificate,)).refusal(leaf_of(middle), (middle.certificate,), now=NOW)
    assert refusal == 'certificate "C=CH, O=Lab, CN=root" allows 0 further authorities; there are 1'


def test_an_impostor_of_the_same_name() -> None:
    root = authority("root")
    other = Issuer(
        issue(Subject("C=CH, O=Lab, CN=root", serial=9, path_length=-1, **BASE), key("x").public, key("x")), key("x")
    )
    refusal = Anchors((root.certificate,)).refusal(leaf_of(other), (other.certificate,), now=NOW)
    assert refusal == 'certificate "C=CH, O=Lab, CN=root" is self-signed, and we do not trust it'


def test_revocation() -> None:
    root = authority("root")
    middle = authority("middle", root)
    leaf = leaf_of(middle)
    good = revoke(root, [], at=NOW - DAY, next_update=NOW + DAY)
    bad = revoke(middle, [leaf.serial], at=NOW - DAY, next_update=NOW + DAY)
    fine = revoke(middle, [], at=NOW - DAY, next_update=NOW + DAY)
    stale = revoke(middle, [], at=NOW - DAY, next_update=NOW - 1)
    forged = revoke(Issuer(middle.certificate, root.key), [leaf.serial], at=NOW - DAY, next_update=NOW + DAY)

    def refusal(*crls: Crl, strict: bool = False) -> str:
        return Anchors((root.certificate,), crls, strict=strict).refusal(leaf, (middle.certificate,), now=NOW)

    assert refusal(good, bad) == 'certificate "C=CH, O=Lab, CN=left" was revoked on 2027-01-14 08:00:00 UTC'
    assert refusal(forged) == refusal(good, fine) == refusal(good, stale) == refusal() == ""
    assert refusal(good, fine, strict=True) == ""
    for crls in ((), (good,), (good, stale), (good, forged), (fine,)):
        assert "no valid CRL says" in refusal(*crls, strict=True)
    assert "was revoked" in refusal(revoke(root, [middle.certificate.serial], at=NOW, next_update=NOW + DAY))


def test_long_chains_and_many_impostors_cost_little() -> None:
    root = authority("root")
    chain, above = [], root
    for number in range(LONGEST + 2):
        above = authority(f"ca{number}", above)
        chain.append(above.certificate)
    assert "longer than we follow" in Anchors((root.certificate,)).refusal(leaf_of(above), chain, now=NOW)
    # All of the same name and key, so that each could have issued every other.
    subject = {"name": "C=CH, O=Lab, CN=twin", "path_length": -1, **BASE}
    twins = [issue(Subject(serial=n + 1, **subject), key("twin").public, key("twin")) for n in range(16)]
    search = _Search(Anchors((root.certificate,)), tuple(twins), NOW)
    assert search.start(leaf_of(Issuer(twins[0], key("twin"))))
    assert search.steps < MOST_STEPS + 200


def test_damaged_certificates_are_refused_or_do_not_verify() -> None:
    root = authority("root")
    leaf = leaf_of(root, names=((IdType.ID_FQDN, b"left.lab"), (IdType.ID_IPV4_ADDR, bytes([192, 0, 2, 1]))))
    anchors = Anchors((root.certificate,))
    assert anchors.refusal(leaf, (), now=NOW) == ""
    for at in range(len(leaf.der)):
        with pytest.raises(ProtocolError):
            Certificate.decode(leaf.der[:at])
        damaged = leaf.der[:at] + bytes([leaf.der[at] ^ 0x41]) + leaf.der[at + 1 :]
        try:
            found = Certificate.decode(damaged)
        except ProtocolError:
            continue
        assert anchors.refusal(found, (), now=NOW), f"octet {at}"
    with pytest.raises(ProtocolError, match="we read"):
        Certificate.decode(bytes(20000))


def test_damaged_crls() -> None:
    root = authority("root")
    crl = revoke(root, [77], at=NOW, next_update=NOW + DAY)
    data = load_crl(crl.pem).parsed.public_bytes(Encoding.DER)
    assert load_crl(data).signed_by(root.certificate)
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
        try:
            found = Crl.decode(damaged)
        except ProtocolError:
            continue
        assert not found.signed_by(root.certificate), f"octet {at}"


# The last octet of sha1-, sha256- and sha512WithRSAEncryption.
SHA1, SHA256, SHA512 = (bytes.fromhex("2a864886f70d0101") + bytes([last]) for last in (5, 11, 13))


def resigned(leaf: Certificate, signer, digest: HashAlgorithm, inner: bytes, outer: bytes) -> Certificate:
    """The same certificate with other names of its signature algorithm, and a signature that fits."""
    signed = leaf.parsed.tbs_certificate_bytes
    changed = signed.replace(SHA256, inner)
    data = leaf.der.replace(signed, changed)
    at = data.rindex(SHA256)
    data = data[:at] + outer + data[at + len(outer) :]
    return Certificate.decode(data[:-256] + signer.sign(scheme(RSA, digest), changed))


def test_signatures_of_certificates() -> None:
    above = authority("root", kind="rsa-2048")
    leaf, sha2, sha1 = leaf_of(above), HashAlgorithm.SHA2_256, HashAlgorithm.SHA1
    assert leaf.signed_by(above.certificate)
    assert resigned(leaf, above.key, sha2, SHA256, SHA256).signed_by(above.certificate)
    assert resigned(leaf, above.key, HashAlgorithm.SHA2_512, SHA512, SHA512).signed_by(above.certificate)
    # SHA-1 holds no longer; and both names of the algorithm must be the same (RFC 5280 4.1.1.2).
    assert not resigned(leaf, above.key, sha1, SHA1, SHA1).signed_by(above.certificate)
    assert not resigned(leaf, above.key, sha2, SHA512, SHA256).signed_by(above.certificate)


def test_files() -> None:
    root = authority("root")
    leaf = leaf_of(root)
    assert load_certificates(leaf.pem + root.certificate.pem) == (leaf, root.certificate)
    assert load_certificates(leaf.der) == (leaf,)
    for junk in (b"", b"junk", b"-----BEGIN CERTIFICATE-----\n"):
        with pytest.raises(ValueError, match="no usable certificate"):
            load_certificates(junk)
        with pytest.raises(ValueError, match="no usable CRL"):
            load_crl(junk)


@pytest.mark.parametrize("text", ["C=CH, O=Lab, CN=left", "CN=a\\, b", "E=a@b.example, DC=x, OU=\u00e9"])
def test_names(text: str) -> None:
    data = distinguished.encode(text)
    assert distinguished.text(data) == text
    assert distinguished.same(data, distinguished.encode(text.upper().replace("C=CH", "C=ch").replace(", ", ",  ")))
    assert not distinguished.same(data, distinguished.encode("C=CH"))
    assert not distinguished.same(data, b"\x30\x05junk")
    assert distinguished.text(b"\x30\x05junk") == "3005" + b"junk".hex()


def test_patterns_of_names() -> None:
    pattern = distinguished.encode("C=CH, O=Lab, CN=*")
    assert distinguished.covers(pattern, distinguished.encode("C=CH, O=Lab, CN=left"))
    assert not distinguished.covers(pattern, distinguished.encode("C=DE, O=Lab, CN=left"))
    assert not distinguished.covers(pattern, distinguished.encode("C=CH, O=Lab"))
    assert not distinguished.same(pattern, distinguished.encode("C=CH, O=Lab, CN=left"))
    with pytest.raises(ValueError, match="no part of a name"):
        distinguished.encode("XYZ=1")
