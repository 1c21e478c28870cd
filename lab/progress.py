"""How work that takes its time tells how far it is, to whoever wants to show it."""

from collections.abc import Callable

# A step in words, how much of it is done, and how much there is; 0 where that is unknown.
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _total: int) -> None:
    """Nobody wants to know."""
