"""A protected packet in its parts, from captured octets: the drawing that every textbook has (RFC 4303 3.1, 4302 3.1).

    ESP transport   IP header | ESP header | IV | payload | ESP trailer | ESP auth
    ESP tunnel      new IP header | ESP header | IV | IP header | payload | ESP trailer | ESP auth
    AH transport    IP header | AH | ICV | payload
    AH tunnel       new IP header | AH | ICV | IP header | payload

Rules of this file:
- Offsets are those of the captured packet. Where ESP hides a part, a key has to open it before its place is known.
- `covered` is what the RFC says of the ICV, not what was tried: the flips beside this drawing are what was tried.
"""

from dataclasses import dataclass
from typing import Any

from lab.errors import ProtocolError
from lab.evidence.ah_key import parts as ah_parts
from lab.evidence.inner import summary, upper
from lab.evidence.keyring import Keyring
from lab.evidence.network import upper as above
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, IP, IPv4, decode_ip

_ESP_HEADER, _AH_FIXED, _TRAILER = 8, 12, 2
# RFC 4302 3.3.3.1.1: octets of an IPv4 header that may change under way, and are zero for the ICV of AH.
MUTABLE_V4 = frozenset((1, 6, 7, 8, 10, 11))
# 3.3.3.1.2: the same of an IPv6 header, where the version has the other half of octet 0.
MUTABLE_V6 = frozenset((0, 1, 2, 3, 7))


@dataclass(frozen=True, slots=True)
class Part:
    """One part: where it is in the packet, what it says, whether the ICV covers it, whether it is encrypted."""

    name: str
    at: int
    octets: int
    what: str
    covered: bool
    hidden: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For coverage.json."""
        return {name: getattr(self, name) for name in ("name", "at", "octets", "what", "covered", "hidden")}


def layout(packet: bytes, keyring: Keyring) -> list[Part]:
    """The parts of an IP packet with ESP or AH, in their order; ProtocolError where no key opens it."""
    ip = decode_ip(packet)
    piece = above(ip)
    if piece.protocol == AH_NUMBER:
        return _ah(packet, ip)
    if piece.protocol == ESP_NUMBER:
        return _esp(packet, ip, piece.data, keyring)
    raise ProtocolError(f"protocol {piece.protocol} is neither ESP nor AH")


def names(found: list[Part]) -> list[str]:
    """The names alone."""
    return [part.name for part in found]


class _Row:
    """Parts one behind the other."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.at = 0

    def add(self, name: str, octets: int, what: str, *, covered: bool, hidden: bool = False) -> None:
        if octets:
            self.parts.append(Part(name, self.at, octets, what, covered, hidden))
            self.at += octets


def _ends(ip: IP) -> str:
    return f"{ip.src} \u2192 {ip.dst}, protocol {ip.protocol}"


def _inside(row: _Row, ip: IP, next_header: int, data: bytes, *, hidden: bool) -> None:
    """The inner packet of tunnel mode, header and payload apart, or the payload of transport mode."""
    if next_header not in (4, 41):
        row.add("payload", len(data), upper(str(ip.src), str(ip.dst), next_header, data), covered=True, hidden=hidden)
        return
    inner = decode_ip(data)
    row.add("IP header", len(data) - len(inner.payload), _ends(inner), covered=True, hidden=hidden)
    row.add("payload", len(inner.payload), summary(data), covered=True, hidden=hidden)


def _esp(packet: bytes, ip: IP, esp: bytes, keyring: Keyring) -> list[Part]:
    key = keyring.esp_key(esp)
    if key is None:
        raise ProtocolError("no key opens the packet, so its parts are not known")
    inner, row = key.open(esp), _Row()
    name = "new IP header" if inner.packet else "IP header"
    row.add(name, len(packet) - len(esp), _ends(ip), covered=False)
    what = f"SPI {esp[:4].hex()}, sequence number {int.from_bytes(esp[4:8], 'big')}"
    row.add("ESP header", _ESP_HEADER, what, covered=True)
    row.add("IV", key.iv, esp[_ESP_HEADER : _ESP_HEADER + key.iv].hex(), covered=True)
    _inside(row, ip, inner.next_header, inner.data, hidden=True)
    what = f"{inner.padding} octets of padding, next header {inner.next_header}"
    row.add("ESP trailer", inner.padding + _TRAILER, what, covered=True, hidden=True)
    row.add("ESP auth", key.icv, packet[-key.icv :].hex(), covered=True)
    return row.parts


def _ah(packet: bytes, ip: IP) -> list[Part]:
    header, payload = ah_parts(packet)
    row, at = _Row(), len(packet) - len(payload) - header.size
    name = "new IP header" if header.next_header in (4, 41) else "IP header"
    fields = "DSCP, ECN, flags, offset, TTL, checksum" if isinstance(ip, IPv4) else "DSCP, ECN, flow label, hop limit"
    row.add(name, at, f"{_ends(ip)}; for the ICV zero: {fields}", covered=True)
    what = f"next header {header.next_header}, SPI {header.spi.hex()}, sequence number {header.seq}"
    row.add("AH", _AH_FIXED, what, covered=True)
    row.add("ICV", len(header.icv), header.icv.hex(), covered=True)
    _inside(row, ip, header.next_header, payload, hidden=False)
    return row.parts
