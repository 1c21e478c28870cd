"""What the kernel counts: packets of our children, and what its IPsec dropped in this network namespace.

Rule: the kernel does not say when a state last carried a packet. A policy says when it was last asked, in whole
seconds; that counts for a child whose packet counter has grown meanwhile.
"""

from pathlib import Path as File

from lab.backends.xfrm.policies import Policies
from lab.backends.xfrm.states import States, key
from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.ipsec.drops import Drops, Reason
from lab.trace import Trace

STATISTICS = File("/proc/self/net/xfrm_stat")
# Counters with a reason of ours; the others keep the kernel's name (Documentation/networking/xfrm_proc.rst).
REASONS = {
    "XfrmInNoStates": Reason.UNKNOWN_SPI,
    "XfrmInStateProtoError": Reason.INTEGRITY,
    "XfrmInStateSeqError": Reason.REPLAYED,
    "XfrmInNoPols": Reason.INNER_SELECTORS,
    "XfrmInTmplMismatch": Reason.INNER_SELECTORS,
    "XfrmInHdrError": Reason.TOO_SHORT,
    "XfrmOutNoStates": Reason.NO_SA,
    "XfrmOutStateSeqError": Reason.EXHAUSTED,
}


class Counters:
    """Readings, and what they were before."""

    def __init__(self, states: States, policies: Policies, trace: Trace) -> None:
        self._states, self._policies = states, policies
        self.drops, self._began = Drops(trace), _statistics()
        self._seen: dict[bytes, tuple[int, int]] = {}
        self._carried: dict[bytes, tuple[float, float]] = {}

    def usage(self, child: ChildSa, path: Path) -> dict[str, int]:
        """Octets and packets of both directions."""
        here, there = (self._states.counted(key(child, path, inbound=inbound)) for inbound in (True, False))
        return {
            "bytes_in": here["bytes"],
            "bytes_out": there["bytes"],
            "packets_in": here["packets"],
            "packets_out": there["packets"],
        }

    def carried(self, child: ChildSa, path: Path, offset: float) -> tuple[float, float]:
        """When a packet last came in and went out; `offset` is what our clock lacks to seconds since 1970."""
        used = self.usage(child, path)
        packets = used["packets_in"], used["packets_out"]
        seen, before = self._seen.get(child.spi_in, (0, 0)), self._carried.get(child.spi_in, (0.0, 0.0))
        times = tuple(
            max(last, self._policies.last_used(child.spi_in, inbound=inbound) - offset) if grown > old else last
            for grown, old, last, inbound in zip(packets, seen, before, (True, False), strict=True)
        )
        self._seen[child.spi_in], self._carried[child.spi_in] = packets, (times[0], times[1])
        return times[0], times[1]

    def forget(self, spi_in: bytes) -> None:
        """A child is gone."""
        self._seen.pop(spi_in, None)
        self._carried.pop(spi_in, None)

    def dropped(self) -> dict[str, int]:
        """Drops since we began, by reason."""
        found = dict(self.drops.counts)
        for name, count in _statistics().items():
            if more := count - self._began.get(name, 0):
                reason = REASONS.get(name, name)
                found[str(reason)] = found.get(str(reason), 0) + more
        return found


def _statistics() -> dict[str, int]:
    """The kernel's counters; none where it was built without."""
    if not STATISTICS.exists():
        return {}
    return {name: int(count) for name, count in (line.split() for line in STATISTICS.read_text().splitlines())}
