"""How the boxes between a client and the outside behave, found out by datagrams alone (RFC 4787, as RFC 5780 does it).

    found = probe(network.node("left"), network.node("internet"), ages=(5, 9, 11))
    wanted = promised([network.nat("left-nat").behaviour])
    differences(found, wanted)          sentences, one for each promise that is not kept

The client stands behind the boxes; the outside is a node with two addresses that the client reaches, as the STUN server
of RFC 5780 has. Each question has sockets of its own, so that no answer depends on an earlier question. A lifetime is
bracketed: with as many mappings as there are ages, each is tried once, at its age, for trying renews it.

Rules: links keep the order of what they carry. So what has not arrived when a datagram sent after it has been outside
and back does not arrive, however long that takes: no answer depends on how busy the machine is.
"""

import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count

from lab.emulation.model import Dependence, Firewall, Nat
from lab.emulation.node import Node
from lab.emulation.units import nanoseconds
from lab.errors import BrokenError, ConfigError

PORTS = 3478, 3479
_ECHO_PORT, _ECHO_S, _PATIENCE_S = 3480, 0.25, 10.0
KEPT = 500, 4500, 40500
_LARGE, _ASSURED_S = 3000, 2.5
_DEPENDENCE: tuple[Dependence, ...] = ("endpoint-independent", "address-dependent", "address-and-port-dependent")
_UDP_TIMEOUT = "30s"

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a client sees of the boxes on its way. `kept` are source ports and whether each was kept outside.

    `hairpin` is None where nothing is translated; `lifetime_s` are the last age at which an unanswered mapping let a
    datagram in, and the first at which it did not.
    """

    mapping: str
    filtering: str
    kept: dict[int, bool] = field(default_factory=dict)
    hairpin: bool | None = None
    fragments: bool = True
    lifetime_s: tuple[float, float] | None = None

    def words(self) -> dict[str, str]:
        """Each property in words."""
        kept = ", ".join(f"{port} {'kept' if kept else 'changed'}" for port, kept in self.kept.items())
        found = {"mapping": self.mapping, "filtering": self.filtering, "source ports": kept}
        if self.hairpin is not None:
            found["hairpinning"] = "yes" if self.hairpin else "no"
        found["fragments"] = "pass" if self.fragments else "dropped"
        if self.lifetime_s is not None:
            found["unanswered UDP mapping"] = "lets in after {:g} s, not after {:g} s".format(*self.lifetime_s)
        return found


def probe(client: Node, outside: Node, version: int = 4, ages: Sequence[float] = ()) -> Behaviour:
    """Ask all questions; `ages` (seconds, rising) are those at which a mapping is tried."""
    with ExitStack() as stack:
        asked = _Probe(client, outside, version, stack)
        return Behaviour(
            mapping=asked.mapping(),
            filtering=asked.filtering(),
            kept=asked.kept(),
            hairpin=asked.hairpin() if version == 4 else None,
            fragments=asked.fragments(),
            lifetime_s=asked.lifetime(ages) if ages else None,
        )


class _Probe:
    """The sockets at both ends."""

    def __init__(self, client: Node, outside: Node, version: int, stack: ExitStack) -> None:
        self._client, self._stack = client, stack
        self._family = socket.AF_INET if version == 4 else socket.AF_INET6
        addresses = outside.addresses(version)
        if len(addresses) < 2:
            raise ConfigError(f"`{outside.name}` needs two addresses of IPv{version} to be asked from")
        self._tokens = count(1)
        self.servers = [[self._socket(outside, a, port) for port in PORTS] for a in addresses[:2]]
        self._echo = self.client(), self._socket(outside, addresses[0], _ECHO_PORT)

    def _socket(self, node: Node, address: str = "", port: int = 0) -> socket.socket:
        channel = self._stack.enter_context(node.socket(self._family))
        channel.bind((address, port))
        return channel

    def client(self, port: int = 0) -> socket.socket:
        """A socket behind the boxes."""
        return self._socket(self._client, port=port)

    def sent(self, sender: socket.socket, target: Place, receiver: socket.socket, size: int = 8) -> Place | None:
        """Send a datagram of its own kind; where the receiver sees it come from, None if it does not arrive."""
        token = self._token(size)
        with suppress(OSError):  # a firewall may say that it refuses
            sender.sendto(token, target)
        self._settle()
        return _arrived(token, receiver)

    def _token(self, size: int = 8) -> bytes:
        return next(self._tokens).to_bytes(8, "big") + bytes(size - 8)

    def _settle(self) -> None:
        """Return when a datagram of the client has been outside and back, with all that was sent before it."""
        deadline = time.monotonic() + _PATIENCE_S
        client, server = self._echo
        while time.monotonic() < deadline:
            asked, answered = self._token(), self._token()
            client.sendto(asked, server.getsockname()[:2])
            if place := _arrived(asked, server, _ECHO_S):
                server.sendto(answered, place)
                if _arrived(answered, client, _ECHO_S):
                    return
        raise BrokenError(f"no datagram of `{self._client.name}` reaches the outside and is answered")

    def seen(self, client: socket.socket, address: int = 0, port: int = 0, size: int = 8) -> Place | None:
        """Where the outside sees the client, asked at one of its addresses and ports."""
        server = self.servers[address][port]
        return self.sent(client, server.getsockname()[:2], server, size)

    def must_see(self, client: socket.socket) -> Place:
        """The same; BrokenError if nothing gets out, since then there is nothing to find out."""
        place = self.seen(client)
        if place is None:
            raise BrokenError(f"no datagram of `{self._client.name}` reaches the outside")
        return place

    # -- the questions

    def mapping(self) -> Dependence:
        """RFC 4787 4.1: is the mapping used again for another port, and for another address?"""
        client = self.client()
        first = self.must_see(client)
        if self.seen(client, 0, 1) != first:
            return "address-and-port-dependent"
        return "endpoint-independent" if self.seen(client, 1, 0) == first else "address-dependent"

    def filtering(self) -> Dependence:
        """RFC 4787 5: who may send to a mapping? First asked from the other address, then from the other port."""
        client = self.client()
        mapped = self.must_see(client)
        if self.sent(self.servers[1][1], mapped, client):
            return "endpoint-independent"
        return "address-dependent" if self.sent(self.servers[0][1], mapped, client) else "address-and-port-dependent"

    def kept(self) -> dict[int, bool]:
        """RFC 4787 4.2.1: which source ports are the same outside?"""
        return {port: self.must_see(self.client(port))[1] == port for port in KEPT}

    def hairpin(self) -> bool:
        """RFC 4787 6: does a client reach another one by its outside name, and see the outside name of it?"""
        one, two = self.client(), self.client()
        mapped = self.must_see(one)
        source = self.sent(two, mapped, one)
        return source is not None and source[0] == mapped[0]

    def fragments(self) -> bool:
        """RFC 4787 11: does a datagram arrive that is larger than the links?"""
        return self.seen(self.client(), size=_LARGE) is not None

    def lifetime(self, ages: Sequence[float], *, answered: bool = False) -> tuple[float, float]:
        """RFC 4787 4.3: until which age a mapping lets in, and from which on it does not (`inf`: at none of the ages).

        `answered` ones have been used both ways, for longer than two seconds.
        """
        clients = [self.client() for _ in ages]
        mapped = [self.must_see(client) for client in clients]
        if answered:
            self._both_ways(clients, mapped)
            time.sleep(_ASSURED_S)
            self._both_ways(clients, mapped)
        begun, last = time.monotonic(), 0.0
        for age, client, place in zip(ages, clients, mapped, strict=True):
            time.sleep(max(0.0, begun + age - time.monotonic()))
            if self.sent(self.servers[0][0], place, client) is None:
                return last, age
            last = age
        return last, float("inf")

    def _both_ways(self, clients: Sequence[socket.socket], mapped: Sequence[Place]) -> None:
        for client, place in zip(clients, mapped, strict=True):
            self.seen(client)
            self.sent(self.servers[0][0], place, client)


def _arrived(token: bytes, receiver: socket.socket, patience_s: float = 0.0) -> Place | None:
    """Where this datagram came from, if it has arrived or does so in time."""
    deadline = time.monotonic() + patience_s
    with suppress(BlockingIOError, TimeoutError):
        while True:
            receiver.settimeout(max(0.0, deadline - time.monotonic()))
            data, source = receiver.recvfrom(1 << 16)
            if data == token:
                return source[0], source[1]
    return None


def lifetime(client: Node, outside: Node, ages: Sequence[float], *, answered: bool = False) -> tuple[float, float]:
    """Only the lifetime of UDP mappings, of unanswered or of answered ones; see `Behaviour.lifetime_s`."""
    with ExitStack() as stack:
        return _Probe(client, outside, 4, stack).lifetime(ages, answered=answered)


# -- what the topology promises


def promised(boxes: Sequence[Nat | Firewall], ages: Sequence[float] = ()) -> Behaviour:
    """What a client must see behind these boxes, the nearest to it first: of each property the narrowest."""
    nats = [box for box in boxes if isinstance(box, Nat)]
    filters = [box.filtering if isinstance(box, Nat) else _DEPENDENCE[-1] for box in boxes]
    return Behaviour(
        mapping=_narrowest([nat.maps for nat in nats]),
        filtering=_narrowest(filters),
        kept={port: all(_keeps(nat, port) for nat in nats) for port in KEPT},
        hairpin=nats[-1].hairpin if nats else None,
        fragments=not any(box.drop_fragments for box in boxes),
        lifetime_s=_bracket(boxes, ages) if ages else None,
    )


def _narrowest(words: Sequence[Dependence]) -> Dependence:
    return max(words, key=_DEPENDENCE.index, default=_DEPENDENCE[0])


def _keeps(nat: Nat, port: int) -> bool:
    if port in nat.remap:
        return nat.remap[port] == port
    return nat.ports == "preserve" or (nat.ipsec_helper and port == 500)


def _bracket(boxes: Sequence[Nat | Firewall], ages: Sequence[float]) -> tuple[float, float]:
    timeout = min(nanoseconds(box.udp_timeout or _UDP_TIMEOUT) for box in boxes) / 10**9
    return max([0.0, *(age for age in ages if age < timeout)]), min([float("inf"), *(a for a in ages if a > timeout)])


def differences(found: Behaviour, wanted: Behaviour) -> list[str]:
    """A sentence for each promise that is not kept."""
    seen, said = found.words(), wanted.words()
    return [
        f"{key}: the topology promises {said[key]}, found is {seen.get(key)}"
        for key in said
        if seen.get(key) != said[key]
    ]
