"""Proposals into IKEv1's transforms and back (RFC 2409 appendix A, RFC 2407 4.5)."""

import pytest

from lab.crypto import ikev1_numbers as numbers
from lab.crypto.choice import Mismatch
from lab.crypto.proposal import parse_all
from lab.ikev1 import proposals
from lab.ikev1.proposals import Agreed
from lab.wire.ids import KeMethod, ProtocolId
from lab.wire.ids_v1 import AuthMethod1, Mode1, Phase1, Phase2, Protocol1
from lab.wire.payloads_v1 import SA1, Attribute, Proposal1, Transform1

PSK = (AuthMethod1.PRE_SHARED_KEY,)


def ike(*texts: str):
    return parse_all(texts, ProtocolId.IKE)


def esp(*texts: str):
    return parse_all(texts, ProtocolId.ESP)


def ah(*texts: str):
    return parse_all(texts, ProtocolId.AH)


def test_alternatives_become_a_transform_each() -> None:
    offer = proposals.phase1(ike("aes256-aes128-sha256-sha1-ecp256"), PSK, 3600)
    (one,) = offer.proposals
    found = [(t.number, t.get(Phase1.KEY_LENGTH), t.get(Phase1.HASH)) for t in one.transforms]
    assert found == [(1, 256, 4), (2, 256, 2), (3, 128, 4), (4, 128, 2)]
    assert {t.get(Phase1.LIFE_DURATION) for t in one.transforms} == {3600}


def test_the_prf_is_that_of_the_hash_or_there_is_no_transform() -> None:
    assert numbers.inexpressible(ike("aes256-sha256-prfsha512-ecp256"), phase=1)


IMPOSSIBLE = (
    "aes256gcm16-prfsha256-ecp256 aes256-sha256-x25519 chacha20poly1305-prfsha256-ecp256 aes256-aesxcbc-ecp256 "
    "aes256ctr-sha256-ecp256 aes256ccm16-prfsha256-ecp256"
)


@pytest.mark.parametrize("text", IMPOSSIBLE.split())
def test_what_phase_1_cannot_express(text: str) -> None:
    assert numbers.inexpressible(ike(text), phase=1)
    assert proposals.phase1(ike(text), PSK, 0).proposals[0].transforms == ()


@pytest.mark.parametrize("text", ["chacha20poly1305", "aes128-sha256-x25519", "aes128-aescmac"])
def test_what_phase_2_cannot_express(text: str) -> None:
    assert numbers.inexpressible(esp(text), phase=2)


def test_every_number_of_ah_round_trips() -> None:
    """RFC 2407 4.4.3: the transform ID and the attribute of the authentication algorithm, which differ for SHA-1."""
    written = {"sha1": (3, 2), "sha256": (5, 5), "sha384": (6, 6), "sha512": (7, 7), "aesxcbc": (9, 9),
               "aes128gmac": (11, 11), "aes192gmac": (12, 12), "aes256gmac": (13, 13)}  # fmt: skip
    for word, (kind, attribute) in written.items():
        wish = ah(f"{word}-esn-ecp384")
        offer = proposals.phase2(wish, b"spi1", Mode1.TUNNEL, 0, KeMethod.ECP_384)
        (transform,) = offer.proposals[0].transforms
        assert (int(transform.id), transform.get(Phase2.AUTHENTICATION)) == (kind, attribute), word
        found = proposals.choose_phase2(wish, SA1.decode(offer.encode()), (Mode1.TUNNEL,))
        assert isinstance(found, Agreed), word
        assert (found.selected.encr, found.selected.integ, found.selected.esn) == (None, wish[0].transforms[0], True)
    assert numbers.inexpressible(ah("aescmac"), phase=2) == "aescmac"


def test_ah_whose_transform_and_attribute_differ_is_passed_over() -> None:
    """RFC 2407 4.5: AH must name its algorithm as an attribute too."""
    (one,) = proposals.phase2(ah("sha256"), b"spi1", Mode1.TUNNEL, 0, None).proposals
    true = one.transforms[0]
    for attributes in (
        tuple(a for a in true.attributes if a.type != Phase2.AUTHENTICATION),
        (*(a for a in true.attributes if a.type != Phase2.AUTHENTICATION), Attribute.of(Phase2.AUTHENTICATION, 2)),
    ):
        odd = Transform1(1, true.id, attributes)
        offer = SA1((Proposal1(1, one.protocol, one.spi, (odd,)),))
        assert isinstance(proposals.choose_phase2(ah("sha256", "sha1"), offer, (Mode1.TUNNEL,)), Mismatch)


def test_esp_and_ah_stand_under_numbers_of_their_own() -> None:
    both = (*esp("aes128-sha256"), *ah("sha512-sha256"))
    offer = proposals.phase2(both, b"spi1", Mode1.TUNNEL, 0, None)
    found = [(p.number, p.protocol, p.spi, len(p.transforms)) for p in offer.proposals]
    assert found == [(1, Protocol1.ESP, b"spi1", 1), (2, Protocol1.AH, b"spi1", 2)]
    for wish, protocol in ((esp("aes128-sha256"), Protocol1.ESP), (ah("sha256"), Protocol1.AH)):
        chosen = proposals.choose_phase2(wish, offer, (Mode1.TUNNEL,))
        assert isinstance(chosen, Agreed) and chosen.proposal.protocol == protocol
        assert isinstance(proposals.accept(offer, SA1((chosen.proposal,)), both, phase=2), Agreed)
        assert isinstance(
            proposals.accept(SA1(offer.proposals[:1]), SA1((chosen.proposal,)), both, phase=2), Agreed
        ) == (protocol == Protocol1.ESP), "an answer of another protocol than was offered"


