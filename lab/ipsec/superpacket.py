"""Super-packets: many segments of one TCP or UDP flow under one set of headers, as the system hands them over.

    IP | TCP or UDP | payload ....................    with `size`, the octets of payload in each segment
    IP | TCP or UDP | size     IP | TCP or UDP | size     IP | TCP or UDP | rest

Rules of this file:
- `segments` is the reference: plain octets, one packet after the other. What is faster (`lab.ipsec.train`) is tested
  against it.
- Cutting follows the system: lengths, IPv4 identification and TCP sequence number count on; FIN and PSH belong to the
  last segment, CWR to the first (RFC 3168 6.1.2).
- The checksum of a super-packet is the sum of its pseudo-header, length included: what is behind extension headers
  needs no understanding. Only Dropped comes out for headers that contradict each other.
"""

from collections.abc import Iterator

from lab.ipsec.drops import Dropped, Reason
from lab.wire.packets import TCP, UDP_NUMBER, checksum
from lab.wire.virtio import GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, VirtioHeader

FIN, PSH, CWR = 0x01, 0x08, 0x80
CHECKSUM_AT = {TCP: 16, UDP_NUMBER: 6}  # within the header of TCP or UDP
_PROTOCOLS = {GSO_TCPV4: TCP, GSO_TCPV6: TCP, GSO_UDP_L4: UDP_NUMBER}
_VERSIONS = {GSO_TCPV4: (4,), GSO_TCPV6: (6,), GSO_UDP_L4: (4, 6)}
_SHORTEST = {4: 20, 6: 40}
MOST_SEGMENTS = 4096  # 64 KB in the smallest segments that make sense


class Superpacket:
    """Headers of one segment that stands for all, their payload, and how it is to be cut.

    `behind` is where TCP or UDP begins in `headers`; `size` counts octets of payload in a segment, `inner` all octets
    of one. It makes `count` segments; `full` of them, all or all but the last, have this size.
    """

    __slots__ = ("behind", "count", "full", "headers", "inner", "payload", "protocol", "size")

    def __init__(self, headers: bytes, behind: int, protocol: int, payload: memoryview, size: int) -> None:
        self.headers, self.behind, self.protocol = headers, behind, protocol
        self.payload, self.size, self.inner = payload, size, len(headers) + size
        self.full, rest = divmod(len(payload), size)
        self.count = self.full + (rest > 0)

    @classmethod
    def of(cls, virtio: VirtioHeader, packet: memoryview) -> "Superpacket":
        """The super-packet behind a virtio header; Dropped where the two do not fit together."""
        kind = virtio.gso_type & ~GSO_ECN
        if kind not in _PROTOCOLS:
            raise Dropped(Reason.SUPERPACKET, f"gso type {virtio.gso_type}")
        protocol, behind = _PROTOCOLS[kind], virtio.csum_start
        version = packet[0] >> 4 if len(packet) else 0
        header = 8 if protocol == UDP_NUMBER else 20
        if version not in _VERSIONS[kind] or behind < _SHORTEST[version] or len(packet) < behind + header:
            raise Dropped(Reason.SUPERPACKET, f"version {version}, {len(packet)} octets, gso type {virtio.gso_type}")
        if version == 4 and (behind != (packet[0] & 0xF) * 4 or packet[9] != protocol):
            raise Dropped(Reason.SUPERPACKET, f"protocol {packet[9]}, gso type {virtio.gso_type}")
        if not virtio.flags & NEEDS_CSUM or virtio.csum_offset != CHECKSUM_AT[protocol]:
            raise Dropped(Reason.SUPERPACKET, f"checksum at {behind} + {virtio.csum_offset}")
        end = behind + (header if protocol == UDP_NUMBER else (packet[behind + 12] >> 4) * 4)
        count = -(-(len(packet) - end) // virtio.gso_size) if virtio.gso_size else 0
        if not 0 < count <= MOST_SEGMENTS or end < behind + header:
            raise Dropped(Reason.SUPERPACKET, f"{len(packet) - end} octets of payload by {virtio.gso_size}")
        return cls(bytes(packet[:end]), behind, protocol, packet[end:], virtio.gso_size)

    @property
    def octets(self) -> int:
        """Octets of all segments."""
        return len(self.payload) + self.count * len(self.headers)

    @property
    def partial(self) -> int:
        """The sum of the pseudo-header without its length."""
        at = self.behind + CHECKSUM_AT[self.protocol]
        whole = len(self.headers) - self.behind + len(self.payload)
        return (int.from_bytes(self.headers[at : at + 2], "big") - whole) % 0xFFFF

    def segments(self) -> Iterator[bytes]:
        """The packets, the first one first."""
        return map(self.segment, range(self.count))

    def segment(self, number: int) -> bytes:
        """One of the packets, counted from 0."""
        payload = self.payload[number * self.size : (number + 1) * self.size]
        front = bytearray(self.headers)
        self._number_ip(front, number, len(payload))
        if self.protocol == TCP:
            self._number_tcp(front, number)
        else:
            front[self.behind + 4 : self.behind + 6] = (8 + len(payload)).to_bytes(2, "big")
        return self._summed(front, payload)

    def _number_ip(self, front: bytearray, number: int, octets: int) -> None:
        if front[0] >> 4 == 6:
            front[4:6] = (len(front) - 40 + octets).to_bytes(2, "big")
            return
        front[2:4] = (len(front) + octets).to_bytes(2, "big")
        front[4:6] = (int.from_bytes(front[4:6], "big") + number & 0xFFFF).to_bytes(2, "big")
        front[10:12] = bytes(2)
        front[10:12] = checksum(bytes(front[: (front[0] & 0xF) * 4])).to_bytes(2, "big")

    def _number_tcp(self, front: bytearray, number: int) -> None:
        at = self.behind
        sequence = int.from_bytes(front[at + 4 : at + 8], "big") + number * self.size
        front[at + 4 : at + 8] = (sequence & 0xFFFFFFFF).to_bytes(4, "big")
        front[at + 13] &= ~((CWR if number else 0) | (0 if number == self.count - 1 else FIN | PSH)) & 0xFF

    def _summed(self, front: bytearray, payload: memoryview) -> bytes:
        at, octets = self.behind + CHECKSUM_AT[self.protocol], len(front) - self.behind + len(payload)
        # The pseudo-header comes in as one more word in front.
        front[at : at + 2] = bytes(2)
        start = ((self.partial + octets) % 0xFFFF).to_bytes(2, "big")
        total = checksum(start + front[self.behind :] + payload)
        if self.protocol == UDP_NUMBER:
            total = total or 0xFFFF  # 0 would mean none (RFC 768)
        front[at : at + 2] = total.to_bytes(2, "big")
        return bytes(front) + payload


def completed(virtio: VirtioHeader, packet: bytes) -> bytes:
    """A packet that is none of these, with the checksum that the system left to the device."""
    if not virtio.flags & NEEDS_CSUM:
        return packet
    start, at = virtio.csum_start, virtio.csum_start + virtio.csum_offset
    if at + 2 > len(packet):
        raise Dropped(Reason.SUPERPACKET, f"checksum at {start} + {virtio.csum_offset} of {len(packet)} octets")
    total = checksum(packet[start:])
    if virtio.csum_offset == CHECKSUM_AT[UDP_NUMBER]:
        total = total or 0xFFFF
    return packet[:at] + total.to_bytes(2, "big") + packet[at + 2 :]
