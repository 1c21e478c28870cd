"""Proof by signature: every kind of key in both roles, certificates and chains, and every refusal with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import pytest

from lab.crypto.issue import Issuer
from lab.crypto.schemes import PSS, RSA, scheme
from lab.ike.chains import MOST_CERTIFICATES
from lab.peers.ca import EXPIRED, FUTURE, Ca
from lab.wire.ids import AuthMethod, CertEncoding, ExchangeType, HashAlgorithm, NotifyType
from lab.wire.message import Message
from lab.wire.payloads import Payload
from lab.wire.payloads_v2 import Auth, Cert, CertReq, Notify
from tests.pair import EPOCH, LEFT, RIGHT, Pair, engine_of, is_request, is_response, seeded

AUTH, INIT = ExchangeType.IKE_AUTH, ExchangeType.IKE_SA_INIT
BOTH = pytest.mark.parametrize("by", ["left", "right"])
NAMES = {"left": "left.example.org", "right": "right.example.org"}


@cache
def ca(name: str = "root") -> Ca:
    return Ca(seeded(name), EPOCH, name)


@cache
def _leaf(owner: str, kind: str) -> Issuer:
    return ca().leaf(owner, kind, identities=(NAMES[owner],))


def leaf(owner: str, kind: str = "ecdsa-256") -> Issuer:
    return _leaf(owner, kind)


@cache
def middle() -> Issuer:
    return ca().intermediate("middle")


@dataclass(frozen=True)
class Party:
    """One side of a connection: what it shows, whom it trusts, and lines of its own."""

    owner: str
    own: Issuer | None = None
    auth: str = "pubkey"
    id: str = ""
    remote_auth: str = "pubkey"
    remote_id: str = ""
    remote: str = ""
    trusted: tuple = ()
    crls: tuple = ()
    connection: str = ""
    settings: str = ""
    extra: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def other(self) -> str:
        return {"left": "right", "right": "left"}[self.owner]

    @property
    def text(self) -> str:
        shown = "" if self.auth == "psk" else "certs = own.pem"
        crls = ", ".join(f"crl{n}.pem" for n in range(len(self.crls)))
        crl_uris = f"crl_uris = {crls}" if crls else ""
        authorities = "\n".join(
            f"ca{n} {{ cacert = ca{n}.pem\n {crl_uris if n == 0 else ''}\n }}" for n in range(len(self.authorities))
        )
        hosts = {"left": LEFT, "right": RIGHT}
        key = "private-1 {\n file = own.key\n }" if self.own else ""
        return f"""
        connections {{ gw {{
            local_addrs = {hosts[self.owner]}
            remote_addrs = {hosts[self.other]}
            fragmentation = no
            {self.connection}
            local {{ auth = {self.auth}
                id = {self.id or NAMES[self.owner]}
                {shown}
            }}
            remote {{ auth = {self.remote_auth}
                id = {self.remote_id or NAMES[self.other]}
                {self.remote}
            }}
            children {{ net {{
                {"local" if self.owner == "left" else "remote"}_ts = 10.1.0.0/24
                {"remote" if self.owner == "left" else "local"}_ts = 10.2.0.0/24
            }} }}
        }} }}
        authorities {{
            {authorities}
        }}
        secrets {{
            {key}
            ike-1 {{ secret = "a shared secret"
            }}
        }}
        ikelab {{
            {self.settings}
        }}
        """

    @property
    def authorities(self) -> tuple:
        return self.trusted or (ca().root,)

    @property
    def files(self) -> dict[str, bytes]:
        found = {f"ca{n}.pem": issuer.certificate.pem for n, issuer in enumerate(self.authorities)}
        found |= {f"crl{n}.pem": crl.pem for n, crl in enumerate(self.crls)}
        if self.own:
            found |= {"own.pem": self.own.certificate.pem, "own.key": self.own.key.pem}
        return found | dict(self.extra)


def party(owner: str, kind: str = "ecdsa-256", **fields) -> Party:
    return replace(Party(owner, leaf(owner, kind)), **fields)


def pair_of(left: Party, right: Party) -> Pair:
    return Pair(left.text, right.text, files=(left.files, right.files))


def opened(pair: Pair, exchange: ExchangeType = AUTH, *, response: bool = False) -> Message:
    """The first message of an exchange, opened with the keys of the one who got it."""
    seen = (is_response if response else is_request)(exchange)
    datagram = pair.wire.seen(seen)[0]
    message = Message.decode(datagram.ike)
    sender = pair.left if datagram.src[0] == LEFT else pair.right
    receiver = pair.right if sender is pair.left else pair.left
    engines = receiver.endpoint.table.engines.values()
    return message.opened(next(iter(engines)).sa.opener) if message.encrypted else message


def up(pair: Pair, by: str = "left") -> Pair:
    pair.initiate(by)
    reasons = [told["reason"] for side in pair.sides for told in side.told("failed")]
    assert not reasons, reasons
    pair.check()
    return pair


def refused(pair: Pair, by: str = "left", bad: str = "left") -> str:
    """The reason of the side that refuses; the other one learns AUTHENTICATION_FAILED, and nobody keeps anything."""
    pair.initiate(by)
    good = pair.right if bad == "left" else pair.left
    other = pair.ends(bad)[0]
    failed = good.told("failed")[0]
    assert failed["stage"] == "IKE_AUTH"
    assert pair.left.up == pair.right.up == []
    assert pair.left.installed == pair.right.installed == {}
    assert good.ever == []
    told = [*other.told("failed"), *other.told("ike-down")]
    assert "AUTHENTICATION_FAILED" in str(told[0]["reason"]), told
    return str(failed["reason"])


# -- every kind of key

KINDS = {
    "rsa-2048": ("pubkey", scheme(RSA, HashAlgorithm.SHA2_256)),
    "rsa-2048 sha512": ("rsa-sha512", scheme(RSA, HashAlgorithm.SHA2_512)),
    "rsa-2048 pss": ("rsa/pss", scheme(PSS, HashAlgorithm.SHA2_256)),
    "rsa-2048 pss sha384": ("ike:rsa/pss-2048-sha384", scheme(PSS, HashAlgorithm.SHA2_384)),
    "rsa-3072": ("rsa", scheme(RSA, HashAlgorithm.SHA2_256)),
    "ecdsa-256": ("pubkey", scheme("ecdsa", HashAlgorithm.SHA2_256)),
    "ecdsa-384": ("ecdsa", scheme("ecdsa", HashAlgorithm.SHA2_384)),
    "ecdsa-384 sha512": ("ecdsa-384-sha512", scheme("ecdsa", HashAlgorithm.SHA2_512)),
    "ecdsa-521": ("pubkey", scheme("ecdsa", HashAlgorithm.SHA2_512)),
    "ed25519": ("pubkey", scheme("ed25519")),
    "ed448": ("ed448", scheme("ed448")),
}


@BOTH
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_signature(name: str, by: str) -> None:
    # HDR, SAi1, KEi, Ni, N(HASHES) -->    <-- HDR, SAr1, KEr, Nr, N(HASHES), CERTREQ
    # HDR, SK {IDi, CERT, CERTREQ, IDr, AUTH, ...} -->    <-- HDR, SK {IDr, CERT, AUTH, ...}
    means, used = KINDS[name]
    kind = name.split()[0]
    left, right = (party(owner, kind, auth=means, remote_auth=means) for owner in ("left", "right"))
    pair = up(pair_of(left, right), by)
    for response in (False, True):
        auth = opened(pair, response=response).get(Auth)
        assert auth and auth.method == AuthMethod.DIGITAL_SIGNATURE
        assert auth.data[1 : 1 + auth.data[0]] == used.identifier
    notes = [record.text for record in pair.right.records if "is proven by" in record.text]
    assert len(notes) == 1 and f"is proven by {used} with certificate" in notes[0]


OLDER = {
    "rsa-2048": AuthMethod.RSA_SIGNATURE,
    "ecdsa-256": AuthMethod.ECDSA_256,
    "ecdsa-384": AuthMethod.ECDSA_384,
    "ecdsa-521": AuthMethod.ECDSA_521,
}


@BOTH
@pytest.mark.parametrize("kind", OLDER)
@pytest.mark.parametrize("older", ["left", "right"])
def test_the_older_methods_where_one_side_lists_no_hashes(kind: str, older: str, by: str) -> None:
    settings = {older: "signature_authentication = no"}
    pair = pair_of(*(party(owner, kind, settings=settings.get(owner, "")) for owner in ("left", "right")))
    up(pair, by)
    for response in (False, True):
        auth = opened(pair, response=response).get(Auth)
        assert auth and auth.method == OLDER[kind]
    assert len(pair.wire.seen(is_request(INIT))) == 1
    lists = [opened(pair, INIT, response=r).notify(NotifyType.SIGNATURE_HASH_ALGORITHMS) for r in (False, True)]
    assert lists[1] is None, "a responder answers only those who ask"
    assert (lists[0] is None) == (by == older)


def test_ed25519_needs_rfc_7427() -> None:
    pair = pair_of(party("left", "ed25519"), party("right", settings="signature_authentication = no")).initiate()
    assert pair.left.told("failed")[0]["reason"] == (
        "peer does not know RFC 7427, without which a key ed25519 cannot sign"
    )
    assert pair.left.up == []


def test_sha_2_under_method_1_is_taken_too() -> None:
    pair = pair_of(party("left", "rsa-2048"), party("right"))

    def with_sha_2(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        auth = next(p for p in payloads if isinstance(p, Auth))
        bare = Auth(AuthMethod.RSA_SIGNATURE, auth.data[1 + auth.data[0] :])
        return tuple(bare if p is auth else p for p in payloads)

    change(pair, with_sha_2)
    up(pair)


@BOTH
def test_we_sign_only_with_hashes_that_the_peer_lists(by: str) -> None:
    left, right = party("left", "rsa-2048", remote_auth="pubkey-sha384"), party("right", "ecdsa-256")
    pair = up(pair_of(left, right), by)
    auth = opened(pair, response=by == "left").get(Auth)
    assert auth and auth.data[1 : 1 + auth.data[0]] == scheme("ecdsa", HashAlgorithm.SHA2_384).identifier


def test_no_hash_in_common() -> None:
    left = party("left", auth="ecdsa-sha256")
    pair = pair_of(left, party("right", remote_auth="pubkey-sha512")).initiate()
    assert pair.left.told("failed")[0]["reason"] == (
        "peer takes signatures with the hashes sha512, identity; by signatures (ecdsa-sha256) and with a key ecdsa-256"
        " we use none of them"
    )


def with_hashes(pair: Pair, which, by) -> None:
    """Rewrite SIGNATURE_HASH_ALGORITHMS in IKE_SA_INIT; the AUTH of the one who gets it does not cover that."""
    kind = NotifyType.SIGNATURE_HASH_ALGORITHMS

    def rewrite(data: bytes) -> bytes:
        message = Message.decode(data)
        changed = (
            Notify(kind, by(p.data)) if isinstance(p, Notify) and p.notify_type == kind else p for p in message.payloads
        )
        return Message(message.header, tuple(changed)).encode()

    pair.wire.change(which(INIT), rewrite)


def test_a_hash_that_we_do_not_list_is_refused() -> None:
    pair = pair_of(party("left", auth="ecdsa-sha256"), party("right", remote_auth="pubkey-sha512"))
    with_hashes(pair, is_response, lambda data: b"\0\2")
    assert refused(pair) == (
        "left.example.org signs with a key ecdsa-256 by ecdsa-sha256; we take signatures (pubkey-sha512)"
    )


@BOTH
def test_a_signature_on_one_side_and_a_shared_key_on_the_other(by: str) -> None:
    left = party("left", "ed25519", remote_auth="psk")
    right = Party("right", auth="psk", remote_auth="pubkey")
    pair = up(pair_of(left, right), by)
    methods = [opened(pair, response=response).get(Auth).method for response in (False, True)]
    wanted = [AuthMethod.DIGITAL_SIGNATURE, AuthMethod.SHARED_KEY]
    assert methods == (wanted if by == "left" else wanted[::-1])


@BOTH
def test_a_shared_key_where_a_signature_is_due(by: str) -> None:
    left, right = Party("left", auth="psk"), party("right", remote="", connection="")
    assert refused(pair_of(left, right), by) == (
        "left.example.org proves itself by SHARED_KEY; we take signatures (pubkey)"
    )


# -- certificates and chains


@BOTH
def test_a_chain_with_an_intermediate(by: str) -> None:
    own = ca().leaf("left", identities=(NAMES["left"],), issuer=middle())
    left = party("left", own=own, trusted=(ca().root, middle()))
    pair = up(pair_of(left, party("right")), by)
    certificates = opened(pair, response=by == "right").all(Cert)
    assert [cert.data for cert in certificates] == [own.certificate.der, middle().certificate.der]


@BOTH
def test_a_chain_that_lacks_its_intermediate(by: str) -> None:
    own = ca().leaf("left", identities=(NAMES["left"],), issuer=middle())
    reason = refused(pair_of(party("left", own=own), party("right")), by)
    assert reason == (
        'certificate "C=CH, O=ikelab, CN=left" was issued by "C=CH, O=ikelab, CN=middle", whom we do not trust'
    )


def test_certificates_are_asked_for_by_the_key_of_the_ca() -> None:
    pair = up(pair_of(party("left"), party("right")))
    wanted = ca().root.certificate.public.fingerprint
    for message in (opened(pair, INIT, response=True), opened(pair)):
        (request,) = message.all(CertReq)
        assert (request.encoding, request.data) == (CertEncoding.X509_SIGNATURE, wanted)
    assert opened(pair, INIT).get(CertReq) is None


def test_the_certificate_that_the_peer_asks_for() -> None:
    other = ca("other").leaf("left", identities=(NAMES["left"],))
    extra = {"two.pem": other.certificate.pem + leaf("left").certificate.pem, "other.key": other.key.pem}
    left = party("left", trusted=(ca().root, ca("other").root), extra=extra)
    text = left.text.replace("own.pem", "two.pem").replace("secrets {", "secrets {\n private-2 { file = other.key\n }")
    pair = up(Pair(text, party("right").text, files=(left.files, party("right").files)))
    assert opened(pair).get(Cert).data == leaf("left").certificate.der


@pytest.mark.parametrize(
    ("line", "asks", "sends"),
    [("", True, True), ("send_cert = never", True, False), ("send_cert = always", False, True)],
)
def test_when_certificates_are_sent(line: str, asks: bool, sends: bool) -> None:
    right = party("right", connection="" if asks else "send_certreq = no")
    right = replace(right, remote="certs = left.pem", extra={"left.pem": leaf("left").certificate.pem})
    pair = up(pair_of(party("left", connection=line), right))
    assert (opened(pair).get(Cert) is not None) == sends


def test_no_certificate_at_all() -> None:
    assert refused(pair_of(party("left", connection="send_cert = never"), party("right"))) == (
        "left.example.org sends no certificate, and we hold none of it"
    )


@BOTH
def test_a_certificate_that_is_trusted_as_it_is(by: str) -> None:
    own = ca("other").leaf("left", identities=(NAMES["left"],))
    right = party("right", remote="certs = left.pem", extra={"left.pem": own.certificate.pem})
    up(pair_of(party("left", own=own), right), by)


# -- refusals


@BOTH
@pytest.mark.parametrize("bad", ["left", "right"])
@pytest.mark.parametrize(
    ("validity", "words"), [(EXPIRED, "expired on 2027-01-14 08:00:00 UTC"), (FUTURE, "is not valid before 2027-01-16")]
)
def test_outside_its_validity(validity, words: str, bad: str, by: str) -> None:
    own = ca().leaf(bad, identities=(NAMES[bad],), validity=validity)
    sides = {owner: party(owner) for owner in NAMES} | {bad: party(bad, own=own)}
    reason = refused(pair_of(sides["left"], sides["right"]), by, bad)
    assert words in reason and f'certificate "C=CH, O=ikelab, CN={bad}"' in reason


@BOTH
@pytest.mark.parametrize("bad", ["left", "right"])
def test_another_ca(bad: str, by: str) -> None:
    own = ca("other").leaf(bad, identities=(NAMES[bad],))
    sides = {owner: party(owner) for owner in NAMES} | {bad: party(bad, own=own)}
    assert refused(pair_of(sides["left"], sides["right"]), by, bad) == (
        f'certificate "C=CH, O=ikelab, CN={bad}" was issued by "C=CH, O=ikelab, CN=other", whom we do not trust'
    )


def test_cacerts_narrow_the_authorities() -> None:
    right = party("right", trusted=(ca().root, ca("other").root), remote="cacerts = ca1.pem")
    assert "whom we do not trust" in refused(pair_of(party("left"), right))
    up(pair_of(party("left"), replace(right, remote="cacerts = ca0.pem, ca1.pem")))


@BOTH
def test_revoked(by: str) -> None:
    crl = ca().crl(leaf("left").certificate)
    assert refused(pair_of(party("left"), party("right", crls=(crl,))), by) == (
        'certificate "C=CH, O=ikelab, CN=left" was revoked on 2027-01-15 07:00:00 UTC'
    )
    up(pair_of(party("left"), party("right", crls=(ca().crl(leaf("right").certificate),))), by)


def test_strict_revocation_wants_a_crl() -> None:
    right = party("right", remote="revocation = strict")
    assert "no valid CRL says" in refused(pair_of(party("left"), right))
    up(pair_of(party("left"), replace(right, crls=(ca().crl(),))))


IDENTITIES = [
    ("192.0.2.1", ("192.0.2.1",)),
    ("2001:db8::1", ("2001:db8::1",)),
    ("LEFT.example.org", ("left.example.org",)),
    ("left@example.org", ("left@example.org",)),
    ("C=CH, O=ikelab, CN=left", ()),
]


@BOTH
@pytest.mark.parametrize(("identity", "names"), IDENTITIES)
def test_identities_of_a_certificate(identity: str, names: tuple[str, ...], by: str) -> None:
    own = ca().leaf("left", identities=names)
    up(pair_of(party("left", own=own, id=identity), party("right", remote_id=identity)), by)
    stranger = ca().leaf("stranger", identities=("198.51.100.9", "2001:db8::9", "x.example.org", "x@example.org"))
    pair = pair_of(party("left", own=stranger, id=identity), party("right", remote_id=identity))
    reason = refused(pair, by)
    assert reason == (
        f"peer calls itself {identity}; its certificate is that of C=CH, O=ikelab, CN=stranger, 198.51.100.9, "
        "2001:db8::9, x.example.org, x@example.org"
    )


def test_a_key_id_is_the_key() -> None:
    own = leaf("left")
    for identity in (own.certificate.key_id, own.certificate.public.fingerprint):
        written = f'"@#{identity.hex()}"'
        up(pair_of(party("left", id=written), party("right", remote_id=written)))
    written = '"@#0badc0de"'
    assert "peer calls itself ID_KEY_ID:0badc0de" in refused(
        pair_of(party("left", id=written), party("right", remote_id=written))
    )


def test_without_an_id_the_subject_is_the_identity() -> None:
    left = party("left")
    text = left.text.replace(f"id = {NAMES['left']}", "", 1)
    right = party("right", remote_id='"C=CH, O=ikelab, CN=*"')
    pair = up(Pair(text, right.text, files=(left.files, right.files)))
    assert pair.right.sas[0]["remote_id"] == "C=CH, O=ikelab, CN=left"


@BOTH
def test_a_key_of_another_kind(by: str) -> None:
    reason = refused(pair_of(party("left", "rsa-2048"), party("right", remote_auth="ecdsa")), by)
    assert reason == "left.example.org signs with a key rsa-2048 by rsa-sha256; we take signatures (ecdsa)"
    reason = refused(pair_of(party("left"), party("right", remote_auth="ecdsa-384")), by)
    assert reason == "left.example.org signs with a key ecdsa-256 by ecdsa-sha256; we take signatures (ecdsa-384)"


@BOTH
def test_somebody_elses_certificate(by: str) -> None:
    own = Issuer(leaf("left").certificate, leaf("right").key)
    left = party("left")
    pair = pair_of(left, party("right"))
    host = pair.left.endpoint.host
    credentials = host.config.credentials
    assert credentials.keys[0].public == own.certificate.public
    wrong = replace(credentials.keys[0], key=own.key.key)
    host.config = replace(host.config, credentials=replace(credentials, keys=(wrong,)))
    assert refused(pair, by) == (
        "AUTH of left.example.org does not verify: it was not signed (ecdsa-sha256) with the key ecdsa-256 of its"
        " certificate"
    )


# -- hostile certificates


def change(pair: Pair, by) -> None:
    """Rewrite what is inside the IKE_AUTH request, sealed with the left side's keys."""

    def rewrite(data: bytes) -> bytes:
        sa, peer = engine_of(pair.left).sa, engine_of(pair.right).sa
        message = Message.decode(data).opened(peer.opener)
        return Message(message.header, tuple(by(message.payloads))).encode(sa.sealer)

    pair.wire.change(is_request(AUTH), rewrite)


