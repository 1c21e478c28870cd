"""The way of a gate's packets through user space: frames about to leave a node go to a TAP, and come back to the wire.

    egress of an interface -> nft `fwd to` the TAP -> the gate's process -> packet socket -> the same interface

What the gate sends carries a mark by which the egress hook lets it pass; so it still meets netem, and the recorder sees
it when it really leaves. Everything before that has happened: the route is chosen, a NAT has translated.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Sequence

from lab.emulation import nft
from lab.emulation.namespace import Namespace
from lab.emulation.netlink import Batch, RouteSocket
from lab.errors import BrokenError, UnfitError

DEVICE, NAME, TABLE, MARK = "/dev/net/tun", "gate0", "gate_wire", 0x67617465
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_CHAIN = """\
  chain out{number} {{
    type filter hook egress device "{interface}" priority 0; policy accept;
    meta mark != {mark} meta protocol {{ ip, ip6 }} fwd to "{tap}"
  }}
"""
_ELSEWHERE = "use --kernel guest, or drop packets alone, which nftables can do"


def lay(namespace: Namespace, routes: RouteSocket, interfaces: Sequence[str]) -> tuple[int, socket.socket]:
    """Lead what leaves by these interfaces through user space: the TAP to read from, the socket to send with."""
    tap = _tap(namespace)
    with namespace.network():
        index = socket.if_nametoindex(NAME)
    batch = Batch()
    batch.link("set", index=index, state="up")
    routes.send(batch)
    link = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    chains = "".join(
        _CHAIN.format(number=number, interface=name, mark=MARK, tap=NAME) for number, name in enumerate(interfaces)
    )
    try:
        nft.load(namespace, f"table netdev {TABLE} {{\n{chains}}}\n")
    except BrokenError as error:
        raise UnfitError(f"this kernel cannot lead packets through the gate: {error}", fix=_ELSEWHERE) from error
    return tap, link


def _tap(namespace: Namespace) -> int:
    """A TAP in the node; it lives as long as its descriptor, and says nothing by itself."""
    with namespace.network():
        try:
            descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", NAME.encode(), _IFF_TAP | _IFF_NO_PI))
        except OSError as error:
            raise UnfitError(f"cannot make a TAP for the gate: {error.strerror}", fix=_ELSEWHERE) from error
        setting = f"/proc/sys/net/ipv6/conf/{NAME}/disable_ipv6"
        if os.path.exists(setting):
            with open(setting, "w", encoding="ascii") as file:
                file.write("1")
    return descriptor
