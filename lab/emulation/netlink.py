"""Batched netlink: pyroute2 writes the messages, one system call carries them all.

A socket is opened once for each namespace and kept: opening is what costs, not the messages.
"""

import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from pyroute2.iproute.linux import IPBatch

from lab.emulation.namespace import Namespace
from lab.errors import BrokenError, UnfitError

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_NLMSG_ERROR = 2
_RTM_GETLINK, _NLM_F_REQUEST = 18, 1
_IFLA_OPERSTATE, _IF_OPER_UP = 16, 6
_RTM_NEWROUTE, _RTM_GETROUTE, _RTA_DST = 24, 26, 1
_ROUTE_TYPE, _RTN_LOCAL = 7, 2  # where a route message has its type
_UP_S = 10.0
_RTM_NEWQDISC, _RTM_NEWTFILTER, _TC_H_ROOT = 36, 44, 0xFFFFFFFF
_TCA_KIND, _TCA_OPTIONS = 1, 2
_CREATE = 0x605  # NLM_F_REQUEST, ACK, CREATE, EXCL
_RECEIVE = 1 << 20


class Batch:
    """Requests compiled for one namespace, and what each one says in words."""

    _compiler: Any = None  # pyroute2's; made once for the process, as it is costly

    def __init__(self) -> None:
        if Batch._compiler is None:
            Batch._compiler = IPBatch()
        self.data = bytearray()
        self.requests: list[str] = []

    def link(self, command: str, **fields: Any) -> None:
        """Create or change an interface."""
        words = f"link {command} {fields.get('kind', '')} {fields.get('ifname', fields.get('index', ''))}"
        self._compile(words, self._compiler.link, command, **fields)

    def address(self, command: str, index: int, address: str, prefixlen: int, **fields: Any) -> None:
        """Add or remove an address."""
        words = f"address {command} {address}/{prefixlen}"
        self._compile(words, self._compiler.addr, command, index=index, address=address, prefixlen=prefixlen, **fields)

    def route(self, command: str, dst: str, gateway: str, **fields: Any) -> None:
        """Add, replace or remove a route."""
        words = f"route {command} {dst} via {gateway}"
        self._compile(words, self._compiler.route, command, dst=dst, gateway=gateway, **fields)

    def neighbour(self, command: str, index: int, address: str, mac: str) -> None:
        """Add or remove a permanent neighbour."""
        words = f"neighbour {command} {address} {mac}"
        fields = {"ifindex": index, "dst": address, "lladdr": mac, "state": "permanent"}
        self._compile(words, self._compiler.neigh, command, **fields)

    def netem(self, index: int, options: bytes) -> None:
        """Put netem at the root of an interface; `options` as `lab.emulation.netem` writes them."""
        head = struct.pack("=BxxxiIII", socket.AF_UNSPEC, index, 0x10000, _TC_H_ROOT, 0)
        kind, value = b"netem\0", options
        attributes = struct.pack("=HH", 4 + len(kind), _TCA_KIND) + kind + bytes(-len(kind) % 4)
        attributes += struct.pack("=HH", 4 + len(value), _TCA_OPTIONS) + value
        self._message(f"tc add netem {index}", _RTM_NEWQDISC, head + attributes)

    def unsharing(self, index: int, body: bytes) -> None:
        """Add the filter of `lab.emulation.pedit` to an interface that has an ingress queue."""
        self._message(f"filter add pedit {index}", _RTM_NEWTFILTER, body)

    def _message(self, words: str, kind: int, body: bytes) -> None:
        self.data += _HEADER.pack(_HEADER.size + len(body), kind, _CREATE, 0, 0) + body
        self.requests.append(words)

    def tc(self, command: str, kind: str, index: int, **fields: Any) -> None:
        """Add, replace or remove a queueing discipline."""
        self._compile(f"tc {command} {kind} {index}", self._compiler.tc, command, kind, index, **fields)

    def tc_filter(self, command: str, kind: str, index: int, **fields: Any) -> None:
        """Add or remove a packet filter."""
        self._compile(f"filter {command} {kind}", self._compiler.tc, f"{command}-filter", kind, index, **fields)

    def copy(self) -> "Batch":
        """The same requests, to be changed."""
        other = Batch()
        other.data, other.requests = bytearray(self.data), list(self.requests)
        return other

    def replace(self, marker: int, value: int, times: int) -> None:
        """Replace a marker by the number it stands for."""
        pattern = struct.pack("=I", marker)
        if self.data.count(pattern) != times:
            raise BrokenError(f"the marker {marker:#x} does not stand {times} times in the batch")
        self.data = self.data.replace(pattern, struct.pack("=I", value))

    def _compile(self, words: str, request: Any, *arguments: Any, **fields: Any) -> None:
        self._compiler.asyncore.batch = bytearray()
        request(*arguments, **fields)
        self.data += self._compiler.batch
        self.requests.append(words)


