"""An ISAKMP SA of IKEv1: the shared IkeSa, its keys, and what the exchanges of phase 1 leave for each other."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from lab.crypto import registry
from lab.crypto.ciphers import CipherObject
from lab.ike.actions import KeyLog
from lab.ike.config import Connection
from lab.ike.host import Host
from lab.ike.live_child import LiveChild
from lab.ike.path import Path
from lab.ike.sa import IkeSa
from lab.ike.states import IkeState
from lab.ike.view import key_bits
from lab.ikev1.dpd import Dpd
from lab.ikev1.exchange import Plan
from lab.ikev1.keys import IkeKeys, Suite
from lab.ikev1.vendor import NatNumbers

NONCE_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Switch:
    """A child that replaces another, when it is used at the latest, and what deletes the old one then."""

    due: float
    old: LiveChild
    new: LiveChild
    delete: Plan


class Sa(IkeSa):
    """One ISAKMP SA.

    `spi_i` and `spi_r` are the cookies. `iv` is the last block of phase 1 that was sealed or opened, `queue` and
    `quick_modes` what waits for phase 1 to be over, `hint` what the peer or the last dropped message told about a phase
    1 that does not get on.
    `first` is what goes before the queue: XAUTH, which keeps the SA from being established, and Mode Config. `over_at`
    is when phase 1 was over, `initial_contact` whether the peer said that this is its only SA with us, `configuring`
    whether Mode Config is not over, and `awaits_push` whether it is the peer's turn to begin it.
    `sai`, `gxi`, `gxr`, `idi`, `idr` are the bodies that HASH_I and HASH_R cover. `heir_of` is the SA that this one is
    to take over from, `heir` the one that took over from it. `switching` holds the rekeyings of ours
    whose new child is not used yet.
    """

    version = 1

    def __init__(self, host: Host, connection: Connection, path: Path, *, initiator: bool, number: int) -> None:
        super().__init__(host, connection, path, initiator=initiator, number=number)
        self.negotiated: Suite | None = None
        self.secrets: IkeKeys | None = None
        self.cipher: CipherObject | None = None
        self.iv = b""
        self.ni = self.nr = self.gxi = self.gxr = self.sai = self.idi = self.idr = b""
        self.queue: deque[Plan] = deque()
        self.quick_modes: deque[Plan] = deque()
        self.nat_numbers: NatNumbers | None = None
        self.dpd = Dpd()
        self.hint = ""
        self.heir_of: Sa | None = None
        self.heir: Sa | None = None
        self.switching: list[Switch] = []
        self.lifetime = 0
        self.wants_heir = self.certificate_wanted = self.initial_contact = self.configuring = False
        self.over_at: float | None = None
        self.first: deque[Plan] = deque()

    @property
    def cookies(self) -> tuple[bytes, bytes]:
        """CKY-I and CKY-R."""
        return self.spi_i, self.spi_r

    @property
    def agreed(self) -> Suite:
        """The negotiated algorithms; only after the SA payloads."""
        assert self.negotiated is not None, "no proposal negotiated yet"
        return self.negotiated

    @property
    def keys(self) -> IkeKeys:
        """The secrets; only after the key exchange."""
        assert self.secrets is not None, "no keys derived yet"
        return self.secrets

    @property
    def nonces(self) -> bytes:
        """Ni_b | Nr_b."""
        return self.ni + self.nr

    @property
    def usable(self) -> bool:
        """Whether exchanges of phase 2 have a place."""
        return self.state in (IkeState.ESTABLISHED, IkeState.REKEYED)

    @property
    def xauth(self) -> bool:
        """Whether one of the two sides is to prove itself by XAUTH."""
        return self.connection.local.xauth or self.connection.remote.xauth

    @property
    def waits_for_xauth(self) -> bool:
        """Whether phase 1 is over and XAUTH is not."""
        return self.state is IkeState.CONNECTING and self.over_at is not None

    @property
    def awaits_push(self) -> bool:
        """Whether the peer has yet to push the addresses that we want."""
        return self.configuring and not self.connection.pull

    def twin_of(self, other: IkeSa) -> bool:
        """Many users may share the identity and the key of a group; they are not the same."""
        return super().twin_of(other) and self.user == other.user

    def new_nonce(self) -> bytes:
        """Fresh nonce data."""
        return self.host.random(NONCE_OCTETS)

    def start(self, plan: Plan) -> None:
        """Run an exchange of phase 2 as soon as phase 1 is over; the engine takes it from the queue."""
        self.queue.append(plan)
        self.host.touch(self.spi)

    def start_quick_mode(self, plan: Plan) -> None:
        """The same for a Quick Mode, of which only so many run at a time (`quick_modes`)."""
        self.quick_modes.append(plan)
        self.host.touch(self.spi)

    def put_first(self, plan: Plan) -> None:
        """Run an exchange of phase 2 before all that waits, even before the SA is established."""
        self.first.append(plan)
        self.host.touch(self.spi)

    def adopt(self, keys: IkeKeys) -> None:
        """From now on messages are sealed and opened with these keys."""
        self.secrets, self.iv = keys, keys.iv
        self.cipher = registry.encr(self.agreed.encr).new(keys.ka)
        if self.host.keylog:
            self.host.act(KeyLog(self._log_entry()))

    def prf(self, *parts: bytes) -> bytes:
        """prf(SKEYID_a, ...), which authenticates the messages of phase 2."""
        return self.agreed.prf_spec.compute(self.keys.skeyid_a, b"".join(parts))

    def fail(self, reason: str) -> None:
        """End an SA that never was established, with what was heard meanwhile."""
        super().fail(f"{reason} ({self.hint})" if self.hint and self.hint not in reason else reason)

    def lives_from_now(self) -> None:
        """As the configuration says, but not longer than both sides agreed on."""
        super().lives_from_now()
        if self.lifetime:
            end = self.host.now + self.lifetime
            self.expire_at = min(end, self.expire_at) if self.expire_at is not None else end

    def hand_over(self, heir: "Sa") -> None:
        """The children live on under the ISAKMP SA that replaces this one."""
        self.replaced = True
        heir.children |= self.children
        heir.fading += self.fading
        heir.switching += self.switching
        self.children, self.fading, self.switching, self.heir = {}, [], [], heir
        self._hand_on_addresses(heir)
        heir.queue.extend(self.queue)
        heir.quick_modes.extend(self.quick_modes)
        self.queue.clear()
        self.quick_modes.clear()
        self.rekey_at = None
        if self.state is not IkeState.REKEYED:
            self.life.become(IkeState.REKEYED)
        self.host.tell("ike-rekeyed", **heir.named(), old_spi_i=self.spi_i.hex(), old_spi_r=self.spi_r.hex())
        self.host.touch(self.spi)
        self.host.touch(heir.spi)

    def _hand_on_addresses(self, heir: "Sa") -> None:
        """Virtual addresses go with the children; what the heir was told itself about asking and lending stays."""
        heir.virtual.local, heir.virtual.remote = self.virtual.local, self.virtual.remote
        self.virtual.local = self.virtual.remote = ()
        for pool in self.connection.pools:
            self.host.pools[pool.name].hand_on(self.number, heir.number)

    def heirs(self) -> Iterator["Sa"]:
        """The SAs that took over from this one, each from the one before."""
        heir = self.heir
        while heir is not None:
            yield heir
            heir = heir.heir

    def peer_uses(self, child: LiveChild) -> None:
        """The peer sends through a new child, so it also receives there: what it replaces has served."""
        super().peer_uses(child)
        self.switch([entry for entry in self.switching if entry.new is child])

    def switch(self, entries: list["Switch"]) -> None:
        """From now on these new children are used; the old ones are deleted, and receive a little longer."""
        for entry in entries:
            self.switching.remove(entry)
            if entry.new.alive and entry.old.alive:
                self.replace(entry.old, entry.new)
                self.start(entry.delete)
            elif entry.new.alive:
                self.use(entry.new)
                self.child_up(entry.new)

    def redundant(self, child: LiveChild) -> bool:
        """Whether a younger child has the same selectors, as after both sides rekeyed at once: this one may just end.

        IKEv1 has no rule for it. Were both rekeyed, there would be twice as many each time.
        """
        every = list(self.children.values())
        return any(_alike(child, other) for other in every[every.index(child) + 1 :])

    def stand_in(self, child: LiveChild) -> LiveChild | None:
        """The child that carries on what this one does, where both sides made one: then nothing is down."""
        return next((o for o in self.children.values() if not o.quiet and _alike(child, o)), None)

    def forget_twins(self) -> None:
        """The peer has no other SA with us than this one, whatever we believe (RFC 2407 4.6.3.3)."""
        for other in [o for o in self.host.ike_sas.values() if o is not self and o.twin_of(self)]:
            other.close("replaced: the peer made first contact anew")

    @property
    def suite(self) -> dict[str, object]:
        """The names of the negotiated algorithms."""
        suite = self.negotiated
        return {
            "encr": suite.encr.id.name if suite else None,
            "encr_key_length": key_bits(suite.encr) if suite else None,
            "integ": suite.integ.name if suite else None,
            "prf": suite.prf.name if suite else None,
            "ke": suite.ke.name if suite else None,
        }

    def _log_entry(self) -> dict[str, object]:
        keys = self.keys
        secrets = {"SKEYID": keys.skeyid, "SKEYID_d": keys.skeyid_d, "SKEYID_a": keys.skeyid_a}
        secrets |= {"SKEYID_e": keys.skeyid_e, "Ka": keys.ka, "IV": keys.iv}
        spis = {"spi_i": self.spi_i.hex(), "spi_r": self.spi_r.hex()}
        return {"kind": "ike", "version": 1, **spis, **self.suite} | {n: s.hex() for n, s in secrets.items()}


def _alike(child: LiveChild, other: LiveChild) -> bool:
    """Whether the other one is up and has the same selectors."""
    ends = (child.keyed.ts_local, child.keyed.ts_remote)
    return other is not child and other.up and (other.keyed.ts_local, other.keyed.ts_remote) == ends
