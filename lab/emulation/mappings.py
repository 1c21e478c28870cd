"""What a NAT box translates and has translated: its connection table and what goes out of it, read through netlink.

A connection is told in the words of the box: `inside` and `outside` are two names of the same client, `remote` is whom
it talks to. The kernel notes when a connection began; what ends is told to those who listen, with the time when it
ended - its expiry, however late the kernel found out.
"""

import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyroute2.netlink.nfnetlink.nfctsocket import nfct_msg

from lab.emulation.namespace import Namespace
from lab.errors import BrokenError

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 50: "esp", 51: "ah", 47: "gre"}
_HEADER = struct.Struct("=IHHII")
_CTNETLINK, _GET, _DELETE = 1, 1, 2
_REQUEST_DUMP, _REQUEST_ACK = 0x301, 0x5
_NETLINK_NETFILTER = 12
_ERROR, _DONE = 2, 3
_ENDED_GROUP = 1 << 2  # NFNLGRP_CONNTRACK_DESTROY
_RCVBUFFORCE, _BUFFER = 33, 1 << 22
_SEEN_REPLY, _ASSURED, _SRC_NAT, _DST_NAT = 1 << 1, 1 << 2, 1 << 4, 1 << 5


@dataclass(frozen=True, slots=True)
class Connection:
    """A translated connection of a box; `ended_ns` (since the epoch) is 0 while it lives."""

    node: str
    protocol: str
    inside: str
    outside: str
    remote: str
    opened_by: str
    answered: bool
    assured: bool
    timeout_s: int | None
    began_ns: int
    ended_ns: int = 0
    forgotten: bool = False

    def facts(self) -> dict[str, Any]:
        """As in nat.json."""
        names = ("node", "protocol", "inside", "outside", "remote", "opened_by", "answered", "assured", "timeout_s")
        return {name: getattr(self, name) for name in names}


class Watch:
    """Listens to what goes out of a box's connection table, from the moment it is made."""

    def __init__(self, namespace: Namespace, node: str) -> None:
        self._namespace, self._node = namespace, node
        self._ended: list[Connection] = []
        self._missed = False
        self._socket = namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
        self._socket.bind((0, _ENDED_GROUP))
        self._socket.setblocking(False)

    def living(self) -> list[Connection]:
        """What is translated now, in the order of the inside addresses."""
        found = [one for message in _dump(self._namespace) for one in _connections(message, self._node)]
        return sorted(found, key=lambda one: (one.protocol, one.inside))

    def ended(self) -> list[Connection]:
        """What was translated once, in the order in which the kernel told it; BrokenError if it told too much."""
        self._listen()
        if self._missed:
            raise BrokenError(f"{self._node}: the kernel told of more ended connections than could be read")
        return list(self._ended)

    def forget(self) -> None:
        """Drop all connections of the box."""
        self.living()  # what has expired already ends so
        self._listen()
        now = time.time_ns()
        with self._namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as channel:
            channel.bind((0, 0))
            channel.send(_HEADER.pack(20, _CTNETLINK << 8 | _DELETE, _REQUEST_ACK, 1, 0) + bytes(4))
            answer = channel.recv(1 << 16)
            (code,) = struct.unpack_from("=i", answer, _HEADER.size)
            if code:
                raise BrokenError(f"the kernel refused to forget its connections: {os.strerror(-code)}")
        self._listen(forgotten_since_ns=now)

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def _listen(self, forgotten_since_ns: int = 0) -> None:
        while True:
            try:
                data = self._socket.recv(1 << 20)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: some were lost
                self._missed = True
                continue
            for message in _messages(data):
                self._ended += _connections(message, self._node, forgotten_since_ns)


def _dump(namespace: Namespace) -> Iterator[Any]:
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as channel:
        channel.bind((0, 0))
        channel.send(_HEADER.pack(20, _CTNETLINK << 8 | _GET, _REQUEST_DUMP, 1, 0) + bytes([socket.AF_INET, 0, 0, 0]))
        done = False
        while not done:
            data = channel.recv(1 << 20)
            yield from _messages(data)
            done = any(kind == _DONE for kind in _kinds(data))


def _kinds(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        yield kind
        at += length + -length % 4


def _messages(data: bytes) -> Iterator[Any]:
    """The connections that a datagram of the kernel tells of."""
    at = 0
    while at < len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind == _ERROR:
            raise BrokenError("the kernel refused to list its connections")
        if kind >> 8 == _CTNETLINK:
            message = nfct_msg(data[at : at + length])
            message.decode()
            yield message
        at += length + -length % 4


def _connections(message: Any, node: str, forgotten_since_ns: int = 0) -> Iterator[Connection]:
    """What a connection translates: who opened it, whom it was led to, or both where it turns back in the box."""
    status = message.get_attr("CTA_STATUS") or 0
    original, reply = message.get_attr("CTA_TUPLE_ORIG"), message.get_attr("CTA_TUPLE_REPLY")
    if original.get_attr("CTA_TUPLE_IP").get_attr("CTA_IP_V4_SRC") is None:
        return
    if status & _DST_NAT:  # known to whom it was led as coming from there
        names = _end(reply, "SRC"), _end(original, "DST"), _end(reply, "DST")
        yield _connection(message, node, names, "remote", forgotten_since_ns)
    if status & _SRC_NAT:
        names = _end(original, "SRC"), _end(reply, "DST"), _end(original, "DST")
        yield _connection(message, node, names, "inside", forgotten_since_ns)


def _connection(message: Any, node: str, names: tuple[str, str, str], opened_by: str, since_ns: int) -> Connection:
    status = message.get_attr("CTA_STATUS")
    protocol = message.get_attr("CTA_TUPLE_ORIG").get_attr("CTA_TUPLE_PROTO").get_attr("CTA_PROTO_NUM")
    times = message.get_attr("CTA_TIMESTAMP")
    began, ended = ((times and times.get_attr(f"CTA_TIMESTAMP_{name}")) or 0 for name in ("START", "STOP"))
    inside, outside, remote = names
    return Connection(
        node=node,
        protocol=_PROTOCOLS.get(protocol, str(protocol)),
        inside=inside,
        outside=outside,
        remote=remote,
        opened_by=opened_by,
        answered=bool(status & _SEEN_REPLY),
        assured=bool(status & _ASSURED),
        timeout_s=message.get_attr("CTA_TIMEOUT"),
        began_ns=began,
        ended_ns=ended,
        forgotten=bool(since_ns) and ended >= since_ns,
    )


def _end(tuple_: Any, side: str) -> str:
    address = tuple_.get_attr("CTA_TUPLE_IP").get_attr(f"CTA_IP_V4_{side}")
    port = tuple_.get_attr("CTA_TUPLE_PROTO").get_attr(f"CTA_PROTO_{side}_PORT")
    return f"{address}:{port}" if port is not None else str(address)
