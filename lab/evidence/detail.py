"""detail.json: the octets of each message and the tree of its fields; the list index is the ladder's `n`.

    {"n", "raw": hex, "tree": [node]}      `raw` is the IKE message, ESP packet or AH with payload as captured
    {"n", ..., "plain": hex}               what was inside SK (the payload chain) or ESP (the packet), where a key fits
    {"n", "same_as": k}                    a retransmission: its octets are those of #k
    {"n", "omitted": true}                 one of many ESP or AH packets of an SA; the capture has it

A node is what fields.py says, with `of`: "raw" or "plain" where its octets change (children inherit it), and `rfc`, the
section that defines it. Kept apart from ladder.json, which stays small.
"""

from typing import Any

from lab.errors import Truncated
from lab.evidence import detail_v1, fields
from lab.evidence.fields import Node, branch, leaf, named, number
from lab.evidence.inner import summary
from lab.evidence.keyring import Inner
from lab.evidence.reading import Reading
from lab.evidence.scene import Scene
from lab.wire.cursor import Reader
from lab.wire.header import SIZE
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.sealed import EncryptedFragment

# As many ESP or AH packets of one SA are shown in full.
ESP_SHOWN = 16
_MAX_PAYLOADS = 200


def build(scene: Scene) -> list[dict[str, Any]]:
    """The details of every ladder entry."""
    shown: dict[str, int] = {}
    found = []
    for entry, flight in zip(scene.ladder, scene.flights, strict=True):
        n, detail = entry["n"], {"n": entry["n"]}
        shown[entry["spi"]] = shown.get(entry["spi"], 0) + 1
        if entry["retransmit_of"] is not None:
            found.append({"n": n, "same_as": entry["retransmit_of"]})
        elif entry["protocol"] in ("ESP", "AH") and shown[entry["spi"]] > ESP_SHOWN:
            found.append({"n": n, "omitted": True})
        else:
            found.append(detail | of_datagram(flight.first.body, scene.reader.read(flight.first)))
    return found


def of_datagram(body: bytes, reading: Reading) -> dict[str, Any]:
    """Octets and tree of one datagram."""
    detail: dict[str, Any] = {"raw": body.hex()}
    if reading.header is not None and reading.header.major == 2:
        plain = reading.chain
        tree = _message(body, reading)
    elif reading.isakmp is not None:
        plain = reading.chain
        tree = detail_v1.message(body, reading)
    elif reading.protocol == "ESP":
        plain = reading.esp.data if reading.esp else None
        tree = _esp(body, reading)
    elif reading.ah is not None:
        plain, tree = None, _ah(body, reading.ah)
    else:
        plain, tree = None, _other(body, reading.protocol)
    if plain is not None:
        detail["plain"] = plain.hex()
    return detail | {"tree": [{**node, "of": node.get("of", "raw")} for node in tree]}


def _message(body: bytes, reading: Reading) -> list[Node]:
    """The header, the payloads outside, and those inside SK below it."""
    reader = Reader(body)
    header = branch("IKE header", 0, reader.block(SIZE), _header) | {"rfc": "7296 3.1"}
    tree = [header, *_chain(reader, PayloadType(body[16]))]
    piece = reading.message is not None and isinstance(reading.message.sealed, EncryptedFragment) and not reading.whole
    if reading.chain is not None and tree and piece:
        node = {"name": "Piece of the payload chain", "value": f"{len(reading.chain)} octets"}
        tree[-1].setdefault("children", []).append(node | {"at": [0, len(reading.chain)], "of": "plain"})
    elif reading.chain is not None and tree:
        inside = [{**node, "of": "plain"} for node in _chain(Reader(reading.chain), reading.first_inside)]
        tree[-1].setdefault("children", []).extend(inside)
    return tree


