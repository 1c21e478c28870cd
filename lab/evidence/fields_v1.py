"""The fields of IKEv1 payloads with their places in the octets; what a node is stands in `fields`."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address

from lab.evidence import names_v1
from lab.evidence.fields import Node, Show, branch, configured, leaf, named, number, octets, rest
from lab.wire.cursor import Reader
from lab.wire.ids import CertEncoding, CfgAttribute, OpenEnum
from lab.wire.ids_v1 import CfgType1, IdType1, NotifyType1, PayloadType1, Phase1, Phase2, Protocol1, Xauth1
from lab.wire.message_v1 import Payload1
from lab.wire.payloads_v1 import Attribute, Attributes1

_XAUTH = frozenset(int(one) for one in Xauth1)
_TEXT_IDS = (IdType1.ID_FQDN, IdType1.ID_USER_FQDN)


def sa(reader: Reader) -> list[Node]:
    """DOI, situation, proposals (RFC 2408 3.4, RFC 2407 4.6.1)."""
    found = [leaf(reader, "DOI", 4, number), leaf(reader, "Situation", 4, number)]
    while reader.left:
        found.append(_nested(reader, "Proposal", _proposal))
    return found


def _nested(reader: Reader, name: str, parts: Callable[[Reader], list[Node]]) -> Node:
    """A proposal or transform payload: next payload, reserved octet, length, content."""
    at = reader.position
    front = [leaf(reader, "Next payload", 1, named(PayloadType1)), leaf(reader, "Reserved", 1)]
    front.append(leaf(reader, "Length", 2, number))
    inside = reader.block(min(max(int(front[-1]["value"]) - 4, 0), reader.left))
    node = branch(name, at, inside, parts)
    node["children"] = front + node["children"]
    return node


def _proposal(reader: Reader) -> list[Node]:
    found = [leaf(reader, "Number", 1, number), leaf(reader, "Protocol", 1, named(Protocol1))]
    found += [leaf(reader, "SPI size", 1, number), leaf(reader, "Transforms", 1, number)]
    if size := int(found[2]["value"]):
        found.append(leaf(reader, "SPI", size))
    protocol = _number(found[1])
    while reader.left:
        found.append(_nested(reader, "Transform", lambda inside: _transform(inside, protocol)))
    return found


def _transform(reader: Reader, protocol: int) -> list[Node]:
    def identified(data: bytes) -> str:
        return names_v1.transform(protocol, data[0])

    kind = Phase1 if protocol == Protocol1.ISAKMP else Phase2
    found = [leaf(reader, "Number", 1, number), leaf(reader, "ID", 1, identified), leaf(reader, "Reserved", 2)]
    while reader.left:
        found.append(_attribute(reader, kind))
    return found


def _number(node: Node) -> int:
    """The number of a field that is shown as `ESP (3)`."""
    return int(node["value"].rpartition("(")[2][:-1])


def _attribute(reader: Reader, kind: Callable[[int], OpenEnum]) -> Node:
    at, first = reader.position, reader.u16()
    short = first & 0x8000
    value = reader.take(2) if short else reader.take(reader.u16())
    attribute = kind(first & 0x7FFF)
    shown = names_v1.value(attribute, int.from_bytes(value)) if short or len(value) <= 4 else octets(value)
    return {"name": attribute.name, "value": shown, "at": [at, reader.position - at]}


def identity(reader: Reader) -> list[Node]:
    """Identification (RFC 2407 4.6.2)."""
    kind = leaf(reader, "ID type", 1, named(IdType1))
    shown = _identity(_number(kind))
    front = [kind, leaf(reader, "IP protocol", 1, number), leaf(reader, "Port", 2, number)]
    return [*front, *rest(reader, "Identification", shown)]


def _identity(kind: int) -> Show:
    def show(data: bytes) -> str:
        if kind in _TEXT_IDS:
            return data.decode(errors="replace")
        if (
            kind in (IdType1.ID_IPV4_ADDR, IdType1.ID_IPV4_ADDR_SUBNET, IdType1.ID_IPV4_ADDR_RANGE)
            and len(data) % 4 == 0
        ):
            return " ".join(str(IPv4Address(data[at : at + 4])) for at in range(0, len(data), 4))
        if kind in (IdType1.ID_IPV6_ADDR, IdType1.ID_IPV6_ADDR_SUBNET) and len(data) % 16 == 0:
            return " ".join(str(IPv6Address(data[at : at + 16])) for at in range(0, len(data), 16))
        return data.hex()

    return show


def cert(reader: Reader) -> list[Node]:
    """Certificate and Certificate Request (RFC 2408 3.9, 3.10)."""
    return [leaf(reader, "Encoding", 1, named(CertEncoding)), *rest(reader, "Data")]


def notify(reader: Reader) -> list[Node]:
    """Notification (RFC 2408 3.14)."""
    found = [leaf(reader, "DOI", 4, number), leaf(reader, "Protocol", 1, named(Protocol1))]
    found += [leaf(reader, "SPI size", 1, number), leaf(reader, "Type", 2, named(NotifyType1))]
    if size := int(found[2]["value"]):
        found.append(leaf(reader, "SPI", size))
    return found + rest(reader, "Data")


def delete(reader: Reader) -> list[Node]:
    """Delete (RFC 2408 3.15)."""
    found = [leaf(reader, "DOI", 4, number), leaf(reader, "Protocol", 1, named(Protocol1))]
    found += [leaf(reader, "SPI size", 1, number), leaf(reader, "SPIs", 2, number)]
    size, count = int(found[2]["value"]), int(found[3]["value"])
    return found + [leaf(reader, "SPI", size) for _ in range(count if size else 0)]


def attributes(reader: Reader) -> list[Node]:
    """Attributes of a Transaction exchange (draft-ietf-ipsec-isakmp-mode-cfg 3.2)."""
    found = [
        leaf(reader, "Type", 1, named(CfgType1)),
        leaf(reader, "Reserved", 1),
        leaf(reader, "Identifier", 2, number),
    ]
    while reader.left:
        found.append(_attribute(reader, _configuration))
    return found


def _configuration(number: int) -> OpenEnum:
    """XAUTH has numbers of its own, Mode Config those of IKEv2."""
    return Xauth1(number) if number in _XAUTH else CfgAttribute(number)


def in_words(payloads: Iterable[Payload1]) -> tuple[str, ...]:
    """What the Attribute payloads of a message hold: `INTERNAL_IP4_ADDRESS 10.3.0.1`, or a name where nothing is in it.

    Of XAUTH the names alone: a password has no place in a ladder.
    """
    found = (one for payload in payloads if isinstance(payload, Attributes1) for one in payload.attributes)
    return tuple(map(_words, found))


def _words(one: Attribute) -> str:
    kind, value = _configuration(int(one.type)), one.value
    octets = value if isinstance(value, bytes) else value.to_bytes(2, "big")
    return kind.name if isinstance(kind, Xauth1) else f"{kind.name} {configured(kind, octets)}".strip()


def original_address(reader: Reader) -> list[Node]:
    """NAT Original Address (RFC 3947 5.2)."""
    kind = leaf(reader, "ID type", 1, named(IdType1))
    shown = _identity(_number(kind))
    return [kind, leaf(reader, "Reserved", 3), *rest(reader, "Address", shown)]


def _only(name: str) -> Callable[[Reader], list[Node]]:
    return lambda reader: rest(reader, name)


# type -> layout, section of the RFC
LAYOUTS: dict[int, tuple[Callable[[Reader], list[Node]], str]] = {
    PayloadType1.SA: (sa, "2408 3.4"),
    PayloadType1.KE: (_only("Key exchange data"), "2408 3.7"),
    PayloadType1.ID: (identity, "2407 4.6.2"),
    PayloadType1.CERT: (cert, "2408 3.9"),
    PayloadType1.CR: (cert, "2408 3.10"),
    PayloadType1.HASH: (_only("Hash"), "2408 3.11"),
    PayloadType1.SIG: (_only("Signature"), "2408 3.12"),
    PayloadType1.NONCE: (_only("Nonce"), "2408 3.13"),
    PayloadType1.N: (notify, "2408 3.14"),
    PayloadType1.D: (delete, "2408 3.15"),
    PayloadType1.VID: (_only("Vendor ID"), "2408 3.16"),
    PayloadType1.ATTR: (attributes, ""),
    PayloadType1.NAT_D: (_only("Hash of address and port"), "3947 3.2"),
    PayloadType1.NAT_D_DRAFT: (_only("Hash of address and port"), "3947 3.2"),
    PayloadType1.NAT_OA: (original_address, "3947 5.2"),
    PayloadType1.NAT_OA_DRAFT: (original_address, "3947 5.2"),
}
