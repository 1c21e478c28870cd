"""An IKEv2 SA: the shared IkeSa, its keys, and what the initial exchanges leave for each other."""

from collections import deque

from lab.crypto.sk import IkeCipher
from lab.ike.actions import KeyLog
from lab.ike.collisions import Collisions
from lab.ike.config import Connection
from lab.ike.host import Host
from lab.ike.path import Path
from lab.ike.sa import IkeSa
from lab.ike.states import IkeState
from lab.ike.view import key_bits
from lab.ike.virtual import Virtual
from lab.ikev2.exchange import Plan, Series
from lab.ikev2.int_auth import IntAuth
from lab.ikev2.keys import IkeKeys, Suite
from lab.ikev2.mobility import Mobility
from lab.ikev2.session import Session
from lab.wire.ids import ExchangeType, HashAlgorithm

# RFC 7296 2.10: at least half the key size of the PRF; 32 serves them all.
NONCE_OCTETS = 32
# SPIs that the peer deletes while a child is being made, of which one may be that child's.
MOST_OVERTAKING = 64
# Seconds until we ask again a peer that was busy (TEMPORARY_FAILURE, 2.25), at least and up to as many more.
RETRY = 5.0
# Seconds that a replaced IKE SA waits for its Delete: longer than a peer repeats a request by the defaults.
REPLACED = 180.0


