"""IKE message fragmentation of one IKE SA (RFC 7383): who announced it, how long a datagram may be, reassembly.

    IKE_SA_INIT  both send N(IKEV2_FRAGMENTATION_SUPPORTED); never fragmented itself, since there are no keys yet

- A fragment is authenticated before it is kept. What can be told without the keys - that it came already, or belongs
  to an older set - is told first (2.6).
- A larger total is the same message cut anew, smaller: it replaces the set at hand. A smaller total is the older set.
- Whoever has keys, even an initiator that is not authenticated yet, can leave sets incomplete: what is kept is bounded.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lab.errors import ProtocolError
from lab.ikev2.exchange import IN_CLEAR, Payloads
from lab.ikev2.sa import Sa
from lab.wire.fragments import split
from lab.wire.ids import NotifyType, PayloadType
from lab.wire.message import Message, Opener
from lab.wire.payloads import decode_chain
from lab.wire.payloads_v2 import Notify
from lab.wire.sealed import EncryptedFragment

# In one message: at the smallest sizes in use as many make up any chain of certificates.
MOST_FRAGMENTS = 64
# Of the content of one message: what the longest UDP datagram could have held.
MOST_OCTETS = 65535
# Messages of one IKE SA that are incomplete at once.
MOST_SETS = 4
_IPV4, _IPV6, _UDP, _MARKER = 20, 40, 8, 4
# With `fragment_size = 0`: what every host must take (RFC 791, RFC 8200), as RFC 7383 2.5.1 suggests.
_SMALLEST = {_IPV4: 576, _IPV6: 1280}


def announcement(sa: Sa) -> Payloads:
    """What our IKE_SA_INIT says; a responder speaks of it only to a peer that did."""
    if sa.connection.fragmentation == "no" or not (sa.initiator or sa.fragments):
        return ()
    return (Notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED),)


def heard(sa: Sa, message: Message) -> None:
    """Keep whether the peer's IKE_SA_INIT announces it, and we do."""
    told = message.notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)
    sa.fragments = told is not None and sa.connection.fragmentation != "no"


def room(sa: Sa) -> int:
    """Octets of an IKE message in an IP packet of `fragment_size`.

    The non-ESP marker is always counted: datagrams are repeated bit for bit, and the path may move to port 4500.
    """
    ip = _IPV6 if ":" in sa.path.remote_host else _IPV4
    return (sa.host.config.settings.fragment_size or _SMALLEST[ip]) - ip - _UDP - _MARKER


def encode(sa: Sa, message: Message) -> tuple[bytes, ...]:
    """The datagrams of a message: one, or its fragments where it is too long and both sides can."""
    if message.header.exchange in IN_CLEAR:
        return (message.encode(),)
    assert sa.sealer is not None, "all other exchanges have keys"
    if not sa.fragments or sa.connection.fragmentation != "yes":
        return (message.encode(sa.sealer),)
    if len(message.encode(_Weight(sa.sealer.overhead))) <= room(sa):
        return (message.encode(sa.sealer),)
    return split(message, sa.sealer, room(sa))


@dataclass(frozen=True, slots=True)
class _Weight:
    """Seals nothing: tells how long a message would be, without spending an IV."""

    overhead: Callable[[int], int]

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        return bytes(len(plaintext) + self.overhead(len(plaintext)))


@dataclass(slots=True)
class _Set:
    """The pieces of one message that came so far."""

    total: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    first: Message | None = None
    first_inside: PayloadType = PayloadType.NONE

    @property
    def octets(self) -> int:
        return sum(map(len, self.pieces.values()))


@dataclass(frozen=True, slots=True)
class Whole:
    """A message of which every fragment came: the first fragment, sealed, the chain and the type it begins with."""

    first: Message
    first_inside: PayloadType
    chain: bytes

    def message(self) -> Message:
        """The message as if it had come in one SK; `raw` is the first fragment's. Raises what a bad chain raises."""
        outside = self.first.payloads[: self.first.outside]
        inside = decode_chain(self.first_inside, self.chain)
        return replace(self.first, payloads=outside + inside, plaintext=self.chain)


class Reassembly:
    """The incomplete messages that the peer of one IKE SA sends."""

    def __init__(self) -> None:
        self._sets: dict[tuple[bool, int], _Set] = {}

    def __len__(self) -> int:
        return len(self._sets)

    @property
    def octets(self) -> int:
        """How much is kept."""
        return sum(found.octets for found in self._sets.values())

    def clear(self) -> None:
        """Forget all of them."""
        self._sets.clear()

    def settled(self, message: Message) -> None:
        """This message came in one piece, so what was kept of it is of no use."""
        self._sets.pop(_key(message), None)

    def take(self, message: Message, opener: Opener) -> Whole | None:
        """Keep a fragment; the whole once all are there. ProtocolError, with nothing changed, for one we cannot use."""
        fragment = fragment_of(message)
        key = _key(message)
        known = self._sets.get(key)
        _usable(message, fragment, known)
        piece = message.unseal(opener)
        if known is None or fragment.total > known.total:
            known = _Set(fragment.total)
        if known.octets + len(piece) > MOST_OCTETS:
            raise ProtocolError(f"fragments with more than {MOST_OCTETS} octets in them")
        self._sets[key] = known
        known.pieces[fragment.number] = piece
        if fragment.number == 1:
            known.first, known.first_inside = message, fragment.first
        if len(self._sets) > MOST_SETS:
            del self._sets[next(iter(self._sets))]
        if len(known.pieces) < known.total or known.first is None:
            return None
        del self._sets[key]
        chain = b"".join(known.pieces[number] for number in range(1, known.total + 1))
        return Whole(known.first, known.first_inside, chain)


def _key(message: Message) -> tuple[bool, int]:
    return message.header.response, message.header.message_id


def fragment_of(message: Message) -> EncryptedFragment:
    """The Encrypted Fragment payload of a message that has one."""
    sealed = message.sealed
    assert isinstance(sealed, EncryptedFragment), "whoever asks has looked"
    return sealed


def _usable(message: Message, fragment: EncryptedFragment, known: _Set | None) -> None:
    """2.6: what can be refused before the ICV is checked, so that it costs nothing and changes nothing."""
    what = f"fragment {fragment.number} of {fragment.total}"
    if fragment.total > MOST_FRAGMENTS:
        raise ProtocolError(f"{what}, at most {MOST_FRAGMENTS} are taken")
    if known and fragment.total < known.total:
        raise ProtocolError(f"{what}: the message is being sent in {known.total} by now")
    if known and fragment.total == known.total and fragment.number in known.pieces:
        raise ProtocolError(f"{what} came before")
    if fragment.number > 1 and (message.outside or fragment.first != PayloadType.NONE):
        raise ProtocolError(f"{what} tells of payloads that only the first one may tell of")


def cut_anew(message: Message, opener: Opener) -> bool:
    """Whether this is the authentic first fragment of a message: a request that was answered, in other pieces (2.6.1).

    A sender whose fragments are lost on the way may send the message in smaller ones, and in fragments what it sent in
    one datagram before (2.5.2); so the octets differ, and yet it wants the same answer.
    """
    if not isinstance(message.sealed, EncryptedFragment) or message.sealed.number != 1:
        return False
    try:
        message.unseal(opener)
    except ProtocolError:
        return False
    return True
