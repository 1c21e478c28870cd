"""The keeper: the process on the host that owns one lab, from `up` until it is down.

    python -m lab.life.keeper NAME         with the request as JSON on standard input

Rules: what it owns dies with it, by the kernel's doing. Whoever started it reads from its standard output one line of
JSON, `ready` or `failed`; afterwards it says nothing there. A lab that ends by itself leaves its record behind, with
the reason; `down` (SIGTERM) leaves nothing.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.emulation import linux
from lab.errors import LabError
from lab.guest import boot
from lab.life import records, wire
from lab.life.porter import Porter
from lab.life.records import Process, Record
from lab.run.catalogue import source_directory
from lab.run.kernels import CONTAINED, HostKernel

MODULE = "lab.life.inside"
REQUEST, REQUEST_LIMIT = "request.json", 1 << 20


class Keeper:
    """One lab: its record, its processes, and what its inside has said."""

    def __init__(self, name: str, request: dict[str, Any]) -> None:
        self._request = request
        self.record = Record(
            name=name,
            topology=request["name"],
            peers=request["peers"],
            kernel=request["kernel"],
            clock="virtual" if request["virtual"] else "real",
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            processes=(Process.of("keeper", os.getpid()),),
        )
        self.record.write()
        self.record.topology_file.write_text(request["topology"], encoding="utf-8")
        self.stop = threading.Event()
        self._answered = False
        self._log = (self.record.directory / records.LOG).open("a")
        self._last = ""

    def keep(self) -> str:
        """Have the lab up until it ends; why it ended."""
        return self._host() if self.record.kernel == "host" else self._guest()

    # -- in a guest

    def _guest(self) -> str:
        line, theirs = socket.socketpair()
        listener = records.listen(self.record.socket)
        thread = threading.Thread(target=self._carry, args=(line, listener), daemon=True)
        results = self.record.directory / "guest"
        results.mkdir()
        self._ask_for_it(results)

        def begun(pid: int, directory: Path) -> None:
            theirs.close()
            self._began("guest", pid, str(directory))
            thread.start()

        ended = boot.run(
            ["python3", "-m", MODULE, "--request", f"/results/{REQUEST}"], source=source_directory(), results=results,
            output=self._said, limit_s=float("inf"), virtual_time=self._request["virtual"], stop=self.stop,
            line=theirs.fileno(), begun=begun,
        )  # fmt: skip
        return ended.reason.partition('; its last line: {"event"')[0]

    def _carry(self, line: socket.socket, listener: socket.socket) -> None:
        with line, listener:
            Porter(line.fileno(), listener=listener).serve(self.stop.is_set)

    # -- on the host's kernel

    def _host(self) -> str:
        HostKernel()
        self._ask_for_it(self.record.directory)
        scratch = records.scratch()
        self.record = self.record.changed(directories=(str(scratch),))
        command = [*CONTAINED, sys.executable, "-m", MODULE, "--request", str(self.record.directory / REQUEST)]
        environment = {**os.environ, "PYTHONPATH": str(source_directory()), "IKELAB_CLOCK": "real"}
        places = ["--socket", str(self.record.socket), "--scratch", str(scratch)]
        process = subprocess.Popen(
            [*command, *places], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=environment, cwd=source_directory(), start_new_session=True,
            preexec_fn=linux.die_with_parent,
        )  # fmt: skip
        self._began("inside", process.pid)
        watch = threading.Thread(target=self._end_on_stop, args=(process,), daemon=True)
        watch.start()
        assert process.stdout is not None
        for line in process.stdout:
            self._said(line.rstrip("\n"))
        return f"its processes ended (exit code {process.wait()})"

    def _end_on_stop(self, process: "subprocess.Popen[str]") -> None:
        self.stop.wait()
        process.kill()

    # -- what is told

    def _ask_for_it(self, directory: Path) -> None:
        """Write what the inside is to build."""
        asked = {key: self._request[key] for key in ("topology", "file", "peers")}
        (directory / REQUEST).write_text(json.dumps(asked))

    def _began(self, role: str, pid: int, *directories: str) -> None:
        processes = (*self.record.processes, Process.of(role, pid))
        self.record = self.record.changed(processes=processes, directories=(*self.record.directories, *directories))

    def _said(self, line: str) -> None:
        """A line of the inside: an event, or something for the log."""
        event = _event(line)
        if event.get("event") == "ready":
            self.record = self.record.changed(ready=True, versions=event["versions"])
            self.answer(event)
        elif event.get("event") == "failed":
            self.answer(event)
        else:
            self._last = line or self._last
            self._log.write(line + "\n")
            self._log.flush()

    def answer(self, event: dict[str, Any]) -> None:
        """Tell whoever waits for `up`, once."""
        if not self._answered:
            self._answered = True
            with contextlib.suppress(BrokenPipeError):  # `up` was killed: the lab is as good without it
                os.write(sys.stdout.fileno(), json.dumps(event).encode() + b"\n")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def end(self, why: str) -> None:
        """It has ended: leave the reason, or nothing where that was wanted or told already."""
        said = f"{why}; the last it said: {self._last}" if self._last else why
        failed = not self._answered
        self.answer({"event": "failed", "kind": "broken", "text": f"the lab did not come up: {said}"})
        if self.stop.is_set() or failed or not self.record.ready:
            self.record.changed(processes=()).remove()
        else:
            self.record.changed(ended=said)


def _event(line: str) -> dict[str, Any]:
    if not line.startswith('{"event"'):
        return {}
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return found


def main() -> int:
    """Keep the lab that standard input describes."""
    keeper = Keeper(sys.argv[1], json.loads(sys.stdin.buffer.read(REQUEST_LIMIT)))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: keeper.stop.set())
    try:
        why = keeper.keep()
    except (LabError, OSError) as error:
        kind = wire.kind(error, otherwise="broken")
        keeper.answer({"event": "failed", "kind": kind, "text": str(error)})
        why = str(error)
    keeper.end(why)
    return 0


def start(name: str, request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Start a keeper in the background and wait until its lab is up or has failed; what it said."""
    directory = records.new(name)
    search = os.pathsep.join(filter(None, [str(source_directory()), os.environ.get("PYTHONPATH")]))
    with (directory / records.LOG).open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.life.keeper", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            env=os.environ | {"PYTHONPATH": search}, cwd="/", start_new_session=True,
        )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        with process.stdin as request_end:
            request_end.write(json.dumps(request).encode())
        progress(f"waiting for {request['name']}")
        with process.stdout as answers:
            line = answers.readline()
    except BaseException:
        process.terminate()  # Ctrl-C while it comes up: nothing must stay
        process.wait()
        raise
    if not line:
        process.wait()
        words = (directory / records.LOG).read_text(errors="replace").strip().splitlines()
        return {"event": "failed", "kind": "broken", "text": f"the keeper died: {words[-1] if words else 'silently'}"}
    found: dict[str, Any] = json.loads(line)
    if found["event"] == "failed":
        process.wait()
    return found


if __name__ == "__main__":
    sys.exit(main())
