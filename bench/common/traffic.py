"""Traffic from the left gateway to the right one, and what is measured by it."""

import hashlib
import json
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

from common.daemons import cpu_seconds
from common.gateways import INNER, Gateway, image_root
from lab.errors import LabError

PORT, CHECKED, PINGS = 5201, 16 << 20, 100
FASTEST_PPS, HALVINGS, LOST_PERCENT = 240_000, 7, 1.0


def checked(gateways: dict[str, Gateway]) -> None:
    """Send some megabytes through the tunnel: what arrives must be what was sent."""
    content = os.urandom(CHECKED)
    with gateways["right"].socket() as server, gateways["left"].socket() as client:
        server.bind((INNER["right"], PORT - 1))
        server.listen()
        client.bind((INNER["left"], 0))
        client.settimeout(60)
        found = hashlib.sha256()

        def receive() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(1 << 20):
                    found.update(data)

        receiver = threading.Thread(target=receive, daemon=True)
        receiver.start()
        client.connect((INNER["right"], PORT - 1))
        client.sendall(content)
        client.shutdown(socket.SHUT_WR)
        receiver.join(60)
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