class RouteSocket:
    """The routing socket of one namespace."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self._name = name
        self._socket = namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE)
        self._socket.bind((0, 0))

    def send(self, batch: Batch) -> None:
        """Carry out a batch; raises for the first refused request, UnfitError where the kernel lacks something."""
        if not batch.requests:
            return
        self._socket.send(bytes(batch.data))
        codes: list[int] = []
        while len(codes) < len(batch.requests):
            codes += _answers(self._socket.recv(_RECEIVE))
        for code, request in zip(codes, batch.requests, strict=True):
            if code:
                self._refused(-code, request)

    def _refused(self, code: int, request: str) -> None:
        if code in (errno.ENOENT, errno.EOPNOTSUPP) and request.startswith(("tc add", "filter add", "link add")):
            kind = request.split()[2]
            what = "tunnels" if kind in ("gre", "ip6gre", "xfrm") else "link impairments"
            raise UnfitError(f"this kernel has no `{kind}`, which {what} need", fix="use --kernel guest")
        raise BrokenError(f"{self._name}: the kernel refused `{request}`: {os.strerror(code)}")

    def wait_until_up(self, indexes: Sequence[int]) -> None:
        """Wait until these interfaces can send.

        The second end of a veth pair to come up gives the first one its carrier, but a queue to send from only when the
        kernel's link watch has run; until then packets vanish. Asking for a link runs the link watch (Linux 6.8 and
        later), so the first answer is the last; older kernels take their time.
        """
        self._wait("its links did not come up", [partial(self._operational, index) for index in indexes])

    def wait_until_local(self, addresses: Sequence[IPv6Address]) -> None:
        """Wait until what is sent to these addresses is taken in.

        An IPv6 address can be bound as soon as the kernel has acknowledged it, but has its route in the local table
        only when deferred work has run, without duplicate address detection too; until then packets to it vanish.
        """
        self._wait("its IPv6 addresses did not get ready", [partial(self._local, address) for address in addresses])

    def _wait(self, failure: str, conditions: Sequence[Callable[[], bool]]) -> None:
        deadline = time.monotonic() + _UP_S
        while not all(holds() for holds in conditions):
            if time.monotonic() > deadline:
                raise BrokenError(f"{self._name}: {failure} within {_UP_S} s")
            time.sleep(0.001)

    def _operational(self, index: int) -> bool:
        data = self._asked(_RTM_GETLINK, struct.pack("=BxHiII", 0, 0, index, 0, 0))
        return _attribute(data, _IFLA_OPERSTATE) == bytes([_IF_OPER_UP])

    def _local(self, address: IPv6Address) -> bool:
        destination = struct.pack("=HH", 4 + len(address.packed), _RTA_DST) + address.packed
        data = self._asked(_RTM_GETROUTE, struct.pack("=BB10x", socket.AF_INET6, address.max_prefixlen) + destination)
        _, kind, *_ = _HEADER.unpack_from(data)  # an error where nothing leads there
        return kind == _RTM_NEWROUTE and data[_HEADER.size + _ROUTE_TYPE] == _RTN_LOCAL

    def _asked(self, kind: int, body: bytes) -> bytes:
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST, 0, 0) + body)
        return self._socket.recv(_RECEIVE)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _attribute(data: bytes, wanted: int) -> bytes:
    """The value of an attribute of a link message."""
    at = _HEADER.size + 16
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if kind == wanted:
            return data[at + 4 : at + length]
        at += max(4, length + -length % 4)
    return b""


def _answers(data: bytes) -> list[int]:
    found, at = [], 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind == _NLMSG_ERROR:  # an acknowledgement is an error message with code 0
            found.append(struct.unpack_from("=i", data, at + _HEADER.size)[0])
        at += length + -length % 4
    return found
