"""pcapng: the blocks this lab writes and reads (draft-ietf-opsawg-pcapng).

    every block    | type u32 | total length u32 | body, padded to 4 | total length u32 |
    SHB            byte order, options; opens a section
    IDB            one capture point: link type, if_name, if_tsresol = 9 (nanoseconds)
    EPB            one packet: interface, 64-bit time, data, comment and direction as options
    DSB            secrets a decoder may use (TLS key log, Wireshark's own kinds)

Written little-endian, always. Read in both byte orders, with any time resolution; unknown blocks are skipped. A file
whose writer was killed ends inside a block: the whole blocks before it are returned and `Capture.torn` is set.
Bytes in, bytes out: no file is opened here. Times are integers in nanoseconds since 1970.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from lab.errors import ProtocolError


class Block(IntEnum):
    """Block types."""

    SECTION = 0x0A0D0D0A
    INTERFACE = 1
    SIMPLE_PACKET = 3
    ENHANCED_PACKET = 6
    SECRETS = 0x0A


class LinkType(IntEnum):
    """Link types used here (the registry has hundreds)."""

    ETHERNET = 1
    RAW = 101


class Direction(IntEnum):
    """How a packet crossed its capture point: bits 0 and 1 of epb_flags."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2


class SecretsType(IntEnum):
    """What a Decryption Secrets Block holds."""

    TLS_KEY_LOG = 0x544C534B
    WIREGUARD_KEY_LOG = 0x57474B4C


_MAGIC = 0x1A2B3C4D
_COMMENT, _END = 1, 0
_SHB_HARDWARE, _SHB_OS, _SHB_APPLICATION = 2, 3, 4
_IDB_NAME, _IDB_DESCRIPTION, _IDB_TSRESOL = 2, 3, 9
_EPB_FLAGS = 2


@dataclass(frozen=True, slots=True)
class Interface:
    """A capture point."""

    name: str
    link_type: int = LinkType.ETHERNET
    description: str = ""
    ticks_per_second: int = 10**9


