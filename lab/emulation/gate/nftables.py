"""A plain drop in the kernel: nftables rules in a forwarding node that drop exactly the packets a filter means.

Both ports lead into one chain, so that the count runs over both. A NAT may have changed one of the two ports of a
packet, never both: the IKE port is looked for on either side, and once per packet. Retransmissions count: "the first
IKE_SA_INIT request" is the first packet of that kind, and the second one is its retransmission.

What nftables cannot say exactly (`sayable`) is for instance what lies inside a sealed message. What it drops never
comes to user space and is not counted there: so once a gate works in user space, its drops do so too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.emulation import nft
from lab.emulation.gate.filter import Filter
from lab.emulation.namespace import Namespace

_HEADER = 8  # octets of UDP before the IKE header; four more on port 4500
_EXCHANGE_AT, _FLAGS_AT, _MESSAGE_ID_AT = 18, 19, 20
_RESPONSE = 0x20
_FOREVER = 0x7FFFFFFF
_TABLE = """\
table inet {table} {{
  counter seen {{
  }}
  counter dropped {{
  }}
  chain chosen {{
    counter name "seen"
    {turn} counter name "dropped" drop
  }}
  chain through {{
    type filter hook forward priority filter - 10; policy accept;
{jumps}  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the gate in place. `dropped()` counts its packets; `remove()` takes it away."""

    namespace: Namespace
    table: str

    def dropped(self) -> int:
        """How many packets it has dropped."""
        return nft.counter(self.namespace, f"inet {self.table}", "dropped")

    def seen(self) -> int:
        """How many packets matched its description, dropped or not."""
        return nft.counter(self.namespace, f"inet {self.table}", "seen")

    def remove(self) -> None:
        """Take the rule away."""
        nft.load(self.namespace, f"delete table inet {self.table}\n")


def sayable(what: Filter) -> bool:
    """Whether the words of a filter can be said exactly here; from which side a packet comes, others say.

    `IKE` alone cannot: whether octets on port 500 are a message at all, no single match tells.
    """
    return not what.inside and not what.goes_to and what.kind != "IKE"


def matches(what: Filter) -> list[str]:
    """The nft matches of what a filter describes, one for each shape such a packet may have."""
    if what.kind == "any":
        return [""]
    if what.kind == "ESP":
        return ["meta l4proto esp", *_on_either_port(4500, "udp length > 9 @th,64,32 != 0")]
    if what.kind == "AH":
        return ["meta l4proto ah"]
    if what.kind == "keepalive":
        return _on_either_port(4500, "udp length 9")
    bare, marked = (_ike(start, what) for start in (_HEADER, _HEADER + 4))
    return [*_on_either_port(500, bare), *_on_either_port(4500, f"@th,64,32 0 {marked}".rstrip())]


def _ike(start: int, what: Filter) -> str:
    """What is known of the IKE header that begins so many octets into UDP."""
    found = []
    if what.exchange is not None:
        found.append(f"@th,{(start + _EXCHANGE_AT) * 8},8 {what.exchange}")
    if what.response is not None:
        found.append(f"@th,{(start + _FLAGS_AT) * 8},8 & {_RESPONSE} {'!=' if what.response else '=='} 0")
    if what.message_id is not None:
        found.append(f"@th,{(start + _MESSAGE_ID_AT) * 8},32 {what.message_id}")
    return " ".join(found)


def _on_either_port(port: int, match: str) -> list[str]:
    return [f"udp dport {port} {match}".rstrip(), f"udp dport != {port} udp sport {port} {match}".rstrip()]


def install(namespace: Namespace, table: str, ways: Sequence[str], what: Filter) -> Rule:
    """Drop what a filter means; `ways` are nft matches, no two for the same packet."""
    jumps = "".join(f"    {way} {match} jump chosen\n" for way in ways for match in matches(what))
    nft.load(namespace, _TABLE.format(table=table, turn=_turn(what), jumps=jumps))
    return Rule(namespace, table)


def _turn(what: Filter) -> str:
    """An nft match that is true for the packets whose turn it is; the generator counts from 0."""
    first = what.first - 1
    if what.last is None:
        return f"numgen inc mod {_FOREVER} >= {first}"
    return f"numgen inc mod {_FOREVER} {first}" + (f"-{what.last - 1}" if what.last > what.first else "")
