"""AH by Quick Mode: negotiated, rekeyed, deleted, chosen instead of ESP, and refused behind a NAT."""

import pytest

from lab.ike.config import Child
from lab.ikev1 import informational, quick_mode
from lab.ikev1.sa import Sa
from lab.wire.ids import ProtocolId
from lab.wire.ids_v1 import Protocol1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import Delete1
from lab.wire.payloads_v2 import Proposal
from tests.ikev1.v1 import INFORMATIONAL, QUICK, engine, first, of, right_of, sa
from tests.pair import Nat, Pair

AH, ESP = ProtocolId.AH, ProtocolId.ESP
SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "aesxcbc": 16, "aes192gmac": 28}
WHY = "changes addresses that the ICV of AH covers"
BOTH = "esp_proposals = aes128-sha256\n"


def ah(words: str = "sha256", child: str = "") -> str:
    """A connection whose child has AH alone."""
    return first(child=f"ah_proposals = {words}\n{child}").replace(BOTH, "")


def protocols(pair: Pair) -> list[list[ProtocolId]]:
    return [[child.protocol for child in side.installed.values()] for side in pair.sides]


@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize("words", SIZES)
def test_a_child_of_ah(words: str, by: str) -> None:
    #   HDR*, HASH(1), SA (AH), Ni, IDci, IDcr  -->    <--  HDR*, HASH(2), SA (AH), Nr, ...    HDR*, HASH(3)  -->
    pair = Pair(ah(words)).initiate(by)
    pair.check()
    for side in pair.sides:
        (child,) = side.installed.values()
        assert (child.protocol, child.encr, child.encap) == (AH, None, False)
        assert (len(child.key_encr_in), len(child.key_integ_in)) == (0, SIZES[words])
    (left,), (right,) = (side.installed.values() for side in pair.sides)
    assert left.key_integ_out == right.key_integ_in != left.key_integ_in == right.key_integ_out


@pytest.mark.parametrize("by", ["left", "right"])
def test_with_pfs_esn_and_transport_mode(by: str) -> None:
    text = ah("sha384-esn-ecp256", "mode = transport")
    for before in ("local_ts = 10.1.0.0/24", "remote_ts = 10.2.0.0/24"):
        text = text.replace(before, f"{before.partition(' ')[0]} = dynamic")
    pair = Pair(text).initiate(by)
    pair.check()
    (child,) = pair.left.installed.values()
    assert (child.protocol, child.mode, child.esn, child.ke and child.ke.name) == (AH, "transport", True, "ECP_256")


@pytest.mark.parametrize("by", ["left", "right"])
def test_rekeyed_it_is_ah_again_and_the_old_one_goes(by: str) -> None:
    #   HDR*, HASH(1), SA (AH), Ni  -->  ...    HDR*, HASH(1), D(AH, old SPI)  -->
    pair = Pair(ah()).initiate()
    side = pair.ends(by)[0]
    side.do("rekey", child="net")
    pair.settle()
    pair.wait(10)
    pair.check()
    assert [child.protocol for child in pair.left.ever] == [AH] * 2
    assert protocols(pair) == [[AH], [AH]]


def test_deleted_under_its_own_protocol() -> None:
    #   HDR*, HASH(1), D(AH, SPI)  -->
    pair = Pair(ah()).initiate()
    opened: list[Message1] = []
    true = engine(pair.right)._open
    engine(pair.right)._open = lambda *given: opened.append(true(*given)) or opened[-1]
    pair.left.do("terminate", child="net")
    pair.settle()
    assert not pair.left.installed and not pair.right.installed
    (delete,) = [d for message in opened for d in message.all(Delete1)]
    assert delete.protocol == Protocol1.AH
    assert len(pair.wire.seen(of(INFORMATIONAL))) == 1 and pair.right.up == ["ESTABLISHED"]


def test_a_delete_of_esp_means_no_child_of_ah() -> None:
    """SPIs of different protocols may be equal (RFC 4301 4.1)."""
    pair = Pair(ah()).initiate()
    spis = tuple(child.spi_in for child in pair.left.installed.values())
    informational._deleted(sa(pair.right), Delete1(Protocol1.ESP, spis))
    assert sa(pair.right).children
    informational._deleted(sa(pair.right), Delete1(Protocol1.AH, spis))
    assert not sa(pair.right).children


@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize(
    ("ours", "theirs", "protocol"),
    [
        (BOTH + "ah_proposals = sha256", "ah_proposals = sha256", AH),
        (BOTH + "ah_proposals = sha256", BOTH, ESP),
        (BOTH + "ah_proposals = sha256", BOTH + "ah_proposals = sha256", ESP),
        (BOTH + "ah_proposals = sha256-sha512", BOTH.replace("256", "512") + "ah_proposals = sha512", AH),
    ],
)
def test_one_of_both_protocols(by: str, ours: str, theirs: str, protocol: ProtocolId) -> None:
    text = first().replace(BOTH, ours + "\n")
    pair = Pair(text, right_of(text, (ours + "\n", theirs + "\n"))).initiate(by)
    pair.check()
    assert protocols(pair) == [[protocol], [protocol]]


def test_algorithms_that_differ_are_named() -> None:
    text = ah()
    pair = Pair(text, right_of(text, ("ah_proposals = sha256", "ah_proposals = sha512"))).initiate()
    assert "no common INTEG" in str(pair.right.told("failed")[0]["reason"])
    assert "NO_PROPOSAL_CHOSEN" in str(pair.left.told("failed")[0]["reason"])


@pytest.mark.parametrize("by", ["left", "right"])
def test_behind_a_nat_there_is_no_ah(by: str) -> None:
    #   the one that asks says so without a Quick Mode
    text = ah()
    right = right_of(text, ("local_addrs = 192.0.2.1", "local_addrs = %any"))
    pair = Pair(text, right, nats=(Nat("192.0.2.1", "203.0.113.1"),)).initiate()
    if by == "right":
        pair.right.do("initiate", "net")
        pair.settle()
    side = pair.ends(by)[0]
    assert WHY in str(side.told("failed")[-1]["reason"])
    assert not pair.left.installed and not pair.right.installed
    assert not pair.wire.seen(of(QUICK))
    assert pair.left.endpoint.stats()["child_spis"] == 0


def test_behind_a_nat_a_peer_that_asks_for_ah_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    #   HDR*, HASH(1), SA (AH), Ni  -->    <--  HDR*, HASH(1), N(NO-PROPOSAL-CHOSEN)
    text = ah()
    right = right_of(text, ("local_addrs = 192.0.2.1", "local_addrs = %any"))
    true, asked = quick_mode._usable, []

    def careless(of: Sa, config: Child) -> tuple[Proposal, ...]:
        asked.append(of)
        return config.proposals if of.initiator else true(of, config)

    monkeypatch.setattr(quick_mode, "_usable", careless)
    pair = Pair(text, right, nats=(Nat("192.0.2.1", "203.0.113.1"),)).initiate()
    assert asked and WHY in str(pair.right.told("failed")[0]["reason"])
    assert "NO_PROPOSAL_CHOSEN" in str(pair.left.told("failed")[0]["reason"])
    assert not pair.left.installed and not pair.right.installed
