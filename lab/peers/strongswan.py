"""strongSwan: charon in a node, configured, started, watched and ended through vici.

Rules: each charon sees a private /run (its pid file, socket and log live there) through a bind mount in a mount
namespace of its own; the same directory is `run_dir/run` outside. Connections are loaded over vici after the start,
so no swanctl is needed. Its keys come from its own log, read by `charon_log`.
"""

import json
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import BrokenError, UnfitError
from lab.ike.swanctl import Section, render
from lab.peers import charon_log
from lab.peers.base import INITIATE_S, NO_FILES, READY_S, Event, KeyLog, Node, Outcome, PeerFault
from lab.peers.charon_conf import CONF, LOG, RESOLV, SOCKET, strongswan_conf
from lab.peers.charon_load import loads
from lab.peers.charon_sas import event, sa_view
from lab.peers.vici_link import ANSWER_S, Commands, Events, connect

BINARIES = ("/usr/sbin/charon-systemd", "/usr/lib/ipsec/charon")
CLEANING, MOST_WORDS = ("deleting policy", "deleting SAD entry"), 3
EVENTS = ("ike-updown", "child-updown", "ike-rekey", "child-rekey", "ike-update")
# $1 the run directory, $2 the daemon.
_LAUNCH = f'mount --bind "$1" /run && STRONGSWAN_CONF=/run/{CONF} exec "$2"'


def find_charon() -> str:
    """The daemon's path on this machine."""
    for binary in BINARIES:
        if Path(binary).exists():
            return binary
    raise UnfitError("strongSwan's charon is not installed", fix="apt install charon-systemd, or use --kernel guest")


def last_words(lines: Iterable[str]) -> list[str]:
    """The last lines of a command of charon's that say something of the peer, without those on cleaning up."""
    return [line for line in lines if not line.startswith(CLEANING)][-MOST_WORDS:]


