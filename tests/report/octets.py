"""Octets of an IKE message with a tree that names their places, for the made-up runs."""

import random as random_module
from typing import Any

from lab.wire.ids import ExchangeType

SIZES = {"SA": 44, "KE": 36, "No": 32, "AUTH": 36, "IDi": 16, "IDr": 17, "TSi": 20, "TSr": 20, "D": 4}


def octets_of(
    exchange: str, names: list[str], *, response: bool, number: int, random: random_module.Random
) -> tuple[bytes, list[dict[str, Any]]]:
    """(octets, tree) with a correct header and payload chain; the bodies are noise."""
    payloads, tree, at = b"", [], 28
    for place, name in enumerate(names):
        body = random.randbytes(SIZES.get(name, 24))
        length = 4 + len(body)
        following = 0 if place == len(names) - 1 else 41
        payloads += bytes((following, 0)) + length.to_bytes(2, "big") + body
        tree.append({
            "name": name, "value": "", "offset": at, "length": length, "children": [
                _leaf("Next payload", str(following), at, 1), _leaf("Payload length", str(length), at + 2, 2),
                {**_leaf("Body", "", at + 4, len(body)), "children": [_leaf("Data", body.hex(), at + 4, len(body))]},
            ],
        })  # fmt: skip
        at += length
    header = random.randbytes(16) + bytes((33, 0x20, ExchangeType[exchange], 0x20 if response else 0x08))
    header += number.to_bytes(4, "big") + at.to_bytes(4, "big")
    fields = [
        _leaf("Initiator's SPI", header[:8].hex(), 0, 8),
        _leaf("Responder's SPI", header[8:16].hex(), 8, 8),
        _leaf("Exchange type", f"{exchange} ({ExchangeType[exchange]:d})", 18, 1),
        _leaf("Message ID", str(number), 20, 4),
    ]  # fmt: skip
    return header + payloads, [{"name": "Header", "value": "", "offset": 0, "length": 28, "children": fields}, *tree]


def _leaf(name: str, value: str, offset: int, length: int) -> dict[str, Any]:
    return {"name": name, "value": value, "offset": offset, "length": length, "children": []}
