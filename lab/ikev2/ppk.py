"""Postquantum Preshared Keys: a secret that both sides know already is mixed into SK_d, SK_pi and SK_pr (RFC 8784).

    HDR, SAi1, KEi, Ni, N(USE_PPK)                                          -->
                                                            <--  HDR, SAr1, KEr, Nr, N(USE_PPK)
    HDR, SK {IDi, AUTH, N(PPK_IDENTITY), [N(NO_PPK_AUTH),] SAi2, TSi, TSr}  -->
                                                            <--  HDR, SK {IDr, AUTH, N(PPK_IDENTITY), SAr2, TSi, TSr}

    SK_d = prf+ (PPK, SK_d')    SK_pi = prf+ (PPK, SK_pi')    SK_pr = prf+ (PPK, SK_pr')

The primed secrets are those of IKE_SA_INIT. An initiator that can do without sends the AUTH of the primed ones too, in
NO_PPK_AUTH; a responder that has no such PPK takes that one, and says so by leaving PPK_IDENTITY out. Beside EAP these
notifies go with the last AUTH of each side.
"""

from collections.abc import Callable
from dataclasses import replace

from lab.crypto.macs import prf_plus
from lab.errors import ProtocolError
from lab.ike.credentials import SharedSecret
from lab.ikev2.exchange import Payloads
from lab.ikev2.keys import IkeKeys
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Auth, Notify

FIXED = 2  # RFC 8784 5.1: PPK_ID_FIXED, the name of a PPK that both sides were given
_USE_PPK = (Notify(NotifyType.USE_PPK),)


def wish(sa: Sa) -> Payloads:
    """What the initiator says in IKE_SA_INIT where it has a PPK for this connection."""
    return _USE_PPK if sa.connection.ppk_id else ()


def consent(sa: Sa, request: Message) -> Payloads:
    """What the responder answers; it does not know yet who asks, so any PPK of ours counts."""
    sa.ppk_agreed = bool(sa.host.config.credentials.ppks) and request.notify(NotifyType.USE_PPK) is not None
    return _USE_PPK if sa.ppk_agreed else ()


def heard(sa: Sa, answer: Message) -> None:
    """The initiator's look at the answer of IKE_SA_INIT; ProtocolError where the responder must use a PPK."""
    sa.ppk_agreed = bool(wish(sa)) and answer.notify(NotifyType.USE_PPK) is not None
    if sa.connection.ppk_required and not sa.ppk_agreed:
        raise ProtocolError("peer uses no PPK, and `ppk_required = yes`")


def mix(sa: Sa, secret: SharedSecret) -> IkeKeys:
    """From now on SK_d, SK_pi and SK_pr have the PPK in them (3); returns the secrets as they were."""
    old, prf = sa.keys, sa.agreed.prf_spec

    def mixed(key: bytes) -> bytes:
        return prf_plus(prf, secret.secret, key, len(key))

    sa.remix(replace(old, sk_d=mixed(old.sk_d), sk_pi=mixed(old.sk_pi), sk_pr=mixed(old.sk_pr)))
    return old


def name(sa: Sa) -> Notify:
    """PPK_IDENTITY of the initiator."""
    assert sa.connection.ppk_id is not None, "only where a PPK is configured"
    return Notify(NotifyType.PPK_IDENTITY, bytes([FIXED]) + sa.connection.ppk_id.data)


def own(sa: Sa) -> SharedSecret:
    """The initiator's PPK of this connection."""
    wanted = sa.connection.ppk_id
    found = sa.host.config.credentials.ppk(wanted.data) if wanted else None
    if found is None:
        raise ProtocolError(f"no PPK is called {wanted}: `secrets {{ ppk-NAME {{ id secret }} }}` is needed")
    return found


def proven(sa: Sa, auth: Callable[[], Auth]) -> Payloads:
    """The initiator's AUTH by the keys with its PPK and our name for that, where both have said USE_PPK.

    Unless a PPK is required, NO_PPK_AUTH for a responder that has none: what AUTH is by the keys without (5.1).
    """
    if not sa.ppk_agreed:
        return (auth(),)
    spare = () if sa.connection.ppk_required else (Notify(NotifyType.NO_PPK_AUTH, auth().data),)
    sa.unmixed = mix(sa, own(sa))
    return (auth(), name(sa), *spare)


def settled(sa: Sa, answer: Message) -> str:
    """The initiator's look at the answer: a responder without the PPK has us go back to the keys without.

    Where it is required, why that is refused, in words; else empty.
    """
    if sa.unmixed is None or answer.notify(NotifyType.PPK_IDENTITY) is not None:
        return ""
    if sa.connection.ppk_required:
        return f"peer does not use PPK {sa.connection.ppk_id}, and `ppk_required = yes`"
    sa.remix(sa.unmixed)
    return ""


def without(request: Message) -> Message | None:
    """The request as from a peer that uses no PPK: its NO_PPK_AUTH in place of AUTH; None where it has none."""
    auth, spare = request.get(Auth), request.notify(NotifyType.NO_PPK_AUTH)
    if auth is None or spare is None:
        return None
    plain = Auth(auth.method, spare.data)
    return replace(request, payloads=tuple(plain if one is auth else one for one in request.payloads))


def serve(sa: Sa, request: Message) -> tuple[Message, Payloads]:
    """The responder's choice: the request to verify AUTH in, and what its answer says (5.1).

    Raises ProtocolError (AUTHENTICATION_FAILED) where one side insists and the other cannot.
    """
    asked = request.notify(NotifyType.PPK_IDENTITY) if sa.ppk_agreed else None
    found = sa.host.config.credentials.ppk(asked.data[1:]) if asked and asked.data[:1] == bytes([FIXED]) else None
    if found is not None:
        mix(sa, found)
        return request, (Notify(NotifyType.PPK_IDENTITY),)
    if sa.connection.ppk_required:
        reason = "peer names no PPK that we have, and `ppk_required = yes`"
        raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)
    if asked is None:
        return request, ()
    plain = without(request)
    if plain is None:
        reason = "peer insists on a PPK that we do not have"
        raise ProtocolError(reason, NotifyType.AUTHENTICATION_FAILED)
    sa.host.trace.emit("note", "peer names a PPK that we do not have; going on without", connection=sa.connection.name)
    return plain, ()
