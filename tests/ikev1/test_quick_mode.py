"""Quick Mode: children with and without PFS, several at a time, lost messages, rekeying (RFC 2409 5.5)."""

import pytest

from lab.ike import mode
from lab.ikev1 import phase2, quick_mode
from lab.ikev1.sa import Sa
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import Hash1, NatD
from tests.ikev1.v1 import ESP, INFORMATIONAL, MAIN, QUICK, first, ladder, of, right_of, sa, settled
from tests.pair import LEFT, Nat, Pair

HOSTS = ("local_ts = 10.1.0.0/24", "local_ts = dynamic"), ("remote_ts = 10.2.0.0/24", "remote_ts = dynamic")


def changed(text: str, *changes: tuple[str, str]) -> str:
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.mark.parametrize("esp", ["aes128-sha1", "aes256gcm16", "aes128-sha256-ecp256", "aes256-sha512-modp2048",
                                 "aes128ccm12", "aes256ctr-sha384", "camellia128-aesxcbc",
                                 "aes128gmac"])  # fmt: skip
def test_algorithms_with_and_without_pfs(esp: str) -> None:
    pair = Pair(first(esp=esp)).initiate()
    pair.check()
    group = [str(child.ke.name) if child.ke else "" for child in pair.left.installed.values()]
    assert group == [{"ecp256": "ECP_256", "modp2048": "MODP_2048"}.get(esp.rpartition("-")[2], "")]


def test_pfs_that_only_one_side_wants() -> None:
    text = first(esp="aes128-sha256")
    pair = Pair(text, right_of(text, ("aes128-sha256\n", "aes128-sha256-ecp256\n")))
    pair.initiate()
    assert "no common KE" in str(pair.right.told("failed")[0]["reason"])
    # HDR*, HASH(1), N(NO-PROPOSAL-CHOSEN) <-- ends the Quick Mode, and the ISAKMP SA lives on
    assert "NO_PROPOSAL_CHOSEN" in str(pair.left.told("failed")[0]["reason"])
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert not pair.left.installed and not pair.right.installed
    assert pair.left.endpoint.stats()["child_spis"] == pair.right.endpoint.stats()["child_spis"] == 0


def test_esn() -> None:
    pair = Pair(first(esp="aes128-sha256-esn")).initiate()
    pair.check()
    assert all(child.esn for child in pair.left.installed.values())


def test_selectors_with_protocol_and_port() -> None:
    text = changed(first(), ("10.1.0.0/24", "10.1.0.0/24[tcp/80]"), ("10.2.0.0/24", "10.2.0.7[tcp]"))
    pair = Pair(text).initiate()
    pair.check()
    (child,) = pair.right.installed.values()
    assert [str(s) for s in (*child.ts_remote, *child.ts_local)] == ["10.1.0.0/24[6/80]", "10.2.0.7/32[6]"]


def test_other_selectors_are_refused_in_words() -> None:
    text = first()
    pair = Pair(text, right_of(text, ("10.2.0.0/24", "10.9.0.0/24"))).initiate()
    assert pair.right.told("failed")[0]["reason"] == "peer offers local 10.2.0.0/24; we allow 10.9.0.0/24"
    assert "INVALID_ID_INFORMATION" in str(pair.left.told("failed")[0]["reason"])


def many(count: int, settings: str = "") -> str:
    children = "".join(
        f"n{n} {{\n local_ts = 10.1.{n + 1}.0/24\n remote_ts = 10.2.{n + 1}.0/24\n esp_proposals = {ESP}\n}}\n"
        for n in range(count)
    )
    return changed(first(settings=settings), ("            net {", f"{children}            net {{"))


def test_several_at_a_time() -> None:
    """Twenty Quick Modes under way at once, each with its own message ID and chain of IVs."""
    pair = Pair(many(20, "quick_modes = 64")).initiate()
    for n in range(20):
        pair.left.do("initiate", f"n{n}")
    assert under_way(pair) == 20
    pair.settle()
    pair.check(children=21)
    ids = {d.header.message_id for d in pair.wire.seen(of(QUICK))}
    assert len(ids) == 21
    assert len({child.key_encr_in for child in pair.left.installed.values()}) == 21


def under_way(pair: Pair) -> int:
    """How many Quick Modes the left side has begun and not ended."""
    begun = {d.header.message_id for d in pair.wire.seen(of(QUICK)) if d.src[0] == LEFT}
    return len(begun) - len(pair.left.installed)


