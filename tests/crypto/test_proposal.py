"""Proposal strings, and the choice among proposals."""

import pytest

from lab.crypto import proposal, registry
from lab.crypto.proposal import Mismatch, Selected, accept, parse, parse_all, render, select, without_ke
from lab.errors import ConfigError
from lab.wire.cursor import Reader
from lab.wire.ids import AttributeType, Encr, Esn, Integ, KeMethod, Prf, ProtocolId, TransformType
from lab.wire.payloads_v2 import Attribute, Proposal, Transform, TransformId

IKE, ESP, AH = ProtocolId.IKE, ProtocolId.ESP, ProtocolId.AH
T = TransformType


def words(outcome: Selected | Mismatch) -> str:
    return render(outcome.proposal) if isinstance(outcome, Selected) else outcome.reason


def choose(ours: str, theirs: str, protocol: ProtocolId = IKE, **how: str) -> str:
    return words(select([parse(ours, protocol)], [parse(theirs, protocol)], **how))


@pytest.mark.parametrize(
    ("text", "protocol", "rendered"),
    [
        ("aes256gcm16-prfsha384-x25519", IKE, "aes256gcm16-prfsha384-x25519"),
        ("aes128-sha256-modp2048", IKE, "aes128-prfsha256-sha256-modp2048"),
        ("aes-sha1-aesxcbc-curve25519", IKE, "aes128-prfsha1-prfaesxcbc-sha1-aesxcbc-x25519"),
        ("aes128gcm16-sha256-x25519", IKE, "aes128gcm16-prfsha256-x25519"),
        ("aes256gcm-aes128ccm64-prfsha256-ecp256-ecp384", IKE, "aes256gcm16-aes128ccm8-prfsha256-ecp256-ecp384"),
        ("chacha20poly1305-prfsha512-x25519-ke1_mlkem768-ke1_none-ke2_mlkem1024", IKE,
         "chacha20poly1305-prfsha512-x25519-ke1_mlkem768-ke1_none-ke2_mlkem1024"),
        ("3des-sha1-modp1024", IKE, "3des-prfsha1-sha1-modp1024"),
        ("aes128gcm16", ESP, "aes128gcm16"),
        ("aes128-sha256-esn-noesn", ESP, "aes128-sha256-esn-noesn"),
        ("aes128-sha256-x25519-esn", ESP, "aes128-sha256-x25519-esn"),
        ("null-sha256", ESP, "null-sha256"),
        ("aes256gmac-none", ESP, "aes256gmac-none"),
        ("sha256", AH, "sha256"),
        ("aes128-sha256-sha1", AH, "sha256-sha1"),
        ("aes128gmac-aes256gmac-sha256-esn", AH, "aes128gmac-aes256gmac-sha256-esn"),
    ],
)  # fmt: skip
def test_parse_render(text: str, protocol: ProtocolId, rendered: str) -> None:
    parsed = parse(text, protocol)
    assert render(parsed) == rendered
    assert parse(rendered, protocol) == parsed
    assert Proposal.decode(Reader(parsed.encode())) == parsed


def test_transforms_of_one_string() -> None:
    parsed = parse("aes256gcm16-prfsha384-x25519", IKE)
    assert parsed.transforms == (
        Transform(T.ENCR, Encr.ENCR_AES_GCM_16, 256),
        Transform(T.PRF, Prf.PRF_HMAC_SHA2_384),
        Transform(T.KE, KeMethod.CURVE25519),
    )
    esp = parse("chacha20poly1305", ESP)
    # The Key Length attribute must not accompany a cipher of fixed length (RFC 7296 3.3.5); ESN is mandatory (3.3.3).
    assert esp.transforms == (Transform(T.ENCR, Encr.ENCR_CHACHA20_POLY1305), Transform(T.ESN, Esn.NO_ESN))


@pytest.mark.parametrize(
    ("text", "protocol", "message"),
    [
        ("aes256gmc16-prfsha256-x25519", IKE, "unknown algorithm 'aes256gmc16'; did you mean aes256gcm16"),
        ("aes128-sha256-zzzzzzzz", IKE, "unknown algorithm 'zzzzzzzz'"),
        ("", IKE, "unknown algorithm ''"),
        ("aes128gcm16-x25519", IKE, "names no PRF algorithm"),
        ("aes128-sha256", IKE, "names no KE algorithm"),
        ("aes128-sha256-none", IKE, "names no KE algorithm"),
        ("aes128-prfsha256-x25519", IKE, "names no INTEG algorithm"),
        ("sha256", ESP, "names no ENCR algorithm"),
        ("aes128", ESP, "names no INTEG algorithm"),
        ("aes128gcm16-aes128-sha256", ESP, "mixes AEAD with other ciphers"),
        ("null-sha256-x25519", IKE, "names null, which is not for IKE"),
        ("aes128gmac-prfsha256-x25519", IKE, "names aes128gmac, which is not for IKE"),
        ("x25519", AH, "names no INTEG algorithm"),
    ],
)
def test_refused_strings(text: str, protocol: ProtocolId, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, protocol)
    assert message in str(caught.value)


