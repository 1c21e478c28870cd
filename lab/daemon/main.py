"""Start a daemon: read the configuration, open everything, serve.

The only place that reads the clock and draws randomness.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lab.backends.base import Backend
from lab.backends.datagrams import DatagramSocket
from lab.backends.none import NoDataplane
from lab.backends.offload import segments
from lab.backends.userspace import Userspace
from lab.backends.xfrm import sockets
from lab.backends.xfrm.backend import Xfrm
from lab.daemon import hosts
from lab.daemon.addresses import Addresses
from lab.daemon.journal import Journal
from lab.daemon.loop import Loop
from lab.daemon.ports import Ports, source_towards
from lab.daemon.server import Server
from lab.daemon.signals import Signals
from lab.endpoint import Endpoint
from lab.errors import ConfigError, LabError, UnfitError
from lab.ike.config import Config, load
from lab.ike.impair import table as impairments
from lab.ike.path import PORT, PORT_NAT_T
from lab.trace import Trace

BACKENDS = ("userspace", "xfrm", "none")
SEED_VARIABLE = "IKELAB_SEED"
OK, USAGE, UNFIT, BROKEN = 0, 2, 3, 5


def main(
    config: str | Path,
    *,
    backend: str = "userspace",
    control: str | Path | None = None,
    run_dir: str | Path | None = None,
    keylog: str | Path | None = None,
    seed: str | None = None,
    impair: Sequence[str] = (),
    until: int | None = None,
) -> int:
    """Serve until ended; the documented exit code. What goes wrong is one sentence on stderr.

    `control` is the path of the control socket; `run_dir` gets daemon.log and events.jsonl, `keylog` keys.jsonl.
    With a seed (or IKELAB_SEED) all randomness follows from it and the configuration: a run can be repeated, and
    nothing it protects is secret.
    `impair` names impairments that come behind those of the configuration. `until` is a descriptor: once it is
    readable the daemon ends at once, and tells no peer.
    """
    directories = [Path(path) if path else None for path in (control, run_dir, keylog)]
    try:
        return _serve(
            Path(config), backend, *directories, seed=seed or os.environ.get(SEED_VARIABLE), impair=impair, until=until
        )
    except LabError as error:
        sys.stderr.write(f"ikelab: {error}\n")
        return {ConfigError: USAGE, UnfitError: UNFIT}.get(type(error), BROKEN)


def _serve(
    path: Path,
    backend: str,
    control: Path | None,
    run_dir: Path | None,
    keylog: Path | None,
    *,
    seed: str | None,
    impair: Sequence[str],
    until: int | None,
) -> int:
    text = _read(path)
    config = _impaired(load(text, str(path), partial(_file, path.parent)), impair)
    _fits(config, backend)
    clock, draw = time.monotonic, _random(seed, text)
    epoch = time.time() - clock()
    journal = Journal(run_dir, keylog, offset=epoch)
    trace = Trace(journal.record)
    trace.now = clock()
    try:
        with Signals() as signals:
            server, loop = _server(config, backend, journal, trace, draw, run_dir, epoch=epoch), Loop(clock)
            try:
                trace.emit("note", f"serving {path}", backend=backend, seed=seed, pid=os.getpid())
                return server.run(loop, control=control, signals=signals, until=until)
            finally:
                server.close()
                loop.close()
    finally:
        journal.close()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read it: {error.strerror}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 text: {error.reason}", file=str(path)) from error


def _impaired(config: Config, names: Sequence[str]) -> Config:
    """The configuration with further impairments."""
    try:
        rows = tuple(row for name in names for row in impairments.named(name))
    except ValueError as error:
        raise ConfigError(f"--impair: {error}") from error
    return replace(config, settings=replace(config.settings, impair=config.settings.impair + rows))


def _file(directory: Path, name: str) -> bytes:
    """A file that the configuration names, relative to where the configuration lies."""
    try:
        return (directory / name).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from error


def _random(seed: str | None, text: str) -> Callable[[int], bytes]:
    """os.urandom, or octets that follow from the seed; the text keeps two daemons of one run apart."""
    return random.Random(f"{seed}\n{text}").randbytes if seed else os.urandom


def _server(
    config: Config,
    name: str,
    journal: Journal,
    trace: Trace,
    draw: Callable[[int], bytes],
    run_dir: Path | None,
    *,
    epoch: float,
) -> Server:
    remotes = (host for connection in config.connections for host in connection.remote_addrs if "/" not in host)
    local = [host for host in map(source_towards, dict.fromkeys(remotes)) if host]
    local = list(dict.fromkeys(local))
    keylog = journal.wants_keys
    addresses = Addresses()
    endpoint = Endpoint(
        config, random=draw, trace=trace, local=local, addresses=addresses.own(), keylog=keylog, epoch=epoch,
        resolve=hosts.lookup,
    )  # fmt: skip
    wanted = {PORT, PORT_NAT_T, *(connection.local_port for connection in config.connections)}
    ports = Ports(wanted, _prepare(name, config.settings.offload))
    try:
        backend = _backend(name, trace, draw, ports, run_dir, config)
    except LabError:
        ports.close()
        raise
    return Server(endpoint, backend, ports, journal, trace=trace, config=config, addresses=addresses)


def _prepare(backend: str, wish: str) -> Callable[[DatagramSocket], None] | None:
    """What a backend wants of the UDP sockets."""
    if backend == "userspace" and segments(wish):
        return DatagramSocket.want_trains
    return sockets.prepare if backend == "xfrm" else None


def _fits(config: Config, backend: str) -> None:
    """ConfigError for what does not go with a backend: said before a port is asked for, which may need privileges."""
    gre = config.gre
    if backend not in BACKENDS:
        raise ConfigError(f"no backend {backend!r}; there are: {', '.join(BACKENDS)}")
    if backend != "xfrm" and config.kernel_only:
        raise config.kernel_only[0]
    if config.settings.dummy_rate and backend == "xfrm":
        raise ConfigError("goes with --backend userspace only: the kernel sends no dummy packets", key="dummy_rate")
    if gre and backend != "userspace":
        there = f"use `ip link add {gre[0].name} type gre`"
        words = f"goes with --backend userspace only, not with {backend}: there, {there}"
        raise ConfigError(words, file=gre[0].file, line=gre[0].line, key="ikelab.gre")


def _backend(
    name: str,
    trace: Trace,
    draw: Callable[[int], bytes],
    ports: Ports,
    run_dir: Path | None,
    config: Config,
) -> Backend:
    if name == "userspace":
        settings = config.settings
        return Userspace(trace, draw, ports.send, gre=config.gre, dummy_rate=settings.dummy_rate, wish=settings.offload)
    return Xfrm(trace, run_dir) if name == "xfrm" else NoDataplane(trace)
