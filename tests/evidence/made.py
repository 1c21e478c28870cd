"""Captures made up for a test: one path left - left-nat - internet - right-nat - right with NAT at both ends."""

from collections.abc import Iterable
from ipaddress import IPv4Address

from lab.evidence.capture import Frame
from lab.evidence.places import Places
from lab.wire.packets import UDP, IPv4
from lab.wire.pcapng import Direction

LEFT, LEFT_OUT, RIGHT_OUT, RIGHT = "192.168.1.2", "203.0.113.2", "198.51.100.2", "192.168.2.2"
PLACES = Places(
    owners={LEFT: "left", LEFT_OUT: "left-nat", RIGHT_OUT: "right-nat", RIGHT: "right"},
    kinds={"left": "gateway", "left-nat": "nat", "internet": "router", "right-nat": "nat", "right": "gateway"},
)
# point, source, destination on the way from left to right
WAY = [
    ("left:wan", LEFT, RIGHT_OUT),
    ("left-nat:lan", LEFT, RIGHT_OUT),
    ("left-nat:wan", LEFT_OUT, RIGHT_OUT),
    ("internet:left", LEFT_OUT, RIGHT_OUT),
    ("right-nat:wan", LEFT_OUT, RIGHT_OUT),
    ("right-nat:lan", LEFT_OUT, RIGHT),
    ("right:wan", LEFT_OUT, RIGHT),
]
IKE_HEADER = bytes(range(1, 9)) + bytes(8)


def ike(message_id: int = 0, *, response: bool = False, tail: bytes = b"") -> bytes:
    """An IKE message without payloads but with `tail` behind, on port 4500."""
    head = IKE_HEADER + bytes([0, 0x20, 37, 0x20 if response else 0x08]) + message_id.to_bytes(4, "big")
    return bytes(4) + head + (28 + len(tail)).to_bytes(4, "big") + tail


def esp(seq: int, spi: int = 0xC0FFEE01) -> bytes:
    return spi.to_bytes(4, "big") + seq.to_bytes(4, "big") + bytes([seq % 256]) * 32


def packet(src: str, dst: str, payload: bytes, port: int = 4500) -> bytes:
    return IPv4(IPv4Address(src), IPv4Address(dst), 17, UDP(port, port, payload).encode()).encode()


def frame(t_ms: float, point: str, src: str, dst: str, payload: bytes, port: int = 4500) -> Frame:
    node = point.partition(":")[0]
    ours = {"left": LEFT, "right": RIGHT}.get(node)
    way = Direction.UNKNOWN if ours is None else Direction.OUTBOUND if ours == src else Direction.INBOUND
    data = bytes(12) + b"\x08\x00" + packet(src, dst, payload, port)
    return Frame(int(t_ms * 1e6), point, data, direction=way)


def crossing(
    t_ms: float, payload: bytes, *, back: bool = False, hop_ms: float = 1.0, upto: int = len(WAY)
) -> list[Frame]:
    """One datagram seen at every capture point, or at the first `upto` ones; `back` goes from right to left."""
    way = [(point, dst, src) for point, src, dst in reversed(WAY)] if back else WAY
    return [frame(t_ms + n * hop_ms, *place, payload) for n, place in enumerate(way[:upto])]


def in_time(*parts: Iterable[Frame]) -> list[Frame]:
    """All frames in the order of their times, as a capture has them."""
    return sorted((frame for part in parts for frame in part), key=lambda frame: frame.time_ns)
