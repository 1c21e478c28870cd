"""TLS 1.2 and 1.3 over octets in memory, for the EAP methods that carry it. OpenSSL by way of pyOpenSSL.

Rules: no socket, no file, no session resumption. The peer's certificates are not judged here: OpenSSL is told to take
any, and whoever uses a session asks `trust` about `chain` before believing anything. OpenSSL draws its own randomness,
so a run with TLS inside is the one thing in this stack that a seed does not repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_PRIVATE = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
_CHUNK = 65536
# SSL_OP_LEGACY_SERVER_CONNECT, which pyOpenSSL does not name: strongSwan's server knows no secure renegotiation (RFC
# 5746). Without any renegotiation, and there is none in EAP, nothing hangs on it.
_LEGACY_SERVER = 0x4


@dataclass(frozen=True, slots=True)
class Endorsed:
    """Our certificate with its key, and the certificates between it and the peer's anchor."""

    certificate: x509.Certificate
    key: _PRIVATE = field(repr=False)
    others: tuple[x509.Certificate, ...] = ()


class Session:
    """One TLS connection: octets of the peer go in by `feed`, ours come out by `outgoing`."""

    def __init__(
        self, *, server: bool, own: Endorsed | None, versions: Sequence[str] = ("1.2", "1.3"), ask: bool = True
    ) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(VERSIONS[versions[0]])
        context.set_max_proto_version(VERSIONS[versions[-1]])
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | _LEGACY_SERVER)
        wanted = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT if ask else SSL.VERIFY_NONE
        context.set_verify(wanted, lambda *_: True)
        if own is not None:
            context.use_certificate(own.certificate)
            for other in own.others:
                context.add_extra_chain_cert(other)
            context.use_privatekey(own.key)
        self._connection = SSL.Connection(context, None)
        if server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self._done = False
        self.broken = ""

    def done(self) -> bool:
        """Whether the handshake is complete on our side."""
        return self._done

    def feed(self, data: bytes) -> None:
        """Octets that the peer sent."""
        at = 0
        while at < len(data):
            at += self._connection.bio_write(data[at:])

    def outgoing(self) -> bytes:
        """What is to be sent to the peer now; may be nothing."""
        parts = []
        try:
            while True:
                parts.append(self._connection.bio_read(_CHUNK))
        except SSL.WantReadError:
            return b"".join(parts)

    def shake(self) -> str:
        """Go on with the handshake; in words why it has failed, empty where it goes on or is done."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return ""
        except SSL.Error as error:
            return f"TLS handshake failed: {_words(error)}"
        self._done = True
        return ""

    def send(self, data: bytes) -> None:
        """Protect application data; it comes out by `outgoing`."""
        self._connection.sendall(data)

    def receive(self) -> bytes:
        """The application data that has come in; `broken` tells in words of an alert or nonsense."""
        parts = []
        try:
            while True:
                parts.append(self._connection.recv(_CHUNK))
        except (SSL.WantReadError, SSL.ZeroReturnError):
            return b"".join(parts)
        except SSL.Error as error:
            self.broken = f"TLS connection failed: {_words(error)}"
            return b""

    @property
    def version(self) -> str:
        """`1.2` or `1.3`."""
        return self._connection.get_protocol_version_name().removeprefix("TLSv")

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The peer's certificates in DER, its own first; empty where it has none."""
        own = self._connection.get_peer_certificate(as_cryptography=True)
        sent = self._connection.get_peer_cert_chain(as_cryptography=True) or []
        if own is None:
            return ()
        ders = [certificate.public_bytes(Encoding.DER) for certificate in (own, *sent)]
        return tuple(dict.fromkeys(ders))

    def export(self, label: bytes, octets: int, context: bytes | None = None) -> bytes:
        """Keying material (RFC 5705); without a context where it is None, which in TLS 1.2 is not an empty one."""
        return self._connection.export_keying_material(label, octets, context)


def _words(error: SSL.Error) -> str:
    """OpenSSL's reason: the last of the triple (library, function, reason)."""
    queue = error.args[0] if error.args else []
    last = queue[-1][-1] if isinstance(queue, list) and queue else ""
    return str(last) or "ended by the peer"
