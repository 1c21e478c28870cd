"""Traffic selectors as IKEv1 writes them: one ID payload per side, with one protocol and one port (RFC 2407 4.6.2)."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from lab.errors import ProtocolError
from lab.wire.ids_v1 import IdType1, NotifyType1
from lab.wire.payloads_v1 import ID1
from lab.wire.payloads_v2 import TrafficSelector

_SINGLE = {4: IdType1.ID_IPV4_ADDR, 6: IdType1.ID_IPV6_ADDR}
_SUBNET = {4: IdType1.ID_IPV4_ADDR_SUBNET, 6: IdType1.ID_IPV6_ADDR_SUBNET}
_RANGE = {4: IdType1.ID_IPV4_ADDR_RANGE, 6: IdType1.ID_IPV6_ADDR_RANGE}
_OCTETS = {
    **dict.fromkeys((IdType1.ID_IPV4_ADDR,), 4),
    **dict.fromkeys((IdType1.ID_IPV6_ADDR,), 16),
    **dict.fromkeys((IdType1.ID_IPV4_ADDR_SUBNET, IdType1.ID_IPV4_ADDR_RANGE), 8),
    **dict.fromkeys((IdType1.ID_IPV6_ADDR_SUBNET, IdType1.ID_IPV6_ADDR_RANGE), 32),
}


def to_id(selector: TrafficSelector) -> ID1:
    """IDci or IDcr; ProtocolError where its ports are a range, for which IKEv1 has no shape."""
    ports = (selector.start_port, selector.end_port)
    if ports != (0, 65535) and ports[0] != ports[1]:
        raise ProtocolError(f"IKEv1 cannot write the ports of {selector}: one or all")
    port = ports[0] if ports[0] == ports[1] else 0
    start, end = selector.start, selector.end
    if start == end:
        return ID1(_SINGLE[start.version], start.packed, selector.protocol, port)
    network = ip_network(f"{start}/{start.max_prefixlen - (int(start) ^ int(end)).bit_length()}", strict=False)
    if (network.network_address, network.broadcast_address) == (start, end):
        octets = network.network_address.packed + network.netmask.packed
        return ID1(_SUBNET[start.version], octets, selector.protocol, port)
    return ID1(_RANGE[start.version], start.packed + end.packed, selector.protocol, port)


def of_id(payload: ID1) -> TrafficSelector:
    """The selector of IDci or IDcr; ProtocolError where it is none."""
    data, kind = payload.data, payload.id_type
    if _OCTETS.get(kind) != len(data):
        raise ProtocolError(
            f"ID of type {kind.name} with {len(data)} octets selects no traffic", NotifyType1.INVALID_ID_INFORMATION
        )
    half = len(data) // 2
    if kind in _SINGLE.values():
        first = last = ip_address(data)
    elif kind in _RANGE.values():
        first, last = ip_address(data[:half]), ip_address(data[half:])
    else:
        first, last = _network(ip_address(data[:half]), ip_address(data[half:]))
    if int(first) > int(last):
        raise ProtocolError(f"{first}-{last} is no range of addresses", NotifyType1.INVALID_ID_INFORMATION)
    ports = (payload.port, payload.port) if payload.port else (0, 65535)
    return TrafficSelector(payload.protocol, *ports, first, last)


def _network(
    address: IPv4Address | IPv6Address, mask: IPv4Address | IPv6Address
) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    try:
        bits = bin(int(mask)).count("1")
        network = ip_network(f"{address}/{bits}", strict=False)
    except ValueError as error:
        raise ProtocolError(f"{address}/{mask} is no network", NotifyType1.INVALID_ID_INFORMATION) from error
    if network.netmask != mask:
        raise ProtocolError(f"{address}/{mask} is no network", NotifyType1.INVALID_ID_INFORMATION)
    return network.network_address, network.broadcast_address
