"""The kernel side of a topology: veth pairs, addresses, routes and the settings of each namespace.

One netlink batch creates all links, straight into their namespaces; one more per node configures them. Interface
numbers and MAC addresses follow from the order of the file, so two runs of a topology look the same on the wire.
Checksums and segmentation are done in software: what is captured is what a real wire would carry.
"""

import array
import fcntl
import itertools
import socket
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import IPv6Address, ip_interface, ip_network
from pathlib import Path

from lab.emulation.model import Firewall, Nat, NodeSpec
from lab.emulation.namespace import Namespace
from lab.emulation.netlink import Batch, RouteSocket
from lab.emulation.topology import Attachment, Topology
from lab.emulation.units import nanoseconds

FIRST_INDEX = 101  # below it are lo and what some kernels put into every namespace (gre0, sit0, ...)
DEFAULT_MTU = 1500
_MARKERS = 0x6E657400  # no descriptor, address or length looks like this
_NODAD = 0x02
_SIOCETHTOOL, _ETHTOOL_STXCSUM, _ETHTOOL_SSG = 0x8946, 0x17, 0x19


def index(topology: Topology, attachment: Attachment) -> int:
    """The interface number of a link end in its node."""
    return FIRST_INDEX + topology.at(attachment.node).index(attachment)


def mac(topology: Topology, attachment: Attachment) -> str:
    """The MAC address of a link end: locally administered, number of the link, number of the end."""
    number = list(topology.links).index(attachment.link) + 1
    end = list(topology.links[attachment.link].ends).index(attachment.node) + 1
    return f"02:00:00:{number >> 8:02x}:{number & 255:02x}:{end:02x}"


def mtu(topology: Topology, attachment: Attachment) -> int:
    """The largest packet that this end sends."""
    impairment = topology.links[attachment.link].impair.get(attachment.node)
    return (impairment and impairment.mtu) or DEFAULT_MTU


@cache
def links(topology: Topology) -> Batch:
    """Create every veth pair; may be sent from any of the namespaces, with `_marker` replaced by their descriptors."""
    batch = Batch()
    for one, two in topology.pairs:
        batch.link(
            "add",
            kind="veth",
            ifname=one.interface,
            index=index(topology, one),
            address=mac(topology, one),
            mtu=mtu(topology, one),
            net_ns_fd=_marker(topology, one.node),
            info_peer={
                "index": index(topology, two),
                "attrs": [
                    ["IFLA_IFNAME", two.interface],
                    ["IFLA_ADDRESS", mac(topology, two)],
                    ["IFLA_MTU", mtu(topology, two)],
                    ["IFLA_NET_NS_FD", _marker(topology, two.node)],
                ],
            },
        )
    return batch


def _marker(topology: Topology, name: str) -> int:
    """What stands for the descriptor of a namespace until it is known."""
    return _MARKERS + list(topology.nodes).index(name)


def _with_descriptors(topology: Topology, namespaces: Mapping[str, Namespace]) -> Batch:
    batch = links(topology).copy()
    for name, namespace in namespaces.items():
        batch.replace(_marker(topology, name), namespace.net_descriptor, len(topology.at(name)))
    return batch


@cache
def node(topology: Topology, name: str) -> Batch:
    """Bring up the interfaces of a node with their addresses, then its routes.

    Neighbours are permanent: no packet waits for ARP, so the first one takes the time of every other.
    """
    batch = Batch()
    batch.link("set", index=1, state="up")
    for attachment in topology.at(name):
        number = index(topology, attachment)
        batch.link("set", index=number, state="up")
        for text in attachment.end.addresses:
            interface = ip_interface(text)
            flags = {"flags": _NODAD} if interface.version == 6 else {}
            batch.address("add", number, str(interface.ip), interface.network.prefixlen, **flags)
        far = topology.attachment(attachment.peer, attachment.link)
        for text in far.end.addresses:
            batch.neighbour("add", number, str(ip_interface(text).ip), mac(topology, far))
    for destination, gateway in routes(topology, name):
        batch.route("add", destination, gateway)
    return batch


def routes(topology: Topology, name: str) -> Iterator[tuple[str, str]]:
    """The static routes of a node as (destination, gateway address)."""
    spec = topology.nodes[name]
    if spec.default_route:
        for version, destination in ((4, "0.0.0.0/0"), (6, "::/0")):
            if gateway := _address_of(topology, name, spec.default_route, version):
                yield destination, gateway
    for route in spec.routes:
        if gateway := _address_of(topology, name, route.via, ip_network(route.to).version):
            yield route.to, gateway


