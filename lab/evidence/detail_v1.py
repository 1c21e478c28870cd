"""The tree of an IKEv1 message: header, and payloads in clear or as the decrypted body holds them (RFC 2408 3)."""

from lab.errors import Truncated
from lab.evidence import fields_v1
from lab.evidence.fields import Node, branch, leaf, named, number, rest
from lab.evidence.reading import Reading
from lab.wire.cursor import Reader
from lab.wire.header import SIZE
from lab.wire.ids_v1 import ExchangeType1, PayloadType1

_MAX_PAYLOADS = 200


def message(body: bytes, reading: Reading) -> list[Node]:
    """The nodes of one message; offsets inside an encrypted body count in what it decrypts to."""
    reader = Reader(body)
    tree = [branch("ISAKMP header", 0, reader.block(SIZE), _header) | {"rfc": "2408 3.1"}]
    if not reading.encrypted:
        return [*tree, *_chain(reader, PayloadType1(body[16]))]
    sealed = leaf(reader, "Encrypted payloads", reader.left)
    if reading.chain is not None:
        inside = _chain(Reader(reading.chain), PayloadType1(body[16]))
        sealed["children"] = [{**node, "of": "plain"} for node in inside]
    return [*tree, sealed]


def _header(reader: Reader) -> list[Node]:
    found = [leaf(reader, "Initiator cookie", 8), leaf(reader, "Responder cookie", 8)]
    found.append(leaf(reader, "Next payload", 1, named(PayloadType1)))
    found.append(leaf(reader, "Version", 1, lambda data: f"{data[0] >> 4}.{data[0] & 15}"))
    found.append(leaf(reader, "Exchange type", 1, named(ExchangeType1)))
    found.append(leaf(reader, "Flags", 1, _flags))
    return [*found, leaf(reader, "Message ID", 4), leaf(reader, "Length", 4, number)]


def _flags(data: bytes) -> str:
    words = [word for bit, word in ((1, "encryption"), (2, "commit"), (4, "authentication only")) if data[0] & bit]
    return f"{' '.join(words) or 'none'} (0x{data[0]:02x})"


def _chain(reader: Reader, kind: PayloadType1) -> list[Node]:
    """Payloads one after the other, until one says that none follows or the octets end."""
    found: list[Node] = []
    while kind != PayloadType1.NONE and len(found) < _MAX_PAYLOADS:
        at = reader.position
        try:
            node, kind = _payload(reader, kind)
        except Truncated as error:
            return [*found, {"name": "malformed", "value": error.reason, "at": [at, reader.left]}]
        found.append(node)
    return found + rest(reader, "Octets behind the last payload")


def _payload(reader: Reader, kind: PayloadType1) -> tuple[Node, PayloadType1]:
    at = reader.position
    front = [leaf(reader, "Next payload", 1, named(PayloadType1))]
    following = PayloadType1(int(front[0]["value"].rpartition("(")[2][:-1]))
    front += [leaf(reader, "Reserved", 1), leaf(reader, "Length", 2, number)]
    inside = reader.block(int(front[2]["value"]) - 4)
    layout, section = fields_v1.LAYOUTS.get(kind, (lambda left: rest(left, "Data"), ""))
    node = branch(kind.name, at, inside, layout)
    node["children"] = front + node["children"]
    return node | ({"rfc": section} if section else {}), following
