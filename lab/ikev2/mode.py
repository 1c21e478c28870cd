"""Transport or tunnel mode of a child (RFC 7296 1.3.1), and its selectors behind a NAT (2.23.1).

    initiator   USE_TRANSPORT_MODE, TSi and TSr of exactly one address each: the ends of the IKE SA
    responder   the same notify back, or tunnel mode by leaving it out

In transport mode the addresses of a packet are those of the IKE SA, so selectors that name others cannot go with it. A
child that is configured for both is none: an initiator does not ask for it, a responder answers TS_UNACCEPTABLE.

What selectors transport mode can carry, and how they look behind a NAT, is in `lab.ike.mode`.
"""

from lab.ike.mode import TRANSPORT, TUNNEL, Selectors, as_seen, misfit
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify

__all__ = ["TRANSPORT", "TUNNEL", "Selectors", "as_seen", "asked", "misfit", "notify"]


def asked(message: Message) -> bool:
    """Whether a message holds USE_TRANSPORT_MODE."""
    return message.notify(NotifyType.USE_TRANSPORT_MODE) is not None


def notify(mode: str) -> tuple[Notify, ...]:
    """What asks for a mode or agrees to it; nothing stands for tunnel mode."""
    return (Notify(NotifyType.USE_TRANSPORT_MODE),) if mode == TRANSPORT else ()
