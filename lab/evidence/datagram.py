"""Sightings: the datagrams of IKE, ESP, AH, GRE and keepalives that each capture point saw.

What a UDP payload is, is decided by its ports: 4500 on either end means RFC 3948 framing, 500 means bare IKE.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lab.errors import ProtocolError
from lab.evidence.capture import Frame
from lab.evidence.network import Defragmenter, Whole
from lab.wire.packets import (
    AH_NUMBER,
    ESP_NUMBER,
    GRE,
    IKE_PORT,
    NAT_PORT,
    NON_ESP_MARKER,
    UDP,
    UDP_NUMBER,
    IPv4,
    classify_4500,
)
from lab.wire.pcapng import Direction

Kind = Literal["ike", "esp", "ah", "gre", "keepalive", "unknown"]
_BARE: dict[int, Kind] = {ESP_NUMBER: "esp", AH_NUMBER: "ah", GRE: "gre"}


@dataclass(frozen=True, slots=True)
class Sighting:
    """One datagram at one capture point.

    `content` is what NAT leaves alone: the UDP payload, or the IP payload of ESP, AH and GRE. `body` is the IKE
    message or ESP packet inside, without the non-ESP marker. `frames` are the indices of its frames in the capture.
    `packet` is the IP packet around AH, whose headers are under the ICV.
    """

    kind: Kind
    point: str
    first_ns: int
    last_ns: int
    src: str
    dst: str
    sport: int
    dport: int
    content: bytes = field(repr=False)
    body: bytes = field(repr=False)
    frames: tuple[int, ...]
    direction: Direction = Direction.UNKNOWN
    note: str = ""
    packet: bytes = field(default=b"", repr=False)

    @property
    def node(self) -> str:
        """The node that the capture point belongs to."""
        return self.point.partition(":")[0]

    @property
    def udp(self) -> bool:
        """Whether it travelled in UDP."""
        return bool(self.sport or self.dport)

    @property
    def source(self) -> str:
        """`192.168.1.2:500`, `[2001:db8::1]:500`, or the bare address where there is no port."""
        return _place(self.src, self.sport)

    @property
    def destination(self) -> str:
        """Like `source`, of the other end."""
        return _place(self.dst, self.dport)


def _place(address: str, port: int) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def sightings(frames: Sequence[Frame]) -> list[Sighting]:
    """Every IPsec datagram at every capture point, in the order of the file (fragments: where the last one came)."""
    defragmenter = Defragmenter()
    found: list[Sighting] = []
    for index, frame in enumerate(frames):
        whole = defragmenter.take(index, frame)
        if whole is not None:
            found.extend(_recognise(frame, whole))
    return found


def _recognise(frame: Frame, whole: Whole) -> Iterator[Sighting]:
    place = (frame.point, whole.first_ns, frame.time_ns, str(whole.ip.src), str(whole.ip.dst))
    if whole.protocol in _BARE:
        kind, payload = _BARE[whole.protocol], whole.payload
        around = _around(whole) if kind == "ah" else b""
        yield Sighting(kind, *place, 0, 0, payload, payload, whole.frames, frame.direction, packet=around)
    elif whole.protocol == UDP_NUMBER:
        try:
            udp = UDP.decode(whole.payload)
        except ProtocolError:
            return
        if {udp.sport, udp.dport} & {IKE_PORT, NAT_PORT}:
            kind, body, note = _framing(udp)
            yield Sighting(kind, *place, udp.sport, udp.dport, udp.payload, body, whole.frames, frame.direction, note)


def _around(whole: Whole) -> bytes:
    """The IP packet as its receiver puts it together."""
    if len(whole.frames) == 1:
        return whole.ip.encode()
    if isinstance(whole.ip, IPv4):
        return replace(whole.ip, payload=whole.payload, fragment=0).encode()
    return replace(whole.ip, protocol=whole.protocol, payload=whole.payload).encode()


def _framing(udp: UDP) -> tuple[Kind, bytes, str]:
    """Kind, body and a note on what is wrong with a UDP payload (RFC 3948 2)."""
    if NAT_PORT not in (udp.sport, udp.dport):
        return "ike", udp.payload, ""
    kind = classify_4500(udp.payload)
    if kind == "bad":
        return "unknown", udp.payload, f"{len(udp.payload)} octets on port 4500 are neither IKE nor ESP nor a keepalive"
    body = udp.payload[len(NON_ESP_MARKER) :] if kind == "ike" else udp.payload
    return kind, body, ""