def test_defaults_hold_no_weak_algorithm() -> None:
    for protocol in (IKE, ESP):
        offered = parse_all(["default"], protocol)
        assert offered == parse_all([], protocol)
        assert [p.number for p in offered] == [1, 2]
        text = "-".join(render(p) for p in offered).split("-")
        assert not {"3des", "sha1", "modp1024", "modp1536", "null"} & set(text)
    assert render(parse_all(["aes128gcm16-prfsha256-x25519", "default"], IKE)[0]) == "aes128gcm16-prfsha256-x25519"


def test_every_keyword_is_read_and_written() -> None:
    for word, transform in registry.KEYWORDS.items():
        assert registry.keyword(transform) == word
        assert registry.known(transform)
    for alias, word in registry.ALIASES.items():
        assert word in registry.KEYWORDS
        assert alias not in registry.KEYWORDS


def test_our_order_wins_unless_told_otherwise() -> None:
    ours = "aes256gcm16-aes128gcm16-prfsha256-prfsha384-x25519-ecp256"
    theirs = "aes128gcm16-aes256gcm16-prfsha384-prfsha256-ecp256-x25519"
    assert choose(ours, theirs) == "aes256gcm16-prfsha256-x25519"
    assert choose(ours, theirs, prefer="theirs") == "aes128gcm16-prfsha384-ecp256"


def test_order_of_proposals() -> None:
    ours = parse_all(["aes256gcm16-prfsha256-x25519", "aes128-sha256-x25519"], IKE)
    theirs = parse_all(["aes128-sha256-x25519", "aes256gcm16-prfsha256-x25519"], IKE)
    mine, peers = select(ours, theirs), select(ours, theirs, prefer="theirs")
    assert isinstance(mine, Selected) and isinstance(peers, Selected)
    assert (mine.number, mine.encr.id, mine.integ) == (2, Encr.ENCR_AES_GCM_16, None)
    assert (peers.number, peers.encr.id) == (1, Encr.ENCR_AES_CBC)
    assert peers.integ == Transform(T.INTEG, Integ.AUTH_HMAC_SHA2_256_128)
    assert (mine.prf, mine.ke, mine.esn) == (Prf.PRF_HMAC_SHA2_256, KeMethod.CURVE25519, False)


@pytest.mark.parametrize(
    ("ours", "theirs", "protocol", "reason", "kind"),
    [
        ("aes128gcm16-prfsha256-x25519", "aes128gcm16-prfsha256-ecp256-modp2048", IKE,
         "no common KE: peer offers ecp256, modp2048; we allow x25519", T.KE),
        ("aes256gcm16-prfsha256-x25519", "aes128gcm16-prfsha256-x25519", IKE,
         "no common ENCR: peer offers aes128gcm16; we allow aes256gcm16", T.ENCR),
        ("aes128gcm16-prfsha256-x25519", "aes128gcm16-prfsha384-x25519", IKE,
         "no common PRF: peer offers prfsha384; we allow prfsha256", T.PRF),
        ("aes128-sha256-x25519", "aes128-sha1-prfsha256-x25519", IKE,
         "no common INTEG: peer offers sha1; we allow sha256", T.INTEG),
        ("aes128-sha256-esn", "aes128-sha256", ESP, "no common ESN: peer offers noesn; we allow esn", T.ESN),
        ("aes128-sha256-x25519", "aes128-sha256", ESP, "no common KE: peer offers none; we allow x25519", T.KE),
        ("aes128-sha256", "aes128-sha256-x25519", ESP, "no common KE: peer offers x25519; we allow none", T.KE),
        ("aes128gcm16-prfsha256-x25519", "aes128gcm16-prfsha256-x25519-ke1_mlkem768", IKE,
         "no common ADDKE1: peer offers ke1_mlkem768; we allow none", T.ADDKE1),
    ],
)  # fmt: skip
def test_reasons(ours: str, theirs: str, protocol: ProtocolId, reason: str, kind: TransformType) -> None:
    outcome = select([parse(ours, protocol)], [parse(theirs, protocol)])
    assert outcome == Mismatch(reason, kind)


