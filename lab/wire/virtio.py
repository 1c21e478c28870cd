"""The virtio network header, which a TUN device puts before packets where it was asked to (VIRTIO 1.2, 5.1.6).

It is in the byte order of the machine. With it one read or write moves a super-packet: up to 64 KB of one flow under
one set of headers, which somebody still has to cut into segments of `gso_size` octets of payload.
"""

import struct
from typing import NamedTuple, Self

from lab.errors import Truncated

_FIELDS = struct.Struct("=BBHHHH")
SIZE = _FIELDS.size
NEEDS_CSUM = 1  # the checksum holds the sum of the pseudo-header only
GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4 = 0, 1, 4, 5
GSO_ECN = 0x80  # with TCP: CWR belongs to the first segment only


class VirtioHeader(NamedTuple):
    """What is left to do to the packet behind it; offsets and lengths in octets.

    +-------+-----+---------+----------+------------+-------------+
    | flags | gso | hdr len | gso size | csum start | csum offset |
    +-------+-----+---------+----------+------------+-------------+
    """

    flags: int = 0
    gso_type: int = GSO_NONE
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the header at the front."""
        if len(data) < SIZE:
            raise Truncated("virtio header is cut short")
        return cls._make(_FIELDS.unpack_from(data))

    def encode(self) -> bytes:
        """The 10 octets."""
        return _FIELDS.pack(*self)
