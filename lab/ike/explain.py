"""Refusals in words: what did not match, seen from our side. Every sentence can stand alone in a report."""

from collections.abc import Iterable, Sequence

from lab.crypto import proposal
from lab.crypto.certificates import Certificate
from lab.crypto.schemes import Scheme, keyword
from lab.crypto.signatures import PublicKey
from lab.ike.credentials import Identity, identities_of
from lab.ike.means import Means
from lab.ike.nat import NatSituation
from lab.wire.ids import AuthMethod, HashAlgorithm, NotifyType
from lab.wire.payloads_v2 import Auth, Notify, Proposal, TrafficSelector

_MEANINGS = {
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: "it does not know a payload that we marked critical",
    NotifyType.INVALID_SYNTAX: "it could not make sense of our message",
    NotifyType.NO_PROPOSAL_CHOSEN: "none of our proposals is acceptable to it",
    NotifyType.INVALID_KE_PAYLOAD: "it wants another key exchange method",
    NotifyType.AUTHENTICATION_FAILED: "it does not accept our identity or our proof of it",
    NotifyType.TS_UNACCEPTABLE: "none of our traffic selectors is acceptable to it",
    NotifyType.TEMPORARY_FAILURE: "it is busy with another exchange on the same SA",
    NotifyType.CHILD_SA_NOT_FOUND: "it does not have the child that we name",
    NotifyType.STATE_NOT_FOUND: "it waits no longer for our additional key exchanges, or never did",
    NotifyType.NO_ADDITIONAL_SAS: "it allows no further children",
    NotifyType.SINGLE_PAIR_REQUIRED: "it wants a single pair of addresses",
    NotifyType.INTERNAL_ADDRESS_FAILURE: "it has no address to assign",
    NotifyType.FAILED_CP_REQUIRED: "it expected a configuration request",
    NotifyType.INVALID_MAJOR_VERSION: "it does not speak this version of IKE",
    NotifyType.INVALID_IKE_SPI: "it does not know this IKE SA",
    NotifyType.UNACCEPTABLE_ADDRESSES: "it does not want to be reached or to reach us at these addresses",
    NotifyType.UNEXPECTED_NAT_DETECTED: "a NAT is in the way, and none is allowed",
    NotifyType.INVALID_SELECTORS: "a packet did not fit the selectors of its SA",
}


def refused(what: str, notify: Notify) -> str:
    """`peer refuses IKE_AUTH: AUTHENTICATION_FAILED, it does not accept our identity or our proof of it`."""
    meaning = _MEANINGS.get(notify.notify_type)
    return f"peer refuses {what}: {notify.notify_type.name}" + (f", {meaning}" if meaning else "")


def proposals(offered: Iterable[Proposal]) -> str:
    """`(we offer aes256gcm16-prfsha384-x25519)`, to stand behind a refusal."""
    return f"(we offer {', '.join(proposal.render(one) for one in offered)})"


def claimed(local: Identity | None, means: Means, wanted: Identity | None) -> str:
    """`(we call ourselves left, proven by a pre-shared key, and ask for right)`, behind a refusal of who we are."""
    asked = f", and ask for {wanted}" if wanted else ""
    return f"(we call ourselves {local}, proven by {means}{asked})"


def addresses(wanted: Sequence[object]) -> str:
    """`(we ask for 0.0.0.0)`, behind a refusal of a virtual address."""
    return f"(we ask for {', '.join(map(str, wanted)) or 'none'})"


def another_method(wanted: str, sent: str) -> str:
    """The responder takes our proposal and wants the key of another method in it (RFC 7296 1.2)."""
    return f"peer wants a key for {wanted}; we sent one for {sent}, and send anew"


def each(reasons: Sequence[tuple[str, str]]) -> str:
    """Why none of several will do, each reason behind its name; a single one needs no name."""
    return "; ".join(f"{name}: {why}" for name, why in reasons) if len(reasons) > 1 else reasons[0][1]