def certificates(*data: bytes, encoding: CertEncoding = CertEncoding.X509_SIGNATURE):
    def swap(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        rest = [p for p in payloads if not isinstance(p, Cert)]
        return (*(Cert(encoding, one) for one in data), *rest)

    return swap


def swapped(*data: bytes, **fields) -> str:
    pair = pair_of(party("left"), party("right"))
    change(pair, certificates(*data, **fields))
    return refused(pair)


def test_a_flood_of_certificates() -> None:
    own = leaf("left").certificate.der
    assert swapped(*([own] * (MOST_CERTIFICATES + 1))) == (
        f"left.example.org sends {MOST_CERTIFICATES + 1} certificates; we look at {MOST_CERTIFICATES}"
    )
    pair = pair_of(party("left"), party("right"))
    change(pair, certificates(*([own] * MOST_CERTIFICATES)))
    up(pair)


def test_broken_certificates() -> None:
    own = leaf("left").certificate.der
    assert "certificate of 60000 octets" in swapped(bytes(60000))
    for data in (b"", own[:-1], own + b"x", own[:200], bytes(100)):
        assert "certificate that cannot be read" in swapped(data)
    assert "certificate that cannot be read" in swapped(own, own[:-1])
    assert "sends no certificate" in swapped(own, encoding=CertEncoding.X509_HASH_URL)
    assert "sends no certificate" in swapped()
    assert "its certificate is that of" in swapped(ca().root.certificate.der, own)


def auth_of(data: bytes, method: AuthMethod = AuthMethod.DIGITAL_SIGNATURE) -> str:
    pair = pair_of(party("left"), party("right"))
    change(pair, lambda ps: (Auth(method, data) if isinstance(p, Auth) else p for p in ps))
    return refused(pair)


def test_broken_auth() -> None:
    good = scheme("ecdsa", HashAlgorithm.SHA2_256).identifier
    assert "cut short" in auth_of(b"")
    assert "cut short" in auth_of(b"\xff" + good)
    assert "is not one of ours" in auth_of(b"\x05\x30\x03\x06\x01\x2a" + bytes(64))
    assert "does not verify" in auth_of(bytes([len(good)]) + good + bytes(64))
    assert "AUTH is by ed25519, its certificate holds a key ecdsa-256" in auth_of(
        b"\x07" + scheme("ed25519").identifier
    )
    assert "AUTH is of method RSA_SIGNATURE" in auth_of(bytes(256), AuthMethod.RSA_SIGNATURE)
    assert "AUTH is of method ECDSA_384" in auth_of(bytes(96), AuthMethod.ECDSA_384)
    assert "does not verify" in auth_of(bytes(64), AuthMethod.ECDSA_256)
    assert "does not verify" in auth_of(bytes(63), AuthMethod.ECDSA_256)
    assert "peer proves nothing (NULL authentication); we take signatures (pubkey)" in auth_of(b"", AuthMethod.NULL)


def test_odd_requests_for_certificates() -> None:
    pair = pair_of(party("left"), party("right"))
    odd = (
        CertReq(CertEncoding.X509_SIGNATURE, b"short"),
        CertReq(CertEncoding.OCSP, bytes(20)),
        CertReq(CertEncoding.X509_SIGNATURE, bytes(20) * 100 + b"x"),
    )
    change(pair, lambda payloads: (*odd, *payloads))
    up(pair)


def test_odd_lists_of_hashes() -> None:
    pair = pair_of(party("left"), party("right"))
    with_hashes(pair, is_request, lambda data: b"\x12\x34" + data + b"\x00")
    pair.left.do("initiate", "net")
    pair.step()
    pair.step()
    heard = engine_of(pair.right).sa.peer_hashes
    assert heard is not None and HashAlgorithm(0x1234) in heard and HashAlgorithm.SHA2_256 in heard and len(heard) == 5
