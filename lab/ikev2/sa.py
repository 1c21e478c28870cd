"""An IKEv2 SA: the shared IkeSa, its keys, and what the initial exchanges leave for each other."""

from collections import deque

from lab.crypto.sk import IkeCipher
from lab.ike.actions import KeyLog
from lab.ike.config import Connection
from lab.ike.host import Host
from lab.ike.path import Path
from lab.ike.sa import IkeSa
from lab.ike.states import IkeState
from lab.ike.view import key_bits
from lab.ikev2.exchange import Exchange
from lab.ikev2.keys import IkeKeys, Suite
from lab.wire.ids import ExchangeType

# RFC 7296 2.10: at least half the key size of the PRF; 32 serves them all.
NONCE_OCTETS = 32


class Sa(IkeSa):
    """One IKE SA of version 2.

    `sent` is the datagram that the engine sent last for an exchange of this SA, `expects` the exchange type that the
    conversation in progress waits for, `queue` the exchanges that wait for room in the window.
    """

    version = 2

    def __init__(self, host: Host, connection: Connection, path: Path, *, initiator: bool, number: int) -> None:
        super().__init__(host, connection, path, initiator=initiator, number=number)
        self.negotiated: Suite | None = None
        self.secrets: IkeKeys | None = None
        self.sealer: IkeCipher | None = None
        self.opener: IkeCipher | None = None
        self.ni = self.nr = b""
        self.sent = self.init_i = self.init_r = b""
        self.expects = ExchangeType.IKE_SA_INIT
        self.queue: deque[Exchange] = deque()
        self.peer_window = 1

    @property
    def agreed(self) -> Suite:
        """The negotiated algorithms; only after IKE_SA_INIT."""
        assert self.negotiated is not None, "no proposal negotiated yet"
        return self.negotiated

    @property
    def keys(self) -> IkeKeys:
        """The secrets; only after IKE_SA_INIT."""
        assert self.secrets is not None, "no keys derived yet"
        return self.secrets

    @property
    def nonces(self) -> bytes:
        """Ni | Nr."""
        return self.ni + self.nr

    @property
    def usable(self) -> bool:
        """Whether new children may be made under this SA."""
        return self.state is IkeState.ESTABLISHED

    def new_nonce(self) -> bytes:
        """Fresh Nonce Data."""
        return self.host.random(NONCE_OCTETS)

    def start(self, exchange: Exchange) -> None:
        """Run an exchange as soon as the window has room; the engine takes it from the queue."""
        self.queue.append(exchange)
        self.host.touched.add(self.spi)

    def adopt(self, suite: Suite, keys: IkeKeys) -> None:
        """From now on this SA seals and opens with these keys."""
        self.negotiated, self.secrets = suite, keys
        ours = (keys.sk_ei, keys.sk_ai) if self.initiator else (keys.sk_er, keys.sk_ar)
        theirs = (keys.sk_er, keys.sk_ar) if self.initiator else (keys.sk_ei, keys.sk_ai)
        self.sealer = IkeCipher(suite.encr, suite.integ, *ours, self.host.random)
        self.opener = IkeCipher(suite.encr, suite.integ, *theirs, self.host.random)
        if self.host.keylog:
            self.host.act(KeyLog(self._log_entry()))

    @property
    def suite(self) -> dict[str, object]:
        """The names of the negotiated algorithms."""
        suite = self.negotiated
        return {
            "encr": suite.encr.id.name if suite else None,
            "encr_key_length": key_bits(suite.encr) if suite else None,
            "integ": suite.integ.id.name if suite and suite.integ else None,
            "prf": suite.prf.name if suite else None,
            "ke": suite.ke.name if suite else None,
        }

    def _log_entry(self) -> dict[str, object]:
        names = ("SK_d", "SK_ai", "SK_ar", "SK_ei", "SK_er", "SK_pi", "SK_pr")
        spis = {"spi_i": self.spi_i.hex(), "spi_r": self.spi_r.hex()}
        secrets = {name: getattr(self.keys, name.lower()).hex() for name in names}
        return {"kind": "ike", "version": self.version, **spis, **self.suite, **secrets}