def test_the_closest_pair_of_proposals_gives_the_reason() -> None:
    theirs = parse_all(["3des-sha1-modp1024", "aes128gcm16-prfsha256-ecp256"], IKE)
    outcome = select(parse_all(["aes128gcm16-prfsha256-x25519"], IKE), theirs)
    assert words(outcome) == "no common KE: peer offers ecp256; we allow x25519"
    assert words(select(theirs, [])) == "the peer offers no proposal"


def test_other_protocol() -> None:
    outcome = select([parse("aes128gcm16", ESP)], [parse("sha256", AH)])
    assert words(outcome) == "peer offers AH; we allow ESP"


def test_none_makes_a_key_exchange_optional() -> None:
    assert choose("aes128-sha256-x25519-none", "aes128-sha256", ESP) == "aes128-sha256"
    assert choose("aes128-sha256", "aes128-sha256-x25519-none", ESP) == "aes128-sha256-none"
    chosen = select([parse("aes128-sha256", ESP)], [parse("aes128-sha256-x25519-none", ESP)])
    assert isinstance(chosen, Selected) and chosen.ke is None
    hybrid = "aes128gcm16-prfsha256-x25519-ke1_mlkem768-ke1_none"
    assert choose(hybrid, "aes128gcm16-prfsha256-x25519") == "aes128gcm16-prfsha256-x25519"
    both = select([parse(hybrid, IKE)], [parse(hybrid, IKE)])
    assert isinstance(both, Selected)
    assert both.additional == ((T.ADDKE1, KeMethod.ML_KEM_768),)


def test_additional_key_exchanges_use_different_methods() -> None:
    """RFC 9370 2.2.2: the first preference of ADDKE1 must give way where ADDKE2 has no other."""
    ours = "aes128gcm16-prfsha256-x25519-ke1_mlkem768-ke1_mlkem1024-ke2_mlkem768"
    assert choose(ours, ours) == "aes128gcm16-prfsha256-x25519-ke1_mlkem1024-ke2_mlkem768"
    same = "aes128gcm16-prfsha256-x25519-ke1_mlkem768-ke2_mlkem768"
    assert "without using one method twice" in choose(same, same)


def with_transforms(base: Proposal, *more: Transform) -> Proposal:
    return Proposal(base.number, base.protocol, base.spi, (*base.transforms, *more))


def test_unknown_transforms_are_passed_over() -> None:
    mine = parse("aes128gcm16-prfsha256-x25519", IKE)
    unknown = (Transform(T.ENCR, Encr(4242), 128), Transform(T.KE, KeMethod(999)))
    strange = Proposal(1, IKE, b"", (*unknown, *mine.transforms))
    chosen = select([mine], [strange])
    assert words(chosen) == "aes128gcm16-prfsha256-x25519"
    only = Proposal(1, IKE, b"", (Transform(T.ENCR, Encr(4242), 128), *mine.transforms[1:]))
    assert words(select([mine], [only])) == "no common ENCR: peer offers UNKNOWN_4242_128; we allow aes128gcm16"


def test_sequence_numbers_of_rfc_9827_that_we_do_not_know_are_passed_over() -> None:
    mine = parse("aes256gcm16", ESP)
    values = (Transform(T.ESN, Esn(2)), Transform(T.ESN, Esn(3)), *mine.of(T.ESN))
    strange = Proposal(1, ESP, b"spi1", (*mine.of(T.ENCR), *values))
    assert words(select([mine], [strange])) == words(select([mine], [mine]))
    only = Proposal(1, ESP, b"spi1", (*mine.of(T.ENCR), *values[:2]))
    assert words(select([mine], [only])).startswith("no common ESN: peer offers UNKNOWN_2, UNKNOWN_3")


def test_a_proposal_with_an_unknown_transform_type_is_passed_over() -> None:
    """RFC 7296 3.3.6: that proposal is unacceptable, "however, other proposals in the same SA payload"."""
    mine = parse("aes128gcm16-prfsha256-x25519", IKE)
    strange = with_transforms(mine, Transform(TransformType(77), TransformId(5)))
    plain = Proposal(2, IKE, b"", mine.transforms)
    chosen = select([mine], [strange, plain])
    assert isinstance(chosen, Selected) and chosen.number == 2
    assert words(select([mine], [strange])) == "peer's proposal 1 has UNKNOWN_77, a transform type unknown to us"


def test_a_missing_mandatory_type() -> None:
    """strongSwan 5.9.0 to 5.9.5 left ESN out of AEAD proposals."""
    mine = parse("aes128gcm16", ESP)
    bare = Proposal(1, ESP, b"\1\2\3\4", mine.of(T.ENCR))
    assert words(select([mine], [bare])) == "peer's proposal 1 lacks ESN, which is mandatory"


