"""Things done at once are begun before any is over, and leave no thread behind."""

import os
from threading import Barrier

import pytest

from lab.plugin.at_once import at_once

MANY = 20


def test_all_begin_before_any_is_over_and_their_order_is_kept() -> None:
    barrier = Barrier(MANY, timeout=10)

    def act(number: int) -> int:
        barrier.wait()
        return number * 2

    assert at_once(act, range(MANY)) == [2 * number for number in range(MANY)]


def test_no_thread_is_left() -> None:
    before = len(os.listdir("/proc/self/task"))
    for _ in range(20):
        at_once(str, range(MANY))
        assert len(os.listdir("/proc/self/task")) == before


def test_an_error_is_the_callers() -> None:
    with pytest.raises(ZeroDivisionError):
        at_once(lambda number: 1 // number, [1, 0])