def test_no_more_at_a_time_than_an_old_peer_keeps_the_state_of() -> None:
    """strongSwan's three are not all for Quick Modes: two of them run, and each that ends lets another one begin."""
    pair = Pair(many(20)).initiate()
    for n in range(20):
        pair.left.do("initiate", f"n{n}")
    assert under_way(pair) == 2
    pair.settle()
    pair.check(children=21)


def test_a_quick_mode_that_nobody_answers_does_not_keep_others_from_the_peer_for_ever() -> None:
    pair = Pair(many(3, "quick_modes = 1\n retransmit_tries = 1")).initiate()
    pair.wire.drop(of(QUICK, 4), count=2)
    for n in range(3):
        pair.left.do("initiate", f"n{n}")
    assert under_way(pair) == 1
    pair.run(pair.now + 60)
    assert not pair.left.sas, "a peer that never answers has gone, and with it the SA"


def test_the_child_that_is_meant_goes_before_one_that_has_more() -> None:
    """The selectors of `net` are inside those of `wide`, which stands first: nothing is narrowed, so both would do."""
    wide = f"wide {{\n local_ts = 10.1.0.0/24\n remote_ts = 10.2.0.0/24\n esp_proposals = {ESP}\n }}\n"
    ends = ("local_ts = 10.1.0.0/24", "remote_ts = 10.2.0.0/24")
    narrow = changed(first(), *((end, f"{end}[udp/7001]") for end in ends))
    text = changed(narrow, ("        children {", f"        children {{\n {wide}"))
    for name in ("net", "wide"):
        pair = Pair(text, right_of(text))
        pair.left.do("initiate", name)
        pair.settle()
        (child,) = pair.right.installed.values()
        assert child.name == name


def test_several_from_both_sides_with_losses() -> None:
    pair = Pair(many(8)).initiate()
    pair.wire.drop(lambda d: not d.keepalive and d.n % 3 == 0, count=12)
    for n in range(8):
        (pair.left if n % 2 else pair.right).do("initiate", f"n{n}")
    pair.run(120)
    pair.check(children=9)


@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_message_lost_once(number: int, by: str) -> None:
    pair = Pair(many(1)).initiate()
    before = len(pair.wire.seen(of(QUICK)))
    pair.wire.drop(of(QUICK, number))
    side = pair.ends(by)[0]
    side.do("initiate", "n0")
    pair.run(60)
    pair.check(children=2)
    # Both sides wait for each other where the second is lost, and both repeat.
    assert len(pair.wire.seen(of(QUICK))) - before == {1: 4, 2: 7, 3: 5}[number]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_message_twice(number: int) -> None:
    pair = Pair(first())
    pair.wire.duplicate(of(QUICK, number))
    settled(pair).check()
    assert [side.names for side in pair.sides] == [["ike-up", "child-up"]] * 2


def test_a_third_message_that_never_comes() -> None:
    """The responder repeats its answer, and in the end takes the child out: it alone, not the ISAKMP SA."""
    pair = Pair(first())
    pair.wire.drop(of(QUICK, 3), count=100)
    settled(pair, 200)
    assert pair.right.up == ["ESTABLISHED"] and not pair.right.installed
    assert len([d for d in pair.wire.seen(of(QUICK)) if d.src[0] == "198.51.100.1"]) == 6
    assert "a message of QUICK_MODE was sent 6 times" in str(pair.right.told("failed")[0]["reason"])


@pytest.mark.parametrize("asker", ["left", "right"])
@pytest.mark.parametrize("esp", ["aes128-sha256", "aes128-sha256-ecp256"])
def test_rekeying_loses_no_packet(esp: str, asker: str) -> None:
    """A new Quick Mode for the same selectors, then D(old): new SPIs, new keys, the same reqid."""
    pair = Pair(first(esp=esp)).initiate()
    (old,) = pair.left.installed.values()
    pair.ping(0.5)
    pair.ends(asker)[0].do("rekey", child="net")
    pair.ping(15)
    assert pair.lost == [] and pair.packets > 1000
    pair.check()
    (new,) = pair.left.installed.values()
    assert new.spi_in != old.spi_in and new.key_encr_in != old.key_encr_in and new.reqid == old.reqid
    assert [name for name in pair.left.names if name.startswith("child")] == ["child-up", "child-rekeyed"]
    assert [name for name in pair.right.names if name.startswith("child")] == ["child-up", "child-rekeyed"]
    assert ladder(pair)[-1] == f"{asker} INFORMATIONAL"