def served(local: Identity | None, remote: Identity | None, name: str) -> str:
    """`gw (we as right, peer as left)`: whom a connection is for."""
    return f"{name} (we as {local or 'anybody'}, peer as {remote or 'anybody'})"


def ah_behind_nat(child: str, nat: NatSituation) -> str:
    """Why a child of AH alone cannot be (RFC 3715 2.1 a, RFC 3948 1)."""
    where = " and ".join(end for end, there in (("us", nat.local), ("the peer", nat.remote)) if there)
    return (
        f"child {child} wants AH, and there is a NAT before {where}: it changes addresses that the ICV of AH covers, "
        "so every packet would fail its check, and AH has no form in UDP"
    )


def no_transport(child: str, why: str) -> str:
    """Why a child cannot be in the transport mode that it is configured for (RFC 7296 1.3.1)."""
    return (
        f"child {child} is configured for transport mode, and {why}: in transport mode a packet keeps its addresses, "
        "so they must be the two ends of the IKE SA; set mode = tunnel, or local_ts and remote_ts to dynamic"
    )


def selectors(ours: Sequence[TrafficSelector]) -> str:
    """`10.1.0.0/24, 10.3.0.0/24`."""
    return ", ".join(str(selector) for selector in ours)


def unacceptable(side: str, offered: Sequence[TrafficSelector], allowed: Sequence[TrafficSelector]) -> str:
    """Which selectors have nothing in common."""
    return f"peer offers {side} {selectors(offered) or 'nothing that we know'}; we allow {selectors(allowed)}"


def no_secret(local: Identity, remote: Identity) -> str:
    """No pre-shared key for a pair of identities."""
    return f"we hold no pre-shared key for local {local} and remote {remote}"


def no_connection(remote: Identity, wanted: Identity | None, known: Iterable[str]) -> str:
    """The identities that the peer names are in no connection of ours."""
    asked = f" and asks for {wanted}" if wanted else ""
    return f"peer calls itself {remote}{asked}; connections at this address: {', '.join(known) or 'none'}"


def wrong_proof(remote: Identity) -> str:
    """AUTH does not verify with the shared key."""
    return f"AUTH of {remote} does not verify: its pre-shared key is not ours"


def wrong_null() -> str:
    """AUTH of a peer that proves nothing does not even belong to this IKE SA."""
    return "AUTH (NULL) of the peer does not verify: it was not made with SK_pi or SK_pr of this IKE SA"


def other_means(remote: Identity, auth: Auth, means: Means) -> str:
    """The peer proves itself by something that its connection does not allow, or not at all."""
    if auth.method == AuthMethod.NULL:
        return f"peer proves nothing (NULL authentication); we take {means}"
    return f"{remote} proves itself by {auth.method.name}; we take {means}"


def wrong_signature(remote: Identity, key: PublicKey, schemes: Sequence[Scheme]) -> str:
    """AUTH does not verify with the key of the peer's certificate."""
    tried = ", ".join(map(str, schemes))
    return f"AUTH of {remote} does not verify: it was not signed ({tried}) with the key {key} of its certificate"


def not_named(remote: Identity, certificate: Certificate) -> str:
    """The certificate belongs to somebody else."""
    return f"peer calls itself {remote}; its certificate is that of {identities_of(certificate)}"


def not_allowed(remote: Identity, key: PublicKey, schemes: Sequence[Scheme], means: Means) -> str:
    """The key or the scheme of the peer's signature is none that its connection allows."""
    return f"{remote} signs with a key {key} by {schemes[0]}; we take {means}"


def no_scheme(key: PublicKey, means: Means, heard: Iterable[HashAlgorithm]) -> str:
    """We cannot sign with any hash that the peer lists."""
    theirs = ", ".join(keyword(digest) for digest in sorted(heard)) or "none"
    return f"peer takes signatures with the hashes {theirs}; by {means} and with a key {key} we use none of them"
