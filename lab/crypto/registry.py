"""The algorithms we have: one literal table per transform type, one row per number.

To add one: a row here, a vector in tests/vectors, and its names in `wireshark`. Columns:
- keyword     as in strongSwan's proposal strings; `{}` stands for the key length in bits; other spellings: ALIASES
- bits        the key lengths; `attribute` says whether the Key Length attribute is sent (RFC 7296 3.3.5)
- salt, iv, icv, block    in octets
- where       the protocols that may negotiate it
Nothing here says what is offered by default: that is `proposal.DEFAULTS`: no 3DES, MD5, SHA-1 or short MODP.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.crypto import ciphers, macs, weierstrass
from lab.crypto.ciphers import CipherSpec
from lab.crypto.groups import GroupSpec, ecp_group, kem_group, modp_group, montgomery_group
from lab.crypto.macs import IntegSpec, PrfSpec
from lab.errors import ProtocolError
from lab.wire.ids import Encr, Esn, Integ, KeMethod, NotifyType, OpenEnum, Prf, ProtocolId, TransformType
from lab.wire.payloads_v2 import Transform

AES = (128, 192, 256)
ANY = frozenset({ProtocolId.IKE, ProtocolId.ESP})
ONLY_ESP = frozenset({ProtocolId.ESP})


@dataclass(frozen=True, slots=True)
class EncrRow:
    """An encryption algorithm at all its key lengths."""

    id: Encr
    keyword: str
    bits: tuple[int, ...]
    attribute: bool
    salt: int
    iv: int
    icv: int
    block: int
    aead: bool
    factory: ciphers.Factory
    where: frozenset[ProtocolId] = ANY

    def spec(self, bits: int) -> CipherSpec:
        """This algorithm at one key length."""
        return CipherSpec(
            id=self.id,
            key_length=bits if self.attribute else None,
            key_octets=bits // 8,
            salt_octets=self.salt,
            iv_octets=self.iv,
            icv_octets=self.icv,
            block=self.block,
            aead=self.aead,
            factory=self.factory,
        )


# fmt: off
ENCR: tuple[EncrRow, ...] = (
    #       number                keyword       bits attribute salt iv icv block aead   class
    EncrRow(Encr.ENCR_AES_GCM_16, "aes{}gcm16", AES, True,     4,   8, 16,  1,   True,  ciphers.AesGcm16),
    EncrRow(Encr.ENCR_AES_GCM_12, "aes{}gcm12", AES, True,     4,   8, 12,  1,   True,  ciphers.AesGcmShort),
    EncrRow(Encr.ENCR_AES_GCM_8,  "aes{}gcm8",  AES, True,     4,   8,  8,  1,   True,  ciphers.AesGcmShort),
    EncrRow(Encr.ENCR_CHACHA20_POLY1305, "chacha20poly1305",
                                             (256,), False,    4,   8, 16,  1,   True,  ciphers.ChaChaPoly),
    EncrRow(Encr.ENCR_AES_CCM_16, "aes{}ccm16", AES, True,     3,   8, 16,  1,   True,  ciphers.AesCcm),
    EncrRow(Encr.ENCR_AES_CCM_12, "aes{}ccm12", AES, True,     3,   8, 12,  1,   True,  ciphers.AesCcm),
    EncrRow(Encr.ENCR_AES_CCM_8,  "aes{}ccm8",  AES, True,     3,   8,  8,  1,   True,  ciphers.AesCcm),
    EncrRow(Encr.ENCR_AES_CBC,    "aes{}",      AES, True,     0,  16,  0, 16,   False, ciphers.aes_cbc),
    EncrRow(Encr.ENCR_AES_CTR,    "aes{}ctr",   AES, True,     4,   8,  0,  1,   False, ciphers.AesCtr),
    EncrRow(Encr.ENCR_CAMELLIA_CBC, "camellia{}",
                                                AES, True,     0,  16,  0, 16,   False, ciphers.camellia_cbc),
    EncrRow(Encr.ENCR_3DES,       "3des",    (192,), False,    0,   8,  0,  8,   False, ciphers.triple_des),
    EncrRow(Encr.ENCR_NULL,       "null",      (0,), False,    0,   0,  0,  1,   False, ciphers.NullCipher, ONLY_ESP),
    EncrRow(Encr.ENCR_NULL_AUTH_AES_GMAC, "aes{}gmac",
                                                AES, True,     4,   8, 16,  1,   True,  ciphers.AesGmac, ONLY_ESP),
)

INTEG: tuple[tuple[str, IntegSpec], ...] = (
    # keyword              number                        key icv  keyed core
    ("sha256",  IntegSpec(Integ.AUTH_HMAC_SHA2_256_128,  32, 16,  macs.cut(macs.hmac_sha2_256))),
    ("sha384",  IntegSpec(Integ.AUTH_HMAC_SHA2_384_192,  48, 24,  macs.cut(macs.hmac_sha2_384))),
    ("sha512",  IntegSpec(Integ.AUTH_HMAC_SHA2_512_256,  64, 32,  macs.cut(macs.hmac_sha2_512))),
    ("sha1",    IntegSpec(Integ.AUTH_HMAC_SHA1_96,       20, 12,  macs.cut(macs.hmac_sha1))),
    ("md5",     IntegSpec(Integ.AUTH_HMAC_MD5_96,        16, 12,  macs.cut(macs.hmac_md5))),
    ("aesxcbc", IntegSpec(Integ.AUTH_AES_XCBC_96,        16, 12,  macs.cut(macs.Xcbc))),
    ("aescmac", IntegSpec(Integ.AUTH_AES_CMAC_96,        16, 12,  macs.cut(macs.aes_cmac))),
)

# GMAC is spelled as a cipher; in AH, which has none, the same words mean these (RFC 4543). Keys are AES key and salt.
AH_GMAC: dict[int, IntegSpec] = {
    128: IntegSpec(Integ.AUTH_AES_128_GMAC, 20, 24, macs.GmacIcv),
    192: IntegSpec(Integ.AUTH_AES_192_GMAC, 28, 24, macs.GmacIcv),
    256: IntegSpec(Integ.AUTH_AES_256_GMAC, 36, 24, macs.GmacIcv),
}

PRF: tuple[tuple[str, PrfSpec], ...] = (
    # keyword              number                 key out  fixed  keyed core
    ("prfsha256",  PrfSpec(Prf.PRF_HMAC_SHA2_256, 32, 32,  False, macs.hmac_sha2_256)),
    ("prfsha384",  PrfSpec(Prf.PRF_HMAC_SHA2_384, 48, 48,  False, macs.hmac_sha2_384)),
    ("prfsha512",  PrfSpec(Prf.PRF_HMAC_SHA2_512, 64, 64,  False, macs.hmac_sha2_512)),
    ("prfsha1",    PrfSpec(Prf.PRF_HMAC_SHA1,     20, 20,  False, macs.hmac_sha1)),
    ("prfmd5",     PrfSpec(Prf.PRF_HMAC_MD5,      16, 16,  False, macs.hmac_md5)),
    ("prfaesxcbc", PrfSpec(Prf.PRF_AES128_XCBC,   16, 16,  True,  macs.xcbc_prf)),
    ("prfaescmac", PrfSpec(Prf.PRF_AES128_CMAC,   16, 16,  True,  macs.cmac_prf)),
)

GROUP: tuple[tuple[str, GroupSpec], ...] = (
    ("x25519",    montgomery_group(KeMethod.CURVE25519, X25519PrivateKey, 32)),
    ("x448",      montgomery_group(KeMethod.CURVE448, X448PrivateKey, 56)),
    ("ecp256",    ecp_group(KeMethod.ECP_256, ec.SECP256R1())),
    ("ecp384",    ecp_group(KeMethod.ECP_384, ec.SECP384R1())),
    ("ecp521",    ecp_group(KeMethod.ECP_521, ec.SECP521R1())),
    ("ecp224",    ecp_group(KeMethod.ECP_224, ec.SECP224R1())),
    ("ecp192",    ecp_group(KeMethod.ECP_192, ec.SECP192R1())),
    ("ecp224bp",  GroupSpec(KeMethod.BRAINPOOL_P224R1, 56, 56, 28, weierstrass.generate)),
    ("ecp256bp",  ecp_group(KeMethod.BRAINPOOL_P256R1, ec.BrainpoolP256R1())),
    ("ecp384bp",  ecp_group(KeMethod.BRAINPOOL_P384R1, ec.BrainpoolP384R1())),
    ("ecp512bp",  ecp_group(KeMethod.BRAINPOOL_P512R1, ec.BrainpoolP512R1())),
    # Size, constant of the prime (RFC 3526; RFC 2409 for 1024), bits of our exponents (RFC 3526 8).
    ("modp2048",  modp_group(KeMethod.MODP_2048, 2048, 124476, 320)),
    ("modp3072",  modp_group(KeMethod.MODP_3072, 3072, 1690314, 424)),
    ("modp4096",  modp_group(KeMethod.MODP_4096, 4096, 240904, 480)),
    ("modp6144",  modp_group(KeMethod.MODP_6144, 6144, 929484, 544)),
    ("modp8192",  modp_group(KeMethod.MODP_8192, 8192, 4743158, 624)),
    ("modp1536",  modp_group(KeMethod.MODP_1536, 1536, 741804, 240)),
    ("modp1024",  modp_group(KeMethod.MODP_1024, 1024, 129093, 160)),
    ("mlkem768",  kem_group(KeMethod.ML_KEM_768, MLKEM768PrivateKey, MLKEM768PublicKey, 1184, 1088)),
    ("mlkem1024", kem_group(KeMethod.ML_KEM_1024, MLKEM1024PrivateKey, MLKEM1024PublicKey, 1568, 1568)),
)

ESN: tuple[tuple[str, Esn], ...] = (("noesn", Esn.NO_ESN), ("esn", Esn.ESN))

# RFC 8247 pairs each integrity algorithm with a PRF: what a proposal without a `prf...` keyword means.
PRF_OF: dict[Integ, Prf] = {
    Integ.AUTH_HMAC_SHA2_256_128: Prf.PRF_HMAC_SHA2_256,
    Integ.AUTH_HMAC_SHA2_384_192: Prf.PRF_HMAC_SHA2_384,
    Integ.AUTH_HMAC_SHA2_512_256: Prf.PRF_HMAC_SHA2_512,
    Integ.AUTH_HMAC_SHA1_96:      Prf.PRF_HMAC_SHA1,
    Integ.AUTH_HMAC_MD5_96:       Prf.PRF_HMAC_MD5,
    Integ.AUTH_AES_XCBC_96:       Prf.PRF_AES128_XCBC,
    Integ.AUTH_AES_CMAC_96:       Prf.PRF_AES128_CMAC,
}

ALIASES: dict[str, str] = {
    "aes": "aes128", "camellia": "camellia128", "sha": "sha1",
    "sha2_256": "sha256", "sha2_384": "sha384", "sha2_512": "sha512",
    "curve25519": "x25519", "curve448": "x448", "modpnone": "none",
    **{f"aes{bits}{mode}": f"aes{bits}{mode}16" for bits in AES for mode in ("gcm", "ccm")},
    **{f"aes{bits}{mode}{8 * icv}": f"aes{bits}{mode}{icv}"
       for bits in AES for mode in ("gcm", "ccm") for icv in (8, 12, 16)},
}
# fmt: on

ADDITIONAL = tuple(TransformType(number) for number in range(TransformType.ADDKE1, TransformType.ADDKE7 + 1))
_T = TransformType
# The order of types in the proposals that we write, and in which they are compared.
ORDER = (_T.ENCR, _T.PRF, _T.INTEG, _T.KE, *ADDITIONAL, _T.ESN)

_ENCR = {(row.id, bits): row.spec(bits) for row in ENCR for bits in row.bits}
_ROWS = {row.id: row for row in ENCR}
_INTEG = {spec.id: spec for _, spec in INTEG} | {spec.id: spec for spec in AH_GMAC.values()}
_PRF = {spec.id: spec for _, spec in PRF}
_GROUP = {spec.id: spec for _, spec in GROUP}


def _keywords() -> dict[str, Transform]:
    words = {
        row.keyword.format(bits): Transform(_T.ENCR, row.id, bits if row.attribute else None)
        for row in ENCR
        for bits in row.bits
    }
    words |= {word: Transform(_T.INTEG, integ.id) for word, integ in INTEG}
    words |= {word: Transform(_T.PRF, prf.id) for word, prf in PRF}
    words |= {word: Transform(_T.ESN, id) for word, id in ESN}
    methods: list[tuple[str, KeMethod]] = [*((word, group.id) for word, group in GROUP), ("none", KeMethod.NONE)]
    words |= {word: Transform(_T.KE, id) for word, id in methods}
    words |= {
        f"ke{place}_{word}": Transform(kind, id) for place, kind in enumerate(ADDITIONAL, 1) for word, id in methods
    }
    return words


KEYWORDS: dict[str, Transform] = _keywords()
_WORD_OF = {transform: word for word, transform in KEYWORDS.items()}
_WORD_OF |= {Transform(_T.INTEG, spec.id): f"aes{bits}gmac" for bits, spec in AH_GMAC.items()}


def normal(transform: Transform) -> Transform:
    """As our tables write it: some peers leave out the Key Length of AES-128, or send one where none belongs."""
    row = _ROWS.get(transform.id) if isinstance(transform.id, Encr) else None
    if row is None or transform.other:
        return transform
    if not row.attribute:
        return Transform(_T.ENCR, row.id) if transform.key_length in (None, *row.bits) else transform
    return Transform(_T.ENCR, row.id, row.bits[0]) if transform.key_length is None else transform


def known(transform: Transform) -> bool:
    """Whether we can do this transform."""
    return normal(transform) in _WORD_OF or transform == Transform(_T.INTEG, Integ.NONE)


def keyword(transform: Transform) -> str:
    """strongSwan's word for a transform; for one that we do not have, the registered name and its key length."""
    length = f"_{transform.key_length}" if transform.key_length else ""
    return _WORD_OF.get(normal(transform)) or transform.id.name + length