def test_rekeying_by_lifetime() -> None:
    """Soft expiry: the old child is replaced before it is over, again and again."""
    pair = Pair(first(child="rekey_time = 100s\n rand_time = 0")).initiate()
    pair.ping(1)
    pair.run(350)
    pair.ping(1)
    assert pair.lost == []
    pair.check()
    assert pair.left.names.count("child-rekeyed") >= 3
    assert pair.left.names.count("child-down") == pair.right.names.count("child-down") == 0


def test_both_rekey_at_once() -> None:
    """IKEv1 has no rule for it: both new children live, the old one is gone, and nothing is lost."""
    pair = Pair(first()).initiate()
    for side in pair.sides:
        side.do("rekey", child="net")
    pair.ping(15)
    assert pair.lost == []
    pair.check(children=len(pair.left.installed))
    assert 1 <= len(pair.left.installed) <= 2


@pytest.mark.parametrize("begins", ["left", "right"])
def test_both_rekey_at_once_again_and_again(begins: str) -> None:
    """The one that is too many is not rekeyed again, so there are never more than two of use, and one ends unused."""
    pair = Pair(first(child="rekey_time = 300s\n life_time = 330s\n rand_time = 0")).initiate(begins)
    for _ in range(3):
        # HDR*, HASH(1), SA, Ni, IDci, IDcr --> and <-- at the same time
        for side in pair.sides:
            side.do("rekey", child="net")
        pair.ping(15)
        assert pair.lost == []
        pair.check(children=len(pair.left.installed))
        assert len(pair.left.installed) <= 3
    pair.ping(1000, every=0.2)
    assert pair.lost == []
    pair.check(children=len(pair.left.installed))
    assert len(pair.left.installed) <= 3
    assert not pair.left.told("child-down") and not pair.right.told("child-down")


@pytest.mark.parametrize("begins", ["left", "right"])
def test_both_rekey_at_the_same_time_for_ever(begins: str) -> None:
    """The same lifetime on both sides: every rekeying meets one of the other side's."""
    pair = Pair(first(child="rekey_time = 60s\n life_time = 66s\n rand_time = 0")).initiate(begins)
    most = 0
    for _ in range(20):
        pair.ping(30, every=0.1)
        assert pair.lost == []
        most = max(most, *(len(side.installed) for side in pair.sides))
    assert most <= 4
    assert len(pair.wire.seen(of(QUICK))) <= 3 * 2 * 12


@pytest.mark.parametrize("nat", [False, True])
def test_transport_mode(nat: bool) -> None:
    text = changed(first(child="mode = transport"), *HOSTS)
    right = right_of(text, ("local_addrs = 192.0.2.1", "local_addrs = %any")) if nat else None
    pair = Pair(text, right, nats=(Nat("192.0.2.1", "203.0.113.1"),) if nat else ()).initiate()
    assert [[c.mode for c in side.installed.values()] for side in pair.sides] == [["transport"]] * 2
    (child,) = pair.right.installed.values()
    assert str(child.ts_remote[0]) == ("203.0.113.1/32" if nat else "192.0.2.1/32")


def test_networks_are_not_asked_for_in_transport_mode() -> None:
    """No Quick Mode begins for what cannot be; the ISAKMP SA stands."""
    pair = Pair(first(child="mode = transport")).initiate()
    assert pair.wire.seen(of(QUICK)) == []
    (failure,) = pair.left.told("failed")
    assert "configured for transport mode, and 10.1.0.0/24 is not our address 192.0.2.1" in str(failure["reason"])
    assert not pair.left.installed and not pair.right.installed


def test_networks_that_are_asked_for_in_transport_mode_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """HDR*, HASH(1), SA (transport), Ni, IDci, IDcr (networks) -->    <-- N(INVALID_ID_INFORMATION)."""
    whole = mode.misfit
    ours = "192.0.2.1"
    monkeypatch.setattr(mode, "misfit", lambda path, *sides: "" if path.local_host == ours else whole(path, *sides))
    pair = Pair(first(child="mode = transport")).initiate()
    assert not pair.left.installed and not pair.right.installed
    assert "INVALID_ID_INFORMATION" in str(pair.left.told("failed")[0]["reason"])
    assert "configured for transport mode, and 10.2.0.0/24 is not our" in str(pair.right.told("failed")[0]["reason"])


