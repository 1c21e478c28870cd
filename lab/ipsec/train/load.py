"""What is sealed in one pass: one super-packet, or several whose segments are alike.

The price of a pass hardly depends on how many packets it takes. Under load the device has more than one super-packet
waiting most of the time, of one flow or of a few.
"""

from collections.abc import Iterator
from itertools import chain

from lab.ipsec.superpacket import Superpacket


class Load:
    """Super-packets behind each other; only the last one may have a last segment that is shorter.

    `inner` counts the octets of a segment, `count` all segments and `full` those of full size; `headers` are the first
    ones, and what an SA looks at but for addresses and ports is the same in all.
    """

    __slots__ = ("count", "full", "headers", "inner", "octets", "packets")

    def __init__(self, first: Superpacket) -> None:
        self.packets, self.headers, self.inner = [first], first.headers, first.inner
        self.count, self.full, self.octets = first.count, first.full, first.octets

    def takes(self, packet: Superpacket, most: int) -> bool:
        """Whether this super-packet may come behind, in a pass of so many segments at the most."""
        first, headers = self.packets[0], packet.headers
        return (
            self.full == self.count
            and self.count + packet.full <= most
            and (packet.size, len(headers), packet.behind) == (first.size, len(first.headers), first.behind)
            and packet.protocol == first.protocol
            # Version, traffic class, fragment bits.
            and headers[:2] == first.headers[:2]
            and headers[6] == first.headers[6]
        )

    def put(self, packet: Superpacket) -> None:
        """Let it come behind."""
        self.packets.append(packet)
        self.count, self.full, self.octets = (
            self.count + packet.count,
            self.full + packet.full,
            self.octets + packet.octets,
        )

    def segments(self) -> Iterator[bytes]:
        """All packets, the first one first."""
        return chain.from_iterable(packet.segments() for packet in self.packets)

    def rest(self) -> bytes:
        """The last segment, where it is shorter than the others."""
        last = self.packets[-1]
        return last.segment(last.full)

    def parts(self, start: int, count: int) -> Iterator[tuple[Superpacket, int, int]]:
        """Of which super-packets so many full segments from this one on are: from which of its own on, how many."""
        for packet in self.packets:
            if start < packet.full and count:
                taken = min(packet.full - start, count)
                yield packet, start, taken
                count -= taken
                start = packet.full
            start -= packet.full
