"""Lifecycles of an IKE SA and of a CHILD SA: which state may follow which. `become` is the only writer, and it traces.

    IKE SA     CREATED -> CONNECTING -> ESTABLISHED -> REKEYING -> REKEYED -> DELETING -> GONE
    CHILD SA   CREATED -> INSTALLED -> REKEYING -> REKEYED -> DELETING -> GONE

REKEYED means: replaced by a successor and kept until its Delete. A rekeying that fails goes back. Anything may end.
"""

from collections.abc import Set
from enum import Enum
from typing import Generic, TypeVar

from lab.errors import BrokenError
from lab.trace import Trace


class IkeState(Enum):
    """The life of an IKE SA."""

    CREATED = "created"
    CONNECTING = "connecting"
    ESTABLISHED = "established"
    REKEYING = "rekeying"
    REKEYED = "rekeyed"
    DELETING = "deleting"
    GONE = "gone"


class ChildState(Enum):
    """The life of a CHILD SA."""

    CREATED = "created"
    INSTALLED = "installed"
    REKEYING = "rekeying"
    REKEYED = "rekeyed"
    DELETING = "deleting"
    GONE = "gone"


_I, _C = IkeState, ChildState

IKE_MOVES: Set[tuple[IkeState, IkeState]] = frozenset(
    {
        (_I.CREATED, _I.CONNECTING),
        (_I.CREATED, _I.ESTABLISHED),  # made by rekeying another IKE SA
        (_I.CREATED, _I.GONE),
        (_I.CONNECTING, _I.ESTABLISHED),
        (_I.CONNECTING, _I.DELETING),  # we refuse the peer's proof, and tell it
        (_I.CONNECTING, _I.GONE),
        (_I.ESTABLISHED, _I.REKEYING),
        (_I.ESTABLISHED, _I.REKEYED),  # rekeyed by the peer
        (_I.ESTABLISHED, _I.DELETING),
        (_I.ESTABLISHED, _I.GONE),
        (_I.REKEYING, _I.ESTABLISHED),  # refused by the peer
        (_I.REKEYING, _I.REKEYED),
        (_I.REKEYING, _I.DELETING),
        (_I.REKEYING, _I.GONE),
        (_I.REKEYED, _I.DELETING),
        (_I.REKEYED, _I.GONE),
        (_I.DELETING, _I.GONE),
    }
)

CHILD_MOVES: Set[tuple[ChildState, ChildState]] = frozenset(
    {
        (_C.CREATED, _C.INSTALLED),
        (_C.CREATED, _C.DELETING),  # we refuse the peer's answer, and tell it
        (_C.CREATED, _C.GONE),
        (_C.INSTALLED, _C.REKEYING),
        (_C.INSTALLED, _C.REKEYED),  # rekeyed by the peer
        (_C.INSTALLED, _C.DELETING),
        (_C.INSTALLED, _C.GONE),
        (_C.REKEYING, _C.INSTALLED),  # refused by the peer
        (_C.REKEYING, _C.REKEYED),
        (_C.REKEYING, _C.DELETING),
        (_C.REKEYING, _C.GONE),
        (_C.REKEYED, _C.DELETING),
        (_C.REKEYED, _C.GONE),
        (_C.DELETING, _C.GONE),
    }
)

S = TypeVar("S", bound=Enum)


class Lifecycle(Generic[S]):
    """The state of one SA and the table that guards it."""

    def __init__(self, subject: str, first: S, moves: Set[tuple[S, S]], trace: Trace) -> None:
        self.subject, self._state, self._moves, self._trace = subject, first, moves, trace

    @property
    def state(self) -> S:
        """The state of now."""
        return self._state

    def become(self, state: S) -> None:
        """Move to another state; BrokenError where the table has no such move."""
        before = self._state
        if (before, state) not in self._moves:
            raise BrokenError(f"{self.subject} cannot go from {before.name} to {state.name}")
        self._state = state
        text = f"{self.subject}: {before.name} -> {state.name}"
        self._trace.emit("state", text, before=before.name, after=state.name)
