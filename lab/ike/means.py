"""By what means a side proves who it is: a pre-shared key, EAP, or a signature, and which signatures are allowed.

Written as strongSwan writes it: `psk`; `eap-md5` and the like; `pubkey` for any signature; `rsa`, `rsa/pss`, `ecdsa`,
`ed25519`, `ed448` for some; behind them the fewest bits of the key and the hashes allowed, in order of preference:
`ecdsa-384-sha384`, `ike:pubkey-sha512-sha256`. They hold for the signature of IKE_AUTH, not for those in certificates.
`null` is no proof at all (RFC 7619), and a word of ours. `xauth` is a user's password behind phase 1 of IKEv1, and
nothing within it: hybrid authentication, where the other side signs.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.crypto.schemes import DIGEST, FAMILIES, PSS, RSA, Scheme, keyword, scheme
from lab.crypto.signatures import PublicKey
from lab.wire.ids import HashAlgorithm

SHA2 = (HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512)
# `eap` and `eap-dynamic` are any method; the others are those that `lab.ikev2.eap.methods` has.
EAP_WORDS = ("eap", "eap-dynamic", "eap-md5", "eap-mschapv2", "eap-peap", "eap-tls", "eap-ttls")
USER_WORDS = ("xauth", "xauth-generic")
_HASHES = {keyword(digest): digest for digest in DIGEST}
# RFC 7427 4: the hash should be no weaker than the curve.
_CURVES = {256: SHA2, 384: (SHA2[1], SHA2[2], SHA2[0]), 521: (SHA2[2], SHA2[1], SHA2[0])}


@dataclass(frozen=True, slots=True)
class Means:
    """`psk`, `null`, EAP, `xauth`, or a signature; no families mean any, no hashes any of SHA-2."""

    text: str = "psk"
    families: frozenset[str] = frozenset()
    bits: int = 0
    hashes: tuple[HashAlgorithm, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Means":
        """Read the written form; ValueError where it is none."""
        if text in ("psk", "null") or text in EAP_WORDS:
            return cls(text)
        if text in USER_WORDS:
            return cls(USER_WORDS[0])
        first, *words = text.removeprefix("ike:").split("-")
        if first != "pubkey" and first not in FAMILIES:
            known, eap = ", ".join(FAMILIES), ", ".join(EAP_WORDS)
            signed = f"pubkey, {known} with bits and hashes"
            raise ValueError(f"{text!r} is not supported (write psk, {signed}, null, or {eap})")
        families, bits, hashes = {first} - {"pubkey"}, 0, []
        for word in words:
            if word in _HASHES and word != "sha1":
                hashes.append(_HASHES[word])
            elif word in FAMILIES:
                families.add(word)
            elif word.isascii() and word.isdecimal():
                bits = int(word)
            else:
                raise ValueError(f"{word!r} in {text!r} is neither a number of bits nor a hash of SHA-2")
        return cls(text, frozenset(families), bits, tuple(hashes))

    def __str__(self) -> str:
        if self.signed:
            return f"signatures ({self.text})"
        if self.null:
            return "no proof (null)"
        if self.user:
            return "a user's password (xauth)"
        return "a pre-shared key" if self.shared else self.text

    @property
    def shared(self) -> bool:
        """Whether this is a pre-shared key."""
        return self.text == "psk"

    @property
    def null(self) -> bool:
        """Whether this side proves nothing."""
        return self.text == "null"

    @property
    def eap(self) -> bool:
        """Whether this is an EAP method."""
        return self.text in EAP_WORDS

    @property
    def user(self) -> bool:
        """Whether this side proves itself by XAUTH alone."""
        return self.text in USER_WORDS

    @property
    def signed(self) -> bool:
        """Whether this is a signature."""
        return not (self.shared or self.null or self.eap or self.user)

    @property
    def listed(self) -> tuple[HashAlgorithm, ...]:
        """What SIGNATURE_HASH_ALGORITHMS says of it."""
        return (*(self.hashes or SHA2), HashAlgorithm.IDENTITY) if self.signed else ()

    def allows(self, one: Scheme) -> bool:
        """Whether a scheme is among those allowed; RSA covers both of its paddings where PSS is not asked for."""
        family = one.family in self.families or (one.family == PSS and RSA in self.families)
        return (family or not self.families) and (one.hash in self.listed)

    def takes(self, key: PublicKey) -> bool:
        """Whether a key is of a kind that is allowed, and long enough."""
        family = key.family in self.families or (key.family == RSA and PSS in self.families)
        return (family or not self.families) and key.bits >= self.bits

    def schemes(self, key: PublicKey, theirs: Iterable[HashAlgorithm]) -> list[Scheme]:
        """By which schemes a key may sign for a peer that lists these hashes, the preferred first."""
        heard = frozenset(theirs)
        families = (RSA, PSS) if key.family == RSA else (key.family,)
        hashes = self.hashes or _CURVES.get(key.bits, SHA2)
        digests = (HashAlgorithm.IDENTITY,) if key.family not in (RSA, "ecdsa") else hashes
        made = [scheme(family, digest) for family in families for digest in digests if digest in heard]
        return [one for one in made if self.allows(one)]


PRE_SHARED_KEY = Means()
