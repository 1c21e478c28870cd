"""Honest handshakes completed while spoofed IKE_SA_INIT requests pour in (RFC 7296 2.6), on a virtual wire.

    bench/dos.py [--json FILE] [--rate N] [--seconds N] [--honest N]

The responder is our endpoint on one CPU: every datagram occupies it for the CPU time that it really took, and what
arrives while its socket buffer is full is lost. Honest initiators, each with its own address and our defaults of
retransmission, begin evenly in the first half of the time; spoofed requests arrive evenly all of the time, each from
another address with another SPI and nonce. Only the responder's CPU time counts.

`quiet`    no flood
`flood`    the flood, with cookies: `dos_ratio` is the honest handshakes completed, flood / quiet
`unarmed`  the flood, without cookies, to show what they are for
"""

import argparse
import heapq
import itertools
import json
import os
import resource
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path as FilePath
from typing import Any

from lab.endpoint import Endpoint
from lab.ike.actions import Action, Event, Send
from lab.ike.config import load
from lab.ike.path import PORT, Path
from lab.trace import Trace

# What travels to the responder: octets, path at its end, and whether it is spoofed.
Datagram = tuple[bytes, Path, bool]

RESPONDER, DELAY = "198.51.100.1", 0.01
# Datagrams in a socket buffer of Linux's default size, 212,992 octets, each of which is charged with some 1,280.
BUFFER = 166
HONEST, SPOOFED = int(IPv4Address("192.0.2.0")), int(IPv4Address("10.0.0.0"))
NONCE_HEADER, NONCE = b"\x00\x24", 32

CONFIG = """
connections {{
    gw {{
        version = 2
        local_addrs = {local}
        remote_addrs = {remote}
        proposals = aes256gcm16-prfsha384-x25519
        local {{
            auth = psk
            id = {me}.example.org
        }}
        remote {{
            auth = psk
            id = {peer}.example.org
        }}
        children {{
            net {{
                local_ts = {here}
                remote_ts = {there}
                esp_proposals = aes256gcm16
            }}
        }}
        unique = never
    }}
}}
secrets {{
    ike-bench {{
        secret = "for this program only"
    }}
}}
ikelab {{
    cookie_threshold = {cookies}
}}
"""
LEFT = {"me": "left", "peer": "right", "here": "10.1.0.0/24", "there": "10.2.0.0/24"}
RIGHT = {"me": "right", "peer": "left", "here": "10.2.0.0/24", "there": "10.1.0.0/24"}


@dataclass
class Found:
    """What one run showed; times in seconds."""

    begun: int = 0
    completed: int = 0
    spoofed: int = 0
    lost: int = 0
    half_open: int = 0
    ike_sas: int = 0
    cpu: float = 0.0
    spoofed_cpu: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """The numbers that are printed."""
        return {
            "honest_begun": self.begun,
            "honest_completed": self.completed,
            "latency_ms_median": 1000 * statistics.median(self.latency or [float("nan")]),
            "spoofed": self.spoofed,
            "us_per_spoofed_median": 1e6 * statistics.median(self.spoofed_cpu or [float("nan")]),
            "lost_at_the_socket": self.lost,
            "half_open_peak": self.half_open,
            "ike_sas_peak": self.ike_sas,
            "responder_cpu_s": self.cpu,
        }


