"""Messages opened up, for tests: payload trees as detail.json has them, and the ladder that goes with them."""

import json
from pathlib import Path
from typing import Any

from lab.report import detail, ladder
from lab.report.detail import Detail
from lab.report.ladder import Message

START = 1_764_000_000.0
Node = dict[str, Any]
SPIS = "1111111111111111:2222222222222222"


def node(name: str, value: str = "", children: list[Node] | None = None, rfc: str = "") -> Node:
    return {"name": name, "value": value, "children": children or [], "rfc": rfc}


def proposal(protocol: str, *transforms: str, number: int = 1, spi: str = "") -> Node:
    """`proposal("ESP (3)", "ENCR ENCR_AES_CBC 256", "ESN NO_ESN")`."""
    inside = [node("Number", str(number)), node("Protocol", protocol), *([node("SPI", spi)] if spi else [])]
    for text in transforms:
        kind, name, *bits = text.split()
        parts = [node("Type", f"{kind} (1)"), node("ID", f"{name} (1)")] + [node("KEY_LENGTH", bit) for bit in bits]
        inside.append(node("Transform", "", parts))
    return node("Proposal", "", inside)


def sa(*proposals: Node) -> Node:
    return node("SA", "", list(proposals), "7296 3.3")


def notify(kind: str, spi: str = "") -> Node:
    return node("N", "", [node("Type", f"{kind} (1)"), *([node("SPI", spi)] if spi else [])], "7296 3.10")


def delete(protocol: str, *spis: str) -> Node:
    return node("D", "", [node("Protocol", protocol), *(node("SPI", spi) for spi in spis)], "7296 3.11")


def ts(name: str, *ranges: tuple[str, str, str, str, str]) -> Node:
    """Selectors of (protocol, first and last port, first and last address)."""
    fields = ("IP protocol", "Start port", "End port", "Start address", "End address")
    found = [node("Traffic selector", "", [node(f, v) for f, v in zip(fields, one, strict=True)]) for one in ranges]
    return node(name, "", found, "7296 3.13")


def sealed(*payloads: Node) -> Node:
    return node("SK", "", [node("IV, ciphertext, ICV", "00"), *payloads], "7296 3.14")


class Talk:
    """A conversation between `left` and `right`, a message every 10 ms."""

    def __init__(self) -> None:
        self._ladder: list[Node] = []
        self._details: list[Node] = []

    def ike(
        self, exchange: str, *tree: Node, by: str = "left", mid: int = 0, spi: str = SPIS, v1: bool = False, **more: Any
    ) -> int:
        """One IKE message; by `right` it is a response unless told otherwise."""
        response = more.pop("response", by == "right" and not v1)
        own = {"exchange": exchange, "message_id": mid, "response": response, "spi": spi}
        return self._add({"protocol": "IKEv1" if v1 else "IKEv2", **own, **more}, by, {"tree": list(tree)})

    def esp(self, spi: str, by: str = "left", raw: str = "", plain: str = "", **more: Any) -> int:
        told = {"protocol": "ESP", "spi": spi, "length": 120, "seq": 1, **more}
        return self._add(told, by, {"raw": raw, "plain": plain})

    def _add(self, entry: Node, by: str, opened: Node) -> int:
        n = len(self._ladder)
        at = START + 0.01 * n
        ends = {"from": by, "to": "right" if by == "left" else "left"}
        self._ladder.append({"n": n, "t_sent": at, "t_received": at + 0.001, **ends, **entry})
        self._details.append({"n": n, **opened})
        return n

    def write(self, place: Path, **result: Any) -> None:
        """The directory of a scenario with these messages."""
        (place / "logs").mkdir(parents=True)
        told = {"id": "g/talk", "pairing": "ours>strongswan", "verdict": "passed", "steps": []} | result
        for name, value in (("result", told), ("ladder", self._ladder), ("detail", self._details)):
            (place / f"{name}.json").write_text(json.dumps(value))

    @property
    def messages(self) -> list[Message]:
        return ladder.read(self._ladder)

    @property
    def details(self) -> dict[int, Detail]:
        return detail.read(self._details)
