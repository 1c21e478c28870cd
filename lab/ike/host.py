"""What an endpoint lends to its SAs: configuration, randomness, the time of the call, and where actions go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.ike.actions import Action, Event
from lab.ike.config import Child, Config, Connection
from lab.ike.impair.row import Impairment
from lab.ike.path import Path
from lab.ike.pool import Pool
from lab.ike.tickets import Held, Mint
from lab.trace import Trace

if TYPE_CHECKING:
    from lab.ike.sa import IkeSa

Random = Callable[[int], bytes]
Resolve = Callable[[str], Sequence[str]]

# SPIs 1 to 255 are reserved by IANA, 0 marks IKE on port 4500 (RFC 4303 2.1, RFC 3948 2.2).
LOWEST_SPI = 256


def no_names(name: str) -> Sequence[str]:
    """For hosts that look no names up."""
    return ()


@dataclass(frozen=True, slots=True)
class Detour:
    """An IKE SA to begin elsewhere, since the gateway of `old` redirected us: along which path, for which children."""

    old: "IkeSa"
    path: Path
    children: tuple[Child, ...]


@dataclass(slots=True)
class Host:
    """One per endpoint. `now` is set at every entry; SAs never ask a clock. `epoch` is when `now` was zero, in seconds
    since 1970: certificates are valid by that clock. `ike_sas` is keyed by the SPI that we chose, and `touched` holds
    those of the SAs whose deadlines or state the call in progress changed. `born` are new IKE SAs that a rekeying made
    and that are not in the table yet, `restart` are children whose peer was silent and that are to be made anew,
    `detours` are IKE SAs to begin with other gateways. `local` are our own addresses as far as they are known for
    beginning an IKE SA, `addresses` all those of this host. `held` are the tickets that gateways gave us, by
    connection, `mint` makes those that we give. `pools` are the virtual addresses to lend, by the name of the pool; the
    number of an IKE SA is what holds a lease. `resolve` gives the addresses of a name without waiting for anybody, none
    where it does not know it. `impairments` are what is still to be sent wrongly.
    """

    config: Config
    random: Random
    trace: Trace
    keylog: bool = False
    epoch: float = 0.0
    local: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    resolve: Resolve = no_names
    now: float = 0.0
    actions: list[Action] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    child_spis: set[bytes] = field(default_factory=set)
    ike_sas: "dict[bytes, IkeSa]" = field(default_factory=dict)
    reqids: int = 0
    numbers: int = 0
    born: "list[IkeSa]" = field(default_factory=list)
    restart: list[tuple[Connection, Child]] = field(default_factory=list)
    detours: list[Detour] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)
    touched: list[bytes] = field(default_factory=list)
    pools: dict[str, Pool] = field(default_factory=dict)
    mint: Mint = field(init=False)
    impairments: list[Impairment] = field(init=False)

    def __post_init__(self) -> None:
        most = self.config.settings.max_ike_sas
        self.pools = {name: Pool(config.addrs, most) for name, config in self.config.pools.items()}
        self.mint = Mint(self.random, self.config.settings.ticket_lifetime)
        self.impairments = list(self.config.settings.impair)

    @property
    def wall_clock(self) -> float:
        """The time of the call in progress in seconds since 1970."""
        return self.epoch + self.now

    def act(self, action: Action) -> None:
        """Append an action to those that the call in progress returns."""
        self.actions.append(action)

    def tell(self, name: str, /, **fields: object) -> None:
        """Report an event; events come behind all actions of the call."""
        self.events.append(Event(name, fields))

    def touch(self, spi: bytes) -> None:
        """The IKE SA with this SPI of ours has to be looked at before the call ends."""
        if spi not in self.touched:
            self.touched.append(spi)

    def take(self) -> list[Action]:
        """The actions of the call in progress, then its events."""
        taken = [*self.actions, *self.events]
        self.actions.clear()
        self.events.clear()
        return taken

    def new_child_spi(self) -> bytes:
        """A 4-octet SPI that no child of this endpoint receives with; give it back with `release`."""
        while True:
            spi = self.random(4)
            if int.from_bytes(spi, "big") >= LOWEST_SPI and spi not in self.child_spis:
                self.child_spis.add(spi)
                return spi

    def release(self, spi: bytes) -> None:
        """An SPI from `new_child_spi` is free again."""
        self.child_spis.discard(spi)

    def new_ike_spi(self) -> bytes:
        """An 8-octet SPI that is not zero and that no IKE SA of this endpoint has."""
        while True:
            spi = self.random(8)
            if spi != bytes(8) and spi not in self.ike_sas:
                return spi

    def new_number(self) -> int:
        """The number of an IKE SA, from 1."""
        self.numbers += 1
        return self.numbers

    def fraction(self) -> float:
        """A random number from 0 up to, but without, 1."""
        return int.from_bytes(self.random(4), "big") / 2**32

    def new_reqid(self) -> int:
        """The number of a child's policies, from 1."""
        self.reqids += 1
        return self.reqids
