"""Children for the tests of the data plane: two ends of one pair of SAs."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count, islice

from lab.crypto import registry
from lab.crypto.proposal import parse
from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.wire.ids import ProtocolId, TransformType
from lab.wire.payloads_v2 import TrafficSelector

LEFT, RIGHT = Path("192.0.2.1", 4500, "198.51.100.1", 4500), Path("198.51.100.1", 4500, "192.0.2.1", 4500)

# Everything that the first data plane must carry, as proposals.
PROPOSALS = (
    "aes128gcm16",
    "aes256gcm16",
    "chacha20poly1305",
    "aes128-sha256",
    "aes256-sha384",
    "aes256-sha512",
)


def predictable(wanted: int) -> bytes:
    """A random source that does not matter here."""
    return bytes(range(1, wanted + 1))


def endless() -> Callable[[int], bytes]:
    """A random source that gives the same octets, however many are taken at once."""
    octets = (number * 37 % 251 for number in count(1))
    return lambda wanted: bytes(islice(octets, wanted))


def child(proposal: str = "aes128gcm16", **changes: object) -> ChildSa:
    """The left end of a child, 10.1.0.0/24 here and 10.2.0.0/24 there."""
    offer = parse(proposal, ProtocolId.ESP)
    encr = offer.of(TransformType.ENCR)[0]
    integ = next(iter(offer.of(TransformType.INTEG)), None)
    encr_octets = registry.encr(encr).keymat_octets
    integ_octets = registry.integ(integ.id).key_octets if integ else 0
    made = ChildSa(
        name="net",
        spi_in=b"\xc1\x00\x00\x01",
        spi_out=b"\xc2\x00\x00\x02",
        protocol=ProtocolId.ESP,
        mode="tunnel",
        encr=encr,
        integ=integ,
        esn=False,
        key_encr_in=bytes(range(encr_octets)),
        key_integ_in=bytes(range(100, 100 + integ_octets)),
        key_encr_out=bytes(range(50, 50 + encr_octets)),
        key_integ_out=bytes(range(150, 150 + integ_octets)),
        ts_local=(TrafficSelector.of_network("10.1.0.0/24"),),
        ts_remote=(TrafficSelector.of_network("10.2.0.0/24"),),
        path=LEFT,
        encap=True,
    )
    return replace(made, **changes)


def ah_child(proposal: str = "sha256", **changes: object) -> ChildSa:
    """The same with AH."""
    (integ,) = parse(proposal, ProtocolId.AH).of(TransformType.INTEG)
    octets = registry.integ(integ.id).key_octets
    keys = {"key_integ_in": bytes(range(100, 100 + octets)), "key_integ_out": bytes(range(150, 150 + octets))}
    none = {"encr": None, "key_encr_in": b"", "key_encr_out": b"", "encap": False}
    return child(protocol=ProtocolId.AH, integ=integ, **none, **(keys | changes))


def mirror(left: ChildSa) -> ChildSa:
    """The other end of a child."""
    path = left.path
    return replace(
        left,
        spi_in=left.spi_out,
        spi_out=left.spi_in,
        key_encr_in=left.key_encr_out,
        key_encr_out=left.key_encr_in,
        key_integ_in=left.key_integ_out,
        key_integ_out=left.key_integ_in,
        ts_local=left.ts_remote,
        ts_remote=left.ts_local,
        path=Path(path.remote_host, path.remote_port, path.local_host, path.local_port),
    )
