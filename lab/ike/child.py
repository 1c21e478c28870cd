"""A CHILD SA as the data plane needs it: two SPIs, keys of both directions, selectors and a path. Immutable."""

from dataclasses import dataclass, field

from lab.ike.path import Path
from lab.wire.ids import KeMethod, ProtocolId
from lab.wire.payloads_v2 import TrafficSelector, Transform

TO_THE_MTU = -1  # as `tfc_padding`


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one direction of a child may carry, 0 for as much as there is to come (RFC 4301 4.4.2.1).

    `rekey` is the soft limit, at which a successor is made; at `life`, the hard one, nothing goes through any more.
    """

    rekey_bytes: int = 0
    rekey_packets: int = 0
    life_bytes: int = 0
    life_packets: int = 0

    def soft(self, octets: int, packets: int) -> bool:
        """Whether it is time for a successor."""
        return _reached(self.rekey_bytes, octets) or _reached(self.rekey_packets, packets)

    def hard(self, octets: int, packets: int) -> bool:
        """Whether nothing may follow."""
        return _reached(self.life_bytes, octets) or _reached(self.life_packets, packets)


def _reached(limit: int, count: int) -> bool:
    return 0 < limit <= count


@dataclass(frozen=True, slots=True)
class ChildSa:
    """A pair of ESP or AH SAs.

    `spi_in` is the SPI we chose and receive with, `spi_out` the peer's. Keys are octets in the order KEYMAT gives
    them; an AEAD key has its salt at the end and `integ` None; AH has `encr` None and no key for it. `reqid` numbers
    the child of an endpoint and stays over rekeys. `ke` is the group of the exchange that made it, None where it took
    the keys of the IKE SA alone. Inner packets shorter than `tfc_padding` octets are filled up to it (RFC 4303 2.7),
    with TO_THE_MTU to what the path takes. `copy_df` says what becomes of DF in a tunnel: `yes` copies it, `no` clears
    it, `set` sets it (RFC 4301 8.1).
    `if_id_in` and `if_id_out` tie it to an XFRM interface of the kernel, 0 to none.
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
    limits: Limits = Limits()
    tfc_padding: int = 0
    copy_df: str = "yes"
    if_id_in: int = 0
    if_id_out: int = 0
