"""Stateless cookies against floods of IKE_SA_INIT from made-up addresses (RFC 7296 2.6).

    cookie = version of the secret (1) | HMAC-SHA-256(secret, Ni | IPi | SPIi)

The responder keeps nothing for a request that it answers with a COOKIE: the same initiator, repeating its request
from the same address, brings all that is needed to compute the cookie again. Secrets are replaced after a while; the
last but one still counts, so that an honest initiator is not sent round because the secret changed meanwhile.
"""

from collections.abc import Callable
from hmac import compare_digest

from lab.crypto import registry
from lab.crypto.macs import Keyed
from lab.wire.ids import Prf

SECRET_OCTETS = 32
COOKIE_OCTETS = 33


class CookieJar:
    """Makes and checks cookies; its only state is two secrets."""

    def __init__(self, random: Callable[[int], bytes], lifetime: float) -> None:
        self._random, self._lifetime = random, lifetime
        self._prf = registry.prf(Prf.PRF_HMAC_SHA2_256)
        self._version = 0
        self._secrets: dict[int, Keyed] = {}
        self._born = 0.0

    def make(self, ni: bytes, host: str, spi_i: bytes, *, now: float) -> bytes:
        """The cookie for this initiator, 33 octets."""
        self._rotate(now)
        return self._cookie(self._version, ni, host, spi_i)

    def valid(self, cookie: bytes, ni: bytes, host: str, spi_i: bytes, *, now: float) -> bool:
        """Whether we gave this cookie to this initiator not long ago."""
        self._rotate(now)
        if not cookie or cookie[0] not in self._secrets:
            return False
        return compare_digest(cookie, self._cookie(cookie[0], ni, host, spi_i))

    def _cookie(self, version: int, ni: bytes, host: str, spi_i: bytes) -> bytes:
        return bytes([version]) + self._secrets[version].digest(ni + host.encode() + spi_i)

    def _rotate(self, now: float) -> None:
        age = now - self._born
        if self._secrets and age < self._lifetime:
            return
        kept = {self._version: self._secrets[self._version]} if self._secrets and age < 2 * self._lifetime else {}
        self._version = (self._version + 1) % 256
        self._secrets = kept | {self._version: self._prf.factory(self._random(SECRET_OCTETS))}
        self._born = now
