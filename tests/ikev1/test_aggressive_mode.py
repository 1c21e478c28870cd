"""Aggressive Mode between two endpoints, with both kinds of proof (RFC 2409 5.1, 5.4)."""

import random
from collections.abc import Mapping

import pytest

from lab.peers.ca import Ca
from tests.ikev1.v1 import AGGRESSIVE, MAIN, first, ladder, of, right_of, settled
from tests.pair import EPOCH, Nat, Pair

AGGR = "aggressive = yes"


def test_three_messages_and_three() -> None:
    # SAi, KE, Ni, IDii --> <-- SAr, KE, Nr, IDir, HASH_R    HASH_I -->
    pair = Pair(first(AGGR)).initiate()
    assert ladder(pair)[:3] == ["left AGGRESSIVE_MODE", "right AGGRESSIVE_MODE", "left AGGRESSIVE_MODE"]
    assert len(ladder(pair)) == 6
    pair.check()


def test_identities_are_shown() -> None:
    pair = Pair(first(AGGR)).initiate()
    assert b"left.example.org" in pair.wire.sent[0].data
    assert b"right.example.org" in pair.wire.sent[1].data


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_message_lost_once(number: int) -> None:
    pair = Pair(first(AGGR))
    pair.wire.drop(of(AGGRESSIVE, number))
    settled(pair).check()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_message_twice(number: int) -> None:
    pair = Pair(first(AGGR))
    pair.wire.duplicate(of(AGGRESSIVE, number))
    settled(pair).check()


def test_only_the_first_group_is_offered() -> None:
    pair = Pair(first(AGGR, ike="aes256-sha256-ecp256-modp2048")).initiate()
    pair.check()
    assert pair.left.sas[0]["ke"] == "ECP_256"


def test_nobody_answers_who_was_not_told_to() -> None:
    text = first(AGGR)
    pair = Pair(text, right_of(text, ("aggressive = yes", "aggressive = no")))
    settled(pair, 200)
    assert pair.right.endpoint.stats()["engines"] == 0
    assert "no IKEv1 connection" in str(pair.right.told("failed")[0]["reason"])


def test_different_secrets() -> None:
    """HASH_R tells the initiator at once."""
    text = first(AGGR)
    pair = Pair(text, right_of(text, ("a shared secret", "another secret"))).initiate()
    reason = "HASH of right.example.org does not verify: its pre-shared key is not ours"
    assert pair.left.told("failed")[0]["reason"] == reason
    pair.run(60)
    assert pair.left.sas == pair.right.sas == []


def test_behind_a_nat() -> None:
    """The third message goes to port 4500."""
    text = first(AGGR)
    pair = Pair(text, right_of(text, ("local_addrs = 192.0.2.1", "local_addrs = %any")),
                nats=(Nat("192.0.2.1", "203.0.113.1"),)).initiate()  # fmt: skip
    assert [d.dst[1] for d in pair.wire.sent if d.dst[0] == "198.51.100.1"] == [500, 4500, 4500, 4500]
    pair.check()
    assert pair.left.sas[0]["nat_local"] and pair.right.sas[0]["nat_remote"]


# -- signatures, in both modes


def signing(mode: str, *, key: str = "rsa-2048", wrong: str = "") -> Pair:
    """Both sides with RSA certificates of one CA; `wrong` spoils the left one's."""
    ca, other = Ca(random.Random(1).randbytes, EPOCH, "root"), Ca(random.Random(2).randbytes, EPOCH, "other")
    name = "somebody.example.org" if wrong == "name" else "left.example.org"
    issuer = other if wrong == "issuer" else ca
    leaves = {"left": issuer.leaf("left", key, identities=(name,)),
              "right": ca.leaf("right", key, identities=("right.example.org",))}  # fmt: skip
    text = first(f"aggressive = {mode}").replace("auth = psk", "auth = pubkey")
    certified = text.replace("id = left.example.org", "id = left.example.org\n certs = own.pem")
    certified = certified.replace("secrets {", "authorities {\n ca {\n cacert = ca.pem\n }\n}\nsecrets {", 1)
    certified = certified.replace("ikelab {", "secrets {\n private-1 {\n file = own.key\n }\n}\nikelab {", 1)
    files: list[Mapping[str, bytes]] = [
        {"own.pem": leaf.certificate.pem, "own.key": leaf.key.pem, "ca.pem": ca.root.certificate.pem}
        for leaf in leaves.values()
    ]
    right = right_of(text).replace("id = right.example.org", "id = right.example.org\n certs = own.pem", 1)
    right = right.replace("secrets {", "authorities {\n ca {\n cacert = ca.pem\n }\n}\nsecrets {", 1)
    right = right.replace("secrets {\n", "secrets {\n private-1 {\n file = own.key\n }\n", 1)
    certified = certified.replace("secrets {\n private-1 {\n file = own.key\n }\n}\n", "")
    certified = certified.replace("secrets {\n", "secrets {\n private-1 {\n file = own.key\n }\n", 1)
    return Pair(certified, right, files=(files[0], files[1]))


@pytest.mark.parametrize("mode", ["no", "yes"], ids=["main", "aggressive"])
def test_rsa_signatures(mode: str) -> None:
    # IDii, [CERT,] SIG_I -->    <-- IDir, [CERT,] SIG_R
    pair = signing(mode).initiate()
    pair.check()
    assert str(pair.right.sas[0]["remote_id"]) == "left.example.org"
    assert len(pair.wire.seen(of(AGGRESSIVE if mode == "yes" else MAIN))) == (3 if mode == "yes" else 6)


@pytest.mark.parametrize("mode", ["no", "yes"], ids=["main", "aggressive"])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [("name", "peer calls itself left.example.org; its certificate is that of"), ("issuer", "whom we do not trust")],
)
def test_bad_certificates(mode: str, wrong: str, reason: str) -> None:
    pair = signing(mode, wrong=wrong).initiate()
    pair.run(60)
    assert pair.right.sas == []
    assert reason in str(pair.right.told("failed")[0]["reason"])
    assert not pair.right.installed


def test_a_signature_that_was_changed() -> None:
    """Aggressive Mode shows SIG_R in clear: one octet of it changed, and the initiator refuses."""
    pair = signing("yes")
    octet = 0

    def change(data: bytes) -> bytes:
        nonlocal octet
        at = data.rindex(bytes.fromhex("00000104")) + 30 if bytes.fromhex("00000104") in data else len(data) - 200
        octet = at
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    pair.wire.change(of(AGGRESSIVE, 2), change)
    pair.initiate()
    assert octet and "does not verify" in str(pair.left.told("failed")[0]["reason"])
