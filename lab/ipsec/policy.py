"""The security policy database for outbound packets (RFC 4301 4.4.1).

Rules of this file:
- PROTECT comes from two sides: an installed child, and a trap, which names the child to ask IKE for. DISCARD is said by
  configuration. Nothing said means discard too: what reaches the tunnel device must not leave in the clear.
- The narrowest policy that takes the packet decides; of equals a child before a trap, and the newest child, so that
  traffic moves to the new SA when a child is rekeyed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.ipsec.association import Association
from lab.ipsec.flow import Flow, Known, flow_of, key_of
from lab.ipsec.selector import Selectors
from lab.wire.payloads_v2 import TrafficSelector


def breadth(local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]) -> int:
    """How much of the world a policy covers, in bits: addresses, protocol and ports of both sides."""
    return sum(max((_bits(selector) for selector in side), default=0) for side in (local, remote))


def _bits(selector: TrafficSelector) -> int:
    addresses = (int(selector.end) - int(selector.start)).bit_length()
    ports = (selector.end_port - selector.start_port).bit_length() if selector.end_port >= selector.start_port else 0
    return addresses + ports + (0 if selector.protocol else 8)


@dataclass(frozen=True, slots=True)
class Trap:
    """PROTECT without an SA yet: the first packet asks for this child."""

    child: str
    selectors: Selectors
    breadth: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Packets that must not leave."""

    name: str
    selectors: Selectors
    breadth: int


@dataclass(frozen=True, slots=True)
class Protect:
    """PROTECT with an SA."""

    association: Association
    selectors: Selectors
    breadth: int


Policy = Discard | Protect | Trap
_RANK: dict[type, int] = {Discard: 0, Protect: 1, Trap: 2}


class Policies:
    """The ordered list of policies."""

    __slots__ = ("_known", "_ordered")

    def __init__(self) -> None:
        self._ordered: list[Policy] = []
        self._known: Known[Policy | None] = Known()  # by flow, until the list changes

    def add(self, policy: Policy) -> None:
        """Put a policy before all that are as broad and of its kind."""
        self._known.clear()
        # The sort is stable: a newer policy that compares equal stays in front.
        self._ordered.insert(0, policy)
        self._ordered.sort(key=lambda entry: (entry.breadth, _RANK[type(entry)]))

    def protect(self, association: Association) -> None:
        """Send what the selectors of this child take through it."""
        child = association.child
        width = breadth(child.ts_local, child.ts_remote)
        self.add(Protect(association, association.selectors, width))

    def trap(self, child: str, local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]) -> None:
        """Ask for this child when a packet wants it."""
        self.add(Trap(child, Selectors.of(local, remote), breadth(local, remote)))

    def discard(self, name: str, local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]) -> None:
        """Let no such packet leave."""
        self.add(Discard(name, Selectors.of(local, remote), breadth(local, remote)))

    def forget(self, association: Association) -> None:
        """Take a child's policy away."""
        self._known.clear()
        self._ordered = [p for p in self._ordered if not (isinstance(p, Protect) and p.association is association)]

    def untrap(self, child: str) -> None:
        """Take a trap away."""
        self._known.clear()
        self._ordered = [p for p in self._ordered if not (isinstance(p, Trap) and p.child == child)]

    def of(self, packet: bytes) -> Policy | None:
        """The policy that decides about this outbound packet; raises ProtocolError as `flow_of` does."""
        key = key_of(packet)
        if key in self._known:
            return self._known[key]
        return self._known.keep(key, self.find(flow_of(packet)))

    def find(self, flow: Flow) -> Policy | None:
        """The policy that decides about an outbound packet."""
        return next((policy for policy in self._ordered if policy.selectors.outbound(flow)), None)