class World:
    """The virtual wire: one responder with a socket buffer and a CPU, honest initiators, and the flood."""

    def __init__(self, cookies: int) -> None:
        text = CONFIG.format(local=RESPONDER, remote="%any", cookies=cookies, **RIGHT)
        self.responder = Endpoint(load(text), random=os.urandom, trace=Trace(), local=(RESPONDER,))
        self.found = Found()
        self.initiators: dict[str, tuple[Endpoint, float]] = {}
        self._events: list[tuple[float, int, Callable[[float, Any], None], object]] = []
        self._count = itertools.count()
        self._buffer: deque[Datagram] = deque()
        self._busy = 0.0

    def at(self, when: float, what: Callable[[float, Any], None], argument: object) -> None:
        """Put something on the wire's calendar."""
        heapq.heappush(self._events, (when, next(self._count), what, argument))

    def run(self, rate: int, seconds: float, honest: int) -> Found:
        """Let it all happen."""
        for n in range(honest):
            self.at(n * seconds / 2 / honest, self._begin, str(IPv4Address(HONEST + n)))
        flood = self._flood(rate, seconds)
        coming = next(flood, None)
        while self._events or coming:
            if coming and (not self._events or coming[0] <= self._events[0][0]):
                self._arrive(*coming)
                coming = next(flood, None)
                continue
            now, _, what, argument = heapq.heappop(self._events)
            if now > seconds:
                break
            what(now, argument)
        return self.found

    def _flood(self, rate: int, seconds: float) -> Iterator[tuple[float, Datagram]]:
        """Times and datagrams: an honest request with the SPI, the nonce and the source exchanged."""
        if not rate:
            return
        request = self._initiator("192.0.2.255").initiate("net", 0.0)
        data = next(action.data for action in request if isinstance(action, Send))
        nonce = data.index(NONCE_HEADER, 28 + 44) + len(NONCE_HEADER)
        for n in range(int(rate * seconds)):
            fresh = os.urandom(8) + data[8:nonce] + os.urandom(NONCE) + data[nonce + NONCE :]
            yield n / rate, (fresh, Path(RESPONDER, PORT, str(IPv4Address(SPOOFED + n)), PORT), True)

    def _initiator(self, host: str) -> Endpoint:
        text = CONFIG.format(local=host, remote=RESPONDER, cookies=30, **LEFT)
        return Endpoint(load(text), random=os.urandom, trace=Trace(), local=(host,))

    def _begin(self, now: float, host: str) -> None:
        endpoint = self._initiator(host)
        self.initiators[host] = endpoint, now
        self.found.begun += 1
        self._take(host, endpoint.initiate("net", now), now)

    def _take(self, host: str, actions: list[Action], now: float) -> None:
        """Carry out what an initiator wants, and wake it again when it has something to do."""
        endpoint, began = self.initiators[host]
        for action in actions:
            if isinstance(action, Send):
                back = Path(action.path.remote_host, action.path.remote_port, host, action.path.local_port)
                self.at(now + DELAY, self._arrive, (action.data, back, False))
            elif isinstance(action, Event) and action.name == "child-up":
                self.found.completed += 1
                self.found.latency.append(now - began)
        due = endpoint.next_deadline()
        if due is not None:
            self.at(due, self._wake, host)

    def _wake(self, now: float, host: str) -> None:
        endpoint, _ = self.initiators[host]
        due = endpoint.next_deadline()
        if due is not None and due <= now:
            self._take(host, endpoint.tick(now), now)

    def _deliver(self, now: float, argument: tuple[bytes, Path]) -> None:
        data, path = argument
        if path.local_host in self.initiators:
            endpoint, _ = self.initiators[path.local_host]
            self._take(path.local_host, endpoint.receive(data, path, now), now)

    def _arrive(self, now: float, datagram: Datagram) -> None:
        """A datagram reaches the responder's socket."""
        if len(self._buffer) >= BUFFER:
            self.found.lost += 1
            return
        self._buffer.append(datagram)
        if len(self._buffer) == 1:
            self.at(max(now, self._busy), self._serve, None)

    def _serve(self, now: float, _: object) -> None:
        """The responder takes the next datagram out of its socket; its answers leave when it is done with it."""
        data, path, spoofed = self._buffer.popleft()
        before = time.process_time()
        due = self.responder.next_deadline()
        actions = self.responder.tick(now) if due is not None and due <= now else []
        actions += self.responder.receive(data, path, now)
        took = time.process_time() - before
        self._busy = now + took
        self._account(took, spoofed)
        for action in actions:
            if isinstance(action, Send):
                way = action.path
                back = Path(way.remote_host, way.remote_port, way.local_host, way.local_port)
                self.at(self._busy + DELAY, self._deliver, (action.data, back))
        if self._buffer:
            self.at(self._busy, self._serve, None)

    def _account(self, took: float, spoofed: bool) -> None:
        found = self.found
        found.cpu += took
        if spoofed:
            found.spoofed += 1
            found.spoofed_cpu.append(took)
        if (found.spoofed + found.completed) % 100 == 0:
            sizes = self.responder.stats()
            found.half_open = max(found.half_open, sizes["half_open"])
            found.ike_sas = max(found.ike_sas, sizes["engines"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=FilePath, help="write all figures to this file")
    parser.add_argument("--rate", type=int, default=20_000, help="spoofed requests in a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="virtual time of each run")
    parser.add_argument("--honest", type=int, default=100, help="honest initiators")
    given = parser.parse_args()
    runs = {"quiet": (0, 30), "flood": (given.rate, 30), "unarmed": (given.rate, 1_000_000)}
    out: dict[str, object] = {"rate": given.rate, "seconds": given.seconds}
    for name, (rate, cookies) in runs.items():
        found = World(cookies).run(rate, given.seconds, given.honest).figures()
        out[name] = found
        print(f"{name:8} {found['honest_completed']:4.0f} of {found['honest_begun']:.0f} honest handshakes completed, "
              f"median {found['latency_ms_median']:.0f} ms; {found['spoofed']:.0f} spoofed served at "
              f"{found['us_per_spoofed_median']:.0f} us each, {found['lost_at_the_socket']:.0f} datagrams lost at the "
              f"socket; at most {found['half_open_peak']:.0f} half-open; "
              f"{found['responder_cpu_s']:.2f} s of CPU")  # fmt: skip
    out["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out["dos_ratio"] = out["flood"]["honest_completed"] / out["quiet"]["honest_completed"]  # type: ignore[index]
    print(f"peak memory of all runs {out['peak_memory_mb']:.0f} MB")
    print(f"dos_ratio {out['dos_ratio']:.3f}")
    if given.json:
        given.json.write_text(json.dumps(out, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
