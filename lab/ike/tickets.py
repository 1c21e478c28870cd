"""Tickets: state of a session that the peer keeps for us, sealed under a key that only we have (RFC 5723 6, A.1).

    version (1) = 1 | reserved (3) | key ID (8) | IV (8) | sealed state | ICV (16)

AES-256-GCM; everything in front of the IV is authenticated with it. A new key is drawn once a lifetime and the last but
one still opens, so that no ticket outlives the key that it needs by more than it may. Which tickets were used is kept
until they would have expired: for so many, and a gateway that cannot keep more takes none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from lab.crypto import registry
from lab.crypto.sk import IkeCipher
from lab.errors import ProtocolError, Truncated
from lab.wire.cursor import Reader, Writer
from lab.wire.ids import Encr, TransformType
from lab.wire.payloads_v2 import Transform

VERSION = 1
KEY_ID_OCTETS, ICV_OCTETS, FRONT_OCTETS = 8, 16, 12
MOST_SPENT = 10000
# Beyond it a request with the ticket would not fit a datagram that every path carries.
MOST_OCTETS = 1024
_CIPHER = Transform(TransformType.ENCR, Encr.ENCR_AES_GCM_16, 256)


@dataclass(frozen=True, slots=True)
class Held:
    """A ticket that a gateway gave us: until when it is good by our clock, from where, and our half of the state."""

    ticket: bytes = field(repr=False)
    expires: float
    host: str
    state: bytes = field(repr=False)


class Mint:
    """Makes and opens tickets; its state is two keys and the tickets that were used."""

    def __init__(self, random: Callable[[int], bytes], lifetime: float) -> None:
        self._random, self._lifetime = random, lifetime
        self._keys: dict[bytes, IkeCipher] = {}
        self._born = 0.0
        self._spent: dict[bytes, float] = {}

    def seal(self, state: bytes, *, now: float) -> bytes:
        """A ticket for this state."""
        if not self._keys or now - self._born >= self._lifetime:
            self._renew(now)
        key_id = next(reversed(self._keys))
        front = bytes(Writer().u8(VERSION).raw(bytes(3)).raw(key_id))
        return front + self._keys[key_id].seal(front, state)

    def _renew(self, now: float) -> None:
        kept = list(self._keys.items())[-1:] if now - self._born < 2 * self._lifetime else []
        octets = self._random(registry.encr(_CIPHER).keymat_octets)
        fresh = (self._random(KEY_ID_OCTETS), IkeCipher(_CIPHER, None, octets, b"", self._random))
        self._keys, self._born = dict([*kept, fresh]), now

    def open(self, ticket: bytes, *, now: float) -> bytes:
        """The state that a ticket of ours holds; ProtocolError in words for any other."""
        reader = Reader(ticket)
        try:
            version, _reserved, key_id = reader.u8(), reader.take(3), reader.take(KEY_ID_OCTETS)
        except Truncated:
            raise ProtocolError(f"ticket of {len(ticket)} octets is too short to be ours") from None
        if version != VERSION:
            raise ProtocolError(f"ticket of version {version}; ours have {VERSION}")
        cipher = self._keys.get(key_id)
        if cipher is None or now - self._born >= 2 * self._lifetime:
            raise ProtocolError("ticket under a key that we do not have, or have no longer")
        try:
            state = cipher.open(ticket[:FRONT_OCTETS], ticket[FRONT_OCTETS:])
        except ProtocolError as error:
            raise ProtocolError(f"ticket is not authentic: {error.reason}") from None
        if ticket[-ICV_OCTETS:] in self._spent:
            raise ProtocolError("ticket was used before")
        return state

    def spend(self, ticket: bytes, *, until: float, now: float) -> bool:
        """From now on this ticket is not taken, as long as it would be; whether there was room to keep that."""
        self._spent = {one: end for one, end in self._spent.items() if end > now}
        if len(self._spent) >= MOST_SPENT:
            return False
        self._spent[ticket[-ICV_OCTETS:]] = until
        return True

    @property
    def sizes(self) -> dict[str, int]:
        """How many entries each table holds."""
        return {"ticket_keys": len(self._keys), "tickets_spent": len(self._spent)}
