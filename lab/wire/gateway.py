"""The data of REDIRECT and REDIRECTED_FROM: which gateway is meant (RFC 5685 9.2, 9.3).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    | GW Ident Type | GW Ident Len  |                               |
    ~                  New Responder GW Identity                    ~
    ~                     Nonce Data (variable)                     ~

Nonce Data is there in the response of IKE_SA_INIT only: that of the request, as a sign that this one is answered.
"""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self

from lab.errors import ProtocolError
from lab.wire.cursor import Reader, Writer
from lab.wire.ids import GatewayType, NotifyType

_OCTETS = {GatewayType.IPV4: 4, GatewayType.IPV6: 16}
# A name of labels (RFC 1123 2.1); whatever else comes from a peer is not looked up and not shown.
_NAME = re.compile(
    rb"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway by its address or its name; `nonce` is empty outside IKE_SA_INIT."""

    kind: GatewayType
    identity: bytes
    nonce: bytes = field(default=b"", repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the notification data; Truncated or ProtocolError where it names no gateway."""
        reader = Reader(data)
        kind, identity = GatewayType(reader.u8()), reader.take(reader.u8())
        if kind not in (*_OCTETS, GatewayType.FQDN):
            raise ProtocolError(f"gateway of unknown type {kind.value}", NotifyType.INVALID_SYNTAX)
        if kind in _OCTETS and len(identity) != _OCTETS[kind]:
            reason = f"gateway of type {kind.name} with {len(identity)} octets"
            raise ProtocolError(reason, NotifyType.INVALID_SYNTAX)
        if kind == GatewayType.FQDN and not _NAME.fullmatch(identity):
            raise ProtocolError(f"gateway's name is none: {identity!r}", NotifyType.INVALID_SYNTAX)
        return cls(kind, identity, reader.rest())

    def encode(self) -> bytes:
        """The notification data."""
        return bytes(Writer().u8(self.kind).u8(len(self.identity)).raw(self.identity).raw(self.nonce))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From an address or a name as people write it; ValueError where it is neither."""
        try:
            address = ip_address(text)
        except ValueError:
            if not _NAME.fullmatch(text.encode()):
                raise ValueError(f"{text!r} is neither an address nor the name of a host") from None
            return cls(GatewayType.FQDN, text.encode())
        return cls(GatewayType.IPV4 if address.version == 4 else GatewayType.IPV6, address.packed)

    @property
    def name(self) -> str:
        """The name that has to be looked up; empty where there is an address."""
        return self.identity.decode("ascii") if self.kind == GatewayType.FQDN else ""

    def __str__(self) -> str:
        return self.name or str(ip_address(self.identity))
