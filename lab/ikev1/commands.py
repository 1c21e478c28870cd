"""What the owner of an endpoint may ask for under IKEv1; the same words as in `lab.ikev2.commands`.

Everything here only starts exchanges; their outcome comes as events. What names nothing that exists is a ConfigError.
"""

from collections.abc import Iterator
from functools import partial

from lab.errors import ConfigError
from lab.ike.config import Child, Connection
from lab.ike.host import Host
from lab.ike.live_child import LiveChild
from lab.ike.path import Path
from lab.ike.reach import path_to
from lab.ike.sa import UP
from lab.ike.states import IkeState
from lab.ike.table import Table
from lab.ikev1 import aggressive_mode, informational, main_mode, quick_mode
from lab.ikev1.engine import Engine
from lab.ikev1.sa import Sa

Which = str | int | None  # an ISAKMP SA by the name of its connection or by its number; None for all
_UNBORN = (IkeState.CREATED, IkeState.CONNECTING)


class Commands:
    """The commands of one endpoint."""

    def __init__(self, host: Host, table: Table[Engine]) -> None:
        self._host, self._table = host, table

    def sas(self, which: Which = None) -> Iterator[Sa]:
        """The ISAKMP SAs that are alive and meant."""
        for engine in list(self._table.engines.values()):
            if engine.sa.alive and which in (None, engine.sa.connection.name, engine.sa.number):
                yield engine.sa

    def _children(self, which: Which, name: str) -> list[tuple[Sa, LiveChild]]:
        return [(sa, c) for sa in self.sas(which) for c in sa.children.values() if c.config.name == name and c.sa]

    def has(self, which: Which, child: str | None) -> bool:
        """Whether such an SA, or such a child under one, is there."""
        return any(True for _ in self.sas(which)) if child is None else bool(self._children(which, child))

    def under_way(self, child: str) -> bool:
        """Whether this child is up or being made."""
        return any(
            (sa.state in _UNBORN and sa.goal == child) or any(c.config.name == child for c in sa.children.values())
            for sa in self.sas()
        )

    def initiate(self, connection: Connection, child: Child, *, anew: bool = False) -> None:
        """Bring a child up under the SA of its connection, or with a new one where there is none (or if `anew`)."""
        if anew or not self._join(connection, child):
            self._begin(connection, child)

    def _join(self, connection: Connection, child: Child) -> bool:
        """Make the child under an SA that there is; a child that is up already is reported again."""
        for sa in self.sas():
            if sa.connection is not connection:
                continue
            up = [c for c in sa.children.values() if c.config.name == child.name and c.up]
            if up:
                sa.child_up(up[0])
                return True
            if sa.state is IkeState.ESTABLISHED or (sa.state in _UNBORN and sa.initiator and sa.goal != child.name):
                sa.start_quick_mode(partial(quick_mode.initiator, config=child))
                return True
            if sa.state in _UNBORN and sa.initiator:
                return True
        return False

    def _begin(self, connection: Connection, child: Child) -> None:
        sa = self._new(connection, path_to(connection, self._host.local))
        sa.goal = child.name
        sa.first_contact = not any(o.connection is connection and o.state in UP for o in self.sas())
        sa.start_quick_mode(partial(quick_mode.initiator, config=child))
        self._run(sa)

    def _new(self, connection: Connection, path: Path) -> Sa:
        sa = Sa(self._host, connection, path, initiator=True, number=self._host.new_number())
        sa.spi_i = self._host.new_ike_spi()
        return sa

    def _run(self, sa: Sa) -> None:
        engine = Engine(sa)
        self._table.add(engine)
        self._host.touch(sa.spi)
        mode = aggressive_mode if sa.connection.aggressive else main_mode
        engine.begin(mode.initiator(sa))

    def reauthenticate(self, old: Sa) -> None:
        """Phase 1 anew beside the one there is, which it takes over from (RFC 2409 has no other way of rekeying).

        It begins where the old one is: behind a NAT only the port that the peer has there now can be reached.
        """
        sa = self._new(old.connection, old.path)
        sa.heir_of = old
        self._run(sa)

    def terminate(self, which: Which, child: str | None) -> None:
        """Delete ISAKMP SAs, or with `child` only their children of that name."""
        if child is not None:
            for sa, one in self._children(which, child):
                sa.start(partial(informational.delete_child, child=one))
            return
        for sa in self.sas(which):
            if sa.state in _UNBORN:
                sa.fail("ended by us before it was up")
            else:
                informational.end(sa)

    def rekey(self, which: Which, child: str | None) -> None:
        """Rekey ISAKMP SAs by phase 1 anew, or with `child` their children of that name by a new Quick Mode."""
        if child is not None:
            for sa, one in self._children(which, child):
                if one.up and not sa.redundant(one):
                    sa.start_quick_mode(partial(quick_mode.initiator, config=one.config, old=one))
            return
        for sa in self.sas(which):
            if sa.state is not IkeState.ESTABLISHED:
                raise ConfigError(f"the ISAKMP SA of {sa.connection.name} is {sa.state.name} and cannot be rekeyed")
            self.reauthenticate(sa)

    def liveness(self, which: Which) -> None:
        """Ask the peers of these SAs whether they live."""
        for sa in self.sas(which):
            if sa.state in UP:
                sa.start(informational.are_you_there)
