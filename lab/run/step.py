"""`ikelab run --step`: the ladder grows in the terminal, one message at each Enter.

    ikev2/cookie  ours -> strongswan
       0.0000  left  ---->  right   IKE_SA_INIT request 0 {SA KEi Ni N(NAT_DETECTION_SOURCE_IP) ...}
    Enter: let it go on   c: go on without stops   q: end

Rules of this file: the whole guest is stopped while somebody thinks, so that nothing in it times out and no CPU is kept
busy. Answers are lines of standard input; where it ends, the run goes on without stops. `q` is an interrupt like any
other: what is done is kept.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any, TextIO

from lab.emulation.gate.step import ALL, MESSAGES
from lab.plugin.meta import Scenario
from lab.run.follow import Lines
from lab.run.progress import Screen

PROMPT = "Enter: let it go on   c: go on without stops   q: end"
_GUESTS_OWN = "uml-userspace"
_ASIDE = " " * 11


class Stepping:
    """One guest that holds messages: `directory` is what the gate's Stepper writes to."""

    def __init__(self, directory: Path, screen: Screen, answers: TextIO | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._screen, self._answers = directory, screen, answers or sys.stdin
        self._lines = Lines(directory / MESSAGES)
        self._scenario: Scenario | None = None
        self._began = 0.0
        self._guest = 0

    line = None

    def begun(self, process: int, _directory: Path, /) -> None:
        """See kernels.Attached."""
        self._guest = process

    def look(self, scenario: Scenario | None) -> None:
        """Show what has come, and ask about what is held. KeyboardInterrupt where somebody ends the run."""
        for line in self._lines.new():
            if "did" in line:
                if line["did"]:
                    self._screen.say(f"{_ASIDE}the gate's rules: {', '.join(line['did'])}")
                continue
            self._head(scenario, float(line["t"]))
            for text in rung(line, self._began):
                self._screen.say(text)
            if line["held"] and not (self._directory / ALL).exists():
                self._ask(str(line["token"]))

    def _head(self, scenario: Scenario | None, time_s: float) -> None:
        if scenario is None or scenario == self._scenario:
            self._began = self._began or time_s
            return
        self._scenario, self._began = scenario, time_s
        self._screen.say(f"\n{scenario.id}  {scenario.pairing}")
        if scenario.title:
            self._screen.say(scenario.title)

    def _ask(self, token: str) -> None:
        self._screen.say(PROMPT)
        self._signal(signal.SIGSTOP)
        try:
            answer = self._answers.readline()
            word = answer.strip().lower()
            if word == "q":
                raise KeyboardInterrupt
            (self._directory / (ALL if word == "c" or not answer else token)).touch()
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in _family(self._guest) if self._guest else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)


def _family(process: int) -> list[int]:
    """A process and all that it has started, but for the guest's own programs, which move with their kernel only."""
    place = Path("/proc", str(process))
    try:
        if (place / "comm").read_text().strip() == _GUESTS_OWN:
            return []
        children = (place / "task" / str(process) / "children").read_text().split()
    except OSError:
        return []
    return [process, *(one for child in children for one in _family(int(child)))]


def rung(line: dict[str, Any], began: float) -> list[str]:
    """A message in words, behind a line on what passed since the last one; `began` is the time of the first."""
    passed = ", ".join(f"{count} {kind}" for kind, count in line["passed"].items())
    arrow = "<----" if line["to"] == "left" or line["from"] == "right" else "---->"
    ends = (line["to"], line["from"]) if arrow == "<----" else (line["from"], line["to"])
    kind = {True: "response", False: "request", None: "message"}[line.get("response")]
    inside = "sealed" if line["payloads"] is None else " ".join(line["payloads"])
    number = f" {line['message_id']}" if "message_id" in line else ""
    words = f"{line.get('exchange', 'a message without a header')} {kind}{number} {{{inside}}}"
    rung = f"{line['t'] - began:8.4f}   {ends[0]}  {arrow}  {ends[1]}   {words}"
    return [*([f"{_ASIDE}({passed} in between)"] if passed else []), rung]
