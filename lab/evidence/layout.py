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
from lab.wire.packets import AH_NUMBER, ESP_NUMBER, IP, IPv4, decode_ip

_ESP_HEADER, _AH_FIXED, _TRAILER = 8, 12, 2
# RFC 4302 3.3.3.1.1: octets of an IPv4 header that may change under way, and are zero for the ICV of AH.
MUTABLE_V4 = frozenset((1, 6, 7, 8, 10, 11))


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
    if ip.protocol == AH_NUMBER:
        return _ah(packet, ip)
    if ip.protocol == ESP_NUMBER:
        return _esp(packet, ip, keyring)
    raise ProtocolError(f"protocol {ip.protocol} is neither ESP nor AH")


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


def _header(packet: bytes, ip: IP) -> int:
    return len(packet) - len(ip.payload)


def _ends(ip: IP) -> str:
    return f"{ip.src} \u2192 {ip.dst}, protocol {ip.protocol}"


def _inside(row: _Row, ip: IP, next_header: int, data: bytes, *, hidden: bool) -> None:
    """The inner packet of tunnel mode, header and payload apart, or the payload of transport mode."""
    if next_header not in (4, 41):
        row.add("payload", len(data), upper(str(ip.src), str(ip.dst), next_header, data), covered=True, hidden=hidden)
        return
    inner = decode_ip(data)
    row.add("IP header", _header(data, inner), _ends(inner), covered=True, hidden=hidden)
    row.add("payload", len(inner.payload), summary(data), covered=True, hidden=hidden)


def _esp(packet: bytes, ip: IP, keyring: Keyring) -> list[Part]:
    key = keyring.esp_key(ip.payload)
    if key is None:
        raise ProtocolError("no key opens the packet, so its parts are not known")
    inner, row = key.open(ip.payload), _Row()
    row.add("new IP header" if inner.packet else "IP header", _header(packet, ip), _ends(ip), covered=False)
    spi, number = ip.payload[:4].hex(), int.from_bytes(ip.payload[4:8], "big")
    row.add("ESP header", _ESP_HEADER, f"SPI {spi}, sequence number {number}", covered=True)
    row.add("IV", key.iv, ip.payload[_ESP_HEADER : _ESP_HEADER + key.iv].hex(), covered=True)
    _inside(row, ip, inner.next_header, inner.data, hidden=True)
    what = f"{inner.padding} octets of padding, next header {inner.next_header}"
    row.add("ESP trailer", inner.padding + _TRAILER, what, covered=True, hidden=True)
    row.add("ESP auth", key.icv, packet[-key.icv :].hex(), covered=True)
    return row.parts


def _ah(packet: bytes, ip: IP) -> list[Part]:
    header, payload = ah_parts(packet)
    row = _Row()
    tunnel = header.next_header in (4, 41)
    mutable = (
        "DSCP, ECN, flags, offset, TTL and checksum are zero" if isinstance(ip, IPv4) else "mutable fields are zero"
    )
    row.add("new IP header" if tunnel else "IP header", _header(packet, ip), f"{_ends(ip)}; {mutable}", covered=True)
    what = f"next header {header.next_header}, SPI {header.spi.hex()}, sequence number {header.seq}"
    row.add("AH", _AH_FIXED, what, covered=True)
    row.add("ICV", len(header.icv), header.icv.hex(), covered=True)
    _inside(row, ip, header.next_header, payload, hidden=False)
    return row.parts