class StrongSwan:
    """charon in a node; see `base.PeerDriver` for what the methods promise."""

    name = "strongswan"
    abilities: frozenset[str] = frozenset()
    tells_keys = True

    def __init__(self, node: Node, run_dir: Path) -> None:
        self.node, self.run_dir = node, run_dir
        self.source = f"{self.name}:{node.name}"
        self.version = ""
        self._tree = Section()
        self._files = NO_FILES
        self._binary = self.find()
        self._process: subprocess.Popen[bytes] | None = None
        self._commands: Commands | None = None
        self._events: Events | None = None
        self._pending: list[Event] = []

    def find(self) -> str:
        """The daemon's path."""
        return find_charon()

    def argv(self, run: Path) -> list[str]:
        """The command that starts charon with this directory as its /run."""
        return ["unshare", "--mount", "sh", "-c", _LAUNCH, "sh", str(run), self._binary]

    def configure(self, tree: Section, files: Mapping[str, bytes] = NO_FILES) -> None:
        """Take the connections, secrets and `ikelab` settings to use, and the files they name; before `start`."""
        self._tree, self._files = tree, files

    def start(self) -> None:
        """Write strongswan.conf and start charon; returns at once."""
        run = self.run_dir / "run"
        run.mkdir(parents=True, exist_ok=True)
        (run / CONF).write_text(self.configs()[CONF])
        with (self.run_dir / "stderr").open("wb") as stderr:
            self._process = self.node.popen(
                self.argv(run),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def ready(self, timeout: float = READY_S) -> None:
        """Wait until charon answers on vici, then load secrets and connections."""
        deadline = time.monotonic() + timeout
        socket = self.run_dir / "run" / SOCKET
        try:
            self._commands = Commands(connect(socket, deadline))
        except PeerFault as error:
            raise BrokenError(f"charon in {self.node.name} did not start: {self._last_words()}") from error
        self.version = self._commands.request("version")["version"]
        self._events = Events(connect(socket, deadline), EVENTS)
        self._load()

    def reconnect(self) -> None:
        """Talk over a connection of this process's own, in a forked child: its parent's is not its to use."""
        self._process = None  # nor is the daemon its child
        self._commands = Commands(connect(self.run_dir / "run" / SOCKET, time.monotonic()))

    def _load(self) -> None:
        """Give charon every secret, CA and connection of the tree, as swanctl --load-all would."""
        for command, message in loads(self._tree, self._files):
            self._command(command, message)

    def _command(self, command: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._link().request(command, message)

    def _link(self) -> Commands:
        if self._process is not None and self._process.poll() is not None:
            raise PeerFault(f"charon in {self.node.name} died: {self._last_words()}")
        if self._commands is None:
            raise BrokenError(f"charon in {self.node.name} was not made ready")
        return self._commands

    def _last_words(self) -> str:
        words = [path.read_text(errors="replace").strip() for path in (self.run_dir / "stderr", *self.logs())]
        return (" / ".join(text.splitlines()[-1] for text in words if text)) or "it said nothing"

    def initiate(self, child: str, timeout: float = INITIATE_S) -> Outcome:
        """Set up a CHILD SA (and the IKE SA it needs); wait for the outcome, `timeout` in seconds."""
        wish = {"child": child, "timeout": str(int(timeout * 1000)), "loglevel": "1"}
        return self._outcome("initiate", wish, timeout)

    def terminate(self, *, ike: str = "", child: str = "", timeout: float = INITIATE_S) -> Outcome:
        """Delete an IKE SA or a CHILD SA by its name, and wait until the other side has agreed."""
        milliseconds = int(timeout * 1000) or -1  # vici takes 0 for ever, and -1 for not at all
        wish = {"timeout": str(milliseconds), "loglevel": "1"}
        return self._outcome("terminate", wish | ({"child": child} if child else {"ike": ike}), timeout)

    def rekey(self, *, ike: str = "", child: str = "", wait: bool = False) -> Outcome:
        """Start the rekeying of an IKE SA or a CHILD SA; vici never waits for it."""
        answer = self._command("rekey", {"child": child} if child else {"ike": ike})
        matches = int(answer.get("matches", "0"))
        return Outcome(matches > 0, "" if matches else f"no SA is called {ike or child}")

    def redirect(self, gateway: str, *, ike: str = "") -> Outcome:
        """Tell the peer of an IKE SA (of all without a name) to go to another gateway (RFC 5685)."""
        which = {"ike": ike} if ike else {"peer-id": "*"}
        answer = self._command("redirect", {"gateway": gateway, **which})
        return Outcome(answer.get("success") == "yes", answer.get("errmsg", ""))

    def _outcome(self, command: str, wish: dict[str, str], timeout: float) -> Outcome:
        """Run a command that reports as it goes; its last lines are the reason when it fails.

        Charon gives up after `timeout` seconds by itself.
        """
        lines, refusal = self._link().streamed(command, "control-log", wish, timeout + ANSWER_S)
        if not refusal:
            return Outcome(True)
        return Outcome(False, "; ".join([*last_words(line["msg"] for line in lines), refusal]))

    def sas(self) -> list[dict[str, Any]]:
        """The SAs in the shape of sas.json."""
        listed, _ = self._link().streamed("list-sas", "list-sa")
        return [sa_view(name, sa) for answer in listed for name, sa in answer.items()]

    @property
    def key_log(self) -> KeyLog:
        """charon's log, which has the keys as they arise."""
        return KeyLog("charon", self.run_dir / "run" / LOG, self.source)

    def keys(self) -> charon_log.Keys:
        """The keys of every SA so far, from charon's log."""
        log = self.run_dir / "run" / LOG
        if not log.exists():
            return {"ike": [], "child": []}
        with log.open(errors="replace") as lines:
            return charon_log.read_keys(lines, self.source)

    def events(self, timeout: float = 0.0) -> list[Event]:
        """Events since the last call; waits up to `timeout` seconds for the first."""
        if self._events is None:
            return []
        found = self._events.read(timeout)
        return [item for name, fields in found for item in event(name, fields)]

    def counters(self) -> dict[str, int]:
        """charon's counters of IKE messages."""
        answer = self._command("get-counters", {})
        return {name: int(value) for name, value in answer.get("counters", {}).get("", {}).items()}

    def half_open(self) -> int:
        """How many IKE SAs it holds of peers that have not proven who they are."""
        return int(self._command("stats")["ikesas"]["half-open"])

    def logs(self) -> list[Path]:
        """The log files written so far."""
        return [path for name in (LOG, RESOLV) if (path := self.run_dir / "run" / name).exists()]

    def configs(self) -> dict[str, str]:
        """The configuration as given to the daemon: file name -> text."""
        loaded = Section(sections={k: v for k, v in self._tree.sections.items() if k != "ikelab"})
        return {
            CONF: strongswan_conf(self._tree, Path(self._binary).name),
            "swanctl.conf": render(loaded),
            "vici.json": json.dumps(loaded.plain(), indent=1),
            **{name: data.decode() for name, data in self._files.items()},
        }

    def stop(self) -> None:
        """End the daemon; never raises when it is gone already."""
        for link in (self._commands, self._events):
            if link is not None:
                link.close()
        self._commands = self._events = None
        if self._process is not None:
            # Killed, not asked: on SIGTERM it would delete its SAs, which no scenario meant.
            self._process.kill()
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """The same, as charon is never asked."""
        self.stop()
