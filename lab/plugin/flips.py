"""Which octets of a packet a receiver guards: each is changed in flight in turn, and the receiver's counters tell.

    sent        packets that the sender made and the gate kept, all of one shape, each with a sequence number of its own
    flip        one octet of one of them changed, the IPv4 checksum made right again, put on the receiver's link
    outcome     what the receiver counted: the packet, or a drop of some kind, or nothing at all

Rules of this file:
- A packet is used once: one that is taken moves the replay window, and one that was seen would be dropped for that.
- The counters are the receiver's own. Where nothing moves, IP had its say before ESP or AH saw the packet.
"""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from socket import AF_PACKET, SOCK_RAW
from typing import Any, Protocol

from lab.emulation.node import Node
from lab.evidence.capture import Frame
from lab.evidence.layout import MUTABLE_V4, MUTABLE_V6
from lab.matrix import OUR_PEERS
from lab.plugin.gateway import Gateway
from lab.wire.packets import AH_NUMBER, checksum

HEADER = {4: 20, 6: 40}
ETHERNET = 14
PATIENCE_S, POLL_S = 0.4, 0.01
HASTE = 0.25  # of the patience, for octets by which IP decides: nothing will come, and if it did, then at once
STATISTICS = Path("/proc/thread-self/net/xfrm_stat")
# What is changed in an octet: all of it, but for fields where that would say something else than a change.
WHOLE = 0xFF
MASKS = {
    # A bit of DSCP, not ECN, which has a say of its own; DF, since MF makes a fragment.
    4: {1: 0x10, 6: 0x40},
    # DSCP without the version beside it, the flow label without ECN beside it.
    6: {0: 0x0F, 1: 0x0F},
}
# Octets of an IP header by which IP decides whether the packet gets to ESP or AH at all, and how much of it.
IP_DECIDES = {
    4: {
        0: "version and header length", 2: "total length", 3: "total length", 7: "fragment offset", 9: "protocol",
        10: "checksum", 11: "checksum", **dict.fromkeys(range(16, 20), "destination"),
    },
    6: {
        4: "payload length", 5: "payload length", 6: "next header", **dict.fromkeys(range(24, 40), "destination"),
    },
}  # fmt: skip
MUTABLE = {4: MUTABLE_V4, 6: MUTABLE_V6}
# Words in the names of counters, of ours and of Linux, and the outcome that they mean.
_MEANINGS = (
    ("integrity", "icv"), ("StateProtoError", "icv"),
    ("sequence number", "window"), ("StateSeqError", "window"),
    ("unknown SPI", "spi"), ("NoStates", "spi"),
    ("selectors", "policy"), ("Pols", "policy"), ("Mismatch", "policy"),
    ("", "header"),
)  # fmt: skip
NOTICED = ("icv", "window", "spi", "header")


@dataclass(frozen=True, slots=True)
class Flip:
    """One octet changed: where, by which mask, what came of it, and the counter that said so."""

    at: int
    mask: int
    outcome: str
    counter: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For coverage.json."""
        return {name: getattr(self, name) for name in ("at", "mask", "outcome", "counter")}


class Counting(Protocol):
    """Reads a receiver's counters: what it took, and what it dropped and why."""

    def __call__(self) -> Counter[str]:
        """The counters of now; `taken` among them."""


def counting(gateway: Gateway, node: Node) -> Counting:
    """How to read a gateway's counters: from our daemon, or from the kernel of the node."""

    def ours() -> Counter[str]:
        drops = {n.partition(".")[2]: v for n, v in gateway.driver.counters().items() if n.startswith("drops.")}
        return Counter(drops | _taken(gateway))

    def kernel() -> Counter[str]:
        with node.namespace.network():
            lines = [line.split() for line in STATISTICS.read_text().splitlines()]
        return Counter({name: int(count) for name, count in lines} | _taken(gateway))

    return ours if gateway.peer.name in OUR_PEERS else kernel


def _taken(gateway: Gateway) -> dict[str, int]:
    return {"taken": sum(child["packets_in"] for child in gateway.children())}


def changed(packet: bytes, at: int, mask: int) -> bytes:
    """An IP packet with one octet changed and a right checksum, unless that is what was changed."""
    made = bytearray(packet)
    made[at] ^= mask
    if packet[0] >> 4 == 4 and at not in (10, 11):
        made[10:12] = bytes(2)
        made[10:12] = checksum(bytes(made[: HEADER[4]])).to_bytes(2, "big")
    return bytes(made)


class Thrower:
    """Puts packets on a link of a node, as if it had forwarded them."""

    def __init__(self, node: Node, interface: str, like: Frame) -> None:
        """`like` is a frame that the node did forward there: its Ethernet header is used again."""
        self._ethernet, self.thrown = like.data[:ETHERNET], list[bytes]()
        self._link = node.socket(AF_PACKET, SOCK_RAW, 0)
        self._link.bind((interface, 0))

    def throw(self, packet: bytes) -> None:
        """Send one packet; `thrown` keeps it."""
        self.thrown.append(packet)
        self._link.send(self._ethernet + packet)

    def close(self) -> None:
        """Give the socket back."""
        self._link.close()


def outcome(read: Counting, thrower: Thrower, packet: bytes, patience: float = 1.0) -> tuple[str, str]:
    """What the receiver counts for a packet, and the counter that moved; `ip` and none where nothing moves."""
    before = read()
    thrower.throw(packet)
    deadline = time.monotonic() + PATIENCE_S * patience
    while not (moved := +(read() - before)):
        if time.monotonic() > deadline:
            return "ip", ""
        time.sleep(POLL_S)
    moved += +(read() - before - moved)
    drops = sorted(set(moved) - {"taken"})
    if not drops:
        return "taken", "taken"
    return next(word for part, word in _MEANINGS if part in drops[0]), drops[0]


def flip_all(read: Counting, thrower: Thrower, packets: list[bytes]) -> list[Flip]:
    """Change the n-th octet of the n-th packet, for every n."""
    found = []
    version = packets[0][0] >> 4
    masks, decided = MASKS[version], IP_DECIDES[version]
    for at, packet in enumerate(packets[: len(packets[0])]):
        mask = masks.get(at, WHOLE)
        patience = HASTE if at in decided else 1.0
        found.append(Flip(at, mask, *outcome(read, thrower, changed(packet, at, mask), patience)))
    return found


def guarded_by_rfc(protocol: int, at: int, version: int = 4) -> bool:
    """Whether the ICV covers this octet (RFC 4303 2.8, RFC 4302 3.3.3.1), with a plain IP header outside."""
    return at not in MUTABLE[version] if protocol == AH_NUMBER else at >= HEADER[version]


def contradictions(protocol: int, flips: list[Flip], version: int = 4) -> list[str]:
    """Where what was noticed is not what the RFC says, in words."""
    wrong = []
    for flip in flips:
        covered = guarded_by_rfc(protocol, flip.at, version)
        if flip.at in IP_DECIDES[version]:
            fine = flip.outcome != "taken"
        elif covered:
            fine = flip.outcome in NOTICED
        else:
            fine = flip.outcome in ("taken", "policy")
        if not fine:
            said = "covered by the ICV" if covered else "not covered by the ICV"
            wrong.append(f"octet {flip.at} is {said}, and its change came out as {flip.outcome} {flip.counter}".strip())
    return wrong
