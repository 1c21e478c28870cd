"""The numbers that IKEv1 has for our algorithms, and which of our proposals it can express at all.

Phase 1 knows ciphers in CBC mode with a hash (RFC 2409 appendix A and its registry), phase 2 the transforms of ESP
and AH (RFC 2407 4.4.3 to 4.5; RFC 4543 9). Both registries were closed (RFC 9395): what came later, as AEAD for the
IKE SA, ChaCha20 or Curve25519, has no number and cannot be negotiated.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product

from lab.crypto import registry
from lab.wire.ids import Encr, Integ, KeMethod, TransformType
from lab.wire.payloads_v2 import Proposal

_T = TransformType
# Phase 1: Encryption Algorithm and Hash Algorithm. The hash is also what the prf is made of.
ENCRYPTION: dict[Encr, int] = {Encr.ENCR_3DES: 5, Encr.ENCR_AES_CBC: 7, Encr.ENCR_CAMELLIA_CBC: 8}
HASH: dict[Integ, int] = {
    Integ.AUTH_HMAC_MD5_96: 1,
    Integ.AUTH_HMAC_SHA1_96: 2,
    Integ.AUTH_HMAC_SHA2_256_128: 4,
    Integ.AUTH_HMAC_SHA2_384_192: 5,
    Integ.AUTH_HMAC_SHA2_512_256: 6,
}
# Phase 2: the transform IDs of ESP, and the Authentication Algorithm.
ESP: dict[Encr, int] = {
    Encr.ENCR_3DES: 3,
    Encr.ENCR_NULL: 11,
    Encr.ENCR_AES_CBC: 12,
    Encr.ENCR_AES_CTR: 13,
    Encr.ENCR_AES_CCM_8: 14,
    Encr.ENCR_AES_CCM_12: 15,
    Encr.ENCR_AES_CCM_16: 16,
    Encr.ENCR_AES_GCM_8: 18,
    Encr.ENCR_AES_GCM_12: 19,
    Encr.ENCR_AES_GCM_16: 20,
    Encr.ENCR_CAMELLIA_CBC: 22,
    Encr.ENCR_NULL_AUTH_AES_GMAC: 23,
}
AUTHENTICATION: dict[Integ, int] = {
    Integ.AUTH_HMAC_MD5_96: 1,
    Integ.AUTH_HMAC_SHA1_96: 2,
    Integ.AUTH_HMAC_SHA2_256_128: 5,
    Integ.AUTH_HMAC_SHA2_384_192: 6,
    Integ.AUTH_HMAC_SHA2_512_256: 7,
    Integ.AUTH_AES_XCBC_96: 9,
    Integ.AUTH_AES_128_GMAC: 11,
    Integ.AUTH_AES_192_GMAC: 12,
    Integ.AUTH_AES_256_GMAC: 13,
}
# AH has the algorithm as its transform ID as well (RFC 2407 4.4.3), where MD5 and SHA-1 have other numbers.
AH: dict[Integ, int] = AUTHENTICATION | {Integ.AUTH_HMAC_MD5_96: 2, Integ.AUTH_HMAC_SHA1_96: 3}
# The registry of groups ended before Curve25519.
_LAST_GROUP = KeMethod.BRAINPOOL_P512R1


def in_phase1(choice: Proposal) -> bool:
    """Whether a set of algorithms, one of each kind, can stand in a transform of phase 1."""
    (encr,), (group,), digests = choice.of(_T.ENCR), choice.of(_T.KE), choice.of(_T.INTEG)
    prfs: list[int] = [registry.PRF_OF[kind] for kind in HASH for digest in digests if digest.id == kind]
    return encr.id in ENCRYPTION and prfs == [choice.of(_T.PRF)[0].id] and 0 < group.id <= _LAST_GROUP


def in_phase2(choice: Proposal) -> bool:
    """Whether a set of algorithms, one of each kind, can stand in a transform of ESP or AH."""
    method = group(choice)
    return (
        all(t.id in ESP for t in choice.of(_T.ENCR))
        and all(t.id in AUTHENTICATION for t in choice.of(_T.INTEG))
        and (method is None or method <= _LAST_GROUP)
    )


def group(choice: Proposal) -> KeMethod | None:
    """The group of a set without alternatives; None without PFS."""
    found = [KeMethod(t.id) for t in choice.of(_T.KE) if t.id]
    return found[0] if found else None


def sets(proposals: Iterable[Proposal], expressible: Callable[[Proposal], bool]) -> Iterator[Proposal]:
    """Every combination of a proposal's alternatives that IKEv1 has numbers for, the preferred first."""
    for proposal in proposals:
        kinds = list(dict.fromkeys(t.type for t in proposal.transforms))
        for combination in product(*(proposal.of(kind) for kind in kinds)):
            choice = replace(proposal, transforms=combination)
            if expressible(choice):
                yield choice


def inexpressible(proposals: Iterable[Proposal], *, phase: int) -> str:
    """The words of the first proposal that IKEv1 cannot offer at all; empty where each can be offered somehow."""
    expressible = in_phase1 if phase == 1 else in_phase2
    for proposal in proposals:
        if not any(True for _ in sets((proposal,), expressible)):
            return "-".join(registry.keyword(t) for t in proposal.transforms if t.type != _T.ESN)
    return ""
