"""What the octets of one datagram say: the IKE message or ESP packet inside it, opened where a key fits.

Rules of this file:
- Never raises, whatever the octets are: what cannot be read is said in `note`.
- The same octets are read once: retransmissions share their reading.
- A message in fragments (RFC 7383) is shown whole at its last fragment, once every one of them was read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from lab.crypto.schemes import Scheme
from lab.errors import ProtocolError
from lab.evidence.ah_key import parts
from lab.evidence.datagram import Kind, Sighting
from lab.evidence.fields import configured
from lab.evidence.fields_v1 import in_words
from lab.evidence.inner import summary, upper
from lab.evidence.keyring import Inner, Keyring
from lab.evidence.names import payload_names
from lab.wire.header import SIZE, Header
from lab.wire.ids import AuthMethod, PayloadType
from lab.wire.message import Message
from lab.wire.message_v1 import Message1
from lab.wire.packets import ESPHeader
from lab.wire.payloads import Payload, decode_chain
from lab.wire.payloads_v2 import CP, Auth
from lab.wire.sealed import Encrypted, EncryptedFragment

_Octets = tuple[Kind, bytes, bytes]
_IKEV1 = {2: "Main Mode", 4: "Aggressive Mode", 5: "Informational", 6: "Transaction", 32: "Quick Mode"}
FIRST_VERSION = "IKEv1"
_PROTOCOL: dict[Kind, str] = {"ah": "AH", "gre": "GRE", "keepalive": "NAT-keepalive"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one datagram says. `opened` is None where nothing was sealed; `chain` is the decrypted payload chain.

    Of a fragment it is a piece of one, unless `whole` says that the message was put together here.
    AH seals without hiding: `opened` then says whether its ICV is right under one of the keys.
    """

    protocol: str
    exchange: str | None = None
    message_id: int | None = None
    response: bool | None = None
    payloads: tuple[str, ...] = ()
    encrypted: bool = False
    opened: bool | None = None
    spi: str = ""
    seq: int | None = None
    inner: str | None = None
    note: str = ""
    header: Header | None = None
    message: Message | None = None
    isakmp: Message1 | None = None
    chain: bytes | None = field(default=None, repr=False)
    first_inside: PayloadType = PayloadType.NONE
    esp: Inner | None = None
    ah: Inner | None = None
    auth: str = ""
    cp: tuple[str, ...] = ()
    whole: bool = False


class Reader:
    """Reads datagrams with a keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._known: dict[_Octets, Reading] = {}
        self._fragments: dict[tuple[object, ...], dict[int, _Octets]] = {}

    @property
    def refused(self) -> list[str]:
        """Which keys of the keyring could not be used, and why."""
        return self._keyring.refused

    def read(self, sighting: Sighting) -> Reading:
        """The reading of a sighting's octets."""
        key = (sighting.kind, sighting.body, sighting.packet)
        if key not in self._known:
            self._known[key] = self._read(sighting)
            self._gather(key)
        return self._known[key]

    def read_all(self, seen: Iterable[Sighting]) -> list[Reading]:
        """The readings of several, told when all were read: fragments may come in any order."""
        seen = list(seen)
        for sighting in seen:
            self.read(sighting)
        return [self.read(sighting) for sighting in seen]

    def _gather(self, key: _Octets) -> None:
        """Put a message together where this was the one fragment that it lacked."""
        reading = self._known[key]
        fragment = reading.message.sealed if reading.message else None
        if reading.header is None or reading.chain is None or not isinstance(fragment, EncryptedFragment):
            return
        # What was cut anew has another total (RFC 7383 2.5.2): the two sets do not mix.
        message = (reading.spi, reading.header.initiator, reading.response, reading.message_id, fragment.total)
        found = self._fragments.setdefault(message, {})
        if fragment.number in found:
            return
        found[fragment.number] = key
        if len(found) == fragment.total:
            pieces = [self._known[found[number]] for number in range(1, fragment.total + 1)]
            last = found[fragment.total]
            self._known[last] = _whole(pieces)

    def _read(self, sighting: Sighting) -> Reading:
        if sighting.kind == "ike":
            return self._ike(sighting.body)
        if sighting.kind == "esp":
            return self._esp(sighting)
        if sighting.kind == "ah":
            return self._ah(sighting)
        return Reading(_PROTOCOL.get(sighting.kind, "unknown"), note=sighting.note)

    def _esp(self, sighting: Sighting) -> Reading:
        packet = sighting.body
        try:
            header = ESPHeader.decode(packet)
        except ProtocolError as error:
            return Reading("unknown", note=f"not an ESP packet: {error.reason}")
        inner = self._keyring.open_esp(packet)
        reading = Reading("ESP", encrypted=True, opened=inner is not None, spi=header.spi.hex(), seq=header.seq)
        return replace(reading, inner=_inside(inner, sighting), esp=inner) if inner else reading

    def _ah(self, sighting: Sighting) -> Reading:
        try:
            header, payload = parts(sighting.packet)
        except ProtocolError as error:
            return Reading("unknown", note=f"not an AH packet: {error.reason}")
        inner = Inner(header.next_header, payload, 0)
        right = self._keyring.vouches(header.spi.hex(), sighting.packet)
        return Reading(
            "AH", opened=right, spi=header.spi.hex(), seq=header.seq, inner=_inside(inner, sighting), ah=inner
        )

    def _ike(self, data: bytes) -> Reading:
        try:
            header = Header.decode(data)
        except ProtocolError as error:
            return Reading("unknown", note=f"not an IKE message: {error.reason}")
        if header.major == 1:
            return self._first_version(header, data)
        if header.major != 2:
            return Reading("unknown", note=f"IKE version {header.major}.{header.minor}", header=header)
        reading = Reading(
            "IKEv2",
            header.exchange.name,
            header.message_id,
            header.response,
            spi=f"{header.spi_i.hex()}:{header.spi_r.hex()}",
            header=header,
        )
        try:
            message = Message.decode(data)
        except ProtocolError as error:
            return replace(reading, note=f"malformed: {error.reason}")
        return self._open(replace(reading, message=message))

    def _open(self, reading: Reading) -> Reading:
        message = reading.message
        assert message is not None
        outside = tuple(payload_names(message.header, message.payloads))
        sealed = message.sealed
        if sealed is None:
            return replace(reading, payloads=outside)
        reading = replace(reading, payloads=outside, encrypted=True, opened=False)
        chain = self._unseal(message, sealed)
        if chain is None:
            return reading
        if not isinstance(sealed, Encrypted):  # it opens to a piece of the chain, which has no names of its own
            return replace(reading, opened=True, chain=chain)
        return _inside_of(replace(reading, opened=True, chain=chain, first_inside=sealed.first, payloads=outside[:-1]))

    def _first_version(self, header: Header, data: bytes) -> Reading:
        """IKEv1, which encrypts everything behind the header; no message says which way it goes."""
        reading = Reading(
            FIRST_VERSION,
            _IKEV1.get(int(header.exchange), header.exchange.name),
            header.message_id,
            spi=f"{header.spi_i.hex()}:{header.spi_r.hex()}",
            header=header,
        )
        try:
            message = Message1.decode(data)
            if not message.sealed:
                return replace(reading, payloads=message.names, isakmp=message)
            reading = replace(reading, encrypted=True, opened=False, payloads=("encrypted",), isakmp=message)
            chain = self._keyring.isakmp.open(header, message.body)
            if chain is None:
                return reading
            opened = message.opened(chain)
        except ProtocolError as error:
            return replace(reading, note=f"malformed: {error.reason}")
        reading = replace(reading, opened=True, chain=chain, payloads=opened.names, first_inside=header.next_payload)
        return replace(reading, cp=in_words(opened.payloads))

    def _unseal(self, message: Message, sealed: Payload) -> bytes | None:
        """The decrypted chain, or None where no key fits."""
        body = getattr(sealed, "body", b"")
        start = len(message.raw) - len(body)
        if start < SIZE or message.raw[start:] != body:
            return None
        for opener in self._keyring.openers(message.header):
            try:
                return opener.open(message.raw[:start], body)
            except ProtocolError:
                continue
        return None


