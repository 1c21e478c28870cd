"""DER, as much of it as AlgorithmIdentifiers and distinguished names need.

Rules: definite lengths in their shortest form only, tags of one octet, and whatever does not fit is a ProtocolError,
because what is read here comes from the peer.
"""

from collections.abc import Iterator

from lab.errors import ProtocolError

INTEGER, OCTET_STRING, NULL, OID = 0x02, 0x04, 0x05, 0x06
UTF8_STRING, PRINTABLE_STRING, TELETEX_STRING, IA5_STRING = 0x0C, 0x13, 0x14, 0x16
UNIVERSAL_STRING, BMP_STRING = 0x1C, 0x1E
SEQUENCE, SET = 0x30, 0x31
CONTEXT = 0xA0  # constructed, explicit tag 0


def encode(tag: int, body: bytes) -> bytes:
    """One element."""
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of encoded elements."""
    return encode(SEQUENCE, b"".join(parts))


def integer(value: int) -> bytes:
    """An INTEGER that is not negative."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER such as `1.2.840.10045.4.3.2`."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return encode(OID, b"".join(_base128(arc) for arc in (40 * first + second, *rest)))


def _base128(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(0x80 | (value & 0x7F))
    return bytes(reversed(out))


def take(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element as (tag, body), and what stands behind it."""
    if len(data) < 2:
        raise ProtocolError("DER element cut short")
    tag, size, at = data[0], data[1], 2
    if tag & 0x1F == 0x1F:
        raise ProtocolError("DER tag of more than one octet")
    if size & 0x80:
        count = size & 0x7F
        octets, at = data[2 : 2 + count], 2 + count
        size = int.from_bytes(octets, "big")
        if not 1 <= count <= 4 or len(octets) < count or size < 0x80 or octets[0] == 0:
            raise ProtocolError("DER length that is not in its shortest form")
    if len(data) < at + size:
        raise ProtocolError("DER element cut short")
    return tag, data[at : at + size], data[at + size :]


def only(data: bytes, tag: int) -> bytes:
    """The body of the only element, which has this tag."""
    found, body, rest = take(data)
    if found != tag or rest:
        raise ProtocolError(f"DER tag {found:#04x} with {len(rest)} octets behind it; tag {tag:#04x} alone is expected")
    return body


def each(body: bytes) -> Iterator[tuple[int, bytes]]:
    """All elements of a body as (tag, body)."""
    while body:
        tag, inner, body = take(body)
        yield tag, inner


def whole(data: bytes) -> bytes:
    """The first element with its header."""
    return data[: len(data) - len(take(data)[2])]
