"""FRR: mgmtd, zebra and ospfd in a node, which route between the gateways of a scenario.

Rules: the daemons see a private /run through a bind mount, as charon does; the same directory is `run_dir/run`
outside. Each is started when the one before serves: an ospfd that zebra turns away comes back after 10 s only, and a
zebra without mgmtd asks for it so often that a virtual clock stops. That a daemon serves is seen at its vty, which it
opens last: whoever merely knocks at zebra's own socket is a client that goes away, and may take the next one's place.
FRR insists on its own user. What it knows is asked over the vty sockets; its log files say nothing that counts.
"""

import shutil
import subprocess
import time
from pathlib import Path

from lab.errors import BrokenError, UnfitError
from lab.peers import frr_show, frr_vty
from lab.peers.base import READY_S, Node, PeerFault
from lab.peers.frr_conf import CONF, Router, ospfd_conf
from lab.peers.frr_show import Neighbor, Route

PLACE, USER = "/usr/lib/frr", "frr"
DAEMONS = ("mgmtd", "zebra", "ospfd")
ZSERV = "zserv.api"
POLL_S, STOP_S = 0.01, 5.0
# $1 the run directory; the rest is the daemon with its options.
_LAUNCH = 'mount --bind "$1" /run && shift && exec "$@"'


class Frr:
    """An OSPF router in a node."""

    name = "frr"

    def __init__(self, node: Node, run_dir: Path, router: Router) -> None:
        self.node, self.run_dir, self.router = node, run_dir, router
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def run(self) -> Path:
        """What the daemons see as /run."""
        return self.run_dir / "run"

    def start(self) -> None:
        """Write the configuration and start the daemons; returns when ospfd is being started."""
        (self.run / "frr").mkdir(parents=True, exist_ok=True)
        for left_over in (ZSERV, *(f"{daemon}.vty" for daemon in DAEMONS)):
            (self.run / left_over).unlink(missing_ok=True)
        for daemon in DAEMONS:
            (self.run / f"{daemon}.conf").write_text(self.configs().get(f"{daemon}.conf", ""))
        for place in (self.run, self.run / "frr"):
            self._own(place)
        for daemon in DAEMONS:
            self._launch(daemon)
            if daemon != "ospfd":
                self._wait(daemon, READY_S)

    def _own(self, path: Path) -> None:
        try:
            shutil.chown(path, USER, USER)
        except LookupError as error:
            raise UnfitError("FRR is not installed", fix="apt install frr, or use --kernel guest") from error

    def argv(self, daemon: str) -> list[str]:
        """The command that starts a daemon with our directory as its /run, no TCP port, and everything in /run."""
        options = ["-i", f"/run/{daemon}.pid", "--vty_socket", "/run", "-P", "0", "-u", USER, "-g", USER]
        options += ["--log", f"file:/run/{daemon}.log", "--log-level", "debugging"]
        if daemon != "mgmtd":  # which would be told in /etc/frr, and needs to be told nothing
            options += ["-f", f"/run/{daemon}.conf", "-z", f"/run/{ZSERV}"]
        return ["unshare", "--mount", "sh", "-c", _LAUNCH, "sh", str(self.run), f"{PLACE}/{daemon}", *options]

    def _launch(self, daemon: str) -> None:
        with (self.run_dir / f"{daemon}.stderr").open("wb") as stderr:
            self._processes[daemon] = self.node.popen(
                self.argv(daemon), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr
            )

    def ready(self, timeout: float = READY_S) -> None:
        """Wait until ospfd takes questions."""
        self._wait("ospfd", timeout)

    def _wait(self, daemon: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not frr_vty.answers(self.run / f"{daemon}.vty"):
            if not self._lives(daemon) or time.monotonic() > deadline:
                raise BrokenError(f"{daemon} in {self.node.name} did not start: {self._last_words(daemon)}")
            time.sleep(POLL_S)

    def _lives(self, daemon: str) -> bool:
        return daemon in self._processes and self._processes[daemon].poll() is None

    def _last_words(self, daemon: str) -> str:
        path = self.run_dir / f"{daemon}.stderr"
        words = path.read_text(errors="replace").split("\n") if path.exists() else []
        return next((line for line in reversed(words) if line.strip()), "it said nothing")

    def ask(self, daemon: str, command: str) -> str:
        """What a daemon answers to a command of its command line."""
        if not self._lives(daemon):
            raise PeerFault(f"{daemon} in {self.node.name} died: {self._last_words(daemon)}")
        return frr_vty.ask(self.run / f"{daemon}.vty", command)

    def neighbors(self) -> list[Neighbor]:
        """The neighbours that ospfd hears."""
        asked = (self.ask("ospfd", command) for command in (frr_show.NEIGHBORS, frr_show.NEIGHBORS_DETAIL))
        return frr_show.neighbors(*asked)

    def full(self) -> list[Neighbor]:
        """The neighbours with which the databases agree."""
        return [neighbor for neighbor in self.neighbors() if neighbor.state == frr_show.FULL]

    def routes(self) -> list[Route]:
        """The routes that OSPF has found, as zebra knows them."""
        return frr_show.routes(self.ask("zebra", frr_show.ROUTES))

    def hellos_in(self) -> int:
        """How many hellos ospfd has taken; an interface that was made anew counts from 0."""
        return sum(frr_show.hellos_in(self.ask("ospfd", frr_show.TRAFFIC)).values())

    def logs(self) -> list[Path]:
        """The log files written so far."""
        return sorted(self.run.glob("*.log"))

    def configs(self) -> dict[str, str]:
        """The configuration as given: file name -> text."""
        return {CONF: ospfd_conf(self.router, self.node.name)}

    def stop(self) -> None:
        """End the daemons, ospfd first; never raises when they are gone already."""
        for daemon in reversed(DAEMONS):
            process = self._processes.pop(daemon, None)
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
