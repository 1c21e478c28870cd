"""Children of AH between two endpoints: negotiated, rekeyed, deleted, and refused behind a NAT."""

import pytest

from lab.crypto.choice import Mismatch
from lab.ike.states import ChildState
from lab.ikev2 import child_sa
from lab.wire.ids import Encr, Integ, ProtocolId
from tests.pair import LEFT, OUTSIDE, Nat, Pair, Side, mirrored, net

AH, ESP = ProtocolId.AH, ProtocolId.ESP
SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "aesxcbc": 16, "aescmac": 16, "aes192gmac": 28}
WHY = "changes addresses that the ICV of AH covers"


def ah(words: str = "sha256", *, esp: str = "", connection: str = "") -> str:
    return net(connection, "\n".join([f"ah_proposals = {words}", f"esp_proposals = {esp}" if esp else ""]))


def told(side: Side) -> list[str]:
    """Why something failed there."""
    return [str(fields["reason"]) for fields in side.told("failed")]


@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize("words", SIZES)
def test_a_child_of_ah(words: str, by: str) -> None:
    #   HDR, SK {IDi, AUTH, SAi2 (AH), TSi, TSr}  -->    <--  HDR, SK {IDr, AUTH, SAr2 (AH), TSi, TSr}
    pair = Pair(ah(words)).initiate(by)
    pair.check()
    for side in pair.sides:
        (child,) = side.installed.values()
        assert (child.protocol, child.encr, child.encap) == (AH, None, False)
        assert (len(child.key_encr_in), len(child.key_integ_in)) == (0, SIZES[words])
        view = side.sas[0]["children"][0]
        assert (view["protocol"], view["encr"], view["encr_key_length"]) == ("AH", None, None)
        logged = [entry for entry in side.keys if entry["kind"] == "child"]
        assert [(e["protocol"], e["encr"], e["encr_key"], e["salt"]) for e in logged] == [("AH", "", "", "")] * 2


def test_the_pair_of_keys_is_that_of_the_rfc() -> None:
    """2.17: the keys of the initiator's direction are taken first."""
    pair = Pair(ah()).initiate()
    (left,), (right,) = (side.installed.values() for side in pair.sides)
    assert left.key_integ_out == right.key_integ_in != left.key_integ_in == right.key_integ_out


@pytest.mark.parametrize("by", ["left", "right"])
def test_rekeyed_it_is_ah_again(by: str) -> None:
    #   HDR, SK {N(REKEY_SA, AH), SA, Ni, TSi, TSr}  -->    <--  HDR, SK {SA, Nr, TSi, TSr}
    #   HDR, SK {D(AH, old)}  -->                           <--  HDR, SK {D(AH, old)}
    pair = Pair(ah("sha256-x25519")).initiate()
    side = pair.ends(by)[0]
    side.do("rekey", child="net")
    pair.settle()
    pair.wait(10)
    pair.check()
    assert [child.protocol for child in pair.left.ever] == [AH] * 2
    assert side.told("child-rekeyed") and not told(pair.left) + told(pair.right)


def test_deleted_alone() -> None:
    #   HDR, SK {D(AH, SPI)}  -->    <--  HDR, SK {D(AH, SPI)}
    pair = Pair(ah()).initiate()
    pair.left.do("terminate", child="net")
    pair.settle()
    assert not pair.left.installed and not pair.right.installed
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    (down,) = pair.right.told("child-down")
    assert down["protocol"] == "AH"


def test_a_further_child_by_create_child_sa() -> None:
    pair = Pair(ah(connection="childless = prefer")).initiate()
    assert "left CREATE_CHILD_SA request 2" in pair.wire.ladder
    pair.check()


