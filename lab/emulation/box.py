"""A NAT box or firewall of a running network: what it holds, and what can be done to it.

    box = network.nat("left-nat")
    box.show(), box.timeline()                  what it translates now; what became of its mappings
    box.rebind(remap={4500: 34500})             it forgets, and maps otherwise from now on
    box.rebind(address="203.0.113.3")           ... to another address of its outside interface
    box.reboot()                                it forgets; `off()` and `on()` stand apart where the outage matters
    box.set_timeout("15s", "60s")               when it forgets UDP mappings from now on

Rules: each is one sentence of error or done as a whole; nothing of the topology file changes.
"""

import time
from collections.abc import Iterable
from typing import Any

import msgspec

from lab.emulation import convert, nat, nft, timeline, wires
from lab.emulation.mappings import Connection, Watch
from lab.emulation.model import Firewall, Nat
from lab.emulation.namespace import Namespace
from lab.emulation.topology import Topology
from lab.emulation.units import nanoseconds
from lab.errors import ConfigError

BY = "nftables"
_OFF = """\
table inet off {
  chain through { type filter hook prerouting priority raw; policy drop; }
  chain out { type filter hook output priority raw; policy drop; }
}
"""


class Box:
    """One box. `behaviour` is how it behaves now."""

    def __init__(self, topology: Topology, name: str, namespace: Namespace) -> None:
        spec = topology.nodes[name]
        behaviour = spec.nat or spec.firewall
        assert behaviour is not None
        self.name, self.behaviour = name, behaviour
        self._topology, self._namespace = topology, namespace
        self._done: list[dict[str, Any]] = []
        self._watch = Watch(namespace, name)
        self._load()

    def close(self) -> None:
        """Let go of what listens to it."""
        self._watch.close()

    # -- questions

    def show(self) -> list[dict[str, Any]]:
        """What it translates now, one entry for each connection."""
        return [one.facts() for one in self._watch.living()]

    def connections(self) -> list[Connection]:
        """What it has translated and translates, the ended ones first."""
        living = self._watch.living()  # first: so the kernel notices what has expired
        return [*self._watch.ended(), *living]

    def timeline(self) -> list[dict[str, Any]]:
        """What became of its mappings, and what was done to it, by time."""
        return timeline.timeline(self.connections(), self._done)

    # -- what can be done to it

    def rebind(self, **changes: Any) -> None:
        """Forget all mappings, and behave otherwise from now on; `changes` are those of its `nat`."""
        if not isinstance(self.behaviour, Nat):
            raise ConfigError(f"`{self.name}` is a firewall: it has no mappings that could change")
        self.behaviour = self._changed(changes)
        self._note("rebound", ", ".join(f"{key}: {value}" for key, value in changes.items()))
        self._renew()
        self._watch.forget()

    def reboot(self) -> None:
        """Switch off and on: it forgets all it has learnt."""
        self.off()
        self.on()

    def off(self) -> None:
        """Switch off: nothing passes, nothing is known."""
        nft.load(self._namespace, _OFF)
        self._note("rebooted", "")
        self._renew()
        self._watch.forget()

    def on(self) -> None:
        """Switch on after `off`."""
        nft.load(self._namespace, "delete table inet off\n")

    def set_timeout(self, udp: str | None = None, stream: str | None = None) -> None:
        """Forget UDP mappings after so long without a packet (`15s`): unanswered ones, and those long in use.

        A connection that exists keeps its time until its next packet.
        """
        given = {"udp_timeout": udp, "udp_timeout_stream": stream}
        changes = {key: value for key, value in given.items() if value is not None}
        self.behaviour = self._changed(changes)
        self._note("timeout", ", ".join(f"{key}: {value}" for key, value in changes.items()))
        wires.write_settings(self._namespace, wires.timeouts(self.behaviour), anew=True)
        self._renew()

    # -- how

    def _changed(self, changes: dict[str, Any]) -> Nat | Firewall:
        try:
            after = msgspec.convert(msgspec.to_builtins(self.behaviour) | changes, type(self.behaviour))
        except msgspec.ValidationError as error:
            text, _, where = str(error).partition(" - at ")
            key = f"{self.name}.nat.{where.strip('`$.')}"
            raise ConfigError(convert.plain_words(text), key=key) from error
        for key in ("udp_timeout", "udp_timeout_stream"):
            whole_seconds(getattr(after, key), f"{self.name}.nat.{key}")
        self._own_address(after)
        return after

    def _own_address(self, after: Nat | Firewall) -> None:
        address = getattr(after, "address", None)
        own = outside_addresses(self._topology, self.name, after.outside)
        if address is not None and address not in own:
            raise ConfigError(f"{address} is not an address of `{self.name}`; outside it has {', '.join(own)}")

    def _load(self, away: str = "") -> None:
        if isinstance(self.behaviour, Nat):
            nft.load(self._namespace, (away and nat.AWAY) + nat.rules(self._topology, self.name, self.behaviour))
        else:
            nft.load(self._namespace, (away and nat.FIREWALL_AWAY) + nat.firewall_rules(self.behaviour))

    def _renew(self) -> None:
        """Known connections never meet the rules of translation again, so this alone changes nothing for them."""
        self._load("away")

    def _note(self, event: str, detail: str) -> None:
        entry = {"t": time.time_ns() / 10**9, "event": event, "node": self.name}
        self._done.append(entry | ({"detail": detail} if detail else {}))


def outside_addresses(topology: Topology, name: str, interface: str) -> list[str]:
    """The IPv4 addresses of a box's outside interface."""
    end = topology.attachment(name, interface).end
    return [text.partition("/")[0] for text in end.addresses if ":" not in text]


def whole_seconds(text: str | None, key: str) -> None:
    """The kernel's timeouts are whole seconds."""
    if text is not None and (nanoseconds(text) < 10**9 or nanoseconds(text) % 10**9):
        raise ConfigError("the kernel counts this in whole seconds, from 1", key=key)


def all_mappings(boxes: Iterable[Box]) -> list[dict[str, Any]]:
    """What all boxes translate now."""
    return [entry for box in boxes for entry in box.show()]


def whole_timeline(boxes: Iterable[Box]) -> list[dict[str, Any]]:
    """The timelines of all boxes as one."""
    return sorted((entry for box in boxes for entry in box.timeline()), key=lambda entry: entry["t"])