def _address_of(topology: Topology, name: str, neighbour: str, version: int) -> str | None:
    """The address by which a node reaches its neighbour on their first common link."""
    shared = next(end for end in topology.at(name) if end.peer == neighbour)
    return topology.attachment(neighbour, shared.link).address(version)


# -- settings of a namespace, all under /proc/sys/net; `default` is inherited by every interface created later


def settings(topology: Topology, name: str) -> dict[str, str]:
    """What the namespace of a node is set to before its links are created."""
    spec = topology.nodes[name]
    forward = "0" if spec.kind == "host" else "1"
    values = {"ipv4/ip_forward": forward, "ipv4/conf/all/promote_secondaries": "1"}
    for scope in ("all", "default"):
        values |= {f"ipv4/conf/{scope}/rp_filter": "0", f"ipv4/conf/{scope}/send_redirects": "0"}
    if any(ip_interface(text).version == 6 for end in topology.at(name) for text in end.end.addresses):
        values |= {"ipv6/conf/default/accept_dad": "0", "ipv6/conf/all/forwarding": forward}
    else:
        values["ipv6/conf/default/disable_ipv6"] = "1"  # spares the captures neighbour discovery that nobody asked for
    return values | _nat_settings(spec)


def _nat_settings(spec: NodeSpec) -> dict[str, str]:
    box = spec.nat or spec.firewall
    return {} if box is None else {"netfilter/nf_conntrack_timestamp": "1"} | timeouts(box)


def timeouts(box: Nat | Firewall) -> dict[str, str]:
    """After how many seconds without a packet a box forgets a UDP mapping, one way or answered."""
    named = {"": box.udp_timeout, "_stream": box.udp_timeout_stream}
    return {
        f"netfilter/nf_conntrack_udp_timeout{kind}": str(nanoseconds(text) // 10**9)
        for kind, text in named.items()
        if text
    }


def write_settings(namespace: Namespace, values: Mapping[str, str], *, anew: bool = False) -> None:
    """Write values below /proc/sys/net as this namespace sees it, where they are not as they should be already.

    `anew` is for one that is not new any more.
    """
    with namespace.network():
        for key, value in values.items():
            if anew or _fresh(key) != value:
                Path("/proc/sys/net", key).write_text(value)


@cache
def _fresh(key: str) -> str:
    """The value in a namespace that is new, as is the one that asks first; all are made alike."""
    return Path("/proc/sys/net", key).read_text().strip()


def plain_packets(namespace: Namespace, interfaces: list[str]) -> None:
    """Turn off what veth would pass on unfinished: checksum and segmentation offload, and packets in pages.

    Pages are shared between a packet, what a NAT box makes of it and the copy that a capture keeps. The kernel's ESP
    decrypts in place: what is captured would turn into plaintext before it is written down.
    """
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for interface, command in itertools.product(interfaces, (_ETHTOOL_STXCSUM, _ETHTOOL_SSG)):
            value = array.array("I", [command, 0])
            request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
            fcntl.ioctl(control, _SIOCETHTOOL, request)


def realise(topology: Topology, namespaces: Mapping[str, Namespace], sockets: Mapping[str, RouteSocket]) -> None:
    """Create all links, addresses and routes; when this returns, packets flow."""
    for name, namespace in namespaces.items():
        write_settings(namespace, settings(topology, name))
    next(iter(sockets.values())).send(_with_descriptors(topology, namespaces))
    for name, namespace in namespaces.items():
        plain_packets(namespace, [end.interface for end in topology.at(name)])
        sockets[name].send(node(topology, name))
    for name in namespaces:
        sockets[name].wait_until_up([index(topology, end) for end in topology.at(name)])
        sockets[name].wait_until_local(list(_global_addresses(topology, name)))


def _global_addresses(topology: Topology, name: str) -> Iterator[IPv6Address]:
    """Those that a route leads to without an interface being named."""
    for text in itertools.chain.from_iterable(end.end.addresses for end in topology.at(name)):
        address = ip_interface(text).ip
        if isinstance(address, IPv6Address) and not address.is_link_local:
            yield address
