"""Signals become readable."""

import os
import select
import signal

from lab.daemon.signals import Signals


def test_signals_are_heard_in_their_order_and_the_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    heard: list[signal.Signals] = []
    with Signals() as signals:
        assert not select.select([signals], [], [], 0)[0]
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert select.select([signals], [], [], 5)[0]
        signals.take(heard.append)
    assert sorted(heard) == sorted([signal.SIGTERM, signal.SIGINT, signal.SIGTERM])
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
