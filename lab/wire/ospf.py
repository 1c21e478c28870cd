"""OSPF version 2 packets as far as a witness needs them: who says what kind of thing (RFC 2328 A.3). Decode only."""

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address
from typing import Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader
from lab.wire.packets import checksum

OSPF_NUMBER = 89
ALL_ROUTERS = IPv4Address("224.0.0.5")  # AllSPFRouters, RFC 2328 A.1
_HEADER, _AUTHENTICATION = 24, slice(16, 24)
_CRYPTOGRAPHIC = 2


class OspfType(IntEnum):
    """The five packet types."""

    HELLO = 1
    DATABASE_DESCRIPTION = 2
    LINK_STATE_REQUEST = 3
    LINK_STATE_UPDATE = 4
    LINK_STATE_ACKNOWLEDGMENT = 5


_TYPES = frozenset(map(int, OspfType))


@dataclass(frozen=True, slots=True)
class OspfPacket:
    """An OSPF packet: its type, the router that sent it, its area, and what follows the header."""

    kind: OspfType
    router_id: IPv4Address
    area: IPv4Address
    body: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a packet; its checksum must be right, which leaves out the authentication field (RFC 2328 D.4)."""
        reader = Reader(data)
        version, kind, length = reader.u8(), reader.u8(), reader.u16()
        router_id, area = IPv4Address(reader.take(4)), IPv4Address(reader.take(4))
        _sum, authentication = reader.u16(), reader.u16()
        reader.take(8)
        if version != 2 or kind not in _TYPES:
            raise ProtocolError(f"not an OSPF packet of version 2: version {version}, type {kind}")
        body = reader.take(length - _HEADER)
        if authentication != _CRYPTOGRAPHIC and checksum(data[: _AUTHENTICATION.start] + body):
            raise ProtocolError("wrong OSPF checksum")
        return cls(OspfType(kind), router_id, area, body)

    def heard(self) -> tuple[IPv4Address, ...]:
        """Of a Hello: the routers that its sender has heard lately (RFC 2328 A.3.2)."""
        reader = Reader(self.body)
        reader.take(20)
        return tuple(IPv4Address(reader.take(4)) for _ in range(reader.left // 4))
