"""What leaves an endpoint: frozen values, carried out by the caller in the order given.

The inbound half of a child is installed before the reply that lets the peer use it, so `InstallChild` stands before
that `Send`. Events stand behind the actions they tell of.
"""

from dataclasses import dataclass, field

from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.ike.virtual import Address

__all__ = [
    "Action", "AddAddress", "Event", "InstallChild", "KeyLog", "MoveChild", "Path", "RemoveAddress", "RemoveChild",
    "Send", "UseChild",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Send:
    """Send this UDP payload as it stands (the non-ESP marker is part of it where the path wants one)."""

    data: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class InstallChild:
    """Put both directions of a child into the data plane.

    Where `outbound` is False it stands by: packets leave through it only from the first that comes in, or from
    `UseChild` on, because the peer may not be ready to receive on it yet (RFC 7296 2.8).
    """

    child: ChildSa
    outbound: bool = True


@dataclass(frozen=True, slots=True)
class UseChild:
    """From now on send through the child that we receive under this SPI."""

    spi_in: bytes


@dataclass(frozen=True, slots=True)
class RemoveChild:
    """Take the child that we receive under this SPI out of the data plane, both directions."""

    spi_in: bytes


@dataclass(frozen=True, slots=True)
class MoveChild:
    """From now on the child that we receive under this SPI goes along another path, and in UDP or not (`encap`)."""

    spi_in: bytes
    path: Path
    encap: bool


@dataclass(frozen=True, slots=True)
class AddAddress:
    """A virtual address is ours: put it on this host, before the children that use it (RFC 7296 2.19)."""

    address: Address


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    """The virtual address is no longer ours; the children that used it have gone."""

    address: Address


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person or a driver waits for.

    Names: `ike-up`, `ike-down`, `ike-rekeyed`, `child-up`, `child-down`, `child-rekeyed`, `configured`, `moved`,
    `not-moved`, `redirected`, `failed`. Every event has the field `connection`; `failed` has `stage` and `reason` in
    words, and `child` where a child failed; `not-moved` has a `reason`, `redirected` the `gateway` as the peer named it
    and the new `path`.
    """

    name: str
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyLog:
    """Secret keys of one IKE SA or of one direction of a child, for the evidence (schema ikelab.keys/1)."""

    entry: dict[str, object] = field(repr=False)


Action = Send | InstallChild | UseChild | RemoveChild | MoveChild | AddAddress | RemoveAddress | Event | KeyLog
