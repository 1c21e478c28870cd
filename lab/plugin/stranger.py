"""Datagrams from somebody who is no peer: what a scenario needs of an attacker or a lost soul on the internet."""

from hashlib import sha256
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Protocol

from lab.crypto import proposal
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, Flag, KeMethod, PayloadType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, SA, Nonce

PORT = 500


class Place(Protocol):
    """A node to send from."""

    def socket(self, family: int = ..., kind: int = ..., protocol: int = ...) -> socket:
        """Open a socket in the node's network."""
        ...


def half_open(place: Place, host: str, number: int = 1, ike: str = "aes256gcm16-prfsha384-x25519") -> None:
    """Begin `number` IKE SAs at a responder and never go on: IKE_SA_INIT requests, each with an SPI of its own."""
    with place.socket(AF_INET, SOCK_DGRAM) as link:
        for count in range(number):
            link.sendto(ike_sa_init(f"stranger {count}", ike), (host, PORT))


def ike_sa_init(name: str, ike: str) -> bytes:
    """A well-formed IKE_SA_INIT request; all its random octets follow from the name."""
    octets = [sha256(f"{name} {part}".encode()).digest() for part in ("spi", "ke", "nonce")]
    header = Header(
        octets[0][:8], bytes(8), PayloadType.SA, ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0
    )  # fmt: skip
    offer = SA((proposal.parse(ike, ProtocolId.IKE),))
    return Message(header, (offer, KE(KeMethod.CURVE25519, octets[1]), Nonce(octets[2]))).encode()
