"""A message opened up as a reader asks for it: its payloads, whether sealed or not, and their fields by name."""

from collections.abc import Iterator

from lab.report.detail import Detail, Node

# These hold other payloads; everything else is a payload itself.
WRAPPERS = frozenset({"SK", "SKF", "Encrypted payloads"})
HEADERS = frozenset({"IKE header", "ISAKMP header"})


def payloads(opened: Detail | None, name: str = "") -> list[Node]:
    """The payloads (of this name) in their order."""
    found = _payloads(opened.tree) if opened else iter(())
    return [node for node in found if name in ("", node.name)]


def _payloads(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        if node.name in WRAPPERS:
            yield from _payloads(tuple(child for child in node.children if child.rfc))
        elif node.name not in HEADERS:
            yield node


def parts(node: Node, name: str) -> list[Node]:
    """What is directly inside under this name."""
    return [child for child in node.children if child.name == name]


def field(node: Node, name: str) -> str:
    """The value of the first field of this name, or an empty string."""
    return next((child.value for child in node.children if child.name == name), "")


def word(value: str) -> str:
    """`ENCR (1)` as `ENCR`."""
    return value.partition(" (")[0]


def notifies(opened: Detail | None) -> list[str]:
    """The types of the notifies, as NO_PROPOSAL_CHOSEN."""
    return [word(field(node, "Type")) for node in payloads(opened, "N")]