def _whole(pieces: list[Reading]) -> Reading:
    """The reading of the last fragment, with all that the fragments hold together behind its own name."""
    first = pieces[0].message.sealed if pieces[0].message else None
    assert isinstance(first, EncryptedFragment), "only fragments are gathered"
    chain = b"".join(piece.chain or b"" for piece in pieces)
    return _inside_of(replace(pieces[-1], chain=chain, first_inside=first.first, whole=True))


def _inside_of(reading: Reading) -> Reading:
    """This reading with the names of what its chain holds behind those outside."""
    assert reading.header is not None and reading.chain is not None, "it was opened"
    try:
        inside = decode_chain(reading.first_inside, reading.chain)
    except ProtocolError as error:
        sealed = "SKF" if reading.whole else "SK"
        names = reading.payloads if reading.whole else (*reading.payloads, "SK")
        return replace(reading, payloads=names, note=f"malformed inside {sealed}: {error.reason}")
    names = tuple(payload_names(reading.header, inside))
    return replace(reading, payloads=reading.payloads + names, auth=_auth(inside), cp=_configuration(inside))


def _configuration(payloads: Iterable[Payload]) -> tuple[str, ...]:
    """The attributes of a Configuration payload: `INTERNAL_IP4_ADDRESS 10.3.0.1`, or the name alone where it asks."""
    found = (pair for payload in payloads if isinstance(payload, CP) for pair in payload.attributes)
    return tuple(f"{kind.name} {configured(kind, value)}".strip() for kind, value in found)


def _auth(payloads: Iterable[Payload]) -> str:
    """How the sender proves itself: `SHARED_KEY`, or `DIGITAL_SIGNATURE ecdsa-sha256` with what RFC 7427 names."""
    auth = next((payload for payload in payloads if isinstance(payload, Auth)), None)
    if auth is None or auth.method != AuthMethod.DIGITAL_SIGNATURE:
        return auth.method.name if auth else ""
    try:
        return f"{auth.method.name} {Scheme.of_identifier(auth.data[1 : 1 + auth.data[0]] if auth.data else b'')}"
    except ProtocolError:
        return f"{auth.method.name} of an unknown algorithm"


def _inside(inner: Inner, sighting: Sighting) -> str:
    """The inner packet in words; in transport mode its addresses are those around it, where it was seen first."""
    if inner.packet is not None:
        return summary(inner.packet)
    if inner.next_header == 59:
        return "dummy packet"
    return upper(sighting.src, sighting.dst, inner.next_header, inner.data)
