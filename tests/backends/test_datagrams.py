"""Datagram sockets on the loopback device: which address was hit, which one answers, which marks came along."""

import select
import socket

import pytest

from lab.backends.datagrams import Datagram, DatagramSocket, family_of

HAS_IPV6 = socket.has_ipv6 and "::1" in [i[4][0] for i in socket.getaddrinfo("::1", None)]


@pytest.fixture
def pair() -> tuple[DatagramSocket, socket.socket]:
    here = DatagramSocket(socket.AF_INET, socket.SOCK_DGRAM)
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("127.0.0.9", 0))
    peer.settimeout(5)
    yield here, peer
    here.close()
    peer.close()


def port_of(here: DatagramSocket) -> int:
    return here._socket.getsockname()[1]


def received(here: DatagramSocket) -> Datagram:
    assert select.select([here], [], [], 5)[0]
    datagram = here.receive()
    assert datagram
    return datagram


def test_it_tells_which_address_was_hit(pair: tuple[DatagramSocket, socket.socket]) -> None:
    here, peer = pair
    for address in ("127.0.0.1", "127.0.0.2", "127.99.3.4"):
        peer.sendto(b"hello", (address, port_of(here)))
        datagram = received(here)
        assert (datagram.data, datagram.local_host) == (b"hello", address)
        assert (datagram.remote_host, datagram.remote_port) == peer.getsockname()
        assert datagram.interface == socket.if_nametoindex("lo")
    assert here.receive() is None


def test_an_answer_leaves_from_the_address_that_was_hit(pair: tuple[DatagramSocket, socket.socket]) -> None:
    here, peer = pair
    for address in ("127.0.0.2", "127.0.0.3"):
        here.send(b"answer", address, peer.getsockname())
        assert peer.recvfrom(100) == (b"answer", (address, port_of(here)))
    here.send(b"any", "", peer.getsockname(), interface=socket.if_nametoindex("lo"))
    assert peer.recvfrom(100)[0] == b"any"


@pytest.mark.parametrize("mark", [0, 2, 3, 0xB8, 0xFF])
def test_dscp_and_ecn_travel_both_ways(pair: tuple[DatagramSocket, socket.socket], mark: int) -> None:
    here, peer = pair
    peer.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, mark)
    peer.sendto(b"x", ("127.0.0.1", port_of(here)))
    assert received(here).traffic_class == mark
    peer.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
    here.send(b"x", "127.0.0.1", peer.getsockname(), traffic_class=mark)
    _data, control, _flags, _sender = peer.recvmsg(10, 100)
    assert control[0][2][0] == mark


def test_the_largest_datagram_and_the_empty_one(pair: tuple[DatagramSocket, socket.socket]) -> None:
    here, peer = pair
    for data in (bytes(65507), b""):
        peer.sendto(data, ("127.0.0.1", port_of(here)))
        assert received(here).data == data
        here.send(data, "127.0.0.1", peer.getsockname())
        assert peer.recv(65536) == data


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_ipv6() -> None:
    here = DatagramSocket(socket.AF_INET6, socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.bind(("::1", 0))
        peer.settimeout(5)
        peer.sendto(b"hello", ("::1", port_of(here)))
        datagram = received(here)
        assert (datagram.local_host, datagram.remote_host, datagram.remote_port) == ("::1", *peer.getsockname()[:2])
        here.send(b"answer", "::1", peer.getsockname()[:2], traffic_class=0xB8)
        assert peer.recv(100) == b"answer"
    here.close()


def test_a_port_in_use_is_an_error() -> None:
    first = DatagramSocket(socket.AF_INET, socket.SOCK_DGRAM)
    with pytest.raises(OSError, match="in use"):
        DatagramSocket(socket.AF_INET, socket.SOCK_DGRAM, port=port_of(first))
    first.close()


def test_family() -> None:
    assert family_of("192.0.2.1") == socket.AF_INET and family_of("2001:db8::1") == socket.AF_INET6
