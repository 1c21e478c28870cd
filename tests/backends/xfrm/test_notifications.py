"""What the kernel tells unasked: the first packet to a child that stands by, and a peer that has moved."""

import select
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

from lab.backends.datagrams import DatagramSocket
from lab.backends.xfrm.backend import Xfrm
from lab.backends.xfrm.sockets import prepare
from lab.ike.path import Path as Way
from lab.ipsec.dataplane import Aging, Moved
from lab.trace import Trace
from tests.backends.xfrm.test_backend import Site, pytestmark, site  # noqa: F401  (a fixture and marks)
from tests.backends.xfrm.test_messages import CHILDREN

HERE, THERE = ("192.0.2.1", 4500), ("192.0.2.2", 4500)
LEFT = replace(CHILDREN["in-udp"], path=Way(*HERE, *THERE))
# The same SAs from the other end - which sends from another port than the left side was told.
RIGHT = replace(
    LEFT,
    spi_in=LEFT.spi_out,
    spi_out=LEFT.spi_in,
    key_encr_in=LEFT.key_encr_out,
    key_encr_out=LEFT.key_encr_in,
    ts_local=LEFT.ts_remote,
    ts_remote=LEFT.ts_local,
    path=Way(THERE[0], 4600, *HERE),
)


def test_a_first_packet_ends_the_standby_and_a_new_port_is_reported(site: Site, tmp_path: Path) -> None:  # noqa: F811
    def receive() -> list[object]:
        backend = Xfrm(Trace(lambda record: None), tmp_path)
        port = DatagramSocket(socket.AF_INET, socket.SOCK_DGRAM, port=4500)
        prepare(port)
        backend.install(LEFT, outbound=False)
        before = backend.usage()[LEFT.spi_in.hex()], _states()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inner:
            inner.bind(("10.1.0.1", 7))
            inner.settimeout(10)
            site.right.fork(send)
            data = inner.recv(100)
        reports: list[object] = []
        while select.select([backend.sources()[0]], [], [], 1.0)[0] and not reports:
            reports += backend.read(backend.sources()[0], 0.0)
        (moved,) = [report for report in reports if isinstance(report, Moved)][:1]
        sent = _states()
        backend.move(moved.spi_in, moved.path, encap=True)
        counted = backend.usage()[LEFT.spi_in.hex()]["packets_in"]
        again = [report for report in backend.read(backend.sources()[0], 0.0) if isinstance(report, Moved)]
        backend.close()
        port.close()
        return [before, data.decode(), str(moved.path), sent, counted, len(again), _states()]

    before, data, path, sent, counted, again, after = site.left.call(receive)
    assert before[0]["packets_in"] == 0 and before[1] == 1, "only the inbound half at first"
    assert data == "hello"
    assert path == "192.0.2.1[4500]-192.0.2.2[4600]"
    assert sent == 2, "the first packet put the outbound half in"
    assert counted == 1, "the counter moved with the state"
    assert again == 0, "known by now"
    assert after == 0


def test_a_first_packet_after_the_standby_is_no_age(site: Site, tmp_path: Path) -> None:  # noqa: F811
    """The peer's Delete of the former child can be faster than its first packet: then nothing is to be rekeyed."""

    def receive() -> list[object]:
        backend = Xfrm(Trace(lambda record: None), tmp_path)
        port = DatagramSocket(socket.AF_INET, socket.SOCK_DGRAM, port=4500)
        prepare(port)
        backend.install(LEFT, outbound=False)
        backend.use(LEFT.spi_in)
        site.right.fork(send)
        reports: list[object] = []
        # The kernel tells of the soft limit before it opens the packet, and of the other port afterwards.
        while (
            not any(isinstance(one, Moved) for one in reports) and select.select([backend.sources()[0]], [], [], 10)[0]
        ):
            reports += backend.read(backend.sources()[0], 0.0)
        backend.close()
        port.close()
        return [type(report).__name__ for report in reports]

    reports = site.left.call(receive)
    assert Moved.__name__ in reports, "the packet came"
    assert Aging.__name__ not in reports


def send() -> int:
    backend = Xfrm(Trace(lambda record: None), None)
    backend.install(RIGHT)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inner:
        inner.bind(("10.2.0.1", 0))
        inner.sendto(b"hello", ("10.1.0.1", 7))
    backend.close()
    return 0


def _states() -> int:
    return subprocess.run(["ip", "xfrm", "state"], capture_output=True, text=True, check=True).stdout.count("spi 0x")
