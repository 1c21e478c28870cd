"""clear.pcapng: the conversation without encryption, for any Wireshark and without keys.

Rules of this file:
- An IKE message is written with the payloads that were inside SK in its place; next payload and lengths are corrected.
- A message in fragments is written whole in place of its last one; the others stay as captured.
- For an ESP packet the IP packet inside is written; in transport mode it gets the outer addresses.
- Both go to an interface `node:iface (clear)` of raw IP packets. All other frames stay on their own interface.
- What no key opens is written as it was captured.
"""

from dataclasses import replace
from io import BytesIO

from lab.evidence.annotate import WARNING
from lab.evidence.datagram import Sighting
from lab.evidence.network import packet
from lab.evidence.reading import Reading
from lab.evidence.scene import Scene
from lab.wire.header import SIZE
from lab.wire.ids import PayloadType
from lab.wire.ids_v1 import Flag1
from lab.wire.message import Message
from lab.wire.message_v1 import Message1
from lab.wire.packets import IP, NON_ESP_MARKER, UDP, UDP_NUMBER, IPv4, IPv6, checksum
from lab.wire.pcapng import LinkType, Packet, PcapngWriter
from lab.wire.sealed import Encrypted

_NEXT_PAYLOAD = 16
_GENERIC_HEADER = 4


def encode(scene: Scene) -> bytes:
    """The octets of clear.pcapng."""
    out = BytesIO()
    writer = _Writer(PcapngWriter(out.write, application="ikelab", comment=f"Decrypted by ikelab. {WARNING}"))
    clear = dict(_cleared(scene))
    replaced = {index for sighting in scene.sightings for index in sighting.frames if sighting.frames[-1] in clear}
    for index, frame in enumerate(scene.frames):
        comment = scene.comments.get(index, "")
        if index in clear:
            writer.write(f"{frame.point} (clear)", LinkType.RAW, frame.time_ns, clear[index], comment)
        elif index not in replaced:
            writer.write(frame.point, frame.link_type, frame.time_ns, frame.data, comment)
    return out.getvalue()


class _Writer:
    """Declares an interface when its first packet comes."""

    def __init__(self, target: PcapngWriter) -> None:
        self._target = target
        self._numbers: dict[tuple[str, int], int] = {}

    def write(self, point: str, link_type: int, time_ns: int, data: bytes, comment: str) -> None:
        if (point, link_type) not in self._numbers:
            self._numbers[point, link_type] = self._target.interface(point, link_type)
        self._target.packet(Packet(time_ns, self._numbers[point, link_type], data, comment))


def _cleared(scene: Scene) -> list[tuple[int, bytes]]:
    """(index of the last frame, IP packet) for every datagram that can be shown in the clear."""
    found = []
    for sighting in scene.sightings:
        index = sighting.frames[-1]
        ip = packet(scene.frames[index])
        data = _clear_packet(sighting, scene.reader.read(sighting), ip) if ip else None
        if data is not None:
            found.append((index, data))
    return found


def _clear_packet(sighting: Sighting, reading: Reading, ip: IP) -> bytes | None:
    if reading.esp is not None:
        inner = reading.esp
        return inner.packet if inner.packet is not None else _around(ip, inner.next_header, inner.data)
    message = _clear_ike(reading)
    if message is None:
        return None
    marker = NON_ESP_MARKER if len(sighting.content) > len(sighting.body) else b""
    return _around(ip, UDP_NUMBER, _udp(sighting, ip, marker + message))


def _clear_ike(reading: Reading) -> bytes | None:
    if reading.chain is None:
        return None
    if reading.isakmp is not None:
        return clear_isakmp(reading.isakmp, reading.chain)
    if reading.message is None:
        return None
    whole = _of_chain(reading.message, reading.first_inside, reading.chain) if reading.whole else None
    return whole or clear_message(reading.message, reading.chain)


def clear_isakmp(message: Message1, chain: bytes) -> bytes:
    """An IKEv1 message whose encrypted body is replaced by the chain that it was."""
    flags = message.header.flags & ~Flag1.ENCRYPTION
    return replace(message.header, flags=flags, length=SIZE + len(chain)).encode() + chain


def clear_message(message: Message, chain: bytes) -> bytes | None:
    """An IKE message whose SK payload is replaced by the chain that was in it; None if SK is not its last payload."""
    sealed = message.sealed
    if not isinstance(sealed, Encrypted):
        return None
    start = len(message.raw) - len(sealed.body) - _GENERIC_HEADER
    at, kind = _NEXT_PAYLOAD, message.raw[_NEXT_PAYLOAD]
    position = SIZE
    while kind != PayloadType.SK:
        at, kind = position, message.raw[position]
        position += int.from_bytes(message.raw[position + 2 : position + 4], "big")
    if position != start:
        return None
    data = bytearray(message.raw[:start] + chain)
    data[at] = sealed.first
    data[SIZE - 4 : SIZE] = len(data).to_bytes(4, "big")
    return bytes(data)


def _of_chain(message: Message, first: PayloadType, chain: bytes) -> bytes:
    """An IKE message that holds this chain and has the header of another one."""
    return replace(message.header, next_payload=first, length=SIZE + len(chain)).encode() + chain


def _around(ip: IP, protocol: int, payload: bytes) -> bytes:
    """An IP packet with the addresses of another one."""
    if isinstance(ip, IPv4):
        return IPv4(ip.src, ip.dst, protocol, payload, ip.ttl, ip.tos, ip.ident).encode()
    return IPv6(ip.src, ip.dst, protocol, payload, ip.ttl, ip.tos, ip.flow).encode()


def _udp(sighting: Sighting, ip: IP, payload: bytes) -> bytes:
    """A UDP datagram with a right checksum: 0 means none in IPv4 and is an error in IPv6."""
    bare = UDP(sighting.sport, sighting.dport, payload).encode()
    pseudo = ip.src.packed + ip.dst.packed + len(bare).to_bytes(4, "big") + UDP_NUMBER.to_bytes(4, "big")
    return UDP(sighting.sport, sighting.dport, payload, checksum(pseudo + bare) or 0xFFFF).encode()
