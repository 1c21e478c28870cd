"""A node of a running network, as scenarios and peer drivers see it."""

import os
import socket
import subprocess
from collections.abc import Sequence
from ipaddress import ip_interface
from typing import Any

from lab.emulation.hosts import LabHost
from lab.emulation.model import NodeKind
from lab.emulation.namespace import Namespace
from lab.emulation.topology import Topology
from lab.errors import ConfigError


class Node:
    """One node: start processes in it, ask for its addresses."""

    def __init__(self, name: str, topology: Topology, host: LabHost) -> None:
        self.name = name
        self.mininet: Any = host
        self._topology = topology
        self._started: list[subprocess.Popen[Any]] = []

    @property
    def kind(self) -> NodeKind:
        """`gateway`, `host`, `nat` or `router`."""
        return self._topology.nodes[self.name].kind

    @property
    def namespace(self) -> Namespace:
        """Its network and mount namespaces."""
        namespace: Namespace = self.mininet.namespace
        return namespace

    @property
    def netns_path(self) -> str:
        """A path that names its network namespace, as long as the lab runs: `nsenter --net=PATH`."""
        return self.namespace.net_path

    @property
    def pid(self) -> int:
        """A process that lives in the node: mininet's bash, started now if it is not there yet."""
        if self.mininet.shell is None:
            self.mininet.cmd("true")
        return int(self.mininet.pid)

    def address(self, where: str = "", version: int = 4) -> str:
        """Its first address on an interface or link (without one: on `wan`, else on its first link)."""
        attachment = self._topology.attachment(self.name, where)
        found = attachment.address(version)
        if found is None:
            raise ConfigError(f"node `{self.name}` has no IPv{version} address on {attachment.interface}")
        return found

    def addresses(self, version: int = 4) -> list[str]:
        """All its addresses of this IP version, in the order of the file."""
        texts = [text for end in self._topology.at(self.name) for text in end.end.addresses]
        return [str(one.ip) for one in map(ip_interface, texts) if one.version == version]

    def interface(self, link: str = "") -> str:
        """The interface on a link (without one: `wan`, else the first)."""
        return self._topology.attachment(self.name, link).interface

    def popen(self, argv: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a process in the node; options as for subprocess.Popen. It is killed when the network stops."""
        options.setdefault("cwd", os.getcwd())
        with self.namespace.entered():
            process = subprocess.Popen(argv, **options)
        self._started.append(process)
        return process

    def run(self, argv: Sequence[str], timeout: float = 30.0, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, with its output as text; raises subprocess.TimeoutExpired."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        text = options.pop("input", None)
        if text is not None:
            options["stdin"] = subprocess.PIPE
        process = self.popen(argv, **options)
        try:
            output, errors = process.communicate(text, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(argv, process.returncode, output, errors)

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM, protocol: int = 0) -> socket.socket:
        """Open a socket of this process in the node's network."""
        return self.namespace.socket(family, kind, protocol)

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """The descriptors by which another process can enter the node (namespace.enter)."""
        return self.namespace.descriptors

    def enter(self) -> None:
        """Move this process into the node for good: for a forked child, never for the lab itself."""
        self.namespace.enter()

    def kill_leftovers(self) -> None:
        """Kill every process that is still in the node, whoever started it, and reap our own."""
        for pid in self.namespace.processes():
            os.kill(pid, 9)
        for process in self._started:
            process.wait()
