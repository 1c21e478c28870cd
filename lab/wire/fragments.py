"""A message in Encrypted Fragments (RFC 7383 2.5).

    HDR(MID=n), [outside,] SKF(NextPld=IDi, Frag#=1, TotalFrags=m) {piece 1}
    HDR(MID=n), SKF(NextPld=0, Frag#=2, TotalFrags=m) {piece 2} ...

The chain that would travel inside one SK is cut; each piece is sealed apart, with number and total among what the ICV
covers. Payloads outside stand in the first fragment only, and only there the type of the first payload inside is told.
"""

from dataclasses import replace

from lab.wire.header import SIZE
from lab.wire.ids import PayloadType
from lab.wire.message import Message, Sealer
from lab.wire.payloads import GENERIC_HEADER, Payload, encode_chain, first_type
from lab.wire.sealed import EncryptedFragment

# Generic payload header, fragment number, total.
_FRONT = GENERIC_HEADER + 4


def split(message: Message, sealer: Sealer, most: int) -> tuple[bytes, ...]:
    """The datagrams of a message, none longer than `most` octets; ValueError where that leaves no room for content."""
    outside, inside = message.payloads[: message.outside], message.payloads[message.outside :]
    pieces = _cut(encode_chain(inside), sealer, most - SIZE - _FRONT, len(encode_chain(outside)))
    first = first_type(inside)
    return tuple(
        _datagram(
            message,
            sealer,
            outside if number == 1 else (),
            EncryptedFragment(first if number == 1 else PayloadType.NONE, number, len(pieces), piece),
        )
        for number, piece in enumerate(pieces, 1)
    )


def _cut(chain: bytes, sealer: Sealer, room: int, outside: int) -> list[bytes]:
    """The chain in pieces that fit when sealed; the first one has `outside` octets less."""
    size = _fitting(sealer, room)
    if not size:
        raise ValueError("no room for any content in a fragment")
    begin = _fitting(sealer, room - outside)
    return [chain[:begin], *(chain[at : at + size] for at in range(begin, len(chain), size))]


def _fitting(sealer: Sealer, room: int) -> int:
    """The longest piece that takes no more than `room` octets when it is sealed."""
    return next((size for size in range(room, 0, -1) if size + sealer.overhead(size) <= room), 0)


def _datagram(message: Message, sealer: Sealer, outside: tuple[Payload, ...], fragment: EncryptedFragment) -> bytes:
    size = len(fragment.body) + sealer.overhead(len(fragment.body))
    shell = encode_chain((*outside, replace(fragment, body=bytes(size))))
    first = outside[0].type if outside else PayloadType.SKF
    header = replace(message.header, next_payload=first, length=SIZE + len(shell))
    aad = header.encode() + shell[: len(shell) - size]
    return aad + sealer.seal(aad, fragment.body)
