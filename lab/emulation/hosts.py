"""Mininet's classes, with the work of their shell commands done in batches.

Mininet keeps the network as a graph of hosts, links and interfaces and gives every host a bash on a pseudo-terminal.
Here a host has its namespaces at once and its bash with the first `cmd()`: most nodes never need one, and seven of them
cost more than the whole handshake. Links are made by wires.py when Mininet calls `configHosts`.

Never call mininet's clean-up (`mn -c`): it kills by name across the whole machine.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

if sys.version_info >= (3, 12):
    import setuptools  # noqa: F401  (supplies distutils, which mininet imports)

from mininet.link import Intf, Link
from mininet.net import Mininet
from mininet.node import Host

from lab.emulation.namespace import Namespace


class LabHost(Host):  # type: ignore[misc]
    """A mininet host that lives in a Namespace. `privateDirs` are pairs of a directory and its source or None."""

    namespace: Namespace

    @classmethod
    def checkSetup(cls) -> None:
        """Mininet wants mnexec and ifconfig; nothing here calls them."""

    def startShell(self, mnopts: str | None = None) -> None:
        """Create the namespaces; called once, by mininet's constructor."""
        self.namespace = Namespace(dict(self.privateDirs))

    def mountPrivateDirs(self) -> None:
        """Nothing: the namespace was created with them."""

    def unmountPrivateDirs(self) -> None:
        """Nothing: they go with the namespace."""

    def cmd(self, *words: Any, **options: Any) -> Any:
        """Run a command in the host's bash, which starts now if it has not."""
        if self.shell is None:
            self.inNamespace = False  # the namespace is ours to enter, not mnexec's to create
            super().startShell("-cd")
        return super().cmd(*words, **options)

    def popen(self, *words: Any, **options: Any) -> Any:
        """Start a process in the host."""
        return super().popen(*words, mncmd=[], start_new_session=True, **options)

    def _popen(self, cmd: list[str], **options: Any) -> "subprocess.Popen[Any]":
        if cmd[0] == "mnexec":  # mnexec -cd COMMAND: a new session, and no stray descriptors (Python's do not leak)
            cmd = cmd[2:]
            options["start_new_session"] = True
        with self.namespace.entered():
            return subprocess.Popen(cmd, **options)

    def terminate(self) -> None:
        """End the bash, if there is one, and let go of the namespaces."""
        super().terminate()
        self.namespace.close()


class LabInterface(Intf):  # type: ignore[misc]
    """An interface that is configured in a batch, not by ifconfig."""

    def config(self, ip: str | None = None, **_params: Any) -> dict[str, Any]:
        """Remember the address; wires.py sets it."""
        if ip:
            self.ip, self.prefixLen = ip.split("/")
        return {}


class LabLink(Link):  # type: ignore[misc]
    """A veth pair that is created in a batch, straight into its two namespaces."""

    def __init__(self, one: LabHost, two: LabHost, **params: Any) -> None:
        super().__init__(one, two, fast=True, cls1=LabInterface, cls2=LabInterface, **params)

    @classmethod
    def makeIntfPair(cls, *_names: Any, **_options: Any) -> None:
        """Nothing: wires.py creates all pairs in one message."""

    def stop(self) -> None:
        """Nothing: the interfaces go with their namespaces."""


class LabMininet(Mininet):  # type: ignore[misc]
    """A Mininet of hosts only: no switch, no controller, no Open vSwitch."""

    def __init__(self, configure: Callable[[], None]) -> None:
        Mininet.inited = True  # else it rewrites nine kernel limits of the machine it runs on
        self._configure = configure
        super().__init__(controller=None, host=LabHost, link=LabLink, intf=LabInterface)

    def configHosts(self) -> None:
        """Create links, addresses and routes of all hosts at once."""
        self._configure()
