"""How packets of ESP, AH and GRE are laid out, drawn from captured octets: one packet for each way of packing.

Rules of this file: every octet shown was captured, those under ESP as the lab's keys opened them. Where the sizes of IV
and ICV are not known from the algorithms, or do not add up to the length of the packet, nothing is drawn.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.report import facts
from lab.report.detail import Detail
from lab.report.facts import Facts
from lab.report.ladder import Message

MOST_LAYOUTS, MOST_OCTETS = 6, 48
PROTOCOLS = {"ICMP": 1, "IPv4": 4, "TCP": 6, "UDP": 17, "IPv6": 41, "GRE": 47, "ESP": 50, "OSPF": 89}
NAMES = {number: name for name, number in PROTOCOLS.items()}
GRE_IPV4, GRE_IPV6 = 0x0800, 0x86DD
# Octets of the IV on the wire (RFC 4106 3.1, RFC 3602 2.1, RFC 7634 2) and of a cipher's own ICV.
IVS = (("CHACHA20", 8), ("GCM", 8), ("CCM", 8), ("GMAC", 8), ("CTR", 8), ("3DES", 8), ("CBC", 16), ("NULL", 0))
ICVS = {"CHACHA20_POLY1305": 16, "NULL_AUTH_AES_GMAC": 16}
_TAG = re.compile(r"(?:GCM|CCM)_(\d+)$")
_BITS = re.compile(r"_(\d+)$")


@dataclass(frozen=True, slots=True)
class Part:
    """A header or field in the order of the packet. `more` octets of it are not shown."""

    name: str
    length: int
    octets: str
    more: int
    sealed: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """One packet: `title` as `ESP in tunnel mode, in UDP`, the number of its message, and its parts."""

    title: str
    number: int
    parts: tuple[Part, ...]


def find(messages: Sequence[Message], details: Mapping[int, Detail], keys: object) -> list[Layout]:
    """The first packet of each kind that could be taken apart."""
    algorithms = {facts.text(sa, "spi"): sa for sa in facts.rows(keys, "child")}
    found: dict[str, Layout] = {}
    for one in messages:
        detail = details.get(one.number)
        if one.protocol not in ("ESP", "AH", "GRE") or detail is None or len(found) >= MOST_LAYOUTS:
            continue
        views = {view.of: view.octets for view in detail.views if not view.cut}
        layout = _layout(one, views, algorithms.get(one.spi, {}))
        if layout:
            found.setdefault(layout.title, layout)
    return list(found.values())


def _layout(one: Message, views: Mapping[str, bytes], sa: Facts) -> Layout | None:
    raw, plain = views.get("raw", b""), views.get("plain", b"")
    if one.protocol == "ESP":
        parts = _esp(one, raw, plain, sa)
    elif one.protocol == "AH":
        parts = _ah(raw)
    else:
        parts = list(_inside(raw, PROTOCOLS["GRE"]))
    if not parts:
        return None
    return Layout(_title(one, parts), one.number, tuple(parts))


def _title(one: Message, parts: Sequence[Part]) -> str:
    inner = [part.name for part in parts if part.name in PROTOCOLS]
    if one.protocol == "GRE":
        return "GRE in the clear"
    mode = "tunnel" if inner and inner[0] in ("IPv4", "IPv6") else "transport"
    udp = ", in UDP" if one.in_udp else ""
    return f"{one.protocol} in {mode} mode{udp}" + (f": {', '.join(inner)}" if inner else "")


def _esp(one: Message, raw: bytes, plain: bytes, sa: Facts) -> list[Part]:
    """Header, IV, what is inside, padding, ICV (RFC 4303 2)."""
    iv, icv = sizes(sa)
    sealed = len(raw) - 8 - iv - icv
    padding = sealed - len(plain) - 2
    if not plain or iv < 0 or icv < 0 or not 0 <= padding <= 255:
        return []
    protocol = _inner_protocol(plain, one.inner)
    return [
        _part("ESP header", raw[:8]),
        *([_part("IV", raw[8 : 8 + iv])] if iv else []),
        *(Part(p.name, p.length, p.octets, p.more, sealed=True) for p in _inside(plain, protocol)),
        # Padding is not kept with the decrypted packet; its length and what it says are known all the same.
        Part("Padding, its length, next header", padding + 2, "", 0, sealed=True, note="known by their length"),
        *([_part("ICV", raw[len(raw) - icv :])] if icv else []),
    ]


def sizes(sa: Facts) -> tuple[int, int]:
    """Octets of IV and ICV of an ESP SA; -1 for what is not known."""
    encr, integ = facts.text(sa, "encr"), facts.text(sa, "integ")
    iv = next((size for word, size in IVS if word in encr), -1)
    tag = _TAG.search(encr)
    if tag:
        return iv, int(tag[1])
    own = next((size for word, size in ICVS.items() if word in encr), None)
    if own is not None:
        return iv, own
    if "GMAC" in integ:
        return iv, 16
    bits = _BITS.search(integ)
    return iv, int(bits[1]) // 8 if bits else -1


def _ah(raw: bytes) -> list[Part]:
    """AH and what follows in the clear (RFC 4302 2)."""
    size = 4 * (raw[1] + 2) if len(raw) >= 12 else 0
    if not 12 <= size <= len(raw):
        return []
    return [_part("AH", raw[:12]), _part("ICV", raw[12:size]), *_inside(raw[size:], raw[0])]


def _inner_protocol(plain: bytes, said: str) -> int:
    """IP if it looks like a whole packet, otherwise what its words in the ladder begin with."""
    if len(plain) >= 20 and plain[0] == 0x45 and int.from_bytes(plain[2:4], "big") == len(plain):
        return PROTOCOLS["IPv4"]
    if len(plain) >= 40 and plain[0] >> 4 == 6 and int.from_bytes(plain[4:6], "big") + 40 == len(plain):
        return PROTOCOLS["IPv6"]
    return PROTOCOLS["GRE"] if " in GRE " in said else PROTOCOLS.get(said.partition(" ")[0], 0)


def _inside(octets: bytes, protocol: int) -> Iterator[Part]:
    """Headers one inside the other, then the rest."""
    while octets:
        size, following = _header(octets, protocol)
        if not 0 < size <= len(octets):
            break
        yield _part(NAMES[protocol], octets[:size])
        octets, protocol = octets[size:], following
    if octets:
        yield _part(NAMES.get(protocol, "Data"), octets)


def _header(octets: bytes, protocol: int) -> tuple[int, int]:
    """(length of the header, protocol inside); a length of 0 where it is the last."""
    name = NAMES.get(protocol)
    if name == "IPv4" and len(octets) >= 20:
        return 4 * (octets[0] & 15), octets[9]
    if name == "IPv6" and len(octets) >= 40:
        return 40, octets[6]
    if (
        name == "GRE" and len(octets) >= 4
    ):  # 4 octets, and 4 for each of checksum, key, sequence number (RFC 2784, 2890)
        more = sum(bool(octets[0] & bit) for bit in (0x80, 0x20, 0x10))
        kind = int.from_bytes(octets[2:4], "big")
        return 4 + 4 * more, {GRE_IPV4: 4, GRE_IPV6: 41}.get(kind, -1)
    if name in ("ICMP", "UDP") and len(octets) > 8:
        return 8, -1
    if name == "TCP" and len(octets) >= 20:
        return 4 * (octets[12] >> 4), -1
    return 0, -1


def _part(name: str, octets: bytes) -> Part:
    return Part(name, len(octets), octets[:MOST_OCTETS].hex(" "), max(0, len(octets) - MOST_OCTETS))
