"""Datagrams from somebody who is no peer: what a scenario needs of an attacker or a lost soul on the internet."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from socket import AF_INET, IPPROTO_RAW, IPPROTO_UDP, SOCK_DGRAM, SOCK_RAW, socket
from typing import Protocol

from lab.crypto import proposal
from lab.ikev1 import proposals
from lab.wire.header import NO_SPI, Header
from lab.wire.ids import ExchangeType, Flag, KeMethod, PayloadType, ProtocolId
from lab.wire.ids_v1 import AuthMethod1, ExchangeType1
from lab.wire.message import Message
from lab.wire.message_v1 import encode_chain, header
from lab.wire.packets import UDP, IPv4
from lab.wire.payloads_v2 import KE, SA, Nonce

PORT = 500
HOUR_S = 3600
# RFC 2544: addresses that nobody has.
NOBODYS = IPv4Network("198.18.0.0/15")


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


def _octets(name: str, *parts: str) -> list[bytes]:
    return [sha256(f"{name} {part}".encode()).digest() for part in parts]


def ike_sa_init(name: str, ike: str) -> bytes:
    """A well-formed IKE_SA_INIT request; all its random octets follow from the name."""
    octets = _octets(name, "spi", "ke", "nonce")
    front = Header(
        octets[0][:8], bytes(8), PayloadType.SA, ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0
    )  # fmt: skip
    offer = SA((proposal.parse(ike, ProtocolId.IKE),))
    return Message(front, (offer, KE(KeMethod.CURVE25519, octets[1]), Nonce(octets[2]))).encode()


def main_mode(name: str, ike: str) -> bytes:
    """A well-formed first message of Main Mode, with a pre-shared key; its cookie follows from the name."""
    (cookie,) = _octets(name, "cookie")
    offer = proposals.phase1([proposal.parse(ike, ProtocolId.IKE)], [AuthMethod1.PRE_SHARED_KEY], HOUR_S)
    chain = encode_chain((offer,))
    front = header((cookie[:8], NO_SPI), ExchangeType1.MAIN_MODE, (offer,), message_id=0, length=len(chain))
    return front.encode() + chain


@dataclass(frozen=True, slots=True)
class Spoofer:
    """Sends to port 500 of a host, each datagram from another address of those that nobody has."""

    place: Place
    host: str

    def send(self, datagrams: Iterable[bytes], first: int = 0) -> None:
        """One packet for each; the addresses are counted from `first` on."""
        target = IPv4Address(self.host)
        with self.place.socket(AF_INET, SOCK_RAW, IPPROTO_RAW) as link:
            for number, data in enumerate(datagrams, first + 1):
                packet = IPv4(NOBODYS[number], target, IPPROTO_UDP, UDP(PORT, PORT, data).encode())
                link.sendto(packet.encode(), (self.host, 0))
