"""The nursery keeps a few processes for later daemons, and lets go of the others."""

from lab.peers.nursery import KEPT, Nursery


class Process:
    """A process that ended its daemon well, or not."""

    def __init__(self, *, fit: bool = True) -> None:
        self.fit, self.killed = fit, False

    def end(self) -> bool:
        return self.fit

    def kill(self) -> None:
        self.killed = True


def nursery() -> Nursery:
    """One without a process of its own: nothing is forked here."""
    empty = Nursery.__new__(Nursery)
    empty._idle = []
    return empty


def test_a_few_are_kept_and_the_others_end() -> None:
    home, processes = nursery(), [Process() for _ in range(KEPT + 3)]
    for one in processes:
        home.end(one)  # type: ignore[arg-type]
    assert [one.killed for one in processes] == [False] * KEPT + [True] * 3
    assert home._idle == processes[:KEPT]


def test_one_that_is_not_fit_is_not_kept() -> None:
    home = nursery()
    home.end(Process(fit=False))  # type: ignore[arg-type]
    assert home._idle == []
