"""Anti-replay window and the high half of extended sequence numbers (RFC 4303 3.4.3, appendix A).

Rules of this file:
- `check` before the ICV is verified, `commit` after: only an authentic packet moves the window.
- Numbers are always whole (64 bits with ESN): `whole` turns what the packet carries into such a number.
"""

from lab.ipsec.drops import Dropped, Reason

LEAST = 64  # RFC 4303 3.4.3: 32 MUST, 64 SHOULD


class ReplayWindow:
    """The last `size` sequence numbers of an inbound SA; size 0 checks nothing."""

    __slots__ = ("_bits", "_mask", "esn", "size", "top")

    def __init__(self, size: int = LEAST, *, esn: bool = False) -> None:
        if esn and not size:
            raise ValueError("extended sequence numbers need a replay window (RFC 4303 2.2.1)")
        self.size = max(size, LEAST) if size else 0
        self.esn, self.top = esn, 0
        # Bit n stands for the number `top - n`.
        self._bits, self._mask = 0, (1 << self.size) - 1

    def whole(self, low: int) -> int:
        """The number that the 32 bits of a packet stand for (RFC 4303 A2.1); negative where there is none."""
        if not self.esn:
            return low
        high, top_low = self.top >> 32, self.top & 0xFFFFFFFF
        bottom = (top_low - self.size + 1) & 0xFFFFFFFF
        if top_low >= self.size - 1:  # the window lies within one run of the low half
            return (high if low >= bottom else high + 1) << 32 | low
        return (high - 1 if low >= bottom else high) << 32 | low

    def check(self, number: int) -> None:
        """Raises Dropped for a number that was seen, or that is too old to know."""
        if number == 0:
            raise Dropped(Reason.SEQUENCE_ZERO)
        if not self.size or number > self.top:
            return
        age = self.top - number
        if age >= self.size:
            raise Dropped(Reason.TOO_OLD, f"{number} came after {self.top}")
        if self._bits >> age & 1:
            raise Dropped(Reason.REPLAYED, str(number))

    def commit(self, number: int) -> bool:
        """Remember an authentic number; true where it is the highest so far."""
        if number <= self.top:
            if self.size:  # without a window any age comes this far, and a bit for it could take gigabytes
                self._bits |= 1 << (self.top - number)
            return False
        shift = number - self.top
        # A jump beyond the window forgets everything; shifting by it could take gigabytes.
        self._bits = (self._bits << shift | 1) & self._mask if shift < self.size else 1
        self.top = number
        return True

    def commit_run(self, first: int, count: int) -> bool:
        """Remember `count` authentic numbers from `first` on, all beyond the top; true, as `commit` would say."""
        assert first > self.top, "a run begins beyond the top"
        self.commit(first + count - 1)
        # The jump has left the bits of all but the last one clear.
        self._bits |= ((1 << count) - 1) & self._mask
        return True