def _header(reader: Reader) -> list[Node]:
    found = [leaf(reader, "Initiator SPI", 8), leaf(reader, "Responder SPI", 8)]
    found.append(leaf(reader, "Next payload", 1, named(PayloadType)))
    found.append(leaf(reader, "Version", 1, lambda data: f"{data[0] >> 4}.{data[0] & 15}"))
    found.append(leaf(reader, "Exchange type", 1, named(ExchangeType)))
    found.append(leaf(reader, "Flags", 1, _flags))
    return [*found, leaf(reader, "Message ID", 4, number), leaf(reader, "Length", 4, number)]


def _flags(data: bytes) -> str:
    words = [word for bit, word in ((0x08, "initiator"), (0x10, "version"), (0x20, "response")) if data[0] & bit]
    return f"{' '.join(words) or 'none'} (0x{data[0]:02x})"


def _chain(reader: Reader, kind: PayloadType) -> list[Node]:
    """Payloads one after the other, until one says that none follows or the octets end."""
    found: list[Node] = []
    while kind != PayloadType.NONE and len(found) < _MAX_PAYLOADS:
        at = reader.position
        try:
            node, following = _payload(reader, kind)
        except Truncated as error:
            return [*found, {"name": "malformed", "value": error.reason, "at": [at, reader.left]}]
        found.append(node)
        if kind in (PayloadType.SK, PayloadType.SKF):
            return found
        kind = following
    if reader.left:
        found.append(leaf(reader, "Octets behind the last payload", reader.left))
    return found


def _payload(reader: Reader, kind: PayloadType) -> tuple[Node, PayloadType]:
    at = reader.position
    front = [leaf(reader, "Next payload", 1, named(PayloadType))]
    following = PayloadType(int(front[0]["value"].rpartition("(")[2][:-1]))
    front.append(leaf(reader, "Critical", 1, lambda data: "yes" if data[0] & 0x80 else "no"))
    front.append(leaf(reader, "Length", 2, number))
    inside = reader.block(int(front[2]["value"]) - 4)
    layout, section = fields.LAYOUTS.get(kind, (lambda rest: fields.rest(rest, "Data"), ""))
    node = branch(kind.name, at, inside, layout)
    node["children"] = front + node["children"]
    return node | ({"rfc": section} if section else {}), following


def _esp(body: bytes, reading: Reading) -> list[Node]:
    tree = [branch("ESP header", 0, Reader(body).block(8), _esp_header) | {"rfc": "4303 2"}]
    tree.append({"name": "IV, ciphertext, ICV", "value": "", "at": [8, len(body) - 8]})
    if reading.esp is not None:
        inner = reading.esp
        what = summary(inner.packet) if inner.packet is not None else f"protocol {inner.next_header}"
        place = {"at": [0, len(inner.data)], "of": "plain"}
        tree.append({"name": "Packet inside", "value": f"{what}; {inner.padding} octets of padding", **place})
    return tree


def _ah(body: bytes, inner: Inner) -> list[Node]:
    size = len(body) - len(inner.data)
    tree = [branch("Authentication Header", 0, Reader(body).block(size), _ah_header) | {"rfc": "4302 2"}]
    what = summary(inner.packet) if inner.packet is not None else f"protocol {inner.next_header}"
    return [*tree, {"name": "Packet inside, in the clear", "value": what, "at": [size, len(inner.data)]}]


def _ah_header(reader: Reader) -> list[Node]:
    found = [leaf(reader, "Next header", 1, number), leaf(reader, "Payload length", 1, number)]
    found += [leaf(reader, "Reserved", 2), leaf(reader, "SPI", 4), leaf(reader, "Sequence number", 4, number)]
    return found + fields.rest(reader, "ICV and its padding")


def _other(body: bytes, protocol: str) -> list[Node]:
    """What has no tree of its own here: its octets as they are."""
    node = {"name": protocol, "value": body[:64].hex(), "at": [0, len(body)]}
    return [node | ({"rfc": "3948 2.3"} if protocol == "NAT-keepalive" else {})]


def _esp_header(reader: Reader) -> list[Node]:
    return [leaf(reader, "SPI", 4), leaf(reader, "Sequence number", 4, number)]
