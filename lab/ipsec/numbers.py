"""Sequence numbers of an SA, the same for ESP and AH (RFC 4303 3.3.3 and 3.4.3, RFC 4302 3.3.2 and 3.4.3).

Out: counted up from 1, never wrapped: the last one ends the SA. In: checked against the window before the ICV is
verified, and only an authentic packet moves the window.
"""

from lab.ike.child import ChildSa
from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.replay import ReplayWindow


class Numbered:
    """The sending direction of a child, as far as numbers go.

    `sequence` is the last one that was used, `last` the last one there is.
    """

    def __init__(self, child: ChildSa) -> None:
        self.spi, self.sequence, self.esn = child.spi_out, 0, child.esn
        self.last = 2**64 - 1 if child.esn else 2**32 - 1

    def next_number(self) -> bytes:
        """The number of the next packet, 8 octets; Dropped once they are used up."""
        if self.sequence >= self.last:
            raise Dropped(Reason.EXHAUSTED)
        self.sequence += 1
        return self.sequence.to_bytes(8, "big")


class Windowed:
    """The receiving direction of a child; `newest` says whether the last packet was the latest that ever came."""

    def __init__(self, child: ChildSa) -> None:
        self.spi = child.spi_in
        self.window = ReplayWindow(child.replay_window, esn=child.esn)
        self.newest = False

    def unseen(self, low: bytes) -> int:
        """The whole number that the 4 octets of a packet stand for; Dropped where the window does not want it."""
        number = self.window.whole(int.from_bytes(low, "big"))
        if number < 0:
            raise Dropped(Reason.TOO_OLD, "before the first number")
        self.window.check(number)
        return number

    def high(self, number: int) -> bytes:
        """The half of an extended sequence number that is not sent, and nothing where there is none."""
        return (number >> 32).to_bytes(4, "big") if self.window.esn else b""

    def authentic(self, number: int) -> None:
        """The packet of this number was authentic: move the window."""
        self.newest = self.window.commit(number)
