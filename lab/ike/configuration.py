"""What the Configuration payload and Mode Config hold: a virtual address asked for and given (RFC 7296 2.19, 3.15).

    CP(CFG_REQUEST){INTERNAL_IP4_ADDRESS(), INTERNAL_IP4_DNS()}  -->
                                   <--  CP(CFG_REPLY){INTERNAL_IP4_ADDRESS(10.3.0.1), INTERNAL_IP4_DNS(10.3.0.53)}

This file knows the attributes, whose numbers both versions of IKE share; who asks whom when is the matter of each
version, whose address is which that of the pool (`lab.ike.pool`). Attributes of a length
that the RFC does not know and attributes that nobody asked for are skipped (3.15.1), whatever else stands beside them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lab.errors import ProtocolError
from lab.wire.ids import CfgAttribute, CfgType
from lab.wire.payloads_v2 import CP

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
MOST = 16
"""How many values of one kind we take of a reply; more is no configuration that a client could use."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a responder gives: addresses, name servers and the subnets behind it."""

    addresses: tuple[Address, ...] = ()
    dns: tuple[Address, ...] = ()
    subnets: tuple[Network, ...] = ()


def request(vips: Iterable[Address]) -> CP:
    """CFG_REQUEST for these addresses; the unspecified one (`0.0.0.0`, `::`) leaves the choice to the responder."""
    attributes: list[tuple[CfgAttribute, bytes]] = []
    versions = set()
    for vip in vips:
        versions.add(vip.version)
        six = vip.version == 6
        kind = CfgAttribute.INTERNAL_IP6_ADDRESS if six else CfgAttribute.INTERNAL_IP4_ADDRESS
        attributes.append((kind, b"" if vip.is_unspecified else _octets(vip)))
    if 4 in versions:
        attributes += [(CfgAttribute.INTERNAL_IP4_DNS, b""), (CfgAttribute.INTERNAL_IP4_SUBNET, b"")]
    if 6 in versions:
        # Of this one 3.15.1 allows no empty value; ::/0 stands for whatever there is.
        attributes += [(CfgAttribute.INTERNAL_IP6_DNS, b""), (CfgAttribute.INTERNAL_IP6_SUBNET, bytes(17))]
    return CP(CfgType.CFG_REQUEST, tuple(attributes))


def asked(cp: CP) -> tuple[Address, ...]:
    """The addresses that a CFG_REQUEST asks for, unspecified where any will do; at most `MOST`."""
    if cp.cfg_type != CfgType.CFG_REQUEST:
        return ()
    found: list[Address] = []
    for kind, value in cp.attributes:
        if kind == CfgAttribute.INTERNAL_IP4_ADDRESS and len(value) in (0, 4):
            found.append(IPv4Address(value or bytes(4)))
        elif kind == CfgAttribute.INTERNAL_IP6_ADDRESS and len(value) in (0, 17):
            found.append(IPv6Address(value[:16] or bytes(16)))
    return tuple(found[:MOST])


def reply(cp: CP, given: Configuration) -> CP:
    """CFG_REPLY: the addresses given and, of the rest, only the kinds that the request names."""
    kinds = {kind for kind, _ in cp.attributes}
    attributes = [
        (CfgAttribute.INTERNAL_IP6_ADDRESS if a.version == 6 else CfgAttribute.INTERNAL_IP4_ADDRESS, _octets(a))
        for a in given.addresses
    ]
    attributes += [
        (CfgAttribute.INTERNAL_IP6_DNS if a.version == 6 else CfgAttribute.INTERNAL_IP4_DNS, a.packed)
        for a in given.dns
    ]
    attributes += [_of_subnet(net) for net in given.subnets]
    return CP(CfgType.CFG_REPLY, tuple(pair for pair in attributes if pair[0] in kinds))


def read(ours: CP, answer: CP | None) -> Configuration:
    """What a CFG_REPLY gives; ProtocolError where it gives no address that we could use."""
    if answer is None or answer.cfg_type != CfgType.CFG_REPLY:
        raise ProtocolError("peer's answer lacks CFG_REPLY, though we asked for a virtual address")
    kinds = {kind for kind, _ in ours.attributes}
    addresses: list[Address] = []
    dns: list[Address] = []
    subnets: list[Network] = []
    for kind, value in answer.attributes:
        if kind not in kinds:
            continue
        match kind, len(value):
            case CfgAttribute.INTERNAL_IP4_ADDRESS, 4:
                addresses.append(IPv4Address(value))
            case CfgAttribute.INTERNAL_IP6_ADDRESS, 17:
                addresses.append(IPv6Address(value[:16]))
            case CfgAttribute.INTERNAL_IP4_DNS, 4:
                dns.append(IPv4Address(value))
            case CfgAttribute.INTERNAL_IP6_DNS, 16:
                dns.append(IPv6Address(value))
            case CfgAttribute.INTERNAL_IP4_SUBNET, 8:
                subnets += _subnet(value)
            case CfgAttribute.INTERNAL_IP6_SUBNET, 17:
                subnets += _subnet6(value)
    usable = dict.fromkeys(a for a in addresses if not (a.is_unspecified or a.is_multicast or a.is_loopback))
    if not usable:
        raise ProtocolError("peer's CFG_REPLY gives no virtual address")
    return Configuration(tuple(usable)[:MOST], tuple(dns[:MOST]), tuple(subnets[:MOST]))


def _subnet(value: bytes) -> tuple[IPv4Network, ...]:
    """Address and netmask; none where the mask has holes or the address has bits beyond it."""
    mask = int.from_bytes(value[4:], "big")
    length = mask.bit_count()
    if mask != (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF or int.from_bytes(value[:4], "big") & ~mask:
        return ()
    return (IPv4Network((value[:4], length)),)


def _subnet6(value: bytes) -> tuple[IPv6Network, ...]:
    """Address and prefix length; none where the address has bits beyond it."""
    try:
        return (IPv6Network((value[:16], value[16])),)
    except ValueError:
        return ()


def _of_subnet(net: Network) -> tuple[CfgAttribute, bytes]:
    """A network behind the responder as an attribute."""
    if isinstance(net, IPv6Network):
        return CfgAttribute.INTERNAL_IP6_SUBNET, net.network_address.packed + bytes([net.prefixlen])
    return CfgAttribute.INTERNAL_IP4_SUBNET, net.network_address.packed + net.netmask.packed


def _octets(address: Address) -> bytes:
    """3.15.1: an IPv6 address carries its prefix length behind it; one address is all that a client gets."""
    return address.packed + (b"\x80" if address.version == 6 else b"")