class Sa(IkeSa):
    """One IKE SA of version 2.

    `sent` is the datagram that the engine sent last for an exchange of this SA, `expects` the exchange type that the
    conversation in progress waits for, `queue` the exchanges that wait for room in the window. `peer_hashes` is what
    the peer lists in SIGNATURE_HASH_ALGORITHMS (None: nothing), `asked` the keys of the CAs that its CERTREQ names,
    `ppk_agreed` whether both sides said USE_PPK, `unmixed` the secrets without the PPK that the initiator goes back to
    where the responder does not have it, `childless` whether IKE_AUTH goes without a child,
    `fragments` whether both sides announced fragmentation. `int_auth` is what AUTH says of IKE_INTERMEDIATE,
    `generation` how often that exchange has renewed the keys. `mobility` is there where both sides use MOBIKE,
    `arrived` the path of the message in hand, `overtaken` whether that is a request older than one served before,
    `turned` whether the path has changed since requests under way were sent, `heir` the IKE SA that replaced this one.
    `followups` are the additional key exchanges that we wait for as a responder, by the link that their next request
    has to carry, `state_lost` how often in a row the peer had forgotten those that we were to go on with.

    For redirection (RFC 5685): `client` whether we began the first IKE SA of this session, `peer_follows` whether the
    client announced that it follows, `redirected` whether we are on our way elsewhere, `redirected_from` who sent us
    here, `redirects` when that happened of late, `instead_of` the IKE SA that goes when this one is up.

    For resumption (RFC 5723): `resumed` the session that this SA goes on with and `ticket` the one it came by,
    `ticket_wanted` whether the client asks for one, `issued` the ticket that we gave for this SA and when it ends.
    """

    version = 2

    def __init__(self, host: Host, connection: Connection, path: Path, *, initiator: bool, number: int) -> None:
        super().__init__(host, connection, path, initiator=initiator, number=number)
        self.negotiated: Suite | None = None
        self.secrets: IkeKeys | None = None
        self.renewed: IkeKeys | None = None
        self.generation = 0
        self.int_auth = IntAuth()
        self.sealer: IkeCipher | None = None
        self.opener: IkeCipher | None = None
        self.ni = self.nr = b""
        self.sent = self.init_i = self.init_r = b""
        self.expects = ExchangeType.IKE_SA_INIT
        self.queue: deque[Plan] = deque()
        self.later: list[tuple[float, Plan]] = []
        self.collisions: Collisions[Sa] = Collisions()
        self.peer_window = 1
        self.redundant = False
        self.overtaking: deque[tuple[int, bytes]] = deque(maxlen=MOST_OVERTAKING)
        self.peer_hashes: frozenset[HashAlgorithm] | None = None
        self.asked: frozenset[bytes] | None = None
        self.ppk_agreed = self.childless = False
        self.unmixed: IkeKeys | None = None
        self.fragments = False
        self.mobility: Mobility | None = None
        self.arrived = path
        self.overtaken = self.turned = False
        self.heir: Sa | None = None
        self.followups: dict[bytes, Series] = {}
        self.state_lost = 0
        self.client, self.peer_follows, self.redirected = initiator, False, False
        self.redirected_from = ""
        self.redirects: tuple[float, ...] = ()
        self.instead_of: Sa | None = None
        self.resumed: Session | None = None
        self.ticket = b""
        self.ticket_wanted = False
        self.issued: tuple[bytes, float] | None = None

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
    def esp_path(self) -> Path:
        """Along which new children go."""
        return self.mobility.esp if self.mobility else self.path

    @property
    def nonces(self) -> bytes:
        """Ni | Nr."""
        return self.ni + self.nr

    @property
    def usable(self) -> bool:
        """Whether new children may be made under this SA."""
        return self.state is IkeState.ESTABLISHED and self.awaited is None

    @property
    def awaited(self) -> "Sa | None":
        """The IKE SA that is to replace this one once the peer has gone on with its additional key exchanges."""
        theirs = self.collisions.theirs
        return theirs.made if theirs is not None and theirs.made.state is IkeState.CREATED else None

    @property
    def replacement(self) -> "Sa | None":
        """The IKE SA that the peer made by rekeying this one, where it is up."""
        theirs = self.collisions.theirs
        return theirs.made if theirs is not None and theirs.made.alive and self.awaited is None else None

    @property
    def wants_address(self) -> bool:
        """Whether we have yet to get the virtual addresses that we want."""
        return self.virtual.wanted

    @property
    def rekeying(self) -> bool:
        """Whether our own exchange that rekeys this SA is under way."""
        return self.state is IkeState.REKEYING

    def new_nonce(self) -> bytes:
        """Fresh Nonce Data."""
        return self.host.random(NONCE_OCTETS)

    def start(self, plan: Plan) -> None:
        """Run an exchange as soon as the window has room; the engine takes it from the queue."""
        self.queue.append(plan)
        self.host.touch(self.spi)

    def start_later(self, plan: Plan, least: float = RETRY, spread: float = RETRY) -> None:
        """Run an exchange between `least` and `least + spread` seconds from now."""
        self.later.append((self.host.now + least + spread * self.host.fraction(), plan))
        self.host.touch(self.spi)

    def successor(self, *, initiator: bool) -> "Sa":
        """A new IKE SA between the same two, to be keyed by rekeying this one (2.18)."""
        new = Sa(self.host, self.connection, self.path, initiator=initiator, number=self.host.new_number())
        new.nat, new.local_id, new.remote_id = self.nat, self.local_id, self.remote_id
        new.fragments, new.user, new.mobility = self.fragments, self.user, self.mobility
        new.client, new.peer_follows, new.redirects = self.client, self.peer_follows, self.redirects
        return new

    def heard_along(self, path: Path) -> None:
        """With MOBIKE only ESP goes along another path; IKE follows UPDATE_SA_ADDRESSES (RFC 4555 3.8)."""
        if self.mobility:
            self.move_children(path)
        else:
            super().heard_along(path)

    def hand_over(self, heir: "Sa") -> None:
        """Children, virtual addresses and waiting exchanges go to the IKE SA that replaces this one (2.8)."""
        self.replaced, self.heir = True, heir
        heir.path, heir.nat = self.path, self.nat  # the peer may have moved since the heir was made
        heir.children, self.children = self.children, {}
        heir.fading, self.fading = self.fading, []
        heir.virtual, self.virtual = self.virtual, Virtual()
        for lending in self.connection.pools:
            self.host.pools[lending.name].hand_on(self.number, heir.number)
        heir.queue.extend(self.queue)
        heir.later.extend(self.later)
        self.queue.clear()
        self.later.clear()
        heir.lives_from_now()
        # Whoever rekeyed has to delete it; one that never does would pile up what it replaced.
        self.rekey_at, self.expire_at = None, self.host.now + REPLACED
        if self.state is not IkeState.REKEYED:
            self.life.become(IkeState.REKEYED)
        self.host.tell("ike-rekeyed", **heir.named(), old_spi_i=self.spi_i.hex(), old_spi_r=self.spi_r.hex())
        self.host.touch(self.spi)
        self.host.touch(heir.spi)

    def forget_soon(self) -> None:
        """The peer has to delete this SA, but may never have learned that we made it: it ends by itself (2.25.2)."""
        self.redundant = True
        self.expire_at = self.host.now + self.host.config.settings.half_open_timeout
        self.host.touch(self.spi)

    def close(self, reason: str) -> None:
        """End this SA; where the peer has replaced it meanwhile, its children live on under the new one (2.25.2)."""
        if self.rekeying and self.replacement is not None:
            self.hand_over(self.replacement)
        self.followups.clear()
        super().close(reason)

    def forgo(self, made: object, reason: str) -> None:
        """The additional key exchanges that were to make this child or IKE SA will not be gone on with."""
        for link, series in list(self.followups.items()):
            if series.sequel.made is made:
                del self.followups[link]
                series.sequel.abandon(reason)

    def adopt(self, suite: Suite, keys: IkeKeys) -> None:
        """From now on this SA seals and opens with these keys."""
        self.negotiated, self.secrets = suite, keys
        ours = (keys.sk_ei, keys.sk_ai) if self.initiator else (keys.sk_er, keys.sk_ar)
        theirs = (keys.sk_er, keys.sk_ar) if self.initiator else (keys.sk_ei, keys.sk_ai)
        self.sealer = IkeCipher(suite.encr, suite.integ, *ours, self.host.random)
        self.opener = IkeCipher(suite.encr, suite.integ, *theirs, self.host.random)
        if self.host.keylog:
            self.host.act(KeyLog(self._log_entry()))

    def remix(self, keys: IkeKeys) -> None:
        """Other secrets to derive and to prove with; those that seal and open stay (RFC 8784)."""
        self.secrets = keys
        if self.host.keylog:
            self.host.act(KeyLog(self._log_entry()))

    def renew(self, keys: IkeKeys) -> None:
        """The next generation of keys comes into use (RFC 9370 2.2.2)."""
        self.generation += 1
        self.adopt(self.agreed, keys)

    def renew_after_answer(self, keys: IkeKeys) -> None:
        """The same for a responder, whose answer is still sealed with the keys of before."""
        self.renewed = keys

    def answered(self) -> None:
        """An answer is sealed: what it led to comes into use."""
        if self.renewed is not None:
            keys, self.renewed = self.renewed, None
            self.renew(keys)

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
        return {"kind": "ike", "version": self.version, **spis, "generation": self.generation, **self.suite, **secrets}
