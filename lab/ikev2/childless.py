"""Childless initiation: IKE_AUTH without a child, all children come by CREATE_CHILD_SA (RFC 6023).

    HDR, SAi1, KEi, Ni       -->    <--  HDR, SAr1, KEr, Nr, N(CHILDLESS_IKEV2_SUPPORTED)
    HDR, SK {IDi, AUTH}      -->    <--  HDR, SK {IDr, AUTH}

`childless` of a connection: `allow` takes it from a peer, `never` does not, `prefer` also begins so where the responder
says that it can, `force` begins and takes no other way.
"""

from functools import partial

from lab.errors import ProtocolError
from lab.ike.config import Child
from lab.ikev2 import create_child_sa
from lab.ikev2.child_sa import Refusal
from lab.ikev2.exchange import Payloads
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import SA, Notify

_SUPPORTED = Notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED)


def supported(sa: Sa) -> Payloads:
    """What the responder says in IKE_SA_INIT."""
    return () if sa.connection.childless == "never" else (_SUPPORTED,)


def heard(sa: Sa, answer: Message) -> None:
    """Whether IKE_AUTH goes without a child; ProtocolError where it must and the responder cannot."""
    able = answer.notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED) is not None
    if sa.connection.childless == "force" and not able:
        raise ProtocolError("peer takes no IKE SA without a child, and `childless = force`")
    sa.childless = able and sa.connection.childless in ("prefer", "force")


def first_child(sa: Sa) -> Child | None:
    """The child that goes with IKE_AUTH, if there is one."""
    return sa.connection.children[sa.goal] if sa.goal and not sa.childless else None


def follow(sa: Sa) -> None:
    """The child that IKE_AUTH left out, with the first CREATE_CHILD_SA."""
    if sa.childless and sa.goal:
        sa.start(partial(create_child_sa.initiator, config=sa.connection.children[sa.goal]))


def check(sa: Sa, request: Message) -> None:
    """Raise ProtocolError (INVALID_SYNTAX) where a peer leaves the child out of IKE_AUTH and we said that we cannot."""
    if request.get(SA) is None and sa.connection.childless == "never":
        reason = "peer wants an IKE SA without a child, and `childless = never`"
        raise ProtocolError(reason, NotifyType.INVALID_SYNTAX)


def refusal(sa: Sa) -> Refusal | None:
    """Why the responder makes no child that was asked for with IKE_AUTH."""
    if sa.connection.childless != "force":
        return None
    return Refusal("peer wants a child with IKE_AUTH, and `childless = force`", NotifyType.NO_PROPOSAL_CHOSEN)
