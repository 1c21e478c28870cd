"""What is probed for at the start, and what the system's sockets do with trains."""

import select
import socket

import pytest

from lab.backends import offload
from lab.backends.datagrams import DatagramSocket
from lab.backends.tun import Tun
from lab.daemon.main import _prepare
from lab.ipsec.batch import TRAINS
from tests.netns import Node, needs_root

linux = pytest.mark.skipif(not offload.segments(offload.UDP), reason="needs UDP_SEGMENT (Linux 4.18)")


def test_none_is_never_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)
    assert offload.segments(offload.NONE) is False


def test_a_system_without_segments_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload, "UDP_SEGMENT", 250)  # no option of UDP
    assert offload.segments(offload.SUPER_PACKETS) is False
    assert _prepare("userspace", offload.SUPER_PACKETS) is None


def of_a_node(wish: str) -> list[bool]:
    """Whether a device that was wanted so has super-packets, and a data plane trains."""
    node = Node()

    def probe() -> list[bool]:
        tun = offload.device(wish)
        found = [tun.super_packets, offload.trains(None, tun) is not None]
        tun.close()
        return found

    try:
        return node.call(probe)
    finally:
        node.close()


@linux
@needs_root[0]
@needs_root[1]
def test_the_device_is_what_was_wanted() -> None:
    pytest.importorskip("numpy")
    assert of_a_node(offload.SUPER_PACKETS) == [True, True]
    assert of_a_node(offload.UDP) == of_a_node(offload.NONE) == [False, False]


@needs_root[0]
@needs_root[1]
def test_without_numpy_the_device_is_an_ordinary_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload, "find_spec", lambda name: None)
    assert of_a_node(offload.SUPER_PACKETS) == [False, False]


@linux
def test_a_train_leaves_in_one_call_and_comes_in_one() -> None:
    here, there = (DatagramSocket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    there.want_trains()
    port = there._socket.getsockname()[1]
    content = bytes(n & 0xFF for n in range(9 * 1000 + 300))
    here.send(content, "127.0.0.1", ("127.0.0.1", port), segment=1000, traffic_class=0xB8, dont_fragment=True)
    came, sizes = b"", set()
    while len(came) < len(content):
        assert select.select([there], [], [], 5)[0]
        datagram = there.receive()
        came += datagram.data
        sizes.add(datagram.segment)
        assert datagram.traffic_class == 0xB8
    assert came == content and sizes <= {1000, 0} and 1000 in sizes
    # Who has not asked for trains gets datagrams of the right lengths.
    port = here._socket.getsockname()[1]
    there.send(content, "127.0.0.1", ("127.0.0.1", port), segment=1000)
    lengths = []
    while sum(lengths) < len(content):
        assert select.select([here], [], [], 5)[0]
        lengths.append(len(here.receive().data))
    assert lengths == [1000] * 9 + [300]
    here.close()
    there.close()


def test_a_batch_ends_with_as_many_super_packets_as_go_in_one_pass() -> None:
    lengths = [52, *[60000] * (TRAINS + 1), 52, 52]
    waiting = [bytes(length) for length in lengths]
    device = Tun.__new__(Tun)
    device.read = lambda: waiting.pop(0) if waiting else None
    found = [[*map(len, batch)] for batch in device.batches(len(lengths) - 1)]
    assert found == [lengths[: TRAINS + 1], [60000, 52]] and len(waiting) == 1
