"""Waiting for what can go on: the descriptors of this moment, which are others at the next wait."""

import selectors
import socket
from collections.abc import Mapping

File = int | socket.socket


def ready(wanted: Mapping[File, int], timeout_s: float | None = None) -> dict[File, int]:
    """Which of these files can be read or written (EVENT_READ, EVENT_WRITE) now; waits until one of them can.

    By poll, which takes regular files too, and which the system keeps nothing of between two waits: a descriptor that
    was closed, and whose number is another's now, cannot be mistaken for it.
    """
    with selectors.PollSelector() as selector:
        for file, events in wanted.items():
            selector.register(file, events)
        return {key.fileobj: events for key, events in selector.select(timeout_s)}  # type: ignore[misc]
