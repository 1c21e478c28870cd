"""EAP-TTLS version 0: the authenticator proves itself by TLS, the peer by another EAP method inside (RFC 5281).

    peer                                        authenticator
                                           <--  Start
    TLS handshake                         <-->  TLS handshake, without a certificate of the peer
    {EAP-Message: Identity}                -->
                                           <--  {EAP-Message: Request}          as often as the inner method needs
    {EAP-Message: Response}                -->

The password goes out only after the certificate is judged. The key comes from TLS alone; what the inner method would
give is not used. With TLS 1.3 labels and contexts are those of RFC 9427.
"""

from dataclasses import replace

from lab.errors import ProtocolError
from lab.ikev2.eap import session as eap
from lab.ikev2.eap.method import Method, Run, Steps
from lab.ikev2.eap.tls_link import accept, connect, heard, keys
from lab.wire.eap import EAP_MESSAGE, Avp, EapCode, EapType, Packet
from lab.wire.ids import NotifyType

LABEL = b"ttls keying material"


def _tunnelled(packet: Packet) -> bytes:
    return Avp(EAP_MESSAGE, packet.encode()).encode()


def _packet(octets: bytes) -> Packet:
    """The inner packet: one or more EAP-Message in a row; another attribute that is mandatory is refused."""
    avps = Avp.decode_all(octets)
    strange = next((avp for avp in avps if avp.mandatory and (avp.code != EAP_MESSAGE or avp.vendor)), None)
    if strange:
        reason = f"EAP-TTLS attribute {strange.vendor}/{strange.code} is mandatory and unknown"
        raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)
    return Packet.decode(b"".join(avp.data for avp in avps if avp.code == EAP_MESSAGE and not avp.vendor))


class Peer:
    """The peer's role; called with a run and the first request."""

    def __init__(self, inner: tuple[Method, ...]) -> None:
        self._inner = inner

    def __call__(self, run: Run, request: bytes) -> Steps:
        """Be the TLS client, then the peer of an inner method."""
        tls = yield from connect(run, request)
        if run.reason:
            return
        run.msk = keys(tls, EapType.TTLS, LABEL)
        inner = run.inside()
        talk = eap.Peer(self._inner, inner)
        tls.send(_tunnelled(Packet(EapCode.RESPONSE, 0, EapType.IDENTITY, run.user)))
        while data := (yield from heard(tls)):
            answer = talk.receive(_packet(data))
            run.told, run.complete, run.reason = inner.told, inner.complete, inner.reason
            if run.reason:
                return
            if answer is not None:
                tls.send(_tunnelled(answer))
        run.reason = f"peer refuses {run.name} inside TLS: {run.told}" if run.told else tls.broken


class Server:
    """The authenticator's role; called with a run."""

    def __init__(self, inner: tuple[Method, ...]) -> None:
        self._inner = inner

    def __call__(self, run: Run) -> Steps:
        """Be the TLS server, then the authenticator of an inner method."""
        tls = yield from accept(run)
        if run.reason:
            return
        inner = run.inside()
        talk = eap.Authenticator(self._inner, inner, ask_identity=True)
        identifier: int | None = talk.begin().identifier
        while data := (yield from heard(tls)):
            answer = _packet(data)
            # The first identity comes unasked (11.2.1), under an identifier of the peer's choice.
            told = talk.receive(answer if identifier is None else replace(answer, identifier=identifier))
            identifier = None
            if talk.succeeded or talk.failed:
                break
            tls.send(_tunnelled(told))
        run.reason = inner.reason or tls.broken
        run.msk = keys(tls, EapType.TTLS, LABEL)
