"""What takes its time, as work for a forked child of the server: it writes to standard output and gives an exit code.

Rules: a child talks to a daemon over a connection of its own, so commands to one daemon may run at once, and one that
is abandoned leaves nothing half said.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.daemon.client import Refused
from lab.emulation.capture import tap, write_head
from lab.emulation.network import Network
from lab.emulation.recorder import Recording, Tap
from lab.errors import ConfigError, LabError
from lab.life.bench import Bench
from lab.peers.base import INITIATE_S, Outcome, PeerDriver
from lab.peers.ours import Ours
from lab.plugin.gateway import Gateway

FAILED = 1
STDOUT = 1


def logs(bench: Bench, node: str) -> Mapping[str, Sequence[Path]]:
    """The logs of one node's daemon, or of all."""
    chosen = [bench.gateway(node)] if node else list(bench.gateways.values())
    return {gateway.name: list(gateway.logs().values()) for gateway in chosen if gateway.running}


# -- status


def daemons(bench: Bench) -> int:
    """Write what every daemon lists: one JSON object, node -> peer, version and SAs, or why there are none."""
    sys.stdout.write(json.dumps({name: _daemon(gateway) for name, gateway in bench.gateways.items()}))
    return 0


def _daemon(gateway: Gateway) -> dict[str, Any]:
    facts: dict[str, Any] = {"peer": gateway.peer.name, "version": gateway.driver.version}
    try:
        gateway.driver.reconnect()
        return {**facts, "sas": gateway.driver.sas()}
    except (LabError, OSError) as error:
        return {**facts, "sas": [], "error": str(error)}


# -- commands to a daemon


def ctl(gateway: Gateway, command: str, arguments: Mapping[str, Any]) -> int:
    """Have a daemon do something; writes its answer as JSON, or its refusal."""
    driver = gateway.driver
    try:
        driver.reconnect()
        answer = driver.call(command, **arguments) if isinstance(driver, Ours) else _driven(driver, command, arguments)
    except (Refused, ConfigError) as error:
        sys.stderr.write(f"ikelab: {error}\n")
        return FAILED
    sys.stdout.write(json.dumps(answer))
    return 0


def _driven(driver: PeerDriver, command: str, arguments: Mapping[str, Any]) -> Any:
    """The same command through a driver, for daemons that have no control socket of ours."""
    ike, child, timeout = (arguments.get(key) for key in ("ike", "child", "timeout"))
    ike, child, patience = str(ike or ""), str(child or ""), float(INITIATE_S if timeout is None else timeout)
    match command:
        case "list-sas":
            return driver.sas()
        case "stats":
            return {"endpoint": driver.counters(), "drops": {}, "loop": {}}
        case "initiate":
            return _done(driver.initiate(child, patience))
        case "terminate" if ike or child:
            return _done(driver.terminate(ike=ike, child=child, timeout=patience))
        case "terminate":
            return [_done(driver.terminate(ike=str(sa["name"]), timeout=patience)) for sa in driver.sas()]
        case "rekey" if ike or child:
            return _done(driver.rekey(ike=ike, child=child))
        case "redirect":
            return _done(driver.redirect(str(arguments.get("gateway")), ike=ike))
    raise ConfigError(f"{driver.name} takes no `{command}` from here; it takes initiate, list-sas, redirect, rekey, "
                      "stats and terminate")  # fmt: skip


def _done(outcome: Outcome) -> dict[str, Any]:
    if not outcome.up:
        raise Refused(outcome.reason)
    return {}


# -- capture


def capture(network: Network, link: str, node: str) -> int:
    """Write what passes a link from now on as pcapng, at both its ends or at one, until nobody reads it."""
    ends = [end for end in network.topology.attachments if end.link == link and node in ("", end.node)]
    taps = []
    for place, end in enumerate(ends):
        made = tap(network.topology, [end], network.node(end.node).namespace)
        taps.append(Tap(made.detach(), {end.interface: place}))
    with open(STDOUT, "wb", buffering=0, closefd=False) as out:
        write_head(network.topology.name, ends, out.write)  # whoever has read it misses nothing
    recording = Recording(STDOUT, taps)
    while True:
        recording.wait()
        recording.write()
