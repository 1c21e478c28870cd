"""A child under way: its state, its SPI, and what is known of its successors."""

from lab.ike.child import ChildSa, Limits
from lab.ike.collisions import Collisions
from lab.ike.config import Child
from lab.ike.host import Host
from lab.ike.states import CHILD_MOVES, ChildState, Lifecycle


class LiveChild:
    """A child from the moment its SPI is chosen to its end; `sa` is set once it has keys.

    `standby` says that nothing is sent through it yet, `successor` names the child that replaces it, and `quiet` that
    it does not count yet (made by rekeying, and not known to be the one that replaces), so that its end is no event.
    `mode` is the one to ask for, which a child that rekeys another takes over from it.
    """

    def __init__(self, host: Host, config: Child, spi_in: bytes, reqid: int) -> None:
        self.config, self.spi_in, self.reqid = config, spi_in, reqid
        self.life = Lifecycle(f"child {config.name} {spi_in.hex()}", ChildState.CREATED, CHILD_MOVES, host.trace)
        self.sa: ChildSa | None = None
        self.standby = self.quiet = False
        self.mode = config.mode
        self.successor: LiveChild | None = None
        self.collisions: Collisions[LiveChild] = Collisions()
        self.rekey_at: float | None = None
        self.expire_at: float | None = None

    @property
    def state(self) -> ChildState:
        """The state of now."""
        return self.life.state

    @property
    def keyed(self) -> ChildSa:
        """The keyed child; only for children that are or were installed."""
        assert self.sa is not None, f"{self.life.subject} has no keys yet"
        return self.sa

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.state is not ChildState.GONE

    @property
    def awaited(self) -> bool:
        """Whether it is made, but has no keys yet."""
        return self.state is ChildState.CREATED

    @property
    def up(self) -> bool:
        """Whether it is installed and not on its way out."""
        return self.state in (ChildState.INSTALLED, ChildState.REKEYING)

    def limits(self, host: Host) -> Limits:
        """How much it may carry by the configuration; the soft limits are drawn at random, as times are."""
        config = self.config
        life_bytes = config.life_bytes or config.rekey_bytes * 11 // 10
        life_packets = config.life_packets or config.rekey_packets * 11 // 10
        return Limits(
            _drawn(host, config.rekey_bytes, life_bytes, config.rand_bytes),
            _drawn(host, config.rekey_packets, life_packets, config.rand_packets),
            life_bytes,
            life_packets,
        )

    def lives_from(self, host: Host) -> None:
        """Set the times of rekeying and of the end by the configuration; the first is drawn at random (2.8)."""
        config, now = self.config, host.now
        life = config.life_time or config.rekey_time * 1.1
        if config.rekey_time:
            spread = config.rand_time if config.rand_time >= 0 else max(0.0, life - config.rekey_time)
            self.rekey_at = now + max(0.0, config.rekey_time - spread * host.fraction())
        if life:
            self.expire_at = now + life


def _drawn(host: Host, rekey: int, life: int, rand: int) -> int:
    """A soft limit: up to `rand` (where that is not set, the room up to the hard limit) less than configured."""
    if not rekey:
        return 0
    return max(1, rekey - int((rand if rand >= 0 else max(0, life - rekey)) * host.fraction()))
