"""A frame at the gate and what its headers say; whatever the octets are, nothing here raises.

What is not IPsec, or not whole (a fragment), has the kind `other`: the gate lets it pass, only `any` means it too.
"""

from dataclasses import dataclass, field, replace
from hashlib import sha256

from lab.emulation.gate.filter import Filter
from lab.errors import ProtocolError
from lab.evidence.capture import Frame
from lab.evidence.datagram import Sighting, sightings
from lab.evidence.network import network_offset, upper
from lab.wire.header import Header
from lab.wire.packets import UDP_NUMBER, IPv4, IPv6, checksum, decode_ip

_UDP_HEADER = 8
_KINDS = {"ike": "IKE", "esp": "ESP", "ah": "AH", "keepalive": "keepalive"}


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame that is about to leave by the interface `leaves`, after it came in by `came` (empty if unknown)."""

    frame: bytes = field(repr=False)
    came: str
    leaves: str
    kind: str = "other"
    header: Header | None = None
    sighting: Sighting | None = field(default=None, repr=False)
    ip: IPv4 | IPv6 | None = field(default=None, repr=False)

    @property
    def content(self) -> bytes:
        """What a NAT leaves alone, as the ladder knows it; the whole frame where it is not IPsec."""
        return self.sighting.content if self.sighting else self.frame

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content."""
        return sha256(self.content).hexdigest()

    def facts(self) -> dict[str, object]:
        """What its headers say, for the record."""
        said: dict[str, object] = {"kind": self.kind, "content": self.fingerprint, "length": len(self.frame)}
        if self.header is not None:
            said |= {"exchange": self.header.exchange.name, "message_id": self.header.message_id}
            said |= {"response": self.header.response} if self.header.major == 2 else {}
        elif self.kind == "ESP" and self.sighting is not None:
            body = self.sighting.body
            said |= {"spi": body[:4].hex(), "seq": int.from_bytes(body[4:8], "big")}
        return said


def decode(frame: bytes, came: str, leaves: str) -> Packet:
    """The packet in an Ethernet frame."""
    plain = Packet(frame, came, leaves)
    seen = Frame(0, "gate:", frame)
    at = network_offset(seen)
    if at is None:
        return plain
    try:
        plain = replace(plain, ip=decode_ip(frame[at:]))
    except ProtocolError:
        return plain
    found = sightings([seen])
    if not found or found[0].kind not in _KINDS:
        return plain
    try:
        header = Header.decode(found[0].body) if found[0].kind == "ike" else None
    except ProtocolError:
        return plain
    return replace(plain, kind=_KINDS[found[0].kind], header=header, sighting=found[0])


def described(what: Filter, packet: Packet, sides: dict[str, str]) -> bool:
    """Whether the words of a filter but for its count and its payloads describe the packet.

    `sides` has for each node the interface of the gate behind which it lies.
    """
    if what.came_from and packet.came != sides.get(what.came_from):
        return False
    if what.goes_to and packet.leaves != sides.get(what.goes_to):
        return False
    header = packet.header
    if what.kind == "any":
        return True
    if what.kind == "exchange":
        if header is None or header.major != what.version or int(header.exchange) != what.exchange:
            return False
    elif packet.kind != what.kind:
        return False
    if what.response is not None and (header is None or header.major != 2 or header.response != what.response):
        return False
    return what.message_id is None or (header is not None and header.message_id == what.message_id)


def corrupted(packet: Packet, octet: int, mask: int) -> bytes | None:
    """The frame with one octet of its IKE message, ESP or AH packet changed; None where it has no such octet.

    Checksums of UDP and IP are made right again, so that the change reaches whoever reads the message.
    """
    ip, sighting = packet.ip, packet.sighting
    if ip is None or sighting is None or octet >= len(sighting.body):
        return None
    # The body is the end of the packet, behind all headers of IP and UDP.
    payload = bytearray(ip.payload)
    payload[len(payload) - len(sighting.body) + octet] ^= mask
    if sighting.udp:
        front = len(ip.payload) - len(upper(ip).data)
        payload[front:] = _checked(ip, payload[front:])
    start = network_offset(Frame(0, "gate:", packet.frame)) or 0
    return packet.frame[:start] + replace(ip, payload=bytes(payload)).encode()


def _checked(ip: IPv4 | IPv6, udp: bytearray) -> bytearray:
    """A UDP datagram with the checksum of its octets (RFC 768); one without any stays without, but for IPv6."""
    if udp[6:8] == b"\0\0" and isinstance(ip, IPv4):
        return udp
    udp[6:8] = bytes(2)
    length = len(udp).to_bytes(4, "big")
    pseudo = ip.src.packed + ip.dst.packed + length + UDP_NUMBER.to_bytes(4, "big")
    udp[6:8] = (checksum(pseudo + bytes(udp)) or 0xFFFF).to_bytes(2, "big")
    return udp
