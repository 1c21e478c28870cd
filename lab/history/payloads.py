"""Two readings of one message, field by field: a tree of detail.json becomes paths with values.

Rules of this file: what chance decides in every run is compared by its length only, and not at all where chance
decides the length too (signatures in DER, certificates, TLS inside EAP). Lengths are not compared by themselves: a
field that is longer, new or gone says more.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Node = Mapping[str, Any]
Fields = dict[str, str]

# Chosen or computed anew in every run, always as long.
CHANCE = frozenset(
    {
        "Initiator SPI",
        "Responder SPI",
        "Initiator cookie",
        "Responder cookie",
        "SPI",
        "Nonce",
        "Key exchange data",
        "Hash of address and port",
        "Hash",
    }
)
# Anew in every run, and as long as chance has it.
UNLIKE = frozenset(
    {
        "Authentication data",
        "Signature",
        "IV, ciphertext, ICV",
        "Encrypted payloads",
        "Type data",
        "Piece of the payload chain",
        "ICV and its padding",
    }
)
PASSED_OVER = frozenset({"Length", "Payload length"})
# Of the header of IKEv1, chance decides this too.
CHANCE_IN_ISAKMP = "Message ID"
# Parts whose field `Data` is chance, by the name of the part or of the notify in it.
CHANCE_DATA = frozenset(
    {
        "NAT_DETECTION_SOURCE_IP",
        "NAT_DETECTION_DESTINATION_IP",
        "COOKIE",
        "COOKIE2",
        "ADDITIONAL_KEY_EXCHANGE",
        "REDIRECT",
        "NO_PPK_AUTH",
        "INVALID_SPI",
        "R_U_THERE",
        "R_U_THERE_ACK",
    }
)
UNLIKE_DATA = frozenset({"CERT", "CERTREQ", "CR", "TICKET_OPAQUE", "TICKET_LT_OPAQUE"})


def fields(tree: Iterable[Node], above: str = "", part: str = "") -> Fields:
    """The leaves of a tree as `SA/Proposal/Transform 2/ID: value`; parts of one name are numbered from the second."""
    found: Fields = {}
    seen: Counter[str] = Counter()
    nodes = list(tree)
    kind = next((_word(node) for node in nodes if node["name"] == "Type"), part)
    for node in nodes:
        name = str(node["name"])
        seen[name] += 1
        path = above + (name if seen[name] == 1 else f"{name} {seen[name]}")
        children = node.get("children") or ()
        if children:
            # What is encrypted stands beside what it holds: the payloads are named as if they stood outside.
            found |= fields(children, "" if name in ("SK", "SKF") else f"{path}/", name)
        elif (value := _shown(node, name, {kind, part})) is not None:
            found[path] = value
    return found


def _word(node: Node) -> str:
    """`NAT_DETECTION_SOURCE_IP` of `NAT_DETECTION_SOURCE_IP (16388)`."""
    return str(node["value"]).partition(" (")[0]


def _shown(node: Node, name: str, parts: set[str]) -> str | None:
    """The value as it is compared; None where it is not."""
    data = name == "Data"
    if name in PASSED_OVER or name in UNLIKE or (data and parts & UNLIKE_DATA):
        return None
    if name == CHANCE_IN_ISAKMP and "ISAKMP header" in parts:
        return None
    if name in CHANCE or (data and parts & CHANCE_DATA) or (name == "Identifier" and "EAP" in parts):
        return f"{node['at'][1]} octets"
    return str(node["value"])


def compare(before: Fields, after: Fields) -> list[tuple[str, str, str]]:
    """Path, value before and value after of every field that differs; an empty value is an absent field."""
    paths = dict.fromkeys((*before, *after))
    return [(path, before.get(path, ""), after.get(path, "")) for path in paths if before.get(path) != after.get(path)]
