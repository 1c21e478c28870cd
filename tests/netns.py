"""Network namespaces for tests that are root: nodes joined by veth pairs, daemons forked into them.

A node is a namespace held open by a sleeping process; it and all that runs in it end with the node. Nothing of the
host's own network is touched.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from lab.daemon.client import Client
from lab.daemon.main import main
from lab.errors import UnfitError

CLONE_NEWNET = 0x40000000
NFT = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
T = TypeVar("T")

# For tests that need this file.
needs_root = [
    pytest.mark.host_netns,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and iproute2"),
]
needs_nft = pytest.mark.skipif(NFT is None, reason="needs nftables")


def until(ask: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """Poll until there is an answer; the deadline is generous because machines are busy."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)
    return answer


class Node:
    """A network namespace."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._path, own = f"/proc/{self._holder.pid}/ns/net", os.readlink("/proc/self/ns/net")
        until(lambda: self._holder.poll() is None and os.readlink(self._path) != own, "a network namespace")
        self._children: list[int] = []
        self.ip("link set lo up")

    def ip(self, command: str) -> str:
        """Run `ip` in here."""
        return self.run(["ip", *command.split()])

    def run(self, argv: list[str], text: str = "") -> str:
        """Run a command in here."""
        argv = ["nsenter", f"--net={self._path}", *argv]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def nft(self, rules: str) -> None:
        """Load nftables rules in here."""
        assert NFT
        self.run([NFT, "-f", "-"], rules)

    def join(self, other: "Node", name: str, here: str, there: str) -> None:
        """Join two nodes by a veth pair; `here` and `there` are addresses with a prefix length."""
        self.ip(f"link add {name} type veth peer name {name} netns {other._holder.pid}")
        for node, address in ((self, here), (other, there)):
            node.ip(f"addr add {address} dev {name} {'nodad' if ':' in address else ''}")
            node.ip(f"link set {name} up")

    def fork(self, work: Callable[[], int]) -> int:
        """Run a function in a process of its own in here; its pid."""
        pid = os.fork()
        if pid:
            self._children.append(pid)
            return pid
        code = 70
        try:
            self.enter()
            code = work()
        finally:  # a forked child must never return into pytest
            if sys.exc_info()[0]:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(code)

    def enter(self) -> None:
        """Move this process (a forked one) into the namespace."""
        with open(self._path) as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def call(self, work: Callable[[], T]) -> T:
        """Run a function in here and give back what it returned (as JSON would)."""
        read, write = os.pipe()

        def report() -> int:
            os.write(write, json.dumps(work()).encode())
            return 0

        pid = self.fork(report)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            answer = pipe.read()
        assert self.wait(pid) == 0, "the forked function failed, see stderr"
        return json.loads(answer)

    def wait(self, pid: int, seconds: float = 20.0) -> int:
        """The exit code of a forked process."""
        status = until(lambda: next(((s,) for p, s in [os.waitpid(pid, os.WNOHANG)] if p), None), f"{pid}", seconds)[0]
        self._children.remove(pid)
        return os.waitstatus_to_exitcode(status)

    def kill(self, pid: int, number: int = signal.SIGKILL) -> int:
        """Signal a forked process and wait for its end."""
        os.kill(pid, number)
        return self.wait(pid)

    def close(self) -> None:
        """End all that runs in here."""
        for pid in self._children[:]:
            self.kill(pid)
        self._holder.kill()
        self._holder.wait()


class Daemon:
    """Our daemon in a node."""

    def __init__(self, node: Node, directory: Path, config: str, **options: object) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.node, self.directory, self._control = node, directory, directory / "ctl"
        file, self._stderr = directory / "swanctl.conf", directory / "stderr"
        file.write_text(config)
        keywords = {"control": self._control, "run_dir": directory, "keylog": directory, **options}

        def serve() -> int:
            sys.stderr = self._stderr.open("a", buffering=1)  # pytest has put one of its own in the place of fd 2
            return main(file, **keywords)

        self.pid = node.fork(serve)
        until(self._listens, "the control socket")

    def _listens(self) -> bool:
        assert self.pid in self.node._children and os.waitpid(self.pid, os.WNOHANG)[0] == 0, self.stderr()
        try:
            return self.call("stats") is not None
        except UnfitError:  # not there yet, or the leftover of the daemon before
            return False

    def stderr(self) -> str:
        """What it wrote to stderr."""
        return self._stderr.read_text()

    def log(self) -> str:
        """Its daemon.log."""
        return (self.directory / "daemon.log").read_text()

    def call(self, command: str, **args: object) -> object:
        """Give it a command."""
        with Client(self._control, timeout=20) as client:
            return client.call(command, **args)

    def client(self) -> Client:
        """A connection to it."""
        return Client(self._control, timeout=20)

    def child(self) -> dict[str, object]:
        """The only child of its only IKE SA."""
        ((child,),) = [sa["children"] for sa in self.call("list-sas")]
        return child

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; the exit code."""
        return self.node.kill(self.pid, number)
