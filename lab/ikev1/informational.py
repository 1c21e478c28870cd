"""Informational: one message, authenticated by HASH(1), that nothing answers (RFC 2408 4.8, RFC 2409 5.7).

    HDR*, HASH(1), N | D  -->

Delete tells and does not ask: who sends it has taken the SA out already, and its SPIs are those it received with
(RFC 2408 3.15). R-U-THERE and its answer are two exchanges (RFC 3706 5).
"""

from functools import partial

from lab.ike.live_child import LiveChild
from lab.ike.states import IkeState
from lab.ikev1 import explain, phase2
from lab.ikev1.exchange import Exchange, Step
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import ExchangeType1, NotifyType1, Protocol1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import Delete1, Notify1

INFORMATIONAL = ExchangeType1.INFORMATIONAL


def _protected(sa: Sa, message_id: int, *payloads: Notify1 | Delete1) -> Step:
    return Step(INFORMATIONAL, phase2.hashed(sa, message_id, payloads), repeat=False)


def _nothing_follows() -> Exchange:
    """Makes a generator of a function that only returns the one message there is."""
    yield from ()
    return None


# -- what we tell


def delete_child(sa: Sa, message_id: int, child: LiveChild, reason: str = "deleted by us") -> Exchange:
    """HDR*, HASH(1), D(ESP or AH, SPI)  -->; the SPI that we receive with."""
    yield from _nothing_follows()
    if not child.alive or child.spi_in not in sa.children:
        return None
    protocol = Protocol1(child.keyed.protocol) if child.sa else Protocol1.ESP
    sa.drop_child(child, reason)
    return _protected(sa, message_id, Delete1(protocol, (child.spi_in,)))


def end(sa: Sa, reason: str = "deleted by us") -> None:
    """Delete an ISAKMP SA and its children: each has a message of its own, since charon heeds one Delete in each."""
    for child in sa.children.values():
        if child.sa is not None:
            sa.start(partial(delete_child, child=child, reason=reason))
    sa.start(partial(_delete_ike, reason=reason))


def _delete_ike(sa: Sa, message_id: int, reason: str) -> Exchange:
    """HDR*, HASH(1), D(ISAKMP, CKY-I | CKY-R)  -->."""
    yield from _nothing_follows()
    step = _protected(sa, message_id, Delete1(Protocol1.ISAKMP, (sa.spi_i + sa.spi_r,)))
    sa.close(reason)
    return step


def are_you_there(sa: Sa, message_id: int) -> Exchange:
    """HDR*, HASH(1), N(R-U-THERE, number)  -->."""
    yield from _nothing_follows()
    settings = sa.host.config.settings
    number = sa.dpd.ask(sa.host.now, settings, 1 + int.from_bytes(sa.host.random(2), "big"))
    return _protected(sa, message_id, _dpd(sa, NotifyType1.R_U_THERE, number.to_bytes(4, "big")))


def _there(sa: Sa, message_id: int, number: bytes) -> Exchange:
    """HDR*, HASH(1), N(R-U-THERE-ACK, number)  -->."""
    yield from _nothing_follows()
    return _protected(sa, message_id, _dpd(sa, NotifyType1.R_U_THERE_ACK, number))


def _dpd(sa: Sa, kind: NotifyType1, number: bytes) -> Notify1:
    return Notify1(kind, number, spi=sa.spi_i + sa.spi_r)


def refusal(sa: Sa, message_id: int, kind: NotifyType1, spi: bytes = b"") -> Step:
    """N(error), protected where there are keys; `spi` names the SA of phase 2 that it is about."""
    named = Notify1(kind, protocol=Protocol1.ESP, spi=spi) if spi else Notify1(kind, spi=sa.spi_i + sa.spi_r)
    if sa.cipher is None:
        return Step(INFORMATIONAL, (named,), encrypted=False, repeat=False)
    return _protected(sa, message_id, named)


# -- what we are told


def responder(sa: Sa, message: Message1) -> str | None:
    """Heed what an authentic Informational tells; the reason in words where it refuses an exchange of ours."""
    for notify in message.all(Notify1):
        _notified(sa, notify)
    for delete in message.all(Delete1):
        _deleted(sa, delete)
    error = message.error
    if error is None:
        return None
    reason = explain.refused(error)
    if sa.state is IkeState.CONNECTING:
        sa.fail(reason)
    return reason


def _notified(sa: Sa, notify: Notify1) -> None:
    if notify.notify_type == NotifyType1.R_U_THERE and sa.usable:
        sa.start(partial(_there, number=notify.data))
    elif notify.notify_type == NotifyType1.R_U_THERE_ACK and len(notify.data) == 4:
        if not sa.dpd.answered(int.from_bytes(notify.data, "big")):
            sa.host.trace.drop("R-U-THERE-ACK that answers no question of ours")
    elif notify.notify_type == NotifyType1.INITIAL_CONTACT and sa.usable:
        sa.forget_twins()


def _deleted(sa: Sa, delete: Delete1) -> None:
    """Take out what the peer has taken out; after a phase 1 anew its children may be under another SA of ours."""
    if delete.protocol in (Protocol1.ESP, Protocol1.AH):
        for owner in (sa, *sa.heirs()):
            keyed = [c for c in owner.children.values() if c.sa and int(c.keyed.protocol) == int(delete.protocol)]
            for child in [c for c in keyed if c.keyed.spi_out in delete.spis]:
                child.quiet = child.quiet or owner.stand_in(child) is not None
                owner.drop_child(child, "deleted by the peer")
    elif delete.protocol == Protocol1.ISAKMP and (sa.spi_i + sa.spi_r) in delete.spis and sa.alive:
        if sa.waits_for_xauth:
            sa.fail("deleted by the peer before XAUTH was over")
        else:
            sa.close("deleted by the peer")