def _missing(number: OpenEnum) -> ProtocolError:
    return ProtocolError(f"{number.name} is not implemented", NotifyType.NO_PROPOSAL_CHOSEN)


def allowed(transform: Transform, protocol: ProtocolId) -> bool:
    """Whether this protocol may negotiate this transform (as ciphers, NULL and GMAC are for ESP alone)."""
    row = _ROWS.get(transform.id) if isinstance(transform.id, Encr) else None
    return row is None or protocol in row.where


def encr(transform: Transform) -> CipherSpec:
    """The cipher of an ENCR transform, whose key length decides; raises ProtocolError where we have none."""
    standard = normal(transform)
    row = _ROWS.get(standard.id) if isinstance(standard.id, Encr) else None
    bits = standard.key_length or (row.bits[0] if row and not row.attribute else 0)
    spec = _ENCR.get((standard.id, bits)) if isinstance(standard.id, Encr) else None
    if spec is None:
        raise _missing(transform.id)
    return spec


def integ(number: OpenEnum) -> IntegSpec:
    """The integrity algorithm with this number; raises ProtocolError where we have none."""
    spec = _INTEG.get(number) if isinstance(number, Integ) else None
    if spec is None:
        raise _missing(number)
    return spec


def prf(number: OpenEnum) -> PrfSpec:
    """The pseudorandom function with this number; raises ProtocolError where we have none."""
    spec = _PRF.get(number) if isinstance(number, Prf) else None
    if spec is None:
        raise _missing(number)
    return spec


def group(number: OpenEnum) -> GroupSpec:
    """The key exchange method with this number; raises ProtocolError where we have none."""
    spec = _GROUP.get(number) if isinstance(number, KeMethod) else None
    if spec is None:
        raise _missing(number)
    return spec
