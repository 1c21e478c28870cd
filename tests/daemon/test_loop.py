"""The wait of the daemon."""

import os

import pytest

from lab.daemon.loop import MOST_IDLE_TURNS, Loop
from lab.errors import BrokenError


def pipes(count: int) -> list[tuple[int, int]]:
    return [os.pipe() for _ in range(count)]


def test_what_is_readable_is_called() -> None:
    loop, seen = Loop(lambda: 0.0), []
    for number, (read, write) in enumerate(pipes(3)):
        loop.watch(read, lambda mask, number=number: seen.append(number))
        if number != 1:
            os.write(write, b"!")
    loop.turn(None)
    assert sorted(seen) == [0, 2] and loop.wakeups == 1
    loop.close()


def test_a_source_that_another_one_ended_is_not_called() -> None:
    loop, seen = Loop(lambda: 0.0), []
    ends = pipes(2)
    for number, (read, write) in enumerate(ends):
        other = ends[1 - number][0]

        def ready(_mask: int, number: int = number, other: int = other) -> None:
            seen.append(number)
            loop.selector.unregister(other)

        loop.watch(read, ready)
        os.write(write, b"!")
    loop.turn(None)
    assert len(seen) == 1
    loop.close()


def test_a_deadline_in_the_future_is_slept_for_and_then_over() -> None:
    times = iter([10.0, 10.0])
    loop = Loop(lambda: next(times))
    loop.turn(10.002)
    assert loop.wakeups == 1
    loop.turn(9.0)
    loop.close()


def test_a_timer_that_does_not_move_on_is_a_bug_that_surfaces() -> None:
    loop = Loop(lambda: 10.0)
    for _ in range(MOST_IDLE_TURNS):
        loop.turn(9.0)
    with pytest.raises(BrokenError, match="does not move on"):
        loop.turn(9.0)
    loop.close()


def test_late_timers_with_work_in_between_are_no_bug() -> None:
    loop = Loop(lambda: 10.0)
    ((read, write),) = pipes(1)
    loop.watch(read, lambda mask: None)
    os.write(write, b"!")
    for _ in range(MOST_IDLE_TURNS * 2):
        loop.turn(9.0)
    loop.close()


def test_a_deadline_that_no_system_call_takes_is_waited_for_in_parts() -> None:
    loop = Loop(lambda: 0.0)
    ((read, write),) = pipes(1)
    loop.watch(read, lambda mask: None)
    os.write(write, b"!")
    loop.turn(1e300)
    assert loop.wakeups == 1
    loop.close()
