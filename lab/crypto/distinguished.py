"""Distinguished names (RFC 4514 in words, DER on the wire), and when two of them are the same.

Rules: text reads from the most significant part down (`C=CH, O=Lab, CN=left`), as strongSwan writes it; names compare
part by part without regard to case, string type and doubled blanks (RFC 5280 7.1); `*` as a pattern's value stands for
any value.
"""

from dataclasses import dataclass

from lab.crypto import der
from lab.errors import ProtocolError

_TYPES = {
    "CN": "2.5.4.3",
    "SN": "2.5.4.4",
    "serialNumber": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "T": "2.5.4.12",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "E": "1.2.840.113549.1.9.1",
}
_OIDS = {name.upper(): der.oid(dotted) for name, dotted in _TYPES.items()} | {
    "EMAIL": der.oid(_TYPES["E"]),
    "EMAILADDRESS": der.oid(_TYPES["E"]),
    "S": der.oid(_TYPES["ST"]),
}
_NAMES = {der.oid(dotted): name for name, dotted in _TYPES.items()}
_IA5 = frozenset({der.oid(_TYPES["E"]), der.oid(_TYPES["DC"])})
_PRINTABLE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_ENCODINGS = {
    der.UTF8_STRING: "utf-8",
    der.PRINTABLE_STRING: "ascii",
    der.IA5_STRING: "ascii",
    der.TELETEX_STRING: "latin-1",
    der.BMP_STRING: "utf-16-be",
    der.UNIVERSAL_STRING: "utf-32-be",
}
_MOST_PARTS = 64


@dataclass(frozen=True, slots=True)
class Part:
    """One attribute of a name; `together` says that it shares its RDN with the one before."""

    oid: bytes
    value: str
    together: bool = False

    @property
    def folded(self) -> tuple[bytes, str, bool]:
        """What two equal parts have in common."""
        return self.oid, " ".join(self.value.casefold().split()), self.together

    def __str__(self) -> str:
        value = "".join(f"\\{c}" if c in ',+"\\' else c for c in self.value)
        return f"{_NAMES.get(self.oid) or 'OID.' + self.oid[2:].hex()}={value}"


def parts(data: bytes) -> tuple[Part, ...]:
    """The parts of a Name; ProtocolError where the DER is none."""
    found: list[Part] = []
    for tag, rdn in der.each(der.only(data, der.SEQUENCE)):
        if tag != der.SET:
            raise ProtocolError("relative distinguished name that is no SET")
        for number, (kind, attribute) in enumerate(der.each(rdn)):
            if kind != der.SEQUENCE:
                raise ProtocolError("attribute of a name that is no SEQUENCE")
            oid = der.whole(attribute)
            string, value, _rest = der.take(attribute[len(oid) :])
            found.append(Part(oid, _text(string, value), number > 0))
    if len(found) > _MOST_PARTS:
        raise ProtocolError(f"name of {len(found)} parts; we read {_MOST_PARTS}")
    return tuple(found)


def _text(tag: int, value: bytes) -> str:
    return value.decode(_ENCODINGS[tag], "backslashreplace") if tag in _ENCODINGS else value.hex()


def text(data: bytes) -> str:
    """`C=CH, O=Lab, CN=left`; hexadecimal where the DER is no Name."""
    try:
        found = parts(data)
    except ProtocolError:
        return data.hex()
    return "".join(("" if not n else "+" if p.together else ", ") + str(p) for n, p in enumerate(found))


def encode(written: str) -> bytes:
    """The DER of a written name; ValueError in words."""
    rdns = []
    for piece in _split(written):
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or key.upper() not in _OIDS:
            raise ValueError(f"{piece.strip()!r} is no part of a name (write C=CH, O=Lab, CN=left)")
        rdns.append(der.encode(der.SET, der.sequence(_OIDS[key.upper()], _string(_OIDS[key.upper()], value))))
    return der.sequence(*rdns)


def _split(written: str) -> list[str]:
    """The pieces between commas; a backslash keeps the comma behind it."""
    pieces, escaped = [""], False
    for character in written:
        if escaped or character not in ",\\":
            pieces[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            pieces.append("")
    return pieces


def _string(oid: bytes, value: str) -> bytes:
    octets = value.encode()
    if oid in _IA5:
        return der.encode(der.IA5_STRING, octets)
    return der.encode(der.PRINTABLE_STRING if set(octets) <= _PRINTABLE else der.UTF8_STRING, octets)


def same(one: bytes, other: bytes) -> bool:
    """Whether two Names in DER are the same name."""
    return one == other or _compare(one, other, wild=False)


def covers(pattern: bytes, name: bytes) -> bool:
    """Whether a name fits a pattern whose values may be `*`."""
    return pattern == name or _compare(pattern, name, wild=True)


def _compare(pattern: bytes, name: bytes, *, wild: bool) -> bool:
    try:
        wanted, found = parts(pattern), parts(name)
    except ProtocolError:
        return False
    return len(wanted) == len(found) and all(
        w.folded == f.folded or (wild and w.value == "*" and (w.oid, w.together) == (f.oid, f.together))
        for w, f in zip(wanted, found, strict=True)
    )
