"""Traffic selectors offered, and what the answer made of them: taken as offered, narrowed, or refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network, summarize_address_range

from lab.report import opened
from lab.report.asked import Asked, asked
from lab.report.detail import Detail, Node
from lab.report.ladder import Message
from lab.report.offers import REFUSALS

MOST_OFFERS = 12
Read = Callable[[Detail | None, str], tuple[str, ...]]
PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "47": "gre", "58": "icmpv6", "89": "ospf", "115": "l2tp"}


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What one side's selectors (`TSi`, `TSr`; of IKEv1 `IDci`, `IDcr`) were, and became."""

    name: str
    offered: tuple[str, ...]
    answered: tuple[str, ...]
    became: str


@dataclass(frozen=True, slots=True)
class Offer:
    """The selectors of one message."""

    message: Message
    sides: tuple[Narrowed, ...]


def find(messages: Sequence[Message], details: Mapping[int, Detail]) -> list[Offer]:
    """Every message that offers selectors, with what became of them, in the order of the ladder."""
    v2 = [_offer(one, ("TSi", "TSr"), _of_v2) for one in asked(messages, details, "TSi")]
    v1 = [_offer(one, ("IDci", "IDcr"), _of_v1) for one in _quick(messages, details)]
    return sorted(v2 + v1, key=lambda one: one.message.number)[:MOST_OFFERS]


def _quick(messages: Sequence[Message], details: Mapping[int, Detail]) -> list[Asked]:
    """Quick Modes with their identities; the third message has none."""
    return asked([one for one in messages if one.exchange == "Quick Mode"], details, "ID")


def _offer(one: Asked, names: tuple[str, str], read: Read) -> Offer:
    return Offer(one.message, tuple(_side(one, name, read) for name in names))


def _side(one: Asked, name: str, read: Read) -> Narrowed:
    offered, answered = read(one.opened, name), read(one.answered, name)
    became = "as offered" if set(answered) == set(offered) else "narrowed" if answered else _unanswered(one)
    return Narrowed(name, offered, answered, became)


def _unanswered(one: Asked) -> str:
    if one.answer is None:
        return "no answer"
    said = [name for name in opened.notifies(one.answered) if name in REFUSALS]
    return f"refused: {', '.join(said)}" if said else "not in the answer"


def _of_v2(detail: Detail | None, name: str) -> tuple[str, ...]:
    """The selectors of a TSi or TSr payload."""
    return tuple(
        _selector(node) for ts in opened.payloads(detail, name) for node in opened.parts(ts, "Traffic selector")
    )


def _of_v1(detail: Detail | None, name: str) -> tuple[str, ...]:
    """The client identity of one side: the first ID payload is the initiator's, the second the responder's."""
    found = opened.payloads(detail, "ID")
    place = ("IDci", "IDcr").index(name)
    return (_with(_network(found[place]), found[place], "Port", "Port"),) if len(found) == 2 else ()


def _network(node: Node) -> str:
    """An identity as a network: `10.1.0.0 255.255.255.0` is one."""
    value, kind = opened.field(node, "Identification"), opened.word(opened.field(node, "ID type"))
    first, _, second = value.partition(" ")
    try:
        if kind.endswith("SUBNET"):
            return str(ip_network(f"{first}/{_bits(second)}", strict=False))
        return _range(first, second) if kind.endswith("RANGE") else value
    except ValueError:
        return value


def _bits(mask: str) -> int:
    return int(ip_address(mask)).bit_count()


def _selector(node: Node) -> str:
    first, last = opened.field(node, "Start address"), opened.field(node, "End address")
    return _with(_range(first, last), node, "Start port", "End port")


def _with(addresses: str, node: Node, first: str, last: str) -> str:
    """The addresses with protocol and ports, where they are not all: `10.1.0.0/24 [udp/500]`."""
    protocol, start, end = (opened.field(node, name) for name in ("IP protocol", first, last))
    every = (start, end) in (("0", "65535"), ("0", "0"))
    # OPAQUE is written upside down (RFC 7296 3.13.1).
    ports = "" if every else "opaque" if (start, end) == ("65535", "0") else start if start == end else f"{start}-{end}"
    named = PROTOCOLS.get(protocol, protocol) if protocol != "0" else ""
    return f"{addresses} [{named or 'any'}{'/' + ports if ports else ''}]" if named or ports else addresses


def _range(first: str, last: str) -> str:
    """`10.1.0.0/24` for 10.1.0.0 to 10.1.0.255; what is no network stays a range."""
    try:
        networks = list(summarize_address_range(ip_address(first), ip_address(last)))
    except (ValueError, TypeError):
        return f"{first} - {last}"
    return str(networks[0]) if len(networks) == 1 else f"{first} - {last}"
