"""Keys of an IKE SA and of its children (RFC 7296 2.13, 2.14, 2.17, 2.18).

    SKEYSEED = prf(Ni | Nr, g^ir)
    {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr)
    KEYMAT   = prf+(SK_d, [g^ir (new) |] Ni | Nr)

Additional key exchanges behind a CREATE_CHILD_SA add what they made (RFC 9370 2.2.4): SK(1) | ... SK(n) behind the
nonces, in SKEYSEED of a rekeyed IKE SA as in KEYMAT.

The order in which octets are taken is the order written here. An AEAD cipher takes its salt behind its key, and no
SK_a.
"""

from dataclasses import dataclass, field

from lab.crypto import registry
from lab.crypto.choice import Selected
from lab.crypto.macs import PrfSpec, prf_plus
from lab.errors import ProtocolError
from lab.wire.ids import KeMethod, NotifyType, OpenEnum
from lab.wire.payloads_v2 import Transform


@dataclass(frozen=True, slots=True)
class Suite:
    """The algorithms of an IKE SA; `additional` are its key exchanges behind the first, in order (RFC 9370)."""

    encr: Transform
    integ: Transform | None
    prf: OpenEnum
    ke: OpenEnum
    additional: tuple[KeMethod, ...] = ()

    @classmethod
    def of(cls, selected: Selected) -> "Suite":
        """From a negotiated proposal."""
        if selected.encr is None or selected.prf is None or selected.ke is None:
            raise ProtocolError("the proposal for the IKE SA lacks ENCR, PRF or KE", NotifyType.NO_PROPOSAL_CHOSEN)
        further = tuple(group for _, group in selected.additional)
        return cls(registry.normal(selected.encr), selected.integ, selected.prf, selected.ke, further)

    @property
    def prf_spec(self) -> PrfSpec:
        """The pseudorandom function itself."""
        return registry.prf(self.prf)


@dataclass(frozen=True, slots=True)
class IkeKeys:
    """The seven secrets of an IKE SA; nothing here is ever printed."""

    sk_d: bytes = field(repr=False)
    sk_ai: bytes = field(repr=False)
    sk_ar: bytes = field(repr=False)
    sk_ei: bytes = field(repr=False)
    sk_er: bytes = field(repr=False)
    sk_pi: bytes = field(repr=False)
    sk_pr: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChildKeys:
    """Keys of both directions of a child: of the exchange's initiator to its responder, and back."""

    encr_i: bytes = field(repr=False)
    integ_i: bytes = field(repr=False)
    encr_r: bytes = field(repr=False)
    integ_r: bytes = field(repr=False)


def skeyseed(prf: PrfSpec, ni: bytes, nr: bytes, shared: bytes) -> bytes:
    """SKEYSEED of the initial exchange (2.14)."""
    return prf.compute(prf.nonce_key(ni, nr), shared)


def skeyseed_rekey(old_prf: PrfSpec, sk_d: bytes, shared: bytes, nonces: bytes, further: bytes = b"") -> bytes:
    """SKEYSEED of a rekeyed IKE SA, by the PRF and SK_d of the old one (2.18); `nonces` is Ni | Nr.

    `further` is what additional key exchanges made, SK(1) | ... SK(n) (RFC 9370 2.2.4).
    """
    return old_prf.compute(sk_d, shared + nonces + further)


def skeyseed_resume(prf: PrfSpec, sk_d: bytes, nonces: bytes) -> bytes:
    """SKEYSEED of a resumed session, by the PRF and SK_d of the old IKE SA (RFC 5723 5.1); `nonces` is Ni | Nr."""
    return prf.compute(sk_d, b"Resumption" + nonces)


def ike_keys(suite: Suite, seed_key: bytes, nonces: bytes, spis: bytes) -> IkeKeys:
    """The secrets of an IKE SA from its SKEYSEED; `nonces` is Ni | Nr, `spis` is SPIi | SPIr."""
    prf = suite.prf_spec
    encr = registry.encr(suite.encr).keymat_octets
    integ = registry.integ(suite.integ.id).key_octets if suite.integ else 0
    sizes = (prf.key_octets, integ, integ, encr, encr, prf.key_octets, prf.key_octets)
    return IkeKeys(*_cut(prf_plus(prf, seed_key, nonces + spis, sum(sizes)), sizes))


def child_keys(prf: PrfSpec, sk_d: bytes, seed: bytes, *, encr: Transform | None, integ: Transform | None) -> ChildKeys:
    """The keys of a child (2.17); `seed` is [g^ir (new) |] Ni | Nr [| SK(1) | ... SK(n)].

    AH has no cipher, so no key for one.
    """
    encr_size = registry.encr(encr).keymat_octets if encr else 0
    integ_size = registry.integ(integ.id).key_octets if integ else 0
    sizes = (encr_size, integ_size, encr_size, integ_size)
    return ChildKeys(*_cut(prf_plus(prf, sk_d, seed, sum(sizes)), sizes))


def _cut(octets: bytes, sizes: tuple[int, ...]) -> list[bytes]:
    parts, at = [], 0
    for size in sizes:
        parts.append(octets[at : at + size])
        at += size
    return parts
