"""What a run shows while it goes on: a bar with the time left on a terminal, lines anywhere else."""

import io

from lab.evidence.results import Result
from lab.run import durations
from lab.run.progress import Screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


def result(name):
    return Result(id=name, pairing="ours>strongswan", verdict="passed", dir="x", duration_s=1.0)


def test_a_terminal_sees_how_many_are_done_and_the_time_left(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(durations, "_table", lambda: {"a/long": 30.0})
    terminal = Terminal()
    with Screen(["a/long", "a/short", "a/short"], terminal) as screen:
        screen.result(result("a/short"))
        screen.more(["a/short"])
        (task,) = screen._bar.tasks
        assert (task.completed, task.total) == (1.0, 33.0)
        screen._bar.refresh()
        seen = terminal.getvalue()
    assert "1/4" in seen and "left" in seen


def test_what_is_no_terminal_sees_lines_alone():
    text = io.StringIO()
    with Screen(["a/short"], text) as screen:
        screen.now(["a/short"])
        screen.result(result("a/short"))
    assert text.getvalue() == "ok passed        1.00 s  a/short  ours>strongswan\n"
