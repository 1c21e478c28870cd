"""Waiting: what can be read or written now, and nothing that was true of another descriptor."""

import os
import socket
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE

from lab.life.waiting import ready


def test_what_can_go_on_is_told_by_its_file() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert ready({here: EVENT_READ, there: EVENT_READ | EVENT_WRITE}) == {there: EVENT_WRITE}
        there.send(b"x")
        assert ready({here: EVENT_READ, there: EVENT_READ}) == {here: EVENT_READ}


def test_a_regular_file_can_always_be_read(tmp_path: Path) -> None:
    with (tmp_path / "empty").open("w+") as file:
        assert ready({file.fileno(): EVENT_READ}) == {file.fileno(): EVENT_READ}


def test_nothing_can_go_on_until_the_time_is_over() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert ready({here: EVENT_READ}, 0.0) == {}


def test_a_descriptor_whose_number_was_given_away_is_the_new_one() -> None:
    told, tell = os.pipe()
    os.write(tell, b"x")
    assert ready({told: EVENT_READ}) == {told: EVENT_READ}
    silent, other = os.pipe()
    os.dup2(silent, told)
    assert ready({told: EVENT_READ}, 0.0) == {}
    for descriptor in (told, tell, silent, other):
        os.close(descriptor)
