"""Why a packet was dropped: the words are the keys of the counters that `ikelab ctl stats` shows."""

from collections import Counter
from enum import StrEnum

from lab.errors import ProtocolError
from lab.trace import Trace


class Reason(StrEnum):
    """Every reason that the data plane has for dropping a packet."""

    TOO_SHORT = "too short for an ESP or AH packet"
    ICV_LENGTH = "AH header of another length than its algorithm has"
    UNKNOWN_SPI = "unknown SPI"
    SEQUENCE_ZERO = "sequence number 0"
    REPLAYED = "sequence number seen before"
    TOO_OLD = "sequence number left of the replay window"
    INTEGRITY = "integrity check failed"
    PADDING = "wrong padding"
    DUMMY = "dummy packet"
    NEXT_HEADER = "next header is not IP in a tunnel"
    INNER_HEADER = "inner packet is malformed"
    INNER_SELECTORS = "inner packet is outside the selectors"
    NOT_WHOLE = "transport mode carries whole datagrams without options only"
    ECN = "congestion mark on a packet that knows none"
    OUTER_HEADER = "outer header is malformed"
    NO_POLICY = "no policy for this packet"
    DISCARD = "policy says discard"
    NO_SA = "no SA yet, one is being asked for"
    LIFETIME = "the lifetime in octets or packets is over"
    EXHAUSTED = "sequence numbers are used up"
    TOO_BIG = "packet is larger than an IP packet can carry"
    NO_PROTOCOL = "neither IKE nor ESP on a port for both"
    SUPERPACKET = "super-packet is malformed"
    GRE_HEADER = "GRE packet is malformed"
    GRE_KEY = "GRE key of no tunnel"
    GRE_SEQUENCE = "GRE packet out of sequence"
    GRE_PROTOCOL = "GRE carries no IP packet"
    ICMP_STRANGE = "ICMP too big, but about no packet of ours"
    ICMP_UNBELIEVED = "ICMP too big, with an MTU that cannot be"
    NOT_SENT = "the system refused to send it"
    NOT_DELIVERED = "the system refused to take it"


class Dropped(ProtocolError):
    """Ends the way of one packet; caught at one place in the data plane, counted and traced there."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.why, self.detail = reason, detail
        super().__init__(reason.value)


class Drops:
    """Counts drops by reason, and traces them without letting a flood fill the disk.

    The first 16 of each reason are traced, after that only those whose count is a power of two.
    """

    __slots__ = ("_trace", "counts")

    def __init__(self, trace: Trace) -> None:
        self._trace, self.counts = trace, Counter[str]()

    def add(self, reason: Reason, **fields: object) -> None:
        """Count one drop."""
        count = self.counts[reason.value] = self.counts[reason.value] + 1
        if count <= 16 or count & (count - 1) == 0:
            self._trace.drop(reason.value, count=count, **fields)
