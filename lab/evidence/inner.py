"""One line on an IP packet, as a person would say it: `ICMP echo-request 10.1.0.10 -> 10.2.0.10 seq 1`."""

from lab.errors import ProtocolError
from lab.wire.gre import IPV4, IPV6, GREPacket
from lab.wire.ospf import OSPF_NUMBER, OspfPacket
from lab.wire.packets import GRE, ICMP, TCP, UDP_NUMBER, decode_ip

_ICMP4 = {0: "echo-reply", 3: "destination-unreachable", 5: "redirect", 8: "echo-request", 11: "time-exceeded"}
_ICMP6 = {
    1: "destination-unreachable", 2: "packet-too-big", 3: "time-exceeded", 128: "echo-request", 129: "echo-reply",
    133: "router-solicitation", 134: "router-advertisement", 135: "neighbor-solicitation",
    136: "neighbor-advertisement", 143: "multicast-listener-report",
}  # fmt: skip
_ICMPV6 = 58
_FLAGS = ((0x02, "SYN"), (0x10, "ACK"), (0x01, "FIN"), (0x04, "RST"), (0x08, "PSH"))


def summary(packet: bytes) -> str:
    """Protocol, addresses and the little that tells packets apart; never raises."""
    try:
        ip = decode_ip(packet)
    except ProtocolError as error:
        return f"malformed IP packet of {len(packet)} octets ({error.reason})"
    return upper(str(ip.src), str(ip.dst), ip.protocol, ip.payload)


def upper(src: str, dst: str, protocol: int, data: bytes) -> str:
    """The same of what is behind an IP header: the whole content of ESP in transport mode."""
    ends = f"{src} -> {dst}"
    if protocol in (ICMP, _ICMPV6) and len(data) >= 8:
        names = _ICMP4 if protocol == ICMP else _ICMP6
        word = names.get(data[0], f"type {data[0]}")
        number = f" seq {int.from_bytes(data[6:8], 'big')}" if word.startswith("echo-") else ""
        return f"{'ICMP' if protocol == ICMP else 'ICMPv6'} {word} {ends}{number}"
    if protocol == TCP and len(data) >= 20:
        flags = ",".join(word for bit, word in _FLAGS if data[13] & bit)
        return f"TCP {_ports(src, dst, data)} [{flags}]"
    if protocol == UDP_NUMBER and len(data) >= 8:
        return f"UDP {_ports(src, dst, data)} {int.from_bytes(data[4:6], 'big') - 8} octets"
    if protocol == GRE:
        return _gre(ends, data)
    if protocol == OSPF_NUMBER:
        return _ospf(ends, data)
    return f"protocol {protocol} {ends} {len(data)} octets"


def _gre(ends: str, data: bytes) -> str:
    """What GRE carries, and behind it between whom the GRE itself travels."""
    try:
        gre = GREPacket.decode(data)
    except ProtocolError as error:
        return f"GRE {ends} {len(data)} octets ({error.reason})"
    if gre.protocol in (IPV4, IPV6):
        return f"{summary(gre.payload)} in GRE {ends}"
    return f"GRE {ends} {len(data)} octets of EtherType {gre.protocol:#06x}"


def _ospf(ends: str, data: bytes) -> str:
    try:
        packet = OspfPacket.decode(data)
    except ProtocolError as error:
        return f"OSPF {ends} {len(data)} octets ({error.reason})"
    return f"OSPF {packet.kind.name.lower().replace('_', '-')} {ends} of router {packet.router_id}"


def _ports(src: str, dst: str, data: bytes) -> str:
    sport, dport = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    return f"{src}:{sport} -> {dst}:{dport}"