@pytest.mark.parametrize(
    ("ours", "theirs", "protocol"),
    [
        (ah(esp="aes128gcm16"), ah(esp="aes128gcm16"), ESP),
        (ah(esp="aes128gcm16"), ah(), AH),
        (ah(), ah(esp="aes128gcm16"), AH),
        (net(), ah(esp="default"), ESP),
    ],
)
def test_both_on_offer(ours: str, theirs: str, protocol: ProtocolId) -> None:
    pair = Pair(ours, mirrored(theirs)).initiate()
    pair.check()
    assert pair.left.ever[0].protocol == protocol
    assert pair.left.ever[0].encr is None or pair.left.ever[0].encr.id in (Encr.ENCR_AES_GCM_16,)


def test_nothing_in_common() -> None:
    pair = Pair(ah("sha512"), mirrored(net())).initiate()
    assert told(pair.right) == ["peer offers AH; we allow ESP"]
    (reason,) = told(pair.left)
    assert "NO_PROPOSAL_CHOSEN" in reason and "(we offer sha512)" in reason
    assert pair.left.up == ["ESTABLISHED"]
    pair = Pair(ah("sha512"), mirrored(ah("sha1"))).initiate()
    assert told(pair.right) == ["no common INTEG: peer offers sha512; we allow sha1"]


def behind_nat(right: str = "", left: str = "") -> Pair:
    text = mirrored(right or ah()).replace(f"remote_addrs = {LEFT}", "remote_addrs = %any")
    return Pair(left or ah(), text, nats=(Nat(LEFT, OUTSIDE),))


def test_an_initiator_behind_a_nat_does_not_ask_and_says_why() -> None:
    pair = behind_nat().initiate()
    (reason,) = told(pair.left)
    assert reason.startswith("child net wants AH, and there is a NAT before us") and WHY in reason
    assert pair.wire.ladder == ["left IKE_SA_INIT request 0", "right IKE_SA_INIT response 0"]
    assert not pair.left.up and not pair.left.installed


def test_a_responder_that_allows_ah_alone_says_why_it_refuses() -> None:
    pair = behind_nat(left=ah(esp="aes128-sha256"), right=ah()).initiate()
    (reason,) = told(pair.right)
    assert reason.startswith("child net wants AH, and there is a NAT before the peer") and WHY in reason
    assert pair.left.up == pair.right.up == ["ESTABLISHED"], "only the child is refused"
    (told_left,) = told(pair.left)
    assert "NO_PROPOSAL_CHOSEN" in told_left and "(we offer aes128-sha256)" in told_left


def test_behind_a_nat_esp_is_left_of_both() -> None:
    pair = behind_nat(left=ah(esp="aes128gcm16"), right=ah(esp="aes128gcm16")).initiate()
    assert [side.ever[0].protocol for side in pair.sides] == [ESP] * 2
    assert pair.left.ever[0].encap


def test_under_an_ike_sa_behind_a_nat_no_further_child_of_ah() -> None:
    left = ah(connection="childless = prefer")
    pair = behind_nat(left=left, right=left).initiate()
    (reason,) = told(pair.left)
    assert WHY in reason
    assert not [step for step in pair.wire.ladder if "CREATE_CHILD_SA" in step]
    assert pair.left.up == ["ESTABLISHED"]


def test_a_refused_answer_is_deleted_in_ah(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that we do not take leaves the peer with a child, which goes by D(AH)."""
    monkeypatch.setattr(child_sa, "accept", lambda ours, theirs: Mismatch("a test says no"))
    pair = Pair(ah(), mirrored(ah())).initiate()
    pair.wait(2)
    assert told(pair.left) == ["peer's choice is none of our proposals: a test says no"]
    assert not pair.left.installed and not pair.right.installed, "the peer's half is gone too"
    assert all(child.state is not ChildState.INSTALLED for sa in pair.left.sas for child in sa["children"])


def test_integ_is_named_in_the_view() -> None:
    pair = Pair(ah("aes256gmac")).initiate()
    assert pair.left.sas[0]["children"][0]["integ"] == Integ.AUTH_AES_256_GMAC.name
