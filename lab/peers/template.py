"""The driver of a template: its commands, run in the peer's node and root, and what they say taken at its word.

    exit code 0       done; what was asked for is on standard output
    exit code 127     this peer cannot do that: the scenario is unsupported
    any other         refused; the last line on standard error is the reason

A command is told its case twice, by placeholders and by the environment: IKELAB_NODE, IKELAB_ROLE, IKELAB_CONFIG_DIR
(connection.json and swanctl.conf, and the files that they name), IKELAB_LOG_DIR, IKELAB_KEYS_DIR, IKELAB_RUN_DIR, and
IKELAB_CHILD, IKELAB_IKE, IKELAB_TIMEOUT, IKELAB_GATEWAY where they apply. `start` runs as long as the peer lives.
"""

import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.errors import BrokenError, LabError
from lab.ike.swanctl import Section, render
from lab.peers import told
from lab.peers.base import INITIATE_S, NO_FILES, READY_S, Event, KeyLog, Node, Outcome, PeerFault, Unsupported
from lab.peers.room import Room, tree
from lab.templates.template import Template

SCHEMA = "ikelab.connection/1"
UNSUPPORTED = 127
KEY_LOG = "keys.jsonl"
COMMAND_S, POLL_S, APART_S = 30.0, 0.05, 1.0
NO_KEYS: dict[str, list[dict[str, Any]]] = {"ike": [], "child": []}


