"""Keys of an ISAKMP SA and of its children (RFC 2409 5, 5.5, appendix B).

    SKEYID   = prf(pre-shared-key, Ni_b | Nr_b)                            pre-shared keys
    SKEYID   = prf(Ni_b | Nr_b, g^xy)                                      signatures
    SKEYID_d = prf(SKEYID, g^xy | CKY-I | CKY-R | 0)
    SKEYID_a = prf(SKEYID, SKEYID_d | g^xy | CKY-I | CKY-R | 1)
    SKEYID_e = prf(SKEYID, SKEYID_a | g^xy | CKY-I | CKY-R | 2)
    Ka       = SKEYID_e, or K1 | K2 | ... with K1 = prf(SKEYID_e, 0), Kn = prf(SKEYID_e, Kn-1)
    KEYMAT   = K1 | K2 | ... with Kn = prf(SKEYID_d, [Kn-1 |] [g(qm)^xy |] protocol | SPI | Ni_b | Nr_b)

The order in which octets are taken is the order written here. The prf is the HMAC of the negotiated hash.
"""

import hashlib
from dataclasses import dataclass, field

from lab.crypto import registry
from lab.crypto.macs import PrfSpec
from lab.wire.ids import Integ, KeMethod, Prf, ProtocolId
from lab.wire.ids_v1 import AuthMethod1
from lab.wire.payloads_v2 import Transform

_HASHES = {
    Prf.PRF_HMAC_MD5: hashlib.md5,
    Prf.PRF_HMAC_SHA1: hashlib.sha1,
    Prf.PRF_HMAC_SHA2_256: hashlib.sha256,
    Prf.PRF_HMAC_SHA2_384: hashlib.sha384,
    Prf.PRF_HMAC_SHA2_512: hashlib.sha512,
}


@dataclass(frozen=True, slots=True)
class Suite:
    """The algorithms of an ISAKMP SA; `prf` is the HMAC of the negotiated hash, `integ` our word for that hash."""

    encr: Transform
    prf: Prf
    integ: Integ
    ke: KeMethod
    method: AuthMethod1

    @property
    def prf_spec(self) -> PrfSpec:
        """The pseudorandom function itself."""
        return registry.prf(self.prf)

    @property
    def block(self) -> int:
        """Octets of a cipher block, which is also the length of an IV."""
        return registry.encr(self.encr).block

    def hash(self, *parts: bytes) -> bytes:
        """The negotiated hash, which NAT-D and the IVs are made with."""
        return _HASHES[self.prf](b"".join(parts), usedforsecurity=False).digest()


@dataclass(frozen=True, slots=True)
class IkeKeys:
    """The secrets of an ISAKMP SA and the IV that its encrypted messages begin with; nothing here is ever printed."""

    skeyid: bytes = field(repr=False)
    skeyid_d: bytes = field(repr=False)
    skeyid_a: bytes = field(repr=False)
    skeyid_e: bytes = field(repr=False)
    ka: bytes = field(repr=False)
    iv: bytes = field(repr=False)


def skeyid_psk(prf: PrfSpec, secret: bytes, nonces: bytes) -> bytes:
    """SKEYID with a pre-shared key; `nonces` is Ni_b | Nr_b."""
    return prf.compute(secret, nonces)


def skeyid_signature(prf: PrfSpec, nonces: bytes, shared: bytes) -> bytes:
    """SKEYID with signatures."""
    return prf.compute(nonces, shared)


def skeyid_family(prf: PrfSpec, skeyid: bytes, shared: bytes, cookies: bytes) -> tuple[bytes, bytes, bytes]:
    """SKEYID_d, SKEYID_a, SKEYID_e; `cookies` is CKY-I | CKY-R."""
    tail = shared + cookies
    d = prf.compute(skeyid, tail + b"\0")
    a = prf.compute(skeyid, d + tail + b"\1")
    return d, a, prf.compute(skeyid, a + tail + b"\2")


def cipher_key(prf: PrfSpec, skeyid_e: bytes, octets: int) -> bytes:
    """Ka: the front of SKEYID_e, stretched where the cipher needs more (appendix B)."""
    if len(skeyid_e) >= octets:
        return skeyid_e[:octets]
    return _stretched(prf, skeyid_e, b"\0", octets, keep=b"")


def ike_keys(suite: Suite, skeyid: bytes, shared: bytes, cookies: bytes, publics: bytes) -> IkeKeys:
    """All secrets of an ISAKMP SA; `publics` is g^xi | g^xr, whose hash is the first IV (appendix B)."""
    d, a, e = skeyid_family(suite.prf_spec, skeyid, shared, cookies)
    ka = cipher_key(suite.prf_spec, e, registry.encr(suite.encr).key_octets)
    return IkeKeys(skeyid, d, a, e, ka, suite.hash(publics)[: suite.block])


def phase2_iv(suite: Suite, last_block: bytes, message_id: int) -> bytes:
    """The IV that an exchange of phase 2 begins with: hash(last block of phase 1 | M-ID) (appendix B)."""
    return suite.hash(last_block, message_id.to_bytes(4, "big"))[: suite.block]


def keymat(prf: PrfSpec, skeyid_d: bytes, seed: bytes, octets: int) -> bytes:
    """KEYMAT of one SA in one direction (5.5); `seed` is what `keymat_seed` makes."""
    return _stretched(prf, skeyid_d, seed, octets, keep=seed)


def keymat_seed(protocol: ProtocolId, spi: bytes, nonces: bytes, shared: bytes = b"") -> bytes:
    """[g(qm)^xy |] protocol | SPI | Ni_b | Nr_b; each SA of a Quick Mode has its own SPI and so its own keys."""
    return shared + bytes([protocol]) + spi + nonces


def _stretched(prf: PrfSpec, key: bytes, first: bytes, octets: int, *, keep: bytes) -> bytes:
    """K1 | K2 | ..., cut: K1 = prf(key, first), Kn = prf(key, Kn-1 | keep)."""
    block = output = prf.compute(key, first)
    while len(output) < octets:
        block = prf.compute(key, block + keep)
        output += block
    return output[:octets]
