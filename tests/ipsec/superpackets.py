"""Super-packets for tests, as the system would hand them over, and what the reference makes of them."""

from ipaddress import ip_address

from hypothesis import strategies as st

from lab.ipsec.superpacket import CHECKSUM_AT, Superpacket
from lab.wire.packets import TCP, UDP_NUMBER, checksum
from lab.wire.virtio import GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, SIZE, VirtioHeader

ENDS = {4: ("10.1.0.5", "10.2.0.7"), 6: ("2001:db8:1::5", "2001:db8:2::7")}


def raw(
    version: int = 4,
    protocol: int = TCP,
    payload: bytes = bytes(5000),
    size: int = 1000,
    *,
    ports: tuple[int, int] = (40000, 443),
    flags: int = 0x10,
    sequence: int = 7,
    ident: int = 3,
    tos: int = 0,
    options: bytes = b"",
    ends: tuple[str, str] | None = None,
) -> tuple[VirtioHeader, bytes]:
    """Header and packet; `options` are those of TCP."""
    src, dst = (ip_address(end).packed for end in ends or ENDS[version])
    front = ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big")
    if protocol == TCP:
        middle = bytes(((20 + len(options)) // 4 << 4, flags)) + b"\x01\xf5"
        front += sequence.to_bytes(4, "big") + b"\0\0\0\x63" + middle + bytes(4) + options
    else:
        front += (8 + len(payload)).to_bytes(2, "big") + bytes(2)
    octets = len(front) + len(payload)
    partial = ~checksum(src + dst + protocol.to_bytes(2, "big") + octets.to_bytes(2, "big")) & 0xFFFF
    at = CHECKSUM_AT[protocol]
    front = front[:at] + partial.to_bytes(2, "big") + front[at + 2 :]
    if version == 4:
        head = b"\x45" + bytes((tos,)) + (20 + octets).to_bytes(2, "big") + ident.to_bytes(2, "big")
        head += b"\x40\0\x40" + bytes((protocol, 0, 0)) + src + dst
    else:
        word = 6 << 28 | tos << 20 | 0x12345
        head = word.to_bytes(4, "big") + octets.to_bytes(2, "big") + bytes((protocol, 64)) + src + dst
    kind = GSO_UDP_L4 if protocol == UDP_NUMBER else GSO_TCPV4 if version == 4 else GSO_TCPV6
    header = VirtioHeader(NEEDS_CSUM, kind, len(head) + len(front), size, len(head), at)
    return header, head + front + payload


def superpacket(*args: object, **fields: object) -> Superpacket:
    """The same, read."""
    header, packet = raw(*args, **fields)
    return Superpacket.of(header, memoryview(packet))


def taken_apart(delivered: bytes) -> list[bytes]:
    """The packets that the system makes of what is written to a TUN device with virtio headers."""
    header = VirtioHeader.decode(delivered)
    return [*Superpacket.of(header, memoryview(delivered)[SIZE:]).segments()]


@st.composite
def anything(draw: st.DrawFn) -> Superpacket:
    """Super-packets of every kind that the system makes."""
    protocol = draw(st.sampled_from((TCP, UDP_NUMBER)))
    size, count = draw(st.integers(1, 1400)), draw(st.integers(1, 45))
    octets = draw(st.integers(max(1, (count - 1) * size), count * size))
    return superpacket(
        draw(st.sampled_from((4, 6))),
        protocol,
        draw(st.randoms(use_true_random=False)).randbytes(octets),
        size,
        ports=(draw(st.integers(1, 65535)), draw(st.integers(1, 65535))),
        flags=draw(st.sampled_from((0x10, 0x18, 0x11, 0x90, 0x50, 0x99))),
        sequence=draw(st.integers(0, 2**32 - 1)),
        ident=draw(st.integers(0, 65535)),
        tos=draw(st.sampled_from((0, 2, 0xB8, 0xBA))),
        options=draw(st.sampled_from((b"", b"\x01\x01\x08\x0a12345678"))),
    )
