"""What travels inside the TLS of PEAP version 0 (draft-kamath-pppext-peapv0-00 1.1 and 4, [MS-PEAP] 2.2.5, 2.2.8).

Rules: an inner EAP packet goes without its header, as Type and Type-Data alone; code and identifier are those that its
place implies. Only EAP Extensions keeps the header: the packet that holds the outcome as a Result TLV.
"""

from dataclasses import dataclass
from typing import Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader, Writer
from lab.wire.eap import HEADER, EapCode, EapType, Packet
from lab.wire.ids import NotifyType

RESULT = 3
SUCCESS, FAILURE = 1, 2
_MANDATORY, _TYPE = 0x8000, 0x3FFF


@dataclass(frozen=True, slots=True)
class Tlv:
    """One TLV of EAP Extensions.

    |M|R|     TLV Type (14)     |        Length (2)         |  Value ...
    """

    type: int
    value: bytes
    mandatory: bool = True

    @classmethod
    def decode_all(cls, octets: bytes) -> tuple[Self, ...]:
        """Read a sequence; ProtocolError where a length does not fit."""
        reader, found = Reader(octets), []
        while reader.left:
            head = reader.u16()
            found.append(cls(head & _TYPE, reader.take(reader.u16()), bool(head & _MANDATORY)))
        return tuple(found)

    def encode(self) -> bytes:
        """The octets."""
        head = self.type | (_MANDATORY if self.mandatory else 0)
        return bytes(Writer().u16(head).u16(len(self.value)).raw(self.value))


def result(code: EapCode, identifier: int, *, success: bool) -> Packet:
    """An EAP Extensions packet with a Result TLV."""
    tlv = Tlv(RESULT, (SUCCESS if success else FAILURE).to_bytes(2, "big"))
    return Packet(code, identifier, EapType.EXTENSIONS, tlv.encode())


def succeeded(packet: Packet) -> bool:
    """What the Result TLV of an EAP Extensions packet says; ProtocolError where it has none or asks for more.

    TLVs that are not mandatory, such as Cryptobinding, are passed over.
    """
    tlvs = Tlv.decode_all(packet.data)
    strange = next((tlv for tlv in tlvs if tlv.mandatory and tlv.type != RESULT), None)
    if strange:
        raise _refused(f"PEAP TLV {strange.type} is mandatory and unknown")
    outcomes = [int.from_bytes(tlv.value, "big") for tlv in tlvs if tlv.type == RESULT and len(tlv.value) == 2]
    if outcomes not in ([SUCCESS], [FAILURE]):
        raise _refused("PEAP Extensions without one Result TLV")
    return outcomes == [SUCCESS]


def _refused(reason: str) -> ProtocolError:
    return ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)


def wrap(packet: Packet) -> bytes:
    """The octets of an inner packet."""
    octets = packet.encode()
    return octets if packet.type == EapType.EXTENSIONS else octets[HEADER:]


def unwrap(octets: bytes, code: EapCode, identifier: int) -> Packet:
    """Read an inner packet, which gets the code and identifier of its place; ProtocolError where it cannot be one."""
    if len(octets) > HEADER and octets[HEADER] == EapType.EXTENSIONS and octets[:1] == bytes([code]):
        return Packet.decode(octets)
    if not octets or octets[0] == EapType.EXTENSIONS:
        raise _refused("PEAP with an inner packet that has no type, or Extensions without a header")
    return Packet(code, identifier, EapType(octets[0]), octets[1:])
