"""What a NAT box has translated: its connection table, read through netlink.

A mapping is told in the words of the box: `inside` and `outside` are two names of the same client, `remote` is whom it
talks to.
"""

import os
import socket
import struct
from collections.abc import Iterator
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
_SEEN_REPLY, _ASSURED, _SRC_NAT, _DST_NAT = 1 << 1, 1 << 2, 1 << 4, 1 << 5


def read(namespace: Namespace, node: str) -> list[dict[str, Any]]:
    """The translated connections of a NAT box, in the order of their inside address."""
    found = [_mapping(message, node) for message in _dump(namespace)]
    return sorted((entry for entry in found if entry), key=lambda entry: (entry["protocol"], entry["inside"]))


def forget(namespace: Namespace) -> None:
    """Drop all connections of a box, as if it had been switched off and on: its clients get new mappings."""
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as channel:
        channel.bind((0, 0))
        channel.send(_HEADER.pack(20, _CTNETLINK << 8 | _DELETE, _REQUEST_ACK, 1, 0) + bytes(4))
        answer = channel.recv(1 << 16)
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        if code:
            raise BrokenError(f"the kernel refused to forget its connections: {os.strerror(-code)}")


def _dump(namespace: Namespace) -> Iterator[Any]:
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as channel:
        channel.bind((0, 0))
        channel.send(_HEADER.pack(20, _CTNETLINK << 8 | _GET, _REQUEST_DUMP, 1, 0) + bytes([socket.AF_INET, 0, 0, 0]))
        while True:
            data, at = channel.recv(1 << 20), 0
            while at < len(data):
                length, kind, *_ = _HEADER.unpack_from(data, at)
                if kind == _ERROR:
                    raise BrokenError("the kernel refused to list its connections")
                if kind == _DONE:
                    return
                message = nfct_msg(data[at : at + length])
                message.decode()
                yield message
                at += length + -length % 4


def _mapping(message: Any, node: str) -> dict[str, Any] | None:
    status = message.get_attr("CTA_STATUS") or 0
    original, reply = message.get_attr("CTA_TUPLE_ORIG"), message.get_attr("CTA_TUPLE_REPLY")
    if not status & (_SRC_NAT | _DST_NAT):
        return None
    if status & _DST_NAT:  # someone outside was forwarded to a client
        inside, outside, remote = _end(reply, "SRC"), _end(original, "DST"), _end(original, "SRC")
    else:
        inside, outside, remote = _end(original, "SRC"), _end(reply, "DST"), _end(original, "DST")
    protocol = original.get_attr("CTA_TUPLE_PROTO").get_attr("CTA_PROTO_NUM")
    return {
        "node": node,
        "protocol": _PROTOCOLS.get(protocol, str(protocol)),
        "inside": inside,
        "outside": outside,
        "remote": remote,
        "opened_by": "remote" if status & _DST_NAT else "inside",
        "answered": bool(status & _SEEN_REPLY),
        "assured": bool(status & _ASSURED),
        "timeout_s": message.get_attr("CTA_TIMEOUT"),
    }


def _end(tuple_: Any, side: str) -> str:
    address = tuple_.get_attr("CTA_TUPLE_IP").get_attr(f"CTA_IP_V4_{side}")
    port = tuple_.get_attr("CTA_TUPLE_PROTO").get_attr(f"CTA_PROTO_{side}_PORT")
    return f"{address}:{port}" if port is not None else str(address)