def test_every_number_round_trips() -> None:
    """Each cipher, hash, group and ESP transform that has a number is offered and understood."""
    for word in ("3des", "aes128", "aes256", "camellia192"):
        for digest in ("sha1", "sha256", "sha384", "sha512"):
            ours = ike(f"{word}-{digest}-modp2048")
            chosen = proposals.choose_phase1(ours, proposals.phase1(ours, PSK, 0), PSK)
            assert isinstance(chosen, Agreed)
            assert (chosen.suite(PSK[0]).encr, chosen.suite(PSK[0]).ke) == (ours[0].transforms[0], KeMethod.MODP_2048)
    for word in ("null-sha256", "aes192-sha384", "aes256ctr-sha1", "aes128ccm8", "aes256gcm12", "camellia256-aesxcbc",
                 "3des-sha512", "aes192gmac"):  # fmt: skip
        wish = esp(f"{word}-esn-ecp384")
        offer = proposals.phase2(wish, b"spi1", Mode1.TUNNEL, 0, KeMethod.ECP_384)
        found = proposals.choose_phase2(wish, SA1.decode(offer.encode()), (Mode1.TUNNEL,))
        assert isinstance(found, Agreed), word
        assert found.selected.encr == wish[0].transforms[0] and found.selected.esn
        assert found.proposal.spi == b"spi1"


def test_the_answer_is_the_transform_of_the_offer() -> None:
    ours = ike("aes256-aes128-sha256-ecp256")
    offer = proposals.phase1(ours, PSK, 3600)
    chosen = proposals.choose_phase1(ike("aes128-sha256-ecp256"), offer, PSK)
    assert isinstance(chosen, Agreed) and chosen.transform == offer.proposals[0].transforms[1]
    assert isinstance(proposals.accept(offer, SA1((chosen.proposal,)), ours, phase=1), Agreed)


def test_an_answer_that_was_not_offered_is_refused() -> None:
    ours = ike("aes256-sha256-ecp256")
    offer = proposals.phase1(ours, PSK, 3600)
    other = proposals.phase1(ike("aes128-sha256-ecp256"), PSK, 3600)
    two = SA1((Proposal1(1, offer.proposals[0].protocol, b"", offer.proposals[0].transforms * 2),))
    for answer in (other, two, SA1(offer.proposals * 2), SA1(())):
        assert isinstance(proposals.accept(offer, answer, ours, phase=1), Mismatch)


def test_a_shorter_lifetime_in_the_answer_is_no_other_transform() -> None:
    ours = ike("aes256-sha256-ecp256")
    offer = proposals.phase1(ours, PSK, 86400)
    assert isinstance(proposals.accept(offer, proposals.phase1(ours, PSK, 600), ours, phase=1), Agreed)


def test_another_authentication_method_is_named() -> None:
    ours = ike("aes256-sha256-ecp256")
    offer = proposals.phase1(ours, (AuthMethod1.RSA_SIGNATURE,), 0)
    refused = proposals.choose_phase1(ours, offer, PSK)
    assert isinstance(refused, Mismatch)
    assert refused.reason == "peer would authenticate by RSA_SIGNATURE; we allow PRE_SHARED_KEY"


def test_another_encapsulation_is_named() -> None:
    offer = proposals.phase2(esp("aes128-sha256"), b"spi1", Mode1.TRANSPORT, 0, None)
    refused = proposals.choose_phase2(esp("aes128-sha256"), offer, (Mode1.TUNNEL,))
    assert (
        isinstance(refused, Mismatch) and refused.reason == "peer offers the encapsulation TRANSPORT; we allow TUNNEL"
    )


def test_a_bundle_is_passed_over() -> None:
    """ESP and IPComp under one number belong together (RFC 2408 4.2), and we have no IPComp."""
    one = proposals.phase2(esp("aes128-sha256"), b"spi1", Mode1.TUNNEL, 0, None).proposals[0]
    refused = proposals.choose_phase2(esp("aes128-sha256"), SA1((one, one)), (Mode1.TUNNEL,))
    assert isinstance(refused, Mismatch) and "bundles" in refused.reason
    other = proposals.phase2(ah("sha256"), b"spi1", Mode1.TUNNEL, 0, None).proposals[0]
    refused = proposals.choose_phase2(esp("aes128-sha256"), SA1((one, other)), (Mode1.TUNNEL,))
    assert isinstance(refused, Mismatch) and "bundles" in refused.reason


def test_unknown_numbers_are_passed_over() -> None:
    known = proposals.phase2(esp("aes128-sha256"), b"spi1", Mode1.TUNNEL, 0, None).proposals[0]
    odd = Transform1(
        9, known.transforms[0].id, (*known.transforms[0].attributes, Attribute.of(Phase2.AUTHENTICATION, 99))
    )
    strange = Transform1(8, type(known.transforms[0].id)(250), known.transforms[0].attributes)
    offer = SA1((Proposal1(1, known.protocol, known.spi, (strange, odd, *known.transforms)),))
    chosen = proposals.choose_phase2(esp("aes128-sha256"), offer, (Mode1.TUNNEL,))
    assert isinstance(chosen, Agreed) and chosen.transform.number in (1, 9)


def test_a_flood_of_transforms_is_cut() -> None:
    """No honest peer offers more than fit into one proposal, and nobody may have us compare thousands."""
    (one,) = proposals.phase1(ike("aes128-sha1-modp1024"), PSK, 0).proposals
    many = tuple(Transform1(n, one.transforms[0].id, one.transforms[0].attributes) for n in range(255))
    offer = SA1(tuple(Proposal1(n, one.protocol, b"", many) for n in range(60)))
    assert isinstance(proposals.choose_phase1(ike("aes256-sha256-ecp256"), offer, PSK), Mismatch)