def test_the_first_message_of_a_quick_mode_is_checked_before_anything_is_made() -> None:
    """A changed octet: no answer, no state, a traced drop; the repetition is answered."""
    pair = Pair(first())
    pair.wire.change(of(QUICK, 1), lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    settled(pair).check()
    assert any("QUICK_MODE" in text for text in pair.right.drops)


def test_deleting_a_child_leaves_the_isakmp_sa() -> None:
    pair = Pair(first()).initiate()
    # HDR*, HASH(1), D(ESP, SPI) --> and nothing comes back
    pair.left.do("terminate", child="net")
    pair.settle()
    assert not pair.left.installed and not pair.right.installed
    assert ladder(pair)[-1] == "left INFORMATIONAL" and len(pair.wire.seen(of(INFORMATIONAL))) == 1
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]
    assert pair.right.told("child-down")[0]["reason"] == "deleted by the peer"
    assert sa(pair.left).children == sa(pair.right).children == {}


def test_the_commit_bit_is_tolerated() -> None:
    """Nothing authenticates it (RFC 2408 3.1), and nobody waits for a CONNECTED that need not come."""
    pair = Pair(first())
    pair.wire.change(of(QUICK), lambda data: data[:19] + bytes([data[19] | 2]) + data[20:], count=3)
    settled(pair).check()
    assert len(pair.wire.seen(of(QUICK))) == 3


@pytest.mark.parametrize("by", ["left", "right"])
@pytest.mark.parametrize("document", ["rfc3947", "draft-03", "draft-02"])
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
def test_nat_traversal_by_each_document(document: str, mode: str, by: str) -> None:
    """The drafts number NAT-D, NAT-OA and the encapsulation modes otherwise than RFC 3947; the poorer side decides."""
    only, every = f"nat_t_documents = {document}", "nat_t_documents = rfc3947, draft-03, draft-02"
    text = first(child=f"mode = {mode}", settings=only)
    text = changed(text, *HOSTS) if mode == "transport" else text
    right = right_of(text, ("local_addrs = 192.0.2.1", "local_addrs = %any"))
    text, right = (text, right.replace(only, every)) if by == "left" else (text.replace(only, every), right)
    pair = Pair(text, right, nats=(Nat("192.0.2.1", "203.0.113.1"),)).initiate()
    draft = document != "rfc3947"
    discovery = Message1.decode(pair.wire.seen(of(MAIN, 3))[0].ike)
    assert {int(p.type) for p in discovery.all(NatD)} == {130 if draft else 20}
    wire = {"tunnel": 3, "transport": 4}[mode] if not draft else {"tunnel": 61443, "transport": 61444}[mode]
    assert sa(pair.left).nat_numbers is not None
    assert quick_mode.wire_mode(sa(pair.left), mode) == quick_mode.wire_mode(sa(pair.right), mode) == wire
    assert [[(c.mode, c.encap) for c in side.installed.values()] for side in pair.sides] == [[(mode, True)]] * 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_wrong_hash_in_a_well_formed_message(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """HASH(1), HASH(2), HASH(3), sealed with the right key and not authentic: dropped in words, nothing moves on."""
    name = "last_hash" if number == 3 else "hashed"
    true = getattr(phase2, name)

    def wrong(one: Sa, *rest: object) -> object:
        made = true(one, *rest)
        if one.initiator != (number != 2):
            return made
        if isinstance(made, Hash1):
            return Hash1(made.data[:-1] + bytes([made.data[-1] ^ 1]))
        return Hash1(made[0].data[:-1] + bytes([made[0].data[-1] ^ 1])), *made[1:]

    monkeypatch.setattr(phase2, name, wrong)
    pair = Pair(first()).initiate()
    victim = pair.left if number == 2 else pair.right
    assert "HASH of QUICK_MODE does not verify" in victim.drops
    assert "child-up" not in victim.names
    assert bool(pair.right.installed) == (number != 1), (
        "the responder makes something of a first message that is forged"
    )
    assert len(pair.wire.seen(of(QUICK))) == number


def test_no_document_on_nat_traversal_in_common() -> None:
    """Nobody looks for NATs then, and ports stay."""
    text = first(settings="nat_t_documents = draft-03")
    pair = Pair(text, right_of(text, ("draft-03", "draft-02"))).initiate()
    pair.check()
    assert sa(pair.left).nat_numbers is sa(pair.right).nat_numbers is None
    assert not [p for d in pair.wire.seen(of(MAIN, 3)) for p in Message1.decode(d.ike).all(NatD)]


def test_without_nat_traversal_nothing_is_announced() -> None:
    pair = Pair(first(settings="nat_traversal = no")).initiate()
    pair.check()
    assert sa(pair.left).nat_numbers is None
