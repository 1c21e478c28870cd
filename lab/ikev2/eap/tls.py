"""EAP-TLS: both sides prove themselves by certificates (RFC 5216; with TLS 1.3 RFC 9190).

    peer                                  authenticator
                                     <--  Start
    ClientHello                      -->
                                     <--  ServerHello, Certificate, CertificateRequest ... (in fragments)
    Certificate, ..., Finished       -->
                                     <--  TLS 1.2: Finished;  TLS 1.3: application data 00, the protected success
    (empty)                          -->

The peer's certificate must carry the EAP identity, the authenticator's the identity of the IKE responder. A side that
refuses the other's certificate says so in IKE; a handshake that fails says so by a TLS alert first.
"""

from lab.crypto.tls import Session
from lab.ikev2.eap import tls_link
from lab.ikev2.eap.method import Run, Steps
from lab.ikev2.eap.tls_link import exchange, judge, keys, session
from lab.wire.eap import EapType, TlsFrame

LABEL = b"client EAP encryption"
SUCCESS = b"\0"


def peer(run: Run, request: bytes) -> Steps:
    """Be the TLS client."""
    tls_link.started(request)
    tls = session(run, server=False)
    while not (tls.done() or run.told):
        run.told = tls.shake()
        if tls.done():
            run.reason = judge(run, tls, run.server)
            if run.reason:
                return
            if tls.version == "1.2":
                _end(run, tls)
        tls.feed((yield from exchange(tls.outgoing())))
    while not (run.complete or run.told):
        if tls.receive() == SUCCESS:
            _end(run, tls)
        run.told = tls.broken
        tls.feed((yield from exchange(tls.outgoing())))
    run.reason = run.told  # a Failure was due, and another request has come


def _end(run: Run, tls: Session) -> None:
    run.msk, run.complete = keys(tls, EapType.TLS, LABEL), True


def server(run: Run) -> Steps:
    """Be the TLS server."""
    tls = session(run, server=True)
    tls.feed(TlsFrame.decode((yield tls_link.start())).data)
    while not tls.done():
        run.reason = tls.shake()
        if tls.done():
            run.reason = judge(run, tls, run.user)
            if not run.reason and tls.version == "1.3":
                tls.send(SUCCESS)
        message = tls.outgoing()
        if run.reason and (tls.done() or not message):
            return
        answer = yield from exchange(message)
        if run.reason:  # the alert has been read
            return
        tls.feed(answer)
    run.msk = keys(tls, EapType.TLS, LABEL)
