"""TLS messages in EAP packets: flags, length, fragments and their acknowledgements (RFC 5216 3.1, 2.1.5).

Shared by EAP-TLS, EAP-TTLS and PEAP, which differ in what travels inside. Each side sends one message at a time and
waits for the other's, so both roles are the same walk.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

from lab.crypto.tls import Endorsed, Session
from lab.errors import ProtocolError
from lab.ikev2.eap.method import Run
from lab.wire.eap import EapType, TlsFrame
from lab.wire.ids import NotifyType

FRAGMENT = 1024
MOST_OCTETS = 65536

Walk: TypeAlias = Generator[bytes, bytes, bytes]
Handshake: TypeAlias = Generator[bytes, bytes, Session]


@dataclass(frozen=True, slots=True)
class TlsTerms:
    """What a method with TLS needs: our certificate, if we have one; versions; and who judges the peer's.

    `judge` is given the peer's certificates in DER and the name they should carry, and says in words what is wrong.
    """

    own: Endorsed | None
    judge: Callable[[tuple[bytes, ...], bytes], str]
    versions: tuple[str, ...] = ("1.2", "1.3")


def _broken(reason: str) -> ProtocolError:
    return ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)


def session(run: Run, *, server: bool, ask: bool = True) -> Session:
    """A fresh TLS session of one side; ProtocolError where our side has no certificate and needs one."""
    terms = run.tls
    if terms is None or (terms.own is None and server):
        raise _broken("we hold no certificate for TLS inside EAP")
    return Session(server=server, own=terms.own, versions=terms.versions, ask=ask)


def judge(run: Run, tls: Session, name: bytes) -> str:
    """What is wrong with the peer's certificate, in words."""
    assert run.tls is not None, "session asked for it"
    return run.tls.judge(tls.chain, name)


def start(version: int = 0) -> bytes:
    """The Start packet."""
    return TlsFrame(start=True, version=version).encode()


def started(request: bytes) -> TlsFrame:
    """Read a Start packet."""
    frame = TlsFrame.decode(request)
    if not frame.start or frame.more:
        raise _broken("TLS inside EAP begins without a Start")
    return frame


def fragments(message: bytes, version: int = 0) -> list[TlsFrame]:
    """A message as frames; the first tells the length of all where there are several. No octets are one empty frame."""
    if len(message) <= FRAGMENT:
        return [TlsFrame(message, version=version)]
    cuts = range(0, len(message), FRAGMENT)
    return [
        TlsFrame(
            message[at : at + FRAGMENT],
            more=at + FRAGMENT < len(message),
            length=len(message) if at == 0 else None,
            version=version,
        )
        for at in cuts
    ]


def exchange(message: bytes, version: int = 0) -> Walk:
    """Send a message, take the other side's: both in as many fragments as they need."""
    *first, last = fragments(message, version)
    for frame in first:
        acknowledgement = TlsFrame.decode((yield frame.encode()))
        if acknowledgement.data or acknowledgement.more:
            raise _broken("TLS fragment answered with something else than an acknowledgement")
    frame = TlsFrame.decode((yield last.encode()))
    length, data = frame.length, frame.data
    while frame.more:
        if not frame.data:
            raise _broken("TLS fragment without octets")
        frame = TlsFrame.decode((yield TlsFrame(version=version).encode()))
        data += frame.data
        if len(data) > MOST_OCTETS:
            raise _broken(f"TLS message of more than {MOST_OCTETS} octets")
    if frame.start or (length is not None and length != len(data)):
        raise _broken(f"TLS message of {len(data)} octets announced as {length}")
    return data


def connect(run: Run, request: bytes) -> Handshake:
    """Be the TLS client and judge the server; `run.reason` says in words why it goes no further.

    What is to be said next is still unsaid at the end.
    """
    started(request)
    tls = session(run, server=False)
    while not (tls.done() or run.told):
        run.told = tls.shake()
        if not tls.done():
            tls.feed((yield from exchange(tls.outgoing())))
    run.reason = run.told or judge(run, tls, run.server)
    return tls


def accept(run: Run) -> Handshake:
    """Be the TLS server to a client without a certificate; where it fails, an alert that tells of it has gone out."""
    tls = session(run, server=True, ask=False)
    tls.feed(TlsFrame.decode((yield start())).data)
    while not (tls.done() or run.reason):
        run.reason = tls.shake()
        message = b"" if tls.done() else tls.outgoing()
        if not (tls.done() or (run.reason and not message)):
            tls.feed((yield from exchange(message)))
    return tls


def heard(tls: Session) -> Walk:
    """Exchange until there is application data; empty where the connection has broken."""
    while not (data := tls.receive()):
        if tls.broken:
            return b""
        tls.feed((yield from exchange(tls.outgoing())))
    return data


def keys(tls: Session, kind: EapType, label: bytes) -> bytes:
    """The MSK: RFC 5216 2.3 (PEAP as well) and RFC 5281 8 with TLS 1.2, RFC 9190 2.3 and RFC 9427 2.1 with TLS 1.3."""
    if tls.version == "1.3":
        return tls.export(b"EXPORTER_EAP_TLS_Key_Material", 128, bytes([kind]))[:64]
    return tls.export(label, 128)[:64]
