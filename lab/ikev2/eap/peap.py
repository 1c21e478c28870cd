"""PEAP version 0: the authenticator proves itself by TLS, the peer by another EAP method inside ([MS-PEAP]).

    peer                                        authenticator
                                           <--  Start
    TLS handshake                         <-->  TLS handshake, without a certificate of the peer
    (empty, after TLS 1.2)                 -->
                                           <--  {Request: Identity}
    {Response: Identity}                   -->
                                           <--  {Request}                       as often as the inner method needs
    {Response}                             -->
                                           <--  {Extensions: Result}
    {Extensions: Result}                   -->

Other than in EAP-TTLS the authenticator speaks first inside TLS, and the outcome of the inner method is a message of
its own, to which the peer agrees: only then it believes the outer Success. The key comes from TLS alone;
cryptobinding, which would tie the inner method's key to it, is neither offered nor answered.
"""

from lab.ikev2.eap import session as eap
from lab.ikev2.eap.method import Method, Run, Steps
from lab.ikev2.eap.tls_link import accept, connect, exchange, heard, keys
from lab.wire import peap
from lab.wire.eap import EapCode, EapType

LABEL = b"client EAP encryption"


class Peer:
    """The peer's role; called with a run and the first request."""

    def __init__(self, inner: tuple[Method, ...]) -> None:
        self._inner = inner

    def __call__(self, run: Run, request: bytes) -> Steps:
        """Be the TLS client, then the peer of an inner method."""
        tls = yield from connect(run, request)
        if run.reason:
            return
        inner = run.inside()
        talk = eap.Peer(self._inner, inner)
        while data := (yield from heard(tls)):
            packet = peap.unwrap(data, EapCode.REQUEST, run.identifier)
            if packet.type == EapType.EXTENSIONS:
                break
            answer = talk.receive(packet)
            run.told, run.reason = inner.told, inner.reason
            if run.reason:
                return
            assert answer is not None, "only a Success has no answer, and it cannot come inside"
            tls.send(peap.wrap(answer))
        else:
            run.reason = f"peer refuses {run.name} inside TLS: {run.told}" if run.told else tls.broken
            return
        run.complete = peap.succeeded(packet) and inner.complete
        run.told = "" if run.complete else run.told or "the method inside TLS has failed"
        run.msk = keys(tls, EapType.PEAP, LABEL)
        tls.send(peap.wrap(peap.result(EapCode.RESPONSE, packet.identifier, success=run.complete)))
        yield from exchange(tls.outgoing())


class Server:
    """The authenticator's role; called with a run."""

    def __init__(self, inner: tuple[Method, ...]) -> None:
        self._inner = inner

    def __call__(self, run: Run) -> Steps:
        """Be the TLS server, then the authenticator of an inner method."""
        tls = yield from accept(run)
        if run.reason:
            return
        if tls.version == "1.2":  # whose last message is ours, and acknowledged first
            tls.feed((yield from exchange(tls.outgoing())))
        inner = run.inside()
        talk = eap.Authenticator(self._inner, inner, ask_identity=True)
        asked = talk.begin()
        while not (talk.succeeded or talk.failed):
            tls.send(peap.wrap(asked))
            data = yield from heard(tls)
            if not data:
                run.reason = tls.broken
                return
            asked = talk.receive(peap.unwrap(data, EapCode.RESPONSE, asked.identifier))
        outcome = peap.result(EapCode.REQUEST, (asked.identifier + 1) % 256, success=talk.succeeded)
        tls.send(peap.wrap(outcome))
        data = yield from heard(tls)
        agreed = bool(data) and peap.succeeded(peap.unwrap(data, EapCode.RESPONSE, outcome.identifier))
        run.reason = inner.reason or tls.broken or ("" if agreed else "peer does not agree to the Result of PEAP")
        run.msk = keys(tls, EapType.PEAP, LABEL)
