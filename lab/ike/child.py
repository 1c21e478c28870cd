"""A CHILD SA as the data plane needs it: two SPIs, keys of both directions, selectors and a path. Immutable."""

from dataclasses import dataclass, field

from lab.ike.path import Path
from lab.wire.ids import KeMethod, ProtocolId
from lab.wire.payloads_v2 import TrafficSelector, Transform


@dataclass(frozen=True, slots=True)
class ChildSa:
    """A pair of ESP or AH SAs.

    `spi_in` is the SPI we chose and receive with, `spi_out` the peer's. Keys are octets in the order KEYMAT gives
    them; an AEAD key has its salt at the end and `integ` None; AH has `encr` None and no key for it. `reqid` numbers
    the child of an endpoint and stays over rekeys. `ke` is the group of the exchange that made it, None where it took
    the keys of the IKE SA alone.
    """

    name: str
    spi_in: bytes
    spi_out: bytes
    protocol: ProtocolId
    mode: str
    encr: Transform | None
    integ: Transform | None
    esn: bool
    key_encr_in: bytes = field(repr=False)
    key_integ_in: bytes = field(repr=False)
    key_encr_out: bytes = field(repr=False)
    key_integ_out: bytes = field(repr=False)
    ts_local: tuple[TrafficSelector, ...]
    ts_remote: tuple[TrafficSelector, ...]
    path: Path
    encap: bool
    reqid: int = 0
    ke: KeMethod | None = None
    replay_window: int = 32
    ike_spi_i: bytes = bytes(8)
