"""The fields of IKEv2 payloads with their places in the octets, for a tree beside a hex view.

A node is `{"name", "value", "at": [offset, length]}`, with `children` where it has parts. Offsets count from the start
of the octets the reader was made on. This walk is apart from lab.wire, whose values keep no offsets; it shows what is
there, also where it breaks a rule: octets that do not fit become a node `malformed`.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from lab.errors import Truncated
from lab.wire.cursor import Reader
from lab.wire.ids import (
    AttributeType,
    AuthMethod,
    CertEncoding,
    CfgAttribute,
    CfgType,
    Encr,
    Esn,
    IdType,
    Integ,
    KeMethod,
    NotifyType,
    OpenEnum,
    PayloadType,
    Prf,
    ProtocolId,
    TransformType,
    TsType,
)

Node = dict[str, Any]
Show = Callable[[bytes], str]

_TRANSFORMS: dict[int, type[OpenEnum]] = {1: Encr, 2: Prf, 3: Integ, 4: KeMethod, 5: Esn} | dict.fromkeys(
    range(6, 13), KeMethod
)
_EAP_CODES = {1: "Request", 2: "Response", 3: "Success", 4: "Failure"}
_TEXT_IDS = (IdType.ID_FQDN, IdType.ID_RFC822_ADDR)


def number(data: bytes) -> str:
    """An unsigned number."""
    return str(int.from_bytes(data, "big"))


def octets(data: bytes) -> str:
    """Hex digits."""
    return data.hex()


def named(kind: type[OpenEnum]) -> Show:
    """A number of a registry with its name."""
    return lambda data: f"{kind(int.from_bytes(data, 'big')).name} ({int.from_bytes(data, 'big')})"


def leaf(reader: Reader, name: str, length: int, show: Show = octets) -> Node:
    """The next `length` octets as one field."""
    at = reader.position
    return {"name": name, "value": show(reader.take(length)), "at": [at, length]}


def rest(reader: Reader, name: str, show: Show = octets) -> list[Node]:
    """All octets that are left as one field; none if nothing is left."""
    return [leaf(reader, name, reader.left, show)] if reader.left else []


def branch(name: str, at: int, reader: Reader, parts: Callable[[Reader], list[Node]], value: str = "") -> Node:
    """A part with parts of its own, up to the end of `reader`; what cannot be read ends in a node `malformed`."""
    start, children = reader.position, []
    end = start + reader.left
    try:
        children = parts(reader)
        children += rest(reader, "Octets left over")
    except Truncated as error:
        children.append({"name": "malformed", "value": error.reason, "at": [start, end - start]})
    return {"name": name, "value": value, "at": [at, end - at], "children": children}


def substructure(reader: Reader, name: str, parts: Callable[[Reader], list[Node]]) -> Node:
    """A proposal or transform: last/more octet, reserved octet, length, content."""
    at = reader.position
    front = [leaf(reader, "Last or more", 1, number), leaf(reader, "Reserved", 1)]
    front.append(leaf(reader, "Length", 2, number))
    inside = reader.block(min(max(int(front[-1]["value"]) - 4, 0), reader.left))
    node = branch(name, at, inside, parts)
    node["children"] = front + node["children"]
    return node


def sa(reader: Reader) -> list[Node]:
    """Proposals (RFC 7296 3.3)."""
    found = []
    while reader.left:
        found.append(substructure(reader, "Proposal", _proposal))
    return found


def _proposal(reader: Reader) -> list[Node]:
    found = [leaf(reader, "Number", 1, number), leaf(reader, "Protocol", 1, named(ProtocolId))]
    size, count = leaf(reader, "SPI size", 1, number), leaf(reader, "Transforms", 1, number)
    found += [size, count]
    if int(size["value"]):
        found.append(leaf(reader, "SPI", int(size["value"])))
    while reader.left:
        found.append(substructure(reader, "Transform", _transform))
    return found


def _transform(reader: Reader) -> list[Node]:
    kind = leaf(reader, "Type", 1, number)
    registry = _TRANSFORMS.get(int(kind["value"]))
    kind["value"] = f"{TransformType(int(kind['value'])).name} ({kind['value']})"
    found = [kind, leaf(reader, "Reserved", 1), leaf(reader, "ID", 2, named(registry) if registry else number)]
    while reader.left:
        found.append(_attribute(reader))
    return found


def _attribute(reader: Reader) -> Node:
    at, kind = reader.position, reader.u16()
    short = kind & 0x8000
    value = reader.take(2) if short else reader.take(reader.u16())
    name = AttributeType(kind & 0x7FFF).name
    return {"name": name, "value": number(value) if short else octets(value), "at": [at, reader.position - at]}


def ke(reader: Reader) -> list[Node]:
    """Key Exchange (RFC 7296 3.4)."""
    method = leaf(reader, "Method", 2, named(KeMethod))
    return [method, leaf(reader, "Reserved", 2), *rest(reader, "Key exchange data")]


def identity(reader: Reader) -> list[Node]:
    """Identification (RFC 7296 3.5)."""
    kind = leaf(reader, "ID type", 1, number)
    shown = _identity(int(kind["value"]))
    kind["value"] = f"{IdType(int(kind['value'])).name} ({kind['value']})"
    return [kind, leaf(reader, "Reserved", 3), *rest(reader, "Identification", shown)]


def _identity(kind: int) -> Show:
    def show(data: bytes) -> str:
        if kind in _TEXT_IDS:
            return data.decode(errors="replace")
        if kind == IdType.ID_IPV4_ADDR and len(data) == 4:
            return str(IPv4Address(data))
        if kind == IdType.ID_IPV6_ADDR and len(data) == 16:
            return str(IPv6Address(data))
        return data.hex()

    return show


def cert(reader: Reader) -> list[Node]:
    """Certificate and Certificate Request (RFC 7296 3.6, 3.7)."""
    return [leaf(reader, "Encoding", 1, named(CertEncoding)), *rest(reader, "Data")]


def auth(reader: Reader) -> list[Node]:
    """Authentication (RFC 7296 3.8)."""
    method = leaf(reader, "Method", 1, named(AuthMethod))
    return [method, leaf(reader, "Reserved", 3), *rest(reader, "Authentication data")]


def notify(reader: Reader) -> list[Node]:
    """Notify (RFC 7296 3.10)."""
    found = [leaf(reader, "Protocol", 1, named(ProtocolId)), leaf(reader, "SPI size", 1, number)]
    found.append(leaf(reader, "Type", 2, named(NotifyType)))
    if size := int(found[1]["value"]):
        found.append(leaf(reader, "SPI", size))
    return found + rest(reader, "Data")


def delete(reader: Reader) -> list[Node]:
    """Delete (RFC 7296 3.11)."""
    found = [leaf(reader, "Protocol", 1, named(ProtocolId)), leaf(reader, "SPI size", 1, number)]
    found.append(leaf(reader, "SPIs", 2, number))
    size, count = int(found[1]["value"]), int(found[2]["value"])
    return found + [leaf(reader, "SPI", size) for _ in range(count if size else 0)]


def ts(reader: Reader) -> list[Node]:
    """Traffic Selectors (RFC 7296 3.13)."""
    found = [leaf(reader, "Selectors", 1, number), leaf(reader, "Reserved", 3)]
    while reader.left:
        found.append(_selector(reader))
    return found


def _selector(reader: Reader) -> Node:
    at = reader.position
    front = [leaf(reader, "Type", 1, named(TsType)), leaf(reader, "IP protocol", 1, number)]
    front.append(leaf(reader, "Length", 2, number))
    inside = reader.block(min(max(int(front[-1]["value"]) - 4, 0), reader.left))
    node = branch("Traffic selector", at, inside, _range)
    node["children"] = front + node["children"]
    return node


def _range(reader: Reader) -> list[Node]:
    found = [leaf(reader, "Start port", 2, number), leaf(reader, "End port", 2, number)]
    if reader.left in (8, 32):
        size = reader.left // 2
        found += [leaf(reader, name, size, _address) for name in ("Start address", "End address")]
    return found


def _address(data: bytes) -> str:
    return str(IPv4Address(data) if len(data) == 4 else IPv6Address(data))


def cp(reader: Reader) -> list[Node]:
    """Configuration (RFC 7296 3.15)."""
    found = [leaf(reader, "Type", 1, named(CfgType)), leaf(reader, "Reserved", 3)]
    while reader.left:
        at, kind = reader.position, reader.u16() & 0x7FFF
        shown = configured(kind, reader.take(reader.u16()))
        found.append({"name": CfgAttribute(kind).name, "value": shown, "at": [at, reader.position - at]})
    return found


def configured(kind: int, value: bytes) -> str:
    """The value of a configuration attribute: an address, an address with its prefix length, else hex digits."""
    if kind in _ADDRESSES and len(value) in (4, 16):
        return _address(value)
    if kind in _ADDRESSES and len(value) == 17:
        return f"{IPv6Address(value[:16])}/{value[16]}"
    if kind == CfgAttribute.INTERNAL_IP4_SUBNET and len(value) == 8:
        return f"{IPv4Address(value[:4])}/{IPv4Address(value[4:])}"
    return value.hex()


_ADDRESSES = {
    CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP4_NETMASK, CfgAttribute.INTERNAL_IP4_DNS,
    CfgAttribute.INTERNAL_IP4_NBNS, CfgAttribute.INTERNAL_IP4_DHCP, CfgAttribute.INTERNAL_IP6_ADDRESS,
    CfgAttribute.INTERNAL_IP6_DNS, CfgAttribute.INTERNAL_IP6_DHCP, CfgAttribute.INTERNAL_IP6_SUBNET,
}  # fmt: skip


def eap(reader: Reader) -> list[Node]:
    """EAP (RFC 7296 3.16, RFC 3748 4)."""
    code = leaf(reader, "Code", 1, lambda data: f"{_EAP_CODES.get(data[0], 'unknown')} ({data[0]})")
    found = [code, leaf(reader, "Identifier", 1, number), leaf(reader, "Length", 2, number)]
    if reader.left:
        found.append(leaf(reader, "Type", 1, number))
    return found + rest(reader, "Type data")


def fragment(reader: Reader) -> list[Node]:
    """Encrypted Fragment (RFC 7383 2.5)."""
    found = [leaf(reader, "Fragment number", 2, number), leaf(reader, "Total fragments", 2, number)]
    return found + rest(reader, "IV, ciphertext, ICV")


# type -> layout, section of the RFC
LAYOUTS: dict[int, tuple[Callable[[Reader], list[Node]], str]] = {
    PayloadType.SA: (sa, "7296 3.3"),
    PayloadType.KE: (ke, "7296 3.4"),
    PayloadType.IDi: (identity, "7296 3.5"),
    PayloadType.IDr: (identity, "7296 3.5"),
    PayloadType.CERT: (cert, "7296 3.6"),
    PayloadType.CERTREQ: (cert, "7296 3.7"),
    PayloadType.AUTH: (auth, "7296 3.8"),
    PayloadType.NONCE: (lambda reader: rest(reader, "Nonce"), "7296 3.9"),
    PayloadType.N: (notify, "7296 3.10"),
    PayloadType.D: (delete, "7296 3.11"),
    PayloadType.V: (lambda reader: rest(reader, "Vendor ID"), "7296 3.12"),
    PayloadType.TSi: (ts, "7296 3.13"),
    PayloadType.TSr: (ts, "7296 3.13"),
    PayloadType.SK: (lambda reader: rest(reader, "IV, ciphertext, ICV"), "7296 3.14"),
    PayloadType.CP: (cp, "7296 3.15"),
    PayloadType.EAP: (eap, "7296 3.16"),
    PayloadType.SKF: (fragment, "7383 2.5"),
}
