"""What of an IKE SA is kept to resume it (RFC 5723 5, A.1): on the gateway inside a ticket, on the client beside one.

    name of the connection, way of proof | IDi | IDr | SPIi | SPIr | SAr | SK_d | end of the ticket (8)

Each but the SPIs and the end behind its length (2). Identities are ID payload bodies; the end is in whole seconds since
1970. Not kept, since both sides speak of it anew: addresses, NATs, window, children, what notifies announce.
"""

from dataclasses import dataclass, field
from typing import Self

from lab.errors import ProtocolError
from lab.ike.credentials import Identity
from lab.ikev2.keys import Suite
from lab.wire.cursor import Reader, Writer
from lab.wire.ids import PayloadType, ProtocolId, TransformType
from lab.wire.payloads_v2 import ID, SA, Proposal, Transform

SPI_OCTETS = 8


@dataclass(frozen=True, slots=True)
class Session:
    """One IKE SA as it was when its ticket was made; `means` is how its peer had proved itself."""

    connection: str
    means: str
    idi: Identity
    idr: Identity
    spi_i: bytes
    spi_r: bytes
    proposal: Proposal
    sk_d: bytes = field(repr=False)
    expires: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; Truncated or ProtocolError."""
        reader = Reader(data)
        connection, means = _text(reader), _text(reader)
        idi, idr = (_identity(kind, _block(reader)) for kind in (PayloadType.IDi, PayloadType.IDr))
        spi_i, spi_r = reader.take(SPI_OCTETS), reader.take(SPI_OCTETS)
        proposals = SA.decode(_block(reader)).proposals
        if len(proposals) != 1:
            raise ProtocolError(f"session with {len(proposals)} proposals")
        return cls(connection, means, idi, idr, spi_i, spi_r, proposals[0], _block(reader), reader.u64())

    def encode(self) -> bytes:
        """The octets of this session."""
        ids = (
            ID(PayloadType.IDi, self.idi.id_type, self.idi.data),
            ID(PayloadType.IDr, self.idr.id_type, self.idr.data),
        )
        writer = Writer()
        for block in (self.connection.encode(), self.means.encode(), *(one.encode() for one in ids)):
            writer.u16(len(block)).raw(block)
        writer.raw(self.spi_i).raw(self.spi_r)
        for block in (SA((self.proposal,)).encode(), self.sk_d):
            writer.u16(len(block)).raw(block)
        return bytes(writer.u64(self.expires))

    def identity(self, *, initiator: bool) -> Identity:
        """Who the initiator or the responder was; nobody may be another when the session goes on (4.3.3)."""
        return self.idi if initiator else self.idr


def proposal_of(suite: Suite) -> Proposal:
    """The algorithms of an IKE SA as its responder chose them."""
    prf, ke = Transform(TransformType.PRF, suite.prf), Transform(TransformType.KE, suite.ke)
    integ = (suite.integ,) if suite.integ else ()
    return Proposal(1, ProtocolId.IKE, b"", (suite.encr, *integ, prf, ke))


def _block(reader: Reader) -> bytes:
    return reader.take(reader.u16())


def _text(reader: Reader) -> str:
    try:
        return _block(reader).decode()
    except UnicodeDecodeError:
        raise ProtocolError("session with a name that is no text") from None


def _identity(kind: PayloadType, body: bytes) -> Identity:
    read = ID.decode(kind, body)
    return Identity(read.id_type, read.data)
