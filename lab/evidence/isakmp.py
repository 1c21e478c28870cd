"""Opens IKEv1 messages with the keys of a run: the cipher key is known, the IV has to be found.

Every exchange has a chain of IVs, and what starts it depends on messages before (RFC 2409 appendix B). A capture may
lack some of them and hold others twice, so the IVs that are possible are tried: that of phase 1, the last block of each
message seen, and for phase 2 the hashes of these with the message ID. The right one is known by what it opens: a whole
chain of payloads in which no reserved octet is set, and nothing but padding behind it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.crypto import registry
from lab.crypto.ciphers import CipherObject
from lab.errors import ProtocolError
from lab.evidence.keys import IkeKeys, Keys
from lab.wire.header import Header
from lab.wire.ids import Encr, TransformType
from lab.wire.ids_v1 import PayloadType1
from lab.wire.message_v1 import decode_chain
from lab.wire.payloads_v2 import Transform

_HASHES = {
    "PRF_HMAC_MD5": hashlib.md5,
    "PRF_HMAC_SHA1": hashlib.sha1,
    "PRF_HMAC_SHA2_256": hashlib.sha256,
    "PRF_HMAC_SHA2_384": hashlib.sha384,
    "PRF_HMAC_SHA2_512": hashlib.sha512,
}
# One octet may say how much padding there is (RFC 2407 has it so in its examples).
_LONGEST_PADDING = 255


@dataclass(slots=True)
class _Sa:
    """One ISAKMP SA: its cipher, and the last blocks seen by message ID, the youngest first."""

    cipher: CipherObject
    block: int
    prf: str
    blocks: dict[int, list[bytes]] = field(default_factory=dict)


class Isakmp:
    """The keys of all ISAKMP SAs of a run."""

    def __init__(self, keys: Keys) -> None:
        self.refused: list[str] = []
        self._sas: dict[tuple[str, str], list[_Sa]] = {}
        for entry in keys.ike:
            if entry.version != 1:
                continue
            try:
                self._sas.setdefault((entry.spi_i.lower(), entry.spi_r.lower()), []).append(_sa(entry))
            except (ProtocolError, ValueError, KeyError) as error:
                self.refused.append(f"ISAKMP SA {entry.spi_i} of {entry.source}: {error}")

    def open(self, header: Header, body: bytes) -> bytes | None:
        """The payload chain of an encrypted message, or None where no key and IV fits."""
        for sa in self._sas.get((header.spi_i.hex(), header.spi_r.hex()), ()):
            if not body or len(body) % sa.block:
                continue
            for iv in _ivs(sa, header.message_id):
                chain = _chain(PayloadType1(header.next_payload), sa.cipher.decrypt(iv, body))
                if chain is not None:
                    sa.blocks.setdefault(header.message_id, []).insert(0, body[-sa.block :])
                    return chain
        return None


def _sa(entry: IkeKeys) -> _Sa:
    spec = registry.encr(Transform(TransformType.ENCR, Encr[entry.encr], _length(entry)))
    return _Sa(spec.new(bytes.fromhex(entry.Ka)), spec.block, entry.prf, {0: [bytes.fromhex(entry.IV)]})


def _length(entry: IkeKeys) -> int | None:
    return None if entry.encr == Encr.ENCR_3DES.name else entry.encr_key_length


def _ivs(sa: _Sa, message_id: int) -> Iterator[bytes]:
    """What may be the IV of a message with this ID, the likeliest first."""
    yield from sa.blocks.get(message_id, ())
    if message_id:
        for block in sa.blocks[0]:
            yield _HASHES[sa.prf](block + message_id.to_bytes(4, "big"), usedforsecurity=False).digest()[: sa.block]


def _chain(first: PayloadType1, plain: bytes) -> bytes | None:
    """The chain that these octets are, without padding; None where they are none, as with a wrong IV."""
    try:
        payloads, length = decode_chain(first, plain)
    except ProtocolError:
        return None
    known = all(payload.type.known for payload in payloads)
    return plain[:length] if payloads and known and len(plain) - length <= _LONGEST_PADDING else None