def test_missing_key_length_means_128() -> None:
    """Some peers leave the Key Length of AES-128 out; the answer repeats what they wrote."""
    mine = parse("aes256-aes128-sha256-x25519", IKE)
    theirs = Proposal(1, IKE, b"", (Transform(T.ENCR, Encr.ENCR_AES_CBC), *mine.transforms[2:]))
    chosen = select([mine], [theirs])
    assert isinstance(chosen, Selected)
    assert chosen.encr == Transform(T.ENCR, Encr.ENCR_AES_CBC, None)
    assert registry.encr(chosen.encr).key_octets == 16


@pytest.mark.parametrize("word", ["chacha20poly1305", "aes128gcm16", "prfsha256", "x25519"])
def test_a_transform_with_an_unknown_attribute_is_passed_over(word: str) -> None:
    """RFC 7296 3.3.6: "one that contains a Transform Attribute it does not understand"."""
    mine = parse("chacha20poly1305-aes128gcm16-prfsha256-x25519", IKE)
    known = registry.KEYWORDS[word]
    strange = Transform(known.type, known.id, None, (Attribute(AttributeType(77), 5),))
    rest = tuple(t for t in mine.transforms if t.type != known.type)
    assert isinstance(select([mine], [Proposal(1, IKE, b"", (strange, *rest))]), Mismatch)
    assert isinstance(select([mine], [Proposal(1, IKE, b"", (strange, known, *rest))]), Selected)


def test_aead_goes_without_integrity_or_with_none() -> None:
    mine = parse("aes128gcm16-prfsha256-x25519", IKE)
    none = select([mine], [with_transforms(mine, Transform(T.INTEG, Integ.NONE))])
    assert isinstance(none, Selected)
    assert none.proposal.of(T.INTEG) == (Transform(T.INTEG, Integ.NONE),) and none.integ is None
    sha = select([mine], [with_transforms(mine, Transform(T.INTEG, Integ.AUTH_HMAC_SHA2_256_128))])
    assert words(sha) == "peer offers the AEAD cipher aes128gcm16 with integrity sha256"
    cbc = parse("aes128-sha256-x25519", IKE)
    mixed = Proposal(1, IKE, b"", (*mine.transforms, *cbc.of(T.ENCR), *cbc.of(T.INTEG)))
    assert words(select([mine, cbc], [mixed])) == "aes128-prfsha256-sha256-x25519"
    assert "INTEG" in words(select([cbc], [Proposal(1, IKE, b"", cbc.of(T.ENCR) + mine.transforms[1:])]))
    only_none = Proposal(1, IKE, b"", (*cbc.of(T.ENCR), Transform(T.INTEG, Integ.NONE), *mine.transforms[1:]))
    assert isinstance(select([cbc], [only_none]), Mismatch)


def test_the_selection_carries_number_and_spi_of_the_peer() -> None:
    mine = parse("aes128gcm16", ESP)
    theirs = Proposal(7, ESP, b"\xaa\xbb\xcc\xdd", mine.transforms)
    chosen = select([mine], [theirs])
    assert isinstance(chosen, Selected)
    assert (chosen.number, chosen.proposal.spi) == (7, b"\xaa\xbb\xcc\xdd")


def test_child_of_ike_auth_has_no_key_exchange() -> None:
    assert render(without_ke(parse("aes128gcm16-x25519-ke1_mlkem768", ESP))) == "aes128gcm16"


def test_accepting_an_answer() -> None:
    offered = parse_all(["aes256gcm16-aes128gcm16-prfsha256-x25519", "aes128-sha256-x25519"], IKE)
    good = parse("aes128gcm16-prfsha256-x25519", IKE)
    taken = accept(offered, [good])
    assert isinstance(taken, Selected) and taken.proposal == good
    assert words(accept(offered, [])) == "the answer holds 0 proposals, not one"
    assert words(accept(offered, [offered[0]])) == "the answer holds 2 ENCR transforms, not one"
    assert "which we did not offer" in words(accept(offered, [Proposal(3, IKE, b"", good.transforms)]))
    assert isinstance(accept(offered, [parse("aes192gcm16-prfsha256-x25519", IKE)]), Mismatch)
    assert isinstance(accept(offered, [Proposal(2, IKE, b"", good.transforms)]), Mismatch)


def test_a_hostile_offer_is_judged_quickly() -> None:
    """Many copies of everything but the last type: the work is bounded by our configuration, not by the offer."""
    mine = parse_all(["default"], IKE)
    many = tuple(t for p in mine for t in p.transforms if t.type != T.KE) * 20 + (Transform(T.KE, KeMethod(4000)),)
    outcome = select(mine, [Proposal(number, IKE, b"", many) for number in range(1, 40)])
    assert isinstance(outcome, Mismatch)


def test_proposal_module_offers_the_whole_interface() -> None:
    assert proposal.select is select
