"""Traffic from the left gateway to the right one, and what is measured by it."""

import hashlib
import json
import os
import re
import select
import socket
import subprocess
import time
from pathlib import Path

from common.daemons import cpu_seconds
from common.gateways import INNER, Gateway, image_root
from lab.errors import LabError

PORT, PINGS = 5201, 100
CHECKED, AT_ONCE, CHECKED_S = 16 << 20, 1 << 20, 60
FASTEST_PPS, HALVINGS, LOST_PERCENT = 240_000, 7, 1.0


def checked(gateways: dict[str, Gateway]) -> None:
    """Send some megabytes through the tunnel: what arrives must be what was sent."""
    # Without a thread: while one is about to end, the kernel lets nobody change the mount namespace.
    content = os.urandom(CHECKED)
    unsent, found = memoryview(content), hashlib.sha256()
    with gateways["right"].socket() as server, gateways["left"].socket() as client:
        server.bind((INNER["right"], PORT - 1))
        server.listen()
        client.bind((INNER["left"], 0))
        client.settimeout(CHECKED_S)
        client.connect((INNER["right"], PORT - 1))
        with server.accept()[0] as connection:
            while True:
                ready, able, _ = select.select([connection], [client] if unsent else [], [], CHECKED_S)
                if able:
                    unsent = unsent[client.send(unsent[:AT_ONCE]) :]
                    if not unsent:
                        client.shutdown(socket.SHUT_WR)
                if ready:
                    data = connection.recv(AT_ONCE)
                    found.update(data)
                if not (able or ready) or (ready and not data):
                    break
    if found.digest() != hashlib.sha256(content).digest():
        raise LabError("what came out of the tunnel is not what went in")


def iperf3(gateways: dict[str, Gateway], *options: str) -> dict[str, dict[str, float]]:
    """One run from left to right: the sums of iperf3's JSON."""
    root = str(image_root())
    base = ["chroot", root, "/usr/bin/iperf3", "-p", str(PORT)]
    server = gateways["right"].popen([*base, "-s", "-1", "-B", INNER["right"]], stdout=subprocess.DEVNULL)
    try:
        listening = f":{PORT:04X} 00000000:0000 0A"
        while listening not in Path(f"/proc/{server.pid}/net/tcp").read_text() and server.poll() is None:
            time.sleep(0.01)
        out = gateways["left"].run([*base, "-c", INNER["right"], "-B", INNER["left"], "-J", *options])
        return json.loads(out[out.index("{") :])["end"]  # a warning may stand in front
    finally:
        server.kill()
        server.wait()


def tcp(gateways: dict[str, Gateway], pids: list[int], seconds: float, streams: int) -> dict[str, float]:
    """Throughput, CPU seconds of these processes, and retransmissions."""
    before = [cpu_seconds(pid) for pid in pids]
    end = iperf3(gateways, "-t", str(seconds), "-P", str(streams))
    used = [cpu_seconds(pid) - b for pid, b in zip(pids, before, strict=True)]
    gigabytes = end["sum_received"]["bytes"] / 1e9
    return {
        "gbit_s": end["sum_received"]["bits_per_second"] / 1e9,
        "cpu_s_per_gb_sender": used[0] / gigabytes,
        "cpu_s_per_gb_receiver": used[1] / gigabytes,
        "cpu_s_per_gb": sum(used) / gigabytes,
        "retransmissions": end["sum_sent"]["retransmits"],
    }


def udp(gateways: dict[str, Gateway], octets: int, seconds: float) -> float:
    """The highest rate of datagrams of so many octets of which at most 1 % are lost, per second as received."""
    low, high, best = 0, FASTEST_PPS, 0.0
    for _ in range(HALVINGS):
        rate = (low + high) // 2
        wish = ("-u", "-l", str(octets), "-b", str(rate * octets * 8), "-t", str(seconds))
        end = iperf3(gateways, *wish)["sum"]
        sent = end["packets"] / end["seconds"]
        # A sender that cannot reach the rate shows nothing about higher ones.
        if end["lost_percent"] <= LOST_PERCENT and sent > 0.9 * rate:
            low, best = rate, sent * (1 - end["lost_percent"] / 100)
        else:
            high = rate
            best = max(best, sent * (1 - end["lost_percent"] / 100) if end["lost_percent"] <= LOST_PERCENT else 0.0)
    return best


def ping(gateways: dict[str, Gateway]) -> float:
    """The mean round-trip time in milliseconds."""
    wish = ["-q", "-c", str(PINGS), "-i", "0.01", "-I", INNER["left"], INNER["right"]]
    found = re.search(r"= [\d.]+/([\d.]+)/", gateways["left"].run(["ping", *wish]))
    if not found:
        raise LabError("no ping came back through the tunnel")
    return float(found.group(1))
