"""An IKE SA and its children as both versions of IKE see them: who, where, which state, and how it ends.

An SA ends in one of two ways, each once: `fail` before it was established, `close` afterwards. Both take the children
out of the data plane and say why.
"""

from dataclasses import replace

from lab.errors import ProtocolError
from lab.ike.actions import AddAddress, InstallChild, MoveChild, RemoveAddress, RemoveChild, UseChild
from lab.ike.child import ChildSa
from lab.ike.config import Child, Connection
from lab.ike.credentials import NOBODY, Identity
from lab.ike.host import Host
from lab.ike.live_child import LiveChild
from lab.ike.nat import NatSituation
from lab.ike.path import Path
from lab.ike.states import IKE_MOVES, ChildState, IkeState, Lifecycle
from lab.ike.view import child_view, ike_view
from lab.ike.virtual import Address, Virtual
from lab.wire.ids import NotifyType

NO_SPI = bytes(8)
# How long a replaced child receives on: packets sent before its Delete may arrive after it.
FADE = 5.0
UP = (IkeState.ESTABLISHED, IkeState.REKEYING, IkeState.REKEYED)


class IkeSa:
    """What exchanges, timers and the endpoint share about one IKE SA; nothing others need lives in a generator.

    `user` is the name by which EAP authenticated the peer, which may differ from its IKE identity.
    """

    def __init__(self, host: Host, connection: Connection, path: Path, *, initiator: bool, number: int) -> None:
        self.host, self.connection, self.path = host, connection, path
        self.initiator, self.number = initiator, number
        self.spi_i, self.spi_r = NO_SPI, NO_SPI
        self.life = Lifecycle(f"IKE SA {connection.name}[{number}]", IkeState.CREATED, IKE_MOVES, host.trace)
        self.stage = ""
        self.goal: str | None = None
        self.first_contact = self.replaced = self.dead = False
        self.nat = NatSituation()
        self.local_id: Identity | None = None
        self.remote_id: Identity | None = None
        self.user: Identity | None = None
        self.virtual = Virtual()
        self.children: dict[bytes, LiveChild] = {}
        # Replaced children whose packets may still be on their way: when to stop receiving, and the SPI.
        self.fading: list[tuple[float, bytes]] = []
        self.rekey_at: float | None = None
        self.expire_at: float | None = None
        self.created_at = self.last_heard = self.last_sent = host.now
        self.established_at: float | None = None
        self.ended_at = 0.0

    @property
    def version(self) -> int:
        """2 or 1; each version's class says which."""
        raise NotImplementedError

    @property
    def suite(self) -> dict[str, object]:
        """The names of the negotiated algorithms, for the SA view; empty before they are."""
        raise NotImplementedError

    @property
    def spi(self) -> bytes:
        """The SPI that we chose."""
        return self.spi_i if self.initiator else self.spi_r

    @property
    def state(self) -> IkeState:
        """The state of now."""
        return self.life.state

    @property
    def alive(self) -> bool:
        """Whether this SA may still carry exchanges."""
        return self.state is not IkeState.GONE

    def established(self) -> None:
        """Both sides are authenticated."""
        self.life.become(IkeState.ESTABLISHED)
        self.lives_from_now()
        self.host.tell("ike-up", **self.named(), path=str(self.path))

    def lives_from_now(self) -> None:
        """Set the times of rekeying and of the end by the configuration; the first is drawn at random (2.8)."""
        config, now = self.connection, self.host.now
        self.established_at, self.stage = now, ""
        over = config.over_time if config.over_time >= 0 else config.rekey_time / 10
        if config.rekey_time:
            spread = config.rand_time if config.rand_time >= 0 else over
            self.rekey_at = now + max(0.0, config.rekey_time - spread * self.host.fraction())
            self.expire_at = now + config.rekey_time + over

    def named(self) -> dict[str, object]:
        """The fields by which events name this SA."""
        return {
            "connection": self.connection.name,
            "number": self.number,
            "spi_i": self.spi_i.hex(),
            "spi_r": self.spi_r.hex(),
            "role": "initiator" if self.initiator else "responder",
            "local_id": str(self.local_id) if self.local_id else "",
            "remote_id": str(self.remote_id) if self.remote_id else "",
        }

    def failed(self, reason: str, child: str | None = None, *, stage: str = "", asked: bool | None = None) -> None:
        """Report a failure in words: of the SA, or of one of its children.

        The field `role` is that of the IKE SA, or for an exchange under it whether we `asked` or answered.
        """
        at = {"child": child} if child else {}
        role = {} if asked is None else {"role": "initiator" if asked else "responder"}
        self.host.trace.emit("failed", reason, connection=self.connection.name, **at)
        self.host.tell("failed", **(self.named() | role), **at, stage=stage or self.stage, reason=reason)

    def fail(self, reason: str) -> None:
        """End an SA that never was established, and say why."""
        self.failed(reason, self.goal)
        self._end(reason)

    def refuse(self, reason: str) -> None:
        """The peer believes this SA to be up and we do not: report the failure and keep the SA for telling the peer."""
        self.failed(reason, self.goal)
        self.life.become(IkeState.DELETING)

    def close(self, reason: str) -> None:
        """End an SA with all its children; one that was up goes with an event."""
        self._end(reason)
        if self.established_at is not None and not self.replaced:
            self.host.tell("ike-down", **self.named(), reason=reason)

    def admit(self, *, initial_contact: bool) -> None:
        """Apply `unique` before this SA comes up: one SA per pair of identities, or as many as there are (2.4)."""
        policy = self.connection.unique
        if policy == "never" or (policy == "no" and not initial_contact):
            return  # before looking for twins: a responder with thousands of SAs would look at each of them
        twins = [other for other in self.host.ike_sas.values() if other is not self and other.twin_of(self)]
        if not twins:
            return
        if policy == "keep":
            reason = f"an IKE SA with {self.remote_id} is up, and `unique = keep` allows no second"
            raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)
        if policy == "replace" or initial_contact:
            for twin in twins:
                twin.close("replaced: the peer made first contact anew" if initial_contact else "replaced: unique")

    def twin_of(self, other: "IkeSa") -> bool:
        """Whether this SA is up between the same two identities, by the same version of IKE.

        Nobody is the same as nobody else (RFC 7619 2.3).
        """
        ids, both = (self.local_id, self.remote_id), type(self) is type(other)
        return self.state in UP and both and ids == (other.local_id, other.remote_id) and self.remote_id != NOBODY

    def _end(self, reason: str) -> None:
        self.life.become(IkeState.GONE)
        self.host.touch(self.spi)
        if self.dead:
            wanted = {c.config.name for c in self.children.values() if c.config.dpd_action in ("start", "restart")}
            self.host.restart += [(self.connection, self.connection.children[name]) for name in sorted(wanted)]
        self.ended_at = self.host.now
        for child in list(self.children.values()):
            self.drop_child(child, reason)
        for _, spi in self.fading:
            self._remove(spi)
        self.fading.clear()
        self._give_back()

    def given(self, addresses: tuple[Address, ...]) -> None:
        """These virtual addresses are ours until this SA ends (2.19)."""
        self.virtual.local = addresses
        for address in addresses:
            self.host.act(AddAddress(address))

    def dynamic(self) -> tuple[list[str], list[str]]:
        """The addresses that the selector `dynamic` means, ours and the peer's: the virtual ones if there are any."""
        virtual, path = self.virtual, self.path
        return [str(a) for a in virtual.local] or [path.local_host], [str(a) for a in virtual.remote] or [
            path.remote_host
        ]

    def _give_back(self) -> None:
        """The virtual addresses of both sides end with the SA."""
        for address in self.virtual.local:
            self.host.act(RemoveAddress(address))
        for lending in self.connection.pools:
            self.host.pools[lending.name].release(self.number)

    def new_child(self, config: Child, reqid: int = 0) -> LiveChild:
        """A child with an SPI of its own, not yet installed."""
        child = LiveChild(self.host, config, self.host.new_child_spi(), reqid or config.reqid or self.host.new_reqid())
        self.children[child.spi_in] = child
        return child

    def install(self, child: LiveChild, keyed: ChildSa, *, outbound: bool = True) -> None:
        """Put a keyed child into the data plane."""
        child.sa, child.standby = keyed, not outbound
        child.life.become(ChildState.INSTALLED)
        child.lives_from(self.host)
        self.host.act(InstallChild(keyed, outbound))

    def child_up(self, child: LiveChild) -> None:
        """Report a new child."""
        self.host.tell("child-up", **self._child_fields(child))

    def _child_fields(self, child: LiveChild) -> dict[str, object]:
        return {
            "connection": self.connection.name,
            "number": self.number,
            "child": child.config.name,
            **child_view(child.keyed),
        }

    def use(self, child: LiveChild) -> None:
        """Send through this child from now on."""
        if child.standby:
            child.standby = False
            self.host.act(UseChild(child.spi_in))

    def replace(self, old: LiveChild, new: LiveChild) -> None:
        """From now on `new` stands for `old`, which only receives until its Delete."""
        old.successor, new.quiet = new, False
        self.use(new)
        self.host.tell("child-rekeyed", **self._child_fields(new), old_spi_in=old.spi_in.hex())

    def peer_uses(self, child: LiveChild) -> None:
        """The peer sends through this child, so it also receives on it: nothing need wait any more (RFC 7296 2.8)."""
        if not child.standby:
            return
        old = [o for o in self.children.values() if o.collisions.theirs and o.collisions.theirs.made is child]
        if old and old[0].successor is None:
            self.replace(old[0], child)
        else:
            self.use(child)

    def drop_child(self, child: LiveChild, reason: str) -> None:
        """Take a child out, whatever its state; one that was up goes with an event.

        One that was replaced goes without, and receives a little longer what is still on its way.
        """
        if child.state is ChildState.GONE:
            return
        child.life.become(ChildState.GONE)
        self.children.pop(child.spi_in, None)
        if child.sa is None:
            self.host.release(child.spi_in)
        elif child.successor is not None and self.alive:
            self.fading.append((self.host.now + FADE, child.spi_in))
        else:
            self._remove(child.spi_in)
            if not child.quiet and child.successor is None:
                self.host.tell("child-down", **self._child_fields(child), reason=reason)

    def _remove(self, spi_in: bytes) -> None:
        self.host.act(RemoveChild(spi_in))
        self.host.release(spi_in)

    def fade(self) -> None:
        """Stop receiving on the replaced children whose time is over."""
        for due, spi in [entry for entry in self.fading if entry[0] <= self.host.now]:
            self.fading.remove((due, spi))
            self._remove(spi)

    def move(self, path: Path) -> None:
        """Go on along another path, with all children."""
        self.host.trace.emit("note", f"{self.life.subject}: path is now {path}", before=str(self.path))
        self.path = path
        self.move_children(path)
        if self.state is not IkeState.CONNECTING:
            self.host.tell("moved", **self.named(), path=str(path))

    def heard_along(self, path: Path) -> None:
        """ESP that authenticated came along this path, from a peer behind a NAT (2.23)."""
        if path != self.path:
            self.move(path)

    def move_children(self, path: Path) -> None:
        """Let the children go along another path, in UDP where there is a NAT."""
        encap = self.nat.detected
        for child in self.children.values():
            if child.sa is not None:
                child.sa = replace(child.sa, path=path, encap=encap)
                self.host.act(MoveChild(child.spi_in, path, encap))

    def view(self) -> dict[str, object]:
        """This SA in the shape of ikelab.sas/1."""
        children = [child_view(c.sa) | {"state": c.state.name} for c in self.children.values() if c.sa]
        return ike_view(self.named(), self.path, self.nat, self.virtual) | {
            "version": self.version,
            "state": self.state.name,
            **self.suite,
            "established_s": 0.0 if self.established_at is None else self.host.now - self.established_at,
            "children": children,
        }
