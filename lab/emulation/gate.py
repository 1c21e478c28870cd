"""The gate: nftables rules in a forwarding node that drop exactly the packets a scenario names.

    "IKE_AUTH request"      an exchange and its direction, on UDP 500 and 4500
    "IKE_AUTH response 2"   ... with this message ID
    "MAIN_MODE message"     an exchange of IKEv1, whose messages do not say which way they go
    "ESP"                   ESP, in UDP or bare          "keepalive"  the octet 0xff on UDP 4500       "any"  everything
    "AH"                    AH, which is always bare

Both ports lead into one chain, so that the count runs over both. A NAT may have changed one of the two ports of a
packet, never both: the IKE port is looked for on either side, and once per packet. Retransmissions count: "the first
IKE_SA_INIT request" is the first packet of that kind, and the second one is its retransmission.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lab.emulation import nft
from lab.emulation.namespace import Namespace
from lab.errors import ConfigError
from lab.wire.ids import ExchangeType
from lab.wire.ids_v1 import ExchangeType1

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


def matches(what: str) -> list[str]:
    """The nft matches of a description, one for each shape such a packet may have; raises ConfigError."""
    if what == "any":
        return [""]
    if what == "ESP":
        return ["meta l4proto esp", *_on_either_port(4500, "udp length > 9 @th,64,32 != 0")]
    if what == "AH":
        return ["meta l4proto ah"]
    if what == "keepalive":
        return _on_either_port(4500, "udp length 9")
    first_version = re.fullmatch(r"(\w+) message", what)
    if first_version and first_version[1] in ExchangeType1.__members__:
        bare, marked = (_of_type(start, ExchangeType1[first_version[1]]) for start in (_HEADER, _HEADER + 4))
        return [*_on_either_port(500, bare), *_on_either_port(4500, f"@th,64,32 0 {marked}")]
    words = re.fullmatch(r"(\w+) (request|response)(?: (\d+))?", what)
    exchange = ExchangeType.__members__.get(words[1]) if words else None
    if words is None or exchange is None:
        known, older = ", ".join(ExchangeType.__members__), ", ".join(ExchangeType1.__members__)
        raise ConfigError(
            f"the gate does not know `{what}`; it knows ESP, AH, keepalive, any, request or response of {known}, "
            f"and message of {older}"
        )
    response = words[2] == "response"
    message_id = int(words[3]) if words[3] else None
    bare = _ike(_HEADER, exchange, response, message_id)
    marked = f"@th,64,32 0 {_ike(_HEADER + 4, exchange, response, message_id)}"
    return [*_on_either_port(500, bare), *_on_either_port(4500, marked)]


def _of_type(start: int, exchange: int) -> str:
    return f"@th,{(start + _EXCHANGE_AT) * 8},8 {exchange}"


def _ike(start: int, exchange: int, response: bool, message_id: int | None) -> str:
    found = f"{_of_type(start, exchange)} "
    found += f"@th,{(start + _FLAGS_AT) * 8},8 & {_RESPONSE} {'!=' if response else '=='} 0"
    if message_id is not None:
        found += f" @th,{(start + _MESSAGE_ID_AT) * 8},32 {message_id}"
    return found


def _on_either_port(port: int, match: str) -> list[str]:
    return [f"udp dport {port} {match}", f"udp dport != {port} udp sport {port} {match}"]


def install(namespace: Namespace, table: str, ways: Sequence[str], what: str, nth: int, count: int | None) -> Rule:
    """Drop `count` packets (None: all) from the `nth` match on; `ways` are nft matches, no two for the same packet."""
    if nth < 1 or (count is not None and count < 1):
        raise ConfigError("the gate counts packets from 1")
    jumps = "".join(f"    {way} {match} jump chosen\n" for way in ways for match in matches(what))
    text = _TABLE.format(table=table, turn=_turn(nth, count), jumps=jumps)
    nft.load(namespace, text)
    return Rule(namespace, table)


def _turn(nth: int, count: int | None) -> str:
    """An nft match that is true for the packets whose turn it is; the generator counts from 0."""
    first = nth - 1
    if count is None:
        return f"numgen inc mod {_FOREVER} >= {first}"
    return f"numgen inc mod {_FOREVER} {first}" + (f"-{first + count - 1}" if count > 1 else "")
