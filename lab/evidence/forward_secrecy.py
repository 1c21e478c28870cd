"""What the secrets of phase 1 give away of phase 2 (RFC 2409 5.5, 8).

Whoever learns SKEYID_d of an ISAKMP SA and has recorded its Quick Modes can derive the keys of every child made
without a key exchange of its own: nonces and SPIs stand in messages that the same secrets open. With perfect forward
secrecy g(qm)^xy is missing, and what is derived without it opens nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lab.crypto import registry
from lab.evidence.capture import Frame
from lab.evidence.datagram import Sighting, sightings
from lab.evidence.keyring import Keyring
from lab.evidence.keys import ChildKeys, IkeKeys, Keys
from lab.evidence.reading import Reader
from lab.ikev1.keys import keymat, keymat_seed
from lab.wire.ids import Encr, Integ, Prf, ProtocolId, TransformType
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import SA1, Nonce1
from lab.wire.payloads_v2 import Transform

_QUICK_MODE = "Quick Mode"


@dataclass(frozen=True, slots=True)
class Attempt:
    """How many of the ESP packets of a capture open with keys that were derived from phase 1 alone."""

    packets: int
    opened: int


def attempt(frames: Sequence[Frame], keys: Keys) -> Attempt:
    """Derive the keys of all children from the secrets of phase 1, and try them on every ESP packet."""
    seen = sightings(frames)
    esp = list({sighting.body: None for sighting in seen if sighting.kind == "esp"})
    ring = Keyring(Keys(child=list(derived(seen, keys))))
    return Attempt(len(esp), sum(ring.open_esp(packet) is not None for packet in esp))


def derived(seen: Iterable[Sighting], keys: Keys) -> Iterator[ChildKeys]:
    """The keys of every child as SKEYID_d, nonces and SPIs give them; the algorithms are those of the logged child."""
    known = {child.spi: child for child in keys.child}
    secrets = {f"{entry.spi_i}:{entry.spi_r}": entry for entry in keys.ike if entry.version == 1}
    for spi, messages in _quick_modes(seen, Reader(Keyring(keys))):
        offers = [offer for message in messages if (offer := message.get(SA1))]
        nonces = b"".join(nonce.data for message in messages if (nonce := message.get(Nonce1)))
        for offer in offers:
            child = known.get(offer.proposals[0].spi.hex())
            if child is not None:
                yield _keys(child, secrets[spi], nonces)


def _quick_modes(seen: Iterable[Sighting], reader: Reader) -> Iterator[tuple[str, list[Message1]]]:
    """The messages of each Quick Mode in order, each once, with the cookies of its ISAKMP SA."""
    found: dict[tuple[str, int | None], dict[bytes, Message1]] = {}
    for sighting in seen:
        reading = reader.read(sighting)
        if reading.exchange == _QUICK_MODE and reading.isakmp and reading.chain is not None:
            messages = found.setdefault((reading.spi, reading.message_id), {})
            messages.setdefault(sighting.body, reading.isakmp.opened(reading.chain))
    return ((spi, list(messages.values())) for (spi, _), messages in found.items())


def _keys(child: ChildKeys, phase1: IkeKeys, nonces: bytes) -> ChildKeys:
    transform = Transform(TransformType.ENCR, Encr[child.encr], child.encr_key_length or None)
    spec, integ = registry.encr(transform), registry.integ(Integ[child.integ]).key_octets if child.integ else 0
    seed = keymat_seed(ProtocolId[child.protocol], bytes.fromhex(child.spi), nonces)
    octets = keymat(registry.prf(Prf[phase1.prf]), bytes.fromhex(phase1.SKEYID_d), seed, spec.keymat_octets + integ)
    return ChildKeys(
        source="phase 1",
        spi=child.spi,
        encr=child.encr,
        encr_key_length=child.encr_key_length,
        encr_key=octets[: spec.key_octets].hex(),
        salt=octets[spec.key_octets : spec.keymat_octets].hex(),
        integ=child.integ,
        integ_key=octets[spec.keymat_octets :].hex(),
        esn=child.esn,
    )
