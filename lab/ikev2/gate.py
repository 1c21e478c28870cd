"""The door: what happens to a request that belongs to no SA yet, before any state or key exchange (RFC 7296 2.6, 2.21).

Answers to strangers are unprotected and cost nothing to forge, so they are few: COOKIE and refusals of IKE_SA_INIT, one
each per request; INVALID_IKE_SPI and INVALID_MAJOR_VERSION only so many in a second; silence for everything else.
"""

from itertools import chain

from lab.errors import ProtocolError
from lab.ike.half_open import HalfOpen, Limit
from lab.ike.host import Host
from lab.ike.path import PORT, Path
from lab.ikev2.cookie import COOKIE_OCTETS, CookieJar
from lab.ikev2.exchange import IN_CLEAR
from lab.wire import rules
from lab.wire.header import NO_SPI, SIZE, Header
from lab.wire.ids import ExchangeType, Flag, NotifyType, PayloadType
from lab.wire.message import Message
from lab.wire.packets import NON_ESP_MARKER
from lab.wire.payloads import encode_chain, walk
from lab.wire.payloads_v2 import Notify

# Unprotected answers to IKE_SA_INIT that RFCs 7296, 5685 and 5723 know; whatever else is wrong with a stranger meets
# silence (2.21.1).
REFUSALS = (
    NotifyType.NO_PROPOSAL_CHOSEN,
    NotifyType.INVALID_KE_PAYLOAD,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
    NotifyType.REDIRECT,
    NotifyType.TICKET_NACK,
)


class Gate:
    """Counts half-open SAs, demands cookies, limits notices."""

    def __init__(self, host: Host) -> None:
        self._host, self._settings = host, host.config.settings
        self._jar = CookieJar(host.random, self._settings.cookie_lifetime)
        self._known = HalfOpen(host)
        self._notices, self._refusals = Limit(), Limit()

    @property
    def half_open(self) -> int:
        """How many SAs wait for their initiator's IKE_AUTH."""
        return len(self._known)

    def opened(self, spi: bytes, source: str) -> None:
        """A stranger got an SA, to be counted until it is authenticated or gone."""
        self._known.opened(spi, source)

    def settled(self, spi: bytes) -> None:
        """This SA is half-open no longer, if it was."""
        self._known.settled(spi)

    def demand(self, header: Header, data: bytes, path: Path) -> bytes | None:
        """The demand of a cookie (2.6), or None for those who bring it, as the first payload, or need none.

        In a flood this has to cost little, so nothing is looked into but the first payload and the nonce, and nothing
        behind that is even unpacked: a chain that is torn there meets silence once its sender brings the cookie.
        """
        if self.half_open < self._settings.cookie_threshold:
            return None
        links = walk(header.next_payload, data[SIZE:])
        first = next(links, None)
        nonce = next((link for link in chain((first,), links) if link and link.kind == PayloadType.NONCE), None)
        if first is None or nonce is None:
            raise ProtocolError(f"{header.exchange.name} request without a nonce")
        brought = Notify.decode(first.body) if first.kind == PayloadType.N else None
        who, now = (nonce.body, path.remote_host, header.spi_i), self._host.now
        if brought and brought.notify_type == NotifyType.COOKIE and self._jar.valid(brought.data, *who, now=now):
            return None
        marker = NON_ESP_MARKER if path.marked else b""
        return marker + header.spi_i + _DEMANDS[header.exchange] + self._jar.make(*who, now=now)

    def admit(self, data: bytes, path: Path) -> Message:
        """The well-formed initial request of somebody whom we may give state to; ProtocolError for the others."""
        message = Message.decode(data)
        rules.check(message)
        if reason := self._known.full(path):
            raise ProtocolError(reason)
        return message

    def notice(self) -> bool:
        """Whether one more unprotected notice may leave in this second."""
        return self._notices.room(self._host.now)

    def told(self) -> bool:
        """Whether one more refusal of a stranger may become an event in this second: events are kept in files."""
        return self._refusals.room(self._host.now)


def unprotected(request: Header, notify: Notify, path: Path) -> bytes:
    """A response in clear to a request for which there is no SA."""
    body = encode_chain((notify,))
    flags = Flag.RESPONSE | (0 if request.initiator else Flag.INITIATOR)
    length, exchange = SIZE + len(body), request.exchange
    header = Header(request.spi_i, request.spi_r, PayloadType.N, exchange, flags, request.message_id, length)
    return (NON_ESP_MARKER if path.marked else b"") + header.encode() + body


def _demand(exchange: ExchangeType) -> bytes:
    """A demand of a cookie without the initiator's SPI, with which it begins, and the cookie, with which it ends."""
    header = Header(NO_SPI, NO_SPI, PayloadType.N, exchange, int(Flag.INITIATOR), 0)
    empty = Notify(NotifyType.COOKIE, bytes(COOKIE_OCTETS))
    return unprotected(header, empty, Path("", PORT, "", PORT))[len(NO_SPI) : -COOKIE_OCTETS]


_DEMANDS = {exchange: _demand(exchange) for exchange in IN_CLEAR}


def is_initial(header: Header) -> bool:
    """Whether this header begins an IKE SA."""
    return header.exchange in IN_CLEAR and not header.response and header.initiator and header.spi_r == NO_SPI
