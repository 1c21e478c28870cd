"""What the owner of an endpoint may ask for: children up, IKE SAs and children rekeyed, deleted, asked whether they
live.

Everything here only starts exchanges; their outcome comes as events. What names nothing that exists is a ConfigError.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from lab.errors import ConfigError
from lab.ike.config import Child, Connection
from lab.ike.host import Detour, Host
from lab.ike.live_child import LiveChild
from lab.ike.path import Path
from lab.ike.reach import path_to
from lab.ike.sa import UP
from lab.ike.states import IkeState
from lab.ike.table import Table
from lab.ikev2 import (
    create_child_sa,
    ike_sa_init,
    ike_session_resume,
    informational,
    mobike,
    redirect,
    rekey_child,
    rekey_ike,
    resumption,
    roaming,
)
from lab.ikev2.engine import Engine
from lab.ikev2.responders import RESPONDERS
from lab.ikev2.sa import Sa
from lab.wire.gateway import Gateway

Which = str | int | None  # an IKE SA by the name of its connection or by its number; None for all
_UNBORN = (IkeState.CREATED, IkeState.CONNECTING)


class Commands:
    """The commands of one endpoint."""

    def __init__(self, host: Host, table: Table[Engine]) -> None:
        self._host, self._table = host, table
        self._sources: Mapping[str, str] = {}

    def sas(self, which: Which = None) -> Iterator[Sa]:
        """The IKE SAs that are alive and meant."""
        for engine in list(self._table.engines.values()):
            if engine.sa.alive and which in (None, engine.sa.connection.name, engine.sa.number):
                yield engine.sa

    def _children(self, which: Which, name: str) -> list[tuple[Sa, LiveChild]]:
        found = [(sa, c) for sa in self.sas(which) for c in sa.children.values() if c.config.name == name and c.sa]
        if not found:
            raise ConfigError(f"no child SA {name!r} is up")
        return found

    def has(self, which: Which, child: str | None) -> bool:
        """Whether such an IKE SA, or such a child under one, is there."""
        sas = list(self.sas(which))
        return (
            bool(sas)
            if child is None
            else any(c.config.name == child and c.sa for sa in sas for c in sa.children.values())
        )

    def _some(self, which: Which) -> list[Sa]:
        found = list(self.sas(which))
        if not found:
            raise ConfigError("no IKE SA is up" if which is None else f"no IKE SA {which!r} is up")
        return found

    def find(self, child: str) -> tuple[Connection, Child]:
        """A configured child by its name."""
        found = self._host.config.child(child)
        if found is None:
            names = ", ".join(name for c in self._host.config.connections for name in c.children)
            raise ConfigError(f"no child is called {child!r}; there are: {names or 'none'}")
        return found

    def initiate(self, connection: Connection, child: Child, *, anew: bool = False) -> None:
        """Bring a child up under the IKE SA of its connection, or with a new one where there is none (or if `anew`)."""
        if anew or not self._join(connection, child):
            self._begin(connection, child)

    def under_way(self, child: str) -> bool:
        """Whether this child is up or being made."""
        return any(
            (sa.state in _UNBORN and sa.goal == child) or any(c.config.name == child for c in sa.children.values())
            for sa in self.sas()
        )

    def _join(self, connection: Connection, child: Child) -> bool:
        """Make the child under an IKE SA that there is; a child that is up already is reported again."""
        for sa in self.sas():
            if sa.connection is not connection:
                continue
            up = [c for c in sa.children.values() if c.config.name == child.name and c.up]
            if up:
                sa.child_up(up[0])
                return True
            if sa.state in (IkeState.ESTABLISHED, IkeState.REKEYING) and not sa.redundant and not sa.redirected:
                sa.start(partial(create_child_sa.initiator, config=child))
                return True
            if sa.state in _UNBORN and sa.initiator:
                if sa.goal != child.name:
                    sa.start(partial(create_child_sa.initiator, config=child))
                return True
        return False

    def _begin(self, connection: Connection, child: Child) -> None:
        self._set_off(self._new(connection, path_to(connection, self._ours(connection)), child))

    def _new(self, connection: Connection, path: Path, child: Child) -> Sa:
        sa = Sa(self._host, connection, path, initiator=True, number=self._host.new_number())
        sa.goal, sa.spi_i = child.name, self._host.new_ike_spi()
        sa.first_contact = not any(o.connection is connection and o.state in UP for o in self.sas())
        return sa

    def _set_off(self, sa: Sa) -> None:
        engine = Engine(sa, RESPONDERS)
        self._table.add(engine)
        self._host.touch(sa.spi)
        begin = ike_session_resume if resumption.present(sa) else ike_sa_init
        engine.begin(begin.initiator(sa))

    def detour(self, detour: Detour) -> None:
        """Begin an IKE SA with the gateway that another one was redirected to; what waited for that one goes along."""
        old, (first, *others) = detour.old, detour.children
        assert isinstance(old, Sa)
        sa = self._new(old.connection, detour.path, first)
        sa.redirected_from, sa.redirects = old.path.remote_host, old.redirects
        if old.state in UP:
            sa.instead_of = old
        else:
            sa.queue.extend(old.queue)
            old.queue.clear()
        sa.queue.extend(partial(create_child_sa.initiator, config=child) for child in others)
        self._set_off(sa)

    def _ours(self, connection: Connection) -> tuple[str, ...]:
        """The addresses of this host, that from which the system would send to the peer first."""
        chosen = [self._sources[remote] for remote in connection.remote_addrs if remote in self._sources]
        return (*chosen[:1], *self._host.local)

    def terminate(self, which: Which, child: str | None) -> None:
        """Delete IKE SAs, or with `child` only their children of that name."""
        if child is not None:
            for sa, one in self._children(which, child):
                sa.start(partial(informational.delete_child, child=one))
            return
        for sa in self._some(which):
            if sa.state in _UNBORN:
                sa.fail("ended by us before it was up")
            else:
                sa.start(informational.delete_ike)

    def rekey(self, which: Which, child: str | None) -> None:
        """Rekey IKE SAs, or with `child` their children of that name instead."""
        if child is not None:
            for sa, one in self._children(which, child):
                sa.start(partial(rekey_child.initiator, old=one))
            return
        for sa in self._some(which):
            sa.start(rekey_ike.initiator)

    def redirect(self, which: Which, gateway: Gateway) -> None:
        """Send the peers of IKE SAs to another gateway; ConfigError where one is none that follows."""
        found = [sa for sa in self._some(which) if sa.state in UP]
        refusal = next(filter(None, map(redirect.unfit, found)), "" if found else "no IKE SA is up")
        if refusal:
            raise ConfigError(refusal)
        for sa in found:
            sa.start(partial(redirect.send, gateway=gateway))

    def liveness(self, which: Which) -> None:
        """Ask the peers of IKE SAs whether they live."""
        for sa in self.sas(which):
            if sa.state in UP:
                sa.start(roaming.liveness)

    def peers(self) -> Iterator[str]:
        """The addresses of peers that it matters how the system would reach them."""
        for connection in self._host.config.connections:
            yield from (host for host in connection.remote_addrs if "/" not in host)
        for sa in self.sas():
            if sa.mobility:
                yield from (sa.path.remote_host, *sa.mobility.peer)

    def roam(self, addresses: Sequence[str], sources: Mapping[str, str]) -> None:
        """These are our addresses now, and those from which the system would send to some of the peers'."""
        self._host.addresses = tuple(addresses)
        self._local, self._sources = tuple(dict.fromkeys((*sources.values(), *addresses))), sources
        for sa in self.sas():
            if sa.state in _UNBORN and sa.initiator and self._stranded(sa):
                self._again(sa)
            roaming.roam(sa, sources)

    def _stranded(self, sa: Sa) -> bool:
        """Whether an attempt cannot go on since its address has gone, and the system has another one for it."""
        other = self._sources.get(sa.path.remote_host)
        return sa.path.local_host not in self._host.addresses and other is not None and sa.connection.lives_at(other)

    def _again(self, sa: Sa) -> None:
        """Begin anew where we are now: there is no MOBIKE to move with before IKE_AUTH is over (RFC 4555 3.2)."""
        reason = f"{sa.path.local_host} has gone while {sa.stage} was under way: beginning anew"
        self._host.trace.emit("note", reason, connection=sa.connection.name)
        config, remote, waiting = sa.connection, sa.path.remote_host, list(sa.queue)
        assert sa.goal is not None, "whoever begins wants a child"
        sa.close(reason)
        path = Path(self._sources[remote], config.local_port, remote, config.remote_port)
        anew = self._new(config, path, config.children[sa.goal])
        anew.redirected_from, anew.redirects, anew.instead_of = sa.redirected_from, sa.redirects, sa.instead_of
        anew.queue.extend(waiting)
        self._set_off(anew)

    def move(self, which: Which, local: str | None) -> None:
        """Update the addresses of IKE SAs, from another address of ours where one is named."""
        if local is not None and local not in self._host.addresses:
            raise ConfigError(f"{local} is no address of this host; there are: {', '.join(self._host.addresses)}")
        for sa in self._some(which):
            if sa.mobility is None or sa.state not in UP or sa.replaced:
                raise ConfigError(f"IKE SA {sa.connection.name}[{sa.number}] does not use MOBIKE")
            mobike.turn(sa, replace(sa.path, local_host=local or sa.path.local_host))
