"""Frames as a router's TAP gives them to the gate: IKE and ESP from left to right or back."""

from ipaddress import IPv4Address

from lab.emulation.gate.packet import Packet, decode
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.packets import UDP_NUMBER, IPv4, checksum

ETHERNET = bytes.fromhex("020000000202 020000000201 0800".replace(" ", ""))
SIDES = {"left": "west", "right": "east"}
LEFT, RIGHT = IPv4Address("203.0.113.2"), IPv4Address("198.51.100.2")


def udp_frame(payload: bytes, port: int = 500, *, back: bool = False) -> bytes:
    """An Ethernet frame with IPv4 and UDP around this, all checksums right."""
    source, target = (RIGHT, LEFT) if back else (LEFT, RIGHT)
    ports = port.to_bytes(2, "big") * 2
    length = (8 + len(payload)).to_bytes(2, "big")
    pseudo = source.packed + target.packed + bytes([0, UDP_NUMBER]) + length
    total = checksum(pseudo + ports + length + bytes(2) + payload) or 0xFFFF
    udp = ports + length + total.to_bytes(2, "big") + payload
    return ETHERNET + IPv4(source, target, UDP_NUMBER, udp).encode()


def packet(frame: bytes, *, back: bool = False) -> Packet:
    """The frame at the gate."""
    return decode(frame, *(("east", "west") if back else ("west", "east")))


def ike(number: int, exchange: ExchangeType, *, response: bool = False, back: bool = False) -> Packet:
    """An IKE header alone; `number` is its message ID."""
    header = Header(b"initiate", bytes(8), PayloadType(0), exchange, 0x20 if response else 8, number, 28)
    return packet(udp_frame(header.encode(), back=back), back=back)


def esp(number: int, *, back: bool = False) -> Packet:
    """ESP in UDP with this sequence number."""
    return packet(
        udp_frame(bytes.fromhex("c0ffee01") + number.to_bytes(4, "big") + bytes(24), 4500, back=back), back=back
    )
