"""NAT detection: hashes of addresses and ports, compared at the far end (RFC 7296 2.23).

A hash is SHA-1 over SPIi | SPIr | address | port, with the SPIs as they stand in the header of the message that
carries it: in the first request SPIr is zero. A sender with several addresses may put in several source hashes; one
that fits is enough.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from lab.ike.path import Path
from lab.wire.ids import ProtocolId
from lab.wire.payloads_v2 import Proposal

Digest = Callable[[bytes], bytes]


def sha1(octets: bytes) -> bytes:
    """The hash that RFC 7296 prescribes here; nothing secret depends on it."""
    return hashlib.sha1(octets, usedforsecurity=False).digest()


def nat_hash(spi_i: bytes, spi_r: bytes, host: str, port: int, digest: Digest = sha1) -> bytes:
    """The data of a NAT_DETECTION notify, 20 octets, or of a NAT-D payload, by the hash of IKEv1's phase 1."""
    return digest(spi_i + spi_r + ip_address(host).packed + port.to_bytes(2, "big"))


@dataclass(frozen=True, slots=True)
class NatSituation:
    """What the hashes of a message tell: `spoken` False where the peer sent none, so that it knows no NAT traversal."""

    spoken: bool = False
    local: bool = False
    remote: bool = False

    @property
    def detected(self) -> bool:
        """Whether there is a NAT at either end."""
        return self.local or self.remote


def usable(proposals: Iterable[Proposal], nat: NatSituation) -> tuple[Proposal, ...]:
    """The proposals for a child that can come true: behind a NAT none of AH (RFC 3715 2.1 a)."""
    return tuple(one for one in proposals if one.protocol != ProtocolId.AH or not nat.detected)


def detect(
    spis: tuple[bytes, bytes],
    path: Path,
    sources: Iterable[bytes],
    destinations: Iterable[bytes],
    digest: Digest = sha1,
) -> NatSituation:
    """Compare the hashes of a received message with the addresses that it came from and to."""
    sources, destinations = list(sources), list(destinations)
    if not sources or not destinations:
        return NatSituation()
    remote = nat_hash(*spis, path.remote_host, path.remote_port, digest) not in sources
    local = nat_hash(*spis, path.local_host, path.local_port, digest) not in destinations
    return NatSituation(spoken=True, local=local, remote=remote)
