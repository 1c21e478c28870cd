"""What the tests send through a network: UDP datagrams, IKE headers, and what a capture says of them."""

import socket
from dataclasses import dataclass
from pathlib import Path

from lab.emulation.network import Network
from lab.emulation.node import Node
from lab.errors import ProtocolError
from lab.wire import pcapng
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.packets import UDP, decode_ip

DEADLINE_S = 20.0


def udp(node: Node, port: int = 0) -> socket.socket:
    """A UDP socket in a node; receiving from it fails after a while."""
    channel = node.socket()
    channel.bind(("", port))
    channel.settimeout(DEADLINE_S)
    return channel


def nothing_arrives(channel: socket.socket) -> bool:
    """Whether the socket stays silent for a moment (long enough for a veth, and free in virtual time)."""
    channel.settimeout(0.2)
    try:
        channel.recv(65535)
    except TimeoutError:
        return True
    finally:
        channel.settimeout(DEADLINE_S)
    return False


def ike(number: int, exchange: ExchangeType, *, response: bool = False, message_id: int = 0) -> bytes:
    """An IKE header alone; `number` tells one from another."""
    flags = 0x20 if response else 0x08
    header = Header(b"spi " + number.to_bytes(4, "big"), bytes(8), PayloadType(0), exchange, flags, message_id, 28)
    return header.encode()


def number(datagram: bytes) -> int:
    """The number given to `ike`, with or without a non-ESP marker in front."""
    start = 8 if datagram[:4] == bytes(4) else 4
    return int.from_bytes(datagram[start : start + 4], "big")


@dataclass(frozen=True)
class Seen:
    """A UDP payload at a capture point."""

    time_ns: int
    point: str
    outgoing: bool
    source: str
    target: str
    payload: bytes


def seen(network: Network) -> list[Seen]:
    """End the capture; all UDP payloads in the order of the file."""
    network.finish_capture()
    return read(network.capture_file)


def read(path: Path) -> list[Seen]:
    """All UDP payloads of a capture file."""
    capture = pcapng.decode(path.read_bytes())
    found = []
    for packet in capture.packets:
        if packet.data[12:14] != b"\x08\x00":
            continue
        try:
            ip = decode_ip(packet.data[14:])
            datagram = UDP.decode(ip.payload) if ip.protocol == 17 else None
        except ProtocolError:
            continue
        if datagram is not None:
            found.append(
                Seen(
                    packet.time_ns,
                    capture.interfaces[packet.interface].name,
                    packet.direction == pcapng.Direction.OUTBOUND,
                    f"{ip.src}:{datagram.sport}",
                    f"{ip.dst}:{datagram.dport}",
                    datagram.payload,
                )
            )
    return found
