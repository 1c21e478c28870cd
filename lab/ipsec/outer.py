"""What the outer IP header of a tunnel takes from the inner one, and gives back (RFC 4301 5.1.2, RFC 6040).

DSCP    copied outwards; the inner field comes out of the tunnel as it went in
ECN     copied outwards ("normal mode", RFC 6040 4.1); congestion met on the way is carried inwards (RFC 6040 4.2)
TTL     the system's default outside; the inner one is lowered where the packet is forwarded into the tunnel device
DF      copied outwards, set or clear, as `copy_df` says (RFC 4301 8.1). IPv6 has no such bit: what is longer than its
        least MTU can be made smaller by its sender, and goes as if it had; all else may be cut (RFC 4213 3.2.2).
        A packet that is known not to fit goes without it, where it is copied: its sender has been told, or cannot be
"""

from lab.ipsec.drops import Dropped, Reason

NOT_ECT, ECT_1, ECT_0, CE = 0, 1, 2, 3
DONT_FRAGMENT = 0x4000
_LEAST_V6 = 1280


def traffic_class(packet: bytes) -> int:
    """DSCP and ECN of an IP packet, 8 bits."""
    return packet[1] if packet[0] >> 4 == 4 else (packet[0] << 4 | packet[1] >> 4) & 0xFF


def dont_fragment(headers: bytes, octets: int, policy: str) -> bool:
    """Whether no router may cut the outer IPv4 packet around an inner one of so many octets with these headers.

    The policy is `yes` (copy DF), `no` (clear) or `set`.
    """
    if policy != "yes":
        return policy == "set"
    return octets > _LEAST_V6 if headers[0] >> 4 == 6 else bool(headers[6] & 0x40)


def with_congestion(inner: bytes, outer: int) -> bytes:
    """The inner packet with the ECN field that RFC 6040 figure 4 gives it; `outer` is the outer traffic class."""
    came, mark = traffic_class(inner) & 3, outer & 3
    if came == NOT_ECT:
        if mark == CE:
            raise Dropped(Reason.ECN)  # its sender would not understand the mark: loss is the signal it knows
        return inner
    if mark == CE:
        return _marked(inner, CE)
    return _marked(inner, ECT_1) if (came, mark) == (ECT_0, ECT_1) else inner


def _marked(packet: bytes, ecn: int) -> bytes:
    if packet[0] >> 4 == 6:
        word = int.from_bytes(packet[:2], "big") & ~0x30 | ecn << 4
        return word.to_bytes(2, "big") + packet[2:]
    old, new = packet[1], packet[1] & ~3 | ecn
    # RFC 1624: HC' = ~(~HC + ~m + m'), in ones' complement arithmetic
    total = (~int.from_bytes(packet[10:12], "big") & 0xFFFF) + (~old & 0xFFFF) + new
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:1] + bytes((new,)) + packet[2:10] + (~total & 0xFFFF).to_bytes(2, "big") + packet[12:]
