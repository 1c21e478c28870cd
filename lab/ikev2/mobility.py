"""What an IKE SA with MOBIKE knows of addresses, and how addresses are listed in messages (RFC 4555 3.4, 3.6, 4.2).

A list replaces the one before. It may be as long as the peer likes, so only the first `MOST_ADDRESSES` that a host can
have are kept; we list no more of ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from lab.ike.path import PORT_NAT_T, Path
from lab.trace import Trace
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify

MOST_ADDRESSES = 8
_LISTS = {NotifyType.ADDITIONAL_IP4_ADDRESS: 4, NotifyType.ADDITIONAL_IP6_ADDRESS: 16}
_KINDS = {4: NotifyType.ADDITIONAL_IP4_ADDRESS, 6: NotifyType.ADDITIONAL_IP6_ADDRESS}


@dataclass(slots=True)
class Mobility:
    """Shared by an IKE SA and those that rekeying puts in its place.

    `initiator` is who began the first of them: it alone decides on addresses (RFC 4555 1.3, 2.1). `esp` is the path of
    the children, which follow the IKE SA later. `peer` are the peer's addresses, `told` those of ours that it knows of.
    `change` counts changes of the path, so that an answer to what went before one is known; `settled` is the one that
    the children have followed, and `waiting` says that an exchange about the newest has yet to begin. `seen` is where
    the peer last saw us, as it says in NAT_DETECTION_DESTINATION_IP, and the SPI of ours that went into that hash.
    `retries` counts answers of UNEXPECTED_NAT_DETECTED in a row, and `refused` holds the peer's addresses that it does
    not take since the last change of ours.
    """

    initiator: bool
    esp: Path
    peer: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    change: int = 0
    settled: int = 0
    waiting: bool = False
    seen: tuple[bytes, bytes] | None = None
    retries: int = 0
    refused: set[str] = field(default_factory=set)

    def others(self, current: str) -> list[str]:
        """The peer's addresses without the one in use."""
        return [host for host in self.peer if host != current]


def listed(addresses: Sequence[str]) -> tuple[Notify, ...]:
    """The notifies that list addresses beside the one in the IP header."""
    if not addresses:
        return (Notify(NotifyType.NO_ADDITIONAL_ADDRESSES),)
    found = map(ip_address, addresses)
    return tuple(Notify(_KINDS[address.version], address.packed) for address in found)


def read(message: Message, trace: Trace) -> tuple[str, ...] | None:
    """The addresses that a message lists; None where it says nothing of them. What is no address is passed over."""
    notifies = [n for n in message.all(Notify) if n.notify_type in _LISTS]
    if not notifies and message.notify(NotifyType.NO_ADDITIONAL_ADDRESSES) is None:
        return None
    found = list(dict.fromkeys(_addresses(notifies, trace)))
    if len(found) > MOST_ADDRESSES:
        trace.emit("note", f"peer lists {len(found)} addresses, the first {MOST_ADDRESSES} are kept")
    return tuple(found[:MOST_ADDRESSES])


def _addresses(notifies: Iterable[Notify], trace: Trace) -> Iterable[str]:
    for notify in notifies:
        if len(notify.data) != _LISTS[notify.notify_type]:
            trace.drop(f"{notify.notify_type.name} of {len(notify.data)} octets")
            continue
        address = ip_address(notify.data)
        if address.is_multicast or address.is_loopback or address.is_unspecified or address.is_link_local:
            trace.drop(f"{notify.notify_type.name} that nobody can be reached at: {address}")
            continue
        yield str(address)


def toward(path: Path, host: str, *, floated: bool) -> Path:
    """The path to another address of the peer's, from whichever of ours leads there; `floated` to port 4500."""
    if host == path.remote_host:
        return path
    other = replace(path, local_host="", remote_host=host)
    return replace(other.floated(), remote_port=PORT_NAT_T) if floated else other
