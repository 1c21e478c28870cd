"""An IKE SA and its children as both versions of IKE see them: who, where, which state, and how it ends.

An SA ends in one of two ways, each once: `fail` before it was established, `close` afterwards. Both take the children
out of the data plane and say why.
"""

from lab.errors import ProtocolError
from lab.ike.actions import InstallChild, MoveChild, RemoveChild
from lab.ike.child import ChildSa
from lab.ike.config import Child, Connection
from lab.ike.credentials import Identity
from lab.ike.host import Host
from lab.ike.nat import NatSituation
from lab.ike.path import Path
from lab.ike.states import CHILD_MOVES, IKE_MOVES, ChildState, IkeState, Lifecycle
from lab.ike.view import child_view, ike_view
from lab.wire.ids import NotifyType

NO_SPI = bytes(8)
UP = (IkeState.ESTABLISHED, IkeState.REKEYING, IkeState.REKEYED)


class LiveChild:
    """A child from the moment its SPI is chosen to its end; `sa` is set once it has keys."""

    def __init__(self, host: Host, config: Child, spi_in: bytes, reqid: int) -> None:
        self.config, self.spi_in, self.reqid = config, spi_in, reqid
        self.life = Lifecycle(f"child {config.name} {spi_in.hex()}", ChildState.CREATED, CHILD_MOVES, host.trace)
        self.sa: ChildSa | None = None
        self.installed_at = 0.0

    @property
    def state(self) -> ChildState:
        """The state of now."""
        return self.life.state

    @property
    def keyed(self) -> ChildSa:
        """The keyed child; only for children that are or were installed."""
        assert self.sa is not None, f"{self.life.subject} has no keys yet"
        return self.sa


class IkeSa:
    """What exchanges, timers and the endpoint share about one IKE SA; nothing others need lives in a generator."""

    def __init__(self, host: Host, connection: Connection, path: Path, *, initiator: bool, number: int) -> None:
        self.host, self.connection, self.path = host, connection, path
        self.initiator, self.number = initiator, number
        self.spi_i, self.spi_r = NO_SPI, NO_SPI
        self.life = Lifecycle(f"IKE SA {connection.name}[{number}]", IkeState.CREATED, IKE_MOVES, host.trace)
        self.stage = ""
        self.goal: str | None = None
        self.first_contact = False
        self.nat = NatSituation()
        self.local_id: Identity | None = None
        self.remote_id: Identity | None = None
        self.children: dict[bytes, LiveChild] = {}
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
        self.established_at, self.stage = self.host.now, ""
        self.host.tell("ike-up", **self.named(), path=str(self.path))

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

    def failed(self, reason: str, child: str | None = None, stage: str = "") -> None:
        """Report a failure in words: of the SA, or of one of its children."""
        at = {"child": child} if child else {}
        self.host.trace.emit("failed", reason, connection=self.connection.name, **at)
        self.host.tell("failed", **self.named(), **at, stage=stage or self.stage, reason=reason)

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
        if self.established_at is not None:
            self.host.tell("ike-down", **self.named(), reason=reason)

    def admit(self, *, initial_contact: bool) -> None:
        """Apply `unique` before this SA comes up: one SA per pair of identities, or as many as there are (2.4)."""
        policy = self.connection.unique
        twins = [other for other in self.host.ike_sas.values() if other is not self and other.twin_of(self)]
        if not twins or policy == "never":
            return
        if policy == "keep":
            reason = f"an IKE SA with {self.remote_id} is up, and `unique = keep` allows no second"
            raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)
        if policy == "replace" or initial_contact:
            for twin in twins:
                twin.close("replaced: the peer made first contact anew" if initial_contact else "replaced: unique")

    def twin_of(self, other: "IkeSa") -> bool:
        """Whether this SA is up between the same two identities."""
        ids = (self.local_id, self.remote_id)
        return self.state in UP and ids == (other.local_id, other.remote_id)

    def _end(self, reason: str) -> None:
        self.life.become(IkeState.GONE)
        self.host.touched.add(self.spi)
        self.ended_at = self.host.now
        for child in list(self.children.values()):
            self.drop_child(child, reason)

    def new_child(self, config: Child, reqid: int = 0) -> LiveChild:
        """A child with an SPI of its own, not yet installed."""
        child = LiveChild(self.host, config, self.host.new_child_spi(), reqid or config.reqid or self.host.new_reqid())
        self.children[child.spi_in] = child
        return child

    def install(self, child: LiveChild, keyed: ChildSa) -> None:
        """Put a keyed child into the data plane."""
        child.sa, child.installed_at = keyed, self.host.now
        child.life.become(ChildState.INSTALLED)
        self.host.act(InstallChild(keyed))

    def drop_child(self, child: LiveChild, reason: str) -> None:
        """Take a child out, whatever its state; one that was installed goes with an event."""
        if child.state is ChildState.GONE:
            return
        child.life.become(ChildState.GONE)
        self.children.pop(child.spi_in, None)
        self.host.release(child.spi_in)
        if child.sa is not None:
            self.host.act(RemoveChild(child.spi_in))
            self.host.tell("child-down", connection=self.connection.name, **child_view(child.sa), reason=reason)

    def move(self, path: Path) -> None:
        """Follow the peer to another address or port, with all children."""
        self.host.trace.emit("note", f"{self.life.subject}: path is now {path}", before=str(self.path))
        self.path = path
        for child in self.children.values():
            if child.sa is not None:
                self.host.act(MoveChild(child.spi_in, path))
        if self.state is not IkeState.CONNECTING:
            self.host.tell("moved", **self.named(), path=str(path))

    def view(self) -> dict[str, object]:
        """This SA in the shape of ikelab.sas/1."""
        children = [child_view(c.sa) | {"state": c.state.name} for c in self.children.values() if c.sa]
        return ike_view(self.named(), self.path, self.nat) | {
            "version": self.version,
            "state": self.state.name,
            **self.suite,
            "established_s": 0.0 if self.established_at is None else self.host.now - self.established_at,
            "children": children,
        }