@dataclass(frozen=True, slots=True)
class Packet:
    """One captured packet; `length` is its size on the wire if `data` was cut."""

    time_ns: int
    interface: int
    data: bytes
    comment: str = ""
    direction: Direction = Direction.UNKNOWN
    length: int = 0


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys for a decoder, in the format that `kind` names."""

    kind: int
    data: bytes


@dataclass(slots=True)
class Capture:
    """A whole file. `torn`: it ends inside a block."""

    interfaces: list[Interface] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    secrets: list[Secrets] = field(default_factory=list)
    comment: str = ""
    torn: bool = False


# -- writing


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _text(code: int, value: str) -> bytes:
    return _option(code, value.encode()[:65535]) if value else b""


def _options(*options: bytes) -> bytes:
    given = b"".join(options)
    return given + struct.pack("<HH", _END, 0) if given else b""


def _block(kind: Block, body: bytes) -> bytes:
    total = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + total + body + total


def section_block(*, application: str = "", comment: str = "", hardware: str = "", os: str = "") -> bytes:
    """The header that opens a file; its length is left open (-1), so packets can follow live."""
    head = struct.pack("<IHHq", _MAGIC, 1, 0, -1)
    options = _options(
        _text(_COMMENT, comment),
        _text(_SHB_HARDWARE, hardware),
        _text(_SHB_OS, os),
        _text(_SHB_APPLICATION, application),
    )
    return _block(Block.SECTION, head + options)


def interface_block(interface: Interface) -> bytes:
    """Declare a capture point; packets name it by its place among these blocks, from 0. Time is in nanoseconds."""
    options = _options(
        _text(_IDB_NAME, interface.name),
        _text(_IDB_DESCRIPTION, interface.description),
        _option(_IDB_TSRESOL, b"\x09"),
    )
    return _block(Block.INTERFACE, struct.pack("<HHI", interface.link_type, 0, 0) + options)


def packet_block(packet: Packet) -> bytes:
    """One packet with its time, comment and direction."""
    high, low = divmod(packet.time_ns, 1 << 32)
    head = struct.pack("<IIIII", packet.interface, high, low, len(packet.data), max(packet.length, len(packet.data)))
    flags = _option(_EPB_FLAGS, struct.pack("<I", packet.direction)) if packet.direction else b""
    return _block(Block.ENHANCED_PACKET, head + _padded(packet.data) + _options(_text(_COMMENT, packet.comment), flags))


def secrets_block(secrets: Secrets) -> bytes:
    """Secrets; they must stand before the packets that need them."""
    return _block(Block.SECRETS, struct.pack("<II", secrets.kind, len(secrets.data)) + _padded(secrets.data))


class PcapngWriter:
    """Writes a capture through `write`, one call per block, so that whatever was written is readable."""

    def __init__(self, write: Callable[[bytes], object], *, application: str = "ikelab", comment: str = "") -> None:
        self._write = write
        self._count = 0
        write(section_block(application=application, comment=comment))

    def interface(self, name: str, link_type: int = LinkType.ETHERNET, description: str = "") -> int:
        """Declare a capture point and return its number."""
        self._write(interface_block(Interface(name, link_type, description)))
        self._count += 1
        return self._count - 1

    def packet(self, packet: Packet) -> None:
        """Write one packet."""
        self._write(packet_block(packet))

    def secrets(self, secrets: Secrets) -> None:
        """Write decryption secrets."""
        self._write(secrets_block(secrets))


# -- reading


def decode(data: bytes) -> Capture:
    """Read a whole file; raises ProtocolError if it is not pcapng or a block contradicts itself."""
    capture = Capture()
    if len(data) < 12 or data[:4] != struct.pack("<I", Block.SECTION):
        raise ProtocolError("not a pcapng file")
    base = 0  # interfaces are numbered per section
    for order, kind, body in _blocks(data, capture):
        if kind == Block.SECTION:
            base = len(capture.interfaces)
            capture.comment = capture.comment or _string(_read_options(body[16:], order), _COMMENT)
        else:
            try:
                _take(capture, base, order, kind, body)
            except (struct.error, IndexError) as error:
                raise ProtocolError(f"pcapng block of type {kind} is malformed") from error
    return capture


def _blocks(data: bytes, capture: Capture) -> Iterator[tuple[str, int, bytes]]:
    """Yield (byte order, type, body) of every whole block."""
    at, order = 0, "<"
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = ">" if data[at + 8 : at + 12] == struct.pack(">I", _MAGIC) else "<"
        if at + 12 > len(data):
            capture.torn = True
            return
        kind, total = struct.unpack_from(order + "II", data, at)
        if total < 12 or total % 4:
            raise ProtocolError(f"pcapng block at octet {at} has the impossible length {total}")
        if at + total > len(data):
            capture.torn = True
            return
        yield order, kind, data[at + 8 : at + total - 4]
        at += total


def _take(capture: Capture, base: int, order: str, kind: int, body: bytes) -> None:
    if kind == Block.INTERFACE:
        capture.interfaces.append(_read_interface(body, order))
    elif kind == Block.ENHANCED_PACKET:
        capture.packets.append(_read_packet(capture, base, body, order))
    elif kind == Block.SIMPLE_PACKET:
        (length,) = struct.unpack_from(order + "I", body)
        capture.packets.append(Packet(0, base, body[4 : 4 + length], length=length))
    elif kind == Block.SECRETS:
        secrets_type, length = struct.unpack_from(order + "II", body)
        capture.secrets.append(Secrets(secrets_type, body[8 : 8 + length]))


def _read_interface(body: bytes, order: str) -> Interface:
    (link_type,) = struct.unpack_from(order + "H", body)
    options = _read_options(body[8:], order)
    resolution = options.get(_IDB_TSRESOL, b"\x06")[0]
    ticks = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    return Interface(_string(options, _IDB_NAME), link_type, _string(options, _IDB_DESCRIPTION), ticks)


def _read_packet(capture: Capture, base: int, body: bytes, order: str) -> Packet:
    number, high, low, captured, length = struct.unpack_from(order + "IIIII", body)
    interface = capture.interfaces[base + number]
    options = _read_options(body[20 + captured + -captured % 4 :], order)
    (flags,) = struct.unpack(order + "I", options.get(_EPB_FLAGS, b"\0\0\0\0"))
    time_ns = (high << 32 | low) * 10**9 // interface.ticks_per_second
    data = body[20 : 20 + captured]
    direction = Direction(flags & 3) if flags & 3 != 3 else Direction.UNKNOWN
    return Packet(time_ns, base + number, data, _string(options, _COMMENT), direction, length)


def _read_options(body: bytes, order: str) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        if code == _END:
            break
        options.setdefault(code, body[at + 4 : at + 4 + length])
        at += 4 + length + -length % 4
    return options


def _string(options: dict[int, bytes], code: int) -> str:
    return options.get(code, b"").decode(errors="replace")