class TemplatePeer:
    """A peer behind commands; see `base.PeerDriver` for what the methods promise."""

    abilities: frozenset[str] = frozenset()

    def __init__(self, node: Node, run_dir: Path, *, template: Template) -> None:
        self.node, self.run_dir, self.template = node, run_dir, template
        self.name, self.version = template.name, ""
        self.source = f"{self.name}:{node.name}"
        self._tree = Section()
        self._files = NO_FILES
        self._daemon: subprocess.Popen[bytes] | None = None
        self._read_events = 0
        self._asked = -APART_S
        self._keys: dict[str, list[dict[str, Any]]] | None = None
        self._room = self._new_room()

    def _new_room(self) -> Room:
        own = tree(self.name)
        if self.template.packages and own is None:
            raise Unsupported(f"{self.name} is not in the image; run: ikelab image build, and use --kernel guest")
        return Room(self.node, self.run_dir / "run", own, [self.run_dir, self.template.here.resolve()])

    def configure(self, tree: Section, files: Mapping[str, bytes] = NO_FILES) -> None:
        """Take the connections, secrets and files to use; before `start`."""
        self._tree, self._files = tree, files

    def start(self) -> None:
        """Write the configuration, let the template translate it, and start the daemon."""
        for place in ("run", "config", "logs", "keys"):
            (self.run_dir / place).mkdir(parents=True, exist_ok=True)
        for name, data in self._written().items():
            (self.run_dir / "config" / name).write_bytes(data)
        self._room.open()
        if "configure" in self.template.commands:
            done = self._run("configure", {})
            if not done.up:
                raise BrokenError(f"{self.name} takes no such configuration: {done.reason}")
        with (self.run_dir / "logs" / "output").open("wb") as output:
            self._daemon = self._popen("start", self._values({}), stdout=output, stderr=output)

    def _written(self) -> dict[str, bytes]:
        """The configuration as it is put before the template."""
        told = Section(sections={k: v for k, v in self._tree.sections.items() if k != "ikelab"})
        facts = {"schema": SCHEMA, "node": self.node.name, "role": self.role, **told.plain()}
        texts = {"swanctl.conf": render(told), "connection.json": json.dumps(facts, indent=1) + "\n"}
        return {**{name: text.encode() for name, text in texts.items()}, **self._files}

    @property
    def tells_keys(self) -> bool:
        """Whether the template has a command for the keys."""
        return "keys" in self.template.commands

    @property
    def role(self) -> str:
        """`responder` where no connection says where its peer is, else `initiator`."""
        connections = self._tree.sections.get("connections", Section()).sections.values()
        return "initiator" if any(one.get("remote_addrs", "%any") != "%any" for one in connections) else "responder"

    def ready(self, timeout: float = READY_S) -> None:
        """Ask `ready` until it says yes."""
        deadline = time.monotonic() + timeout
        while not (done := self._run("ready", {})).up:
            if self._dead() or time.monotonic() > deadline:
                raise BrokenError(f"{self.name} in {self.node.name} did not start: {done.reason}; {self._last_words()}")
            time.sleep(POLL_S)
        self.version = self._version()

    def _version(self) -> str:
        """What the template's command says, else the version of its tree in the image."""
        if "version" in self.template.commands:
            return self._text("version").strip()
        own = tree(self.name)
        return own.name.removeprefix(f"{self.name}-") if own else ""

    def _dead(self) -> bool:
        return self._daemon is not None and self._daemon.poll() is not None

    def _last_words(self) -> str:
        output = self.run_dir / "logs" / "output"
        lines = output.read_text(errors="replace").split("\n") if output.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "its daemon said nothing")

    # -- commands

    def _values(self, case: Mapping[str, str]) -> dict[str, str]:
        """Every placeholder's value."""
        here = self.template.here.resolve()
        places = {name: str(self.run_dir / name) for name in ("config", "logs", "keys")}
        return {"here": str(here), "node": self.node.name, "role": self.role, "run": "/run", **places, **case}

    def _popen(self, command: str, values: Mapping[str, str], **options: Any) -> "subprocess.Popen[bytes]":
        names = {"config": "CONFIG_DIR", "logs": "LOG_DIR", "keys": "KEYS_DIR", "run": "RUN_DIR"}
        told = [f"IKELAB_{names.get(name, name.upper())}={value}" for name, value in values.items()]
        argv = ["env", "--chdir=/", *told, *self.template.argv(command, values)]
        return self._room.popen(argv, stdin=subprocess.DEVNULL, **options)

    def _carry_out(self, command: str, case: Mapping[str, str], timeout: float) -> tuple[int, str, str]:
        """Run a command to its end: exit code, output, last line of complaint."""
        if command not in self.template.commands:
            raise Unsupported(f"{self.name} has no command {command!r} ({self.template.file.name})")
        process = self._popen(command, self._values(case), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise PeerFault(f"{self.name} in {self.node.name}: {command} did not end within {timeout:g} s") from None
        words = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
        reason = words[-1].strip() if words else ""
        if process.returncode == UNSUPPORTED:
            raise Unsupported(f"{self.name} cannot do this: {reason or f'its command {command} says so'}")
        return process.returncode, output.decode(errors="replace"), reason

    def _run(self, command: str, case: Mapping[str, str], timeout: float = COMMAND_S) -> Outcome:
        """Run a command that answers with its exit code."""
        code, _, reason = self._carry_out(command, case, timeout)
        if code and command not in ("configure", "ready") and self._dead():
            raise PeerFault(f"{self.name} in {self.node.name} died: {self._last_words()}")
        return Outcome(code == 0, "" if code == 0 else reason or f"{command} ended with exit code {code}")

    def _text(self, command: str) -> str:
        """Run a command that answers with text."""
        code, output, reason = self._carry_out(command, {}, COMMAND_S)
        if code:
            kind = PeerFault if self._dead() else BrokenError
            raise kind(f"{self.name} in {self.node.name}: {command} failed: {reason or f'exit code {code}'}")
        return output

    def _who(self, command: str) -> str:
        return f"the command {command} of {self.name} printed"

    def initiate(self, child: str, timeout: float = INITIATE_S) -> Outcome:
        """Set up a CHILD SA (and the IKE SA it needs); wait for the outcome, `timeout` in seconds."""
        return self._run("initiate", {"child": child, "timeout": f"{timeout:g}"}, timeout + COMMAND_S)

    def rekey(self, *, ike: str = "", child: str = "", wait: bool = True) -> Outcome:
        """Rekey an IKE SA or a CHILD SA by its name; whether it waits is the template's."""
        return self._run("rekey", {"ike": ike, "child": child})

    def redirect(self, gateway: str, *, ike: str = "") -> Outcome:
        """Tell the peer of an IKE SA (of all without a name) to go to another gateway (RFC 5685)."""
        return self._run("redirect", {"gateway": gateway, "ike": ike})

    def terminate(self, *, ike: str = "", child: str = "", timeout: float = INITIATE_S) -> Outcome:
        """Delete an IKE SA or a CHILD SA by its name, and wait until the other side has agreed."""
        case = {"ike": "" if child else ike, "child": child, "timeout": f"{timeout:g}"}
        return self._run("terminate", case, timeout + COMMAND_S)

    def sas(self) -> list[dict[str, Any]]:
        """The SAs in the shape of sas.json; at most every `APART_S`, as each answer costs processes."""
        time.sleep(max(0.0, self._asked + APART_S - time.monotonic()))
        self._asked = time.monotonic()
        return told.sas(self._text("sas"), self._who("sas"))

    def keys(self) -> dict[str, list[dict[str, Any]]]:
        """The keys of every SA so far; none where the template has no command for them."""
        if self._keys is not None:
            return self._keys
        if not self.tells_keys:
            return NO_KEYS
        return told.keys(self._text("keys"), self._who("keys"), self.source)

    @property
    def key_log(self) -> KeyLog:
        """`keys.jsonl` in the key directory, for a template that writes keys as they arise."""
        return KeyLog("jsonl", self.run_dir / "keys" / KEY_LOG, self.source)

    def events(self, timeout: float = 0.0) -> list[Event]:
        """Events since the last call; waits up to `timeout` seconds for the first."""
        deadline = time.monotonic() + timeout
        while True:
            every = told.events(self._text("events"), self._who("events"))
            found, self._read_events = every[self._read_events :], len(every)
            if found or time.monotonic() >= deadline:
                return found
            time.sleep(POLL_S)

    def counters(self) -> dict[str, int]:
        """The daemon's own counters; none where the template has no command for them."""
        if "counters" not in self.template.commands:
            return {}
        return told.counters(self._text("counters"), self._who("counters"))

    def logs(self) -> list[Path]:
        """The files in the log directory."""
        return [path for path in sorted((self.run_dir / "logs").glob("*")) if path.is_file() and path.stat().st_size]

    def configs(self) -> dict[str, str]:
        """What was put before the template, and what it made of it."""
        files = (path for path in sorted((self.run_dir / "config").glob("*")) if path.is_file())
        return {path.name: path.read_text(errors="replace") for path in files}

    def stop(self) -> None:
        """End the daemon, after its keys were asked for a last time; never raises when it is gone already."""
        if self._daemon is not None:
            self._keys = self._last_keys()
            for command in ("logs", "stop"):
                with suppress(LabError):
                    self._run(command, {})
            self._daemon = None
        self._room.close()

    def _last_keys(self) -> dict[str, list[dict[str, Any]]]:
        try:
            return self.keys()
        except LabError:
            return NO_KEYS
