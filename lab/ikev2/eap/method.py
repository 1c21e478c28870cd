"""What a method is, and what one run of it is given and leaves.

- A peer's generator is made with the first request, yields responses and is sent the further requests.
- An authenticator's generator yields requests and is sent the responses; its end is the end of the method.
- Data is Type-Data; header, type and identifier are the session's business.
- The octets of the other side break a rule: ProtocolError. They are well-formed but prove nothing: `run.reason`, and
  the generator ends.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lab.wire.eap import EapType

if TYPE_CHECKING:
    from lab.ikev2.eap.tls_link import TlsTerms

Steps: TypeAlias = Generator[bytes, bytes, None]


@dataclass(slots=True)
class Run:
    """One run of one method. `user` is the EAP identity, `server` the name that an authenticator calls itself by.

    `identifier` is that of the packet in hand (a response) or about to be sent (a request). A peer sets `complete` when
    it would believe a Success; both set `msk` where the method makes one, and `reason` where the other side has failed;
    a peer sets `told` to what it was told of its own failure. `tls` is for the methods that carry TLS.
    """

    user: bytes
    server: bytes
    secret_of: Callable[[bytes], bytes | None]
    random: Callable[[int], bytes]
    identifier: int = 0
    complete: bool = False
    msk: bytes = b""
    reason: str = ""
    told: str = ""
    tls: "TlsTerms | None" = None

    @property
    def secret(self) -> bytes | None:
        """The password of `user`, if we hold one."""
        return self.secret_of(self.user)

    def inside(self) -> "Run":
        """The run of another method that this one carries."""
        return Run(self.user, self.server, self.secret_of, self.random)

    @property
    def name(self) -> str:
        """The user, for sentences."""
        return self.user.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Method:
    """One row: the word of swanctl.conf, the type, both roles; `alone`: the responder needs no proof beside it.

    `alone` is RFC 5998 4: mutual, key-generating and safe against guessing passwords. `certified` are the roles that
    need a certificate.
    """

    word: str
    type: EapType
    peer: Callable[[Run, bytes], Steps]
    server: Callable[[Run], Steps]
    alone: bool = False
    certified: frozenset[str] = frozenset()

    def needs_certificate(self, *, initiator: bool) -> bool:
        """Whether one side cannot run this method without a certificate."""
        return ("peer" if initiator else "server") in self.certified
