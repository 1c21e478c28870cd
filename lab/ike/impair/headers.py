"""Impairments of the IKE header (RFC 7296 2.2, 2.5, 2.6, 3.1)."""

from dataclasses import replace

from lab.ike.impair.craft import Draft
from lab.ike.impair.row import Impairment, Outcome, Side, headed
from lab.wire.header import NO_SPI
from lab.wire.ids import ExchangeType, Flag, NotifyType

INIT, AUTH = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH
IGNORED, REFUSED, TOLERATED = Outcome
NO_SUCH_SPI = NotifyType.INVALID_IKE_SPI
UNKNOWN_EXCHANGE = ExchangeType(99)
# All flags but Response and Initiator: Version and the five that RFC 7296 3.1 calls X.
OTHER_FLAGS = 0xFF & ~(Flag.RESPONSE | Flag.INITIATOR)


def _other_spis(draft: Draft) -> bytes:
    """The receiver's SPI with one bit flipped."""
    header = draft.header
    if header.initiator:
        return draft.encode(header=replace(header, spi_r=_flipped(header.spi_r)))
    return draft.encode(header=replace(header, spi_i=_flipped(header.spi_i)))


def _flipped(spi: bytes) -> bytes:
    return spi[:-1] + bytes([spi[-1] ^ 1])


def _lengthened(draft: Draft, by: int) -> bytes:
    return draft.encode(header=replace(draft.header, length=len(draft.encode()) + by))


ROWS = (
    Impairment(
        "message-id-wrong", "a message ID beyond the window", "7296#2.3", AUTH, IGNORED,
        headed(lambda h: replace(h, message_id=h.message_id + 7)),
    ),
    Impairment(
        "message-id-first", "IKE_SA_INIT under message ID 1", "7296#2.2", INIT, IGNORED,
        headed(lambda h: replace(h, message_id=1)),
    ),
    Impairment(
        "spi-wrong", "an SPI that the receiver never chose", "7296#2.6", AUTH, IGNORED, _other_spis, NO_SUCH_SPI,
    ),
    Impairment(
        "spi-zero", "IKE_SA_INIT without the initiator's SPI", "7296#3.1", INIT, IGNORED,
        headed(lambda h: replace(h, spi_i=NO_SPI)),
    ),
    Impairment(
        "spi-too-early", "an IKE_SA_INIT request that has a responder's SPI", "7296#3.1", INIT, IGNORED,
        headed(lambda h: replace(h, spi_r=b"\x01" * 8)), NO_SUCH_SPI, Side.REQUEST,
    ),
    Impairment(
        "initiator-flag-wrong", "the Initiator flag of the other side", "7296#3.1", AUTH, IGNORED,
        headed(lambda h: replace(h, flags=h.flags ^ Flag.INITIATOR)), NO_SUCH_SPI,
    ),
    Impairment(
        "response-flag-wrong", "a request that calls itself a response, or the reverse", "7296#3.1", AUTH, IGNORED,
        headed(lambda h: replace(h, flags=h.flags ^ Flag.RESPONSE)),
    ),
    Impairment(
        "flags-reserved", "the Version flag and the reserved flags set", "7296#3.1", INIT, TOLERATED,
        headed(lambda h: replace(h, flags=h.flags | OTHER_FLAGS)),
    ),
    Impairment(
        "major-version-higher", "IKE version 3", "7296#2.5", INIT, REFUSED,
        headed(lambda h: replace(h, major=3)), NotifyType.INVALID_MAJOR_VERSION, response=IGNORED,
    ),
    Impairment(
        "minor-version-higher", "IKE version 2.9", "7296#2.5", INIT, TOLERATED, headed(lambda h: replace(h, minor=9)),
    ),
    Impairment(
        "exchange-unknown", "an exchange type that nobody knows in place of IKE_AUTH", "7296#3.1", AUTH, IGNORED,
        headed(lambda h: replace(h, exchange=UNKNOWN_EXCHANGE)),
    ),
    Impairment(
        "length-too-long", "a header that tells 16 octets more than there are", "7296#3.1", AUTH, IGNORED,
        lambda draft: _lengthened(draft, 16),
    ),
    Impairment(
        "length-too-short", "a header that tells 16 octets less than there are", "7296#3.1", AUTH, IGNORED,
        lambda draft: _lengthened(draft, -16),
    ),
)  # fmt: skip
