"""Octets of an IKE message with a tree that names their places, as detail.json has them, for the made-up runs."""

import random as random_module
from typing import Any

from lab.wire.ids import ExchangeType

Node = dict[str, Any]
SIZES = {"SA": 44, "KE": 36, "No": 32, "AUTH": 36, "IDi": 16, "IDr": 17, "TSi": 20, "TSr": 20, "D": 4}


def detail_of(
    exchange: str, names: list[str], *, response: bool, number: int, random: random_module.Random
) -> tuple[int, Node]:
    """(length, entry of detail.json) with a correct header and chain; the bodies are noise."""
    sealed = exchange != "IKE_SA_INIT"
    chain, inner = _chain(names, 0 if sealed else 28, random)
    if sealed:
        body = random.randbytes(8 + len(chain) + 17)
        outer = bytes((35, 0)) + (4 + len(body)).to_bytes(2, "big") + body
        inside = [{**node, "of": "plain"} for node in inner]
        places = [leaf("Next payload", "IDi (35)", 28, 1), leaf("Length", str(len(outer)), 30, 2)]
        tree = [{**leaf("SK", "", 28, len(outer)), "rfc": "7296 3.14", "children": [*places, *inside]}]
    else:
        outer, tree = chain, inner
    octets = random.randbytes(16) + bytes((46 if sealed else 33, 0x20, ExchangeType[exchange], 0x20 if response else 8))
    octets += number.to_bytes(4, "big") + (28 + len(outer)).to_bytes(4, "big") + outer
    header = {**leaf("IKE header", "", 0, 28), "rfc": "7296 3.1", "children": _header(octets, exchange)}
    entry = {"raw": octets.hex(), **({"plain": chain.hex()} if sealed else {})}
    return len(octets), {**entry, "tree": [{**node, "of": "raw"} for node in [header, *tree]]}


def leaf(name: str, value: str, offset: int, length: int) -> Node:
    """A node of the tree."""
    return {"name": name, "value": value, "at": [offset, length]}


def _header(octets: bytes, exchange: str) -> list[Node]:
    return [
        leaf("Initiator SPI", octets[:8].hex(), 0, 8),
        leaf("Responder SPI", octets[8:16].hex(), 8, 8),
        leaf("Exchange type", f"{exchange} ({ExchangeType[exchange]:d})", 18, 1),
        leaf("Message ID", str(int.from_bytes(octets[20:24], "big")), 20, 4),
        leaf("Length", str(len(octets)), 24, 4),
    ]


def _chain(names: list[str], start: int, random: random_module.Random) -> tuple[bytes, list[Node]]:
    octets, tree = b"", []
    for place, name in enumerate(names):
        body, at = random.randbytes(SIZES.get(name, 24)), start + len(octets)
        octets += bytes((0 if place == len(names) - 1 else 41, 0)) + (4 + len(body)).to_bytes(2, "big") + body
        fields = [
            leaf("Next payload", "NONE (0)" if place == len(names) - 1 else "N (41)", at, 1),
            leaf("Length", str(4 + len(body)), at + 2, 2),
            leaf("Data", body.hex(), at + 4, len(body)),
        ]
        tree.append({**leaf(name, "", at, 4 + len(body)), "rfc": "7296 3.3", "children": fields})
    return octets, tree
