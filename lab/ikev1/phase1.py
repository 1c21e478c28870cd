"""What Main Mode and Aggressive Mode share: proposals, NAT discovery, keys, identities and proofs (RFC 2409 5).

    HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b)
    HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b)

`_b` is the body of a payload as it was sent, its generic header left out.
"""

from collections.abc import Sequence
from dataclasses import replace

from lab.crypto.choice import Mismatch
from lab.errors import ProtocolError
from lab.ike import explain as words
from lab.ike.config import Connection
from lab.ike.credentials import Identity
from lab.ike.nat import NatSituation, detect, nat_hash
from lab.ike.path import Path
from lab.ikev1 import explain, keys, proof, proposals, succession, vendor, xauth
from lab.ikev1.exchange import Check, Payloads
from lab.ikev1.sa import Sa
from lab.wire.header import NO_SPI
from lab.wire.ids import IdType, KeMethod
from lab.wire.ids_v1 import IdType1, NotifyType1, Phase1
from lab.wire.message_v1 import Message1, Payload1
from lab.wire.payloads_v1 import ID1, KE1, SA1, NatD, Nonce1, Notify1, VendorId1


def has(*kinds: type[Payload1]) -> Check:
    """The check that a message holds one payload of each of these kinds."""

    def check(message: Message1) -> str:
        try:
            for kind in kinds:
                message.need(kind)
        except ProtocolError as error:
            return error.reason
        return ""

    return check


# -- SA


def offer(sa: Sa) -> SA1:
    """SAi, kept as SAi_b."""
    made = proposals.phase1(
        sa.connection.proposals, proof.methods(sa.connection, initiator=True), seconds(sa.connection)
    )
    if not made.proposals[0].transforms:
        raise ProtocolError(f"IKEv1 has no numbers for {words.proposals(sa.connection.proposals)}")
    sa.sai = made.encode()
    return made


def offer_of_one_group(sa: Sa) -> tuple[SA1, KeMethod]:
    """SAi of Aggressive Mode, whose transforms all name the group of its KE payload: the first of ours."""
    whole = offer(sa).proposals[0]
    group = whole.transforms[0].get(Phase1.GROUP)
    same = [transform for transform in whole.transforms if transform.get(Phase1.GROUP) == group]
    made = SA1((replace(whole, transforms=tuple(replace(t, number=n) for n, t in enumerate(same, 1))),))
    sa.sai = made.encode()
    return made, KeMethod(group or 0)


def seconds(connection: Connection) -> int:
    """How long an ISAKMP SA of this connection lives."""
    over = connection.over_time if connection.over_time >= 0 else connection.rekey_time / 10
    return int(connection.rekey_time + over) if connection.rekey_time else 0


def accepted(sa: Sa, offered: SA1, answer: Message1) -> None:
    """The initiator's look at the responder's choice and at what it announces."""
    chosen = proposals.accept(offered, answer.need(SA1), sa.connection.proposals, phase=1)
    if isinstance(chosen, Mismatch):
        raise ProtocolError(f"peer's choice is none of our proposals: {chosen.reason}", NotifyType1.NO_PROPOSAL_CHOSEN)
    if answer.header.spi_r == NO_SPI:
        raise ProtocolError("peer answers without a cookie of its own", NotifyType1.INVALID_COOKIE)
    sa.spi_r = answer.header.spi_r
    _agree(sa, chosen, answer)


def choose(sa: Sa, request: Message1) -> Payloads:
    """The responder's choice, and what it says of itself."""
    offered = request.need(SA1)
    chosen = proposals.choose_phase1(sa.connection.proposals, offered, proof.methods(sa.connection, initiator=False))
    if isinstance(chosen, Mismatch):
        raise ProtocolError(chosen.reason, NotifyType1.NO_PROPOSAL_CHOSEN)
    sa.sai = offered.encode()
    _agree(sa, chosen, request)
    return (SA1((chosen.proposal,)), *vendor.answer(sa.nat_numbers, xauth=sa.xauth))


def _agree(sa: Sa, chosen: proposals.Agreed, message: Message1) -> None:
    method = chosen.transform.get(Phase1.AUTHENTICATION)
    sa.negotiated = chosen.suite(next(m for m in proof.methods(sa.connection, initiator=sa.initiator) if m == method))
    sa.lifetime = chosen.transform.get(Phase1.LIFE_DURATION) or 0 if chosen.transform.get(Phase1.LIFE_TYPE) == 1 else 0
    vendors = tuple(message.all(VendorId1))
    sa.nat_numbers = vendor.nat_numbers(sa.host.config.settings, vendors)
    sa.dpd.announced = vendor.speaks_dpd(vendors)


def connection_for(connections: Sequence[Connection], request: Message1, path: Path) -> Connection:
    """The first connection for these addresses that can agree to a transform; who asks is not known yet."""
    offered = request.need(SA1)
    if not connections:
        reason = f"no IKEv1 connection for {path.remote_host} at {path.local_host}"
        raise ProtocolError(reason, NotifyType1.NO_PROPOSAL_CHOSEN)
    agreeing = (
        c for c in connections
        if isinstance(
            proposals.choose_phase1(c.proposals, offered, proof.methods(c, initiator=False)), proposals.Agreed
        )
    )  # fmt: skip
    return next(agreeing, connections[0])


# -- NAT-D (RFC 3947 3.2)


def nat_discovery(sa: Sa) -> Payloads:
    """The hash of the far end, then that of our own; with `encap = yes` a false one, so that the peer sees a NAT."""
    if sa.nat_numbers is None:
        return ()
    path = sa.path
    ends = (path.remote_host, path.remote_port), (path.local_host, 0 if sa.connection.encap else path.local_port)
    return tuple(NatD(nat_hash(*sa.cookies, *end, sa.agreed.hash), sa.nat_numbers.nat_d) for end in ends)


def discovered(sa: Sa, message: Message1) -> None:
    """What the peer's NAT-D payloads tell."""
    found = [payload.data for payload in message.all(NatD)]
    sa.nat = detect(sa.cookies, sa.path, found[1:], found[:1], sa.agreed.hash)
    if sa.nat.spoken and sa.connection.encap:
        sa.nat = NatSituation(spoken=True, local=True, remote=sa.nat.remote)


# -- keys


def derive(sa: Sa, shared: bytes, *, peer: Identity | None = None) -> None:
    """SKEYID and what follows from it; `peer` names whose pre-shared key it is where that is known already."""
    prf = sa.agreed.prf_spec
    if proof.signed(sa.agreed.method):
        skeyid = keys.skeyid_signature(prf, sa.nonces, shared)
    else:
        skeyid = keys.skeyid_psk(prf, proof.secret(sa, peer), sa.nonces)
    sa.adopt(keys.ike_keys(sa.agreed, skeyid, shared, sa.spi_i + sa.spi_r, sa.gxi + sa.gxr))


def heard_values(sa: Sa, message: Message1) -> bytes:
    """Take the peer's nonce; its public value."""
    nonce, public = message.need(Nonce1).data, message.need(KE1).data
    if sa.initiator:
        sa.nr, sa.gxr = nonce, public
    else:
        sa.ni, sa.gxi = nonce, public
    return public


# -- identities and proofs


def own_id(sa: Sa) -> ID1:
    """IDii or IDir of ours, kept for the HASH."""
    sa.local_id = proof.own_identity(sa)
    payload = ID1(IdType1(sa.local_id.id_type), sa.local_id.data)
    if sa.initiator:
        sa.idi = payload.encode()
    else:
        sa.idr = payload.encode()
    return payload


def peer_id(sa: Sa, message: Message1) -> Identity:
    """Take IDii or IDir of the peer's, kept for the HASH."""
    payload = message.need(ID1)
    if sa.initiator:
        sa.idr = payload.encode()
    else:
        sa.idi = payload.encode()
    return Identity(IdType(payload.id_type), payload.data)


def hash_of(sa: Sa, *, initiator: bool) -> bytes:
    """HASH_I or HASH_R."""
    ours, theirs = (sa.gxi, sa.gxr) if initiator else (sa.gxr, sa.gxi)
    cookies = sa.spi_i + sa.spi_r if initiator else sa.spi_r + sa.spi_i
    octets = ours + theirs + cookies + sa.sai + (sa.idi if initiator else sa.idr)
    return proof.prf(sa).compute(sa.keys.skeyid, octets)


def prove(sa: Sa) -> Payloads:
    """[CERT,] HASH or SIG of ours; behind our ID."""
    return proof.prove(sa, hash_of(sa, initiator=sa.initiator))


def verify(sa: Sa, peer: Identity, message: Message1) -> None:
    """Check who the peer is and its proof; ProtocolError in words."""
    meant(sa, peer)
    if reason := proof.refusal(sa, peer, hash_of(sa, initiator=not sa.initiator), message):
        raise ProtocolError(reason, NotifyType1.AUTHENTICATION_FAILED)
    sa.remote_id = peer


def meant(sa: Sa, peer: Identity) -> None:
    """Hold the peer's identity against the connection; a responder may find that another of its own is meant."""
    if peer.matches(sa.connection.remote.id):
        return
    if not sa.initiator:
        other = next((c for c in _others(sa) if peer.matches(c.remote.id)), None)
        if other is not None:
            sa.connection = other
            return
    reason = words.no_connection(peer, None, [c.name for c in _others(sa)])
    if sa.initiator:
        reason = explain.wrong_identity(peer, sa.connection.remote.id)
    raise ProtocolError(reason, NotifyType1.INVALID_ID_INFORMATION)


def _others(sa: Sa) -> list[Connection]:
    path, config = sa.path, sa.host.config
    mine = proof.methods(sa.connection, initiator=False)
    return [
        c for c in config.connections
        if c.version == sa.version and c.serves(path.local_host, path.remote_host)
        and proof.methods(c, initiator=False) == mine
        and c.aggressive == sa.connection.aggressive and c.local.id == sa.connection.local.id
    ]  # fmt: skip


def first_contact(sa: Sa) -> Payloads:
    """N(INITIAL-CONTACT) where we have no other SA with this peer (RFC 2407 4.6.3.3)."""
    if not sa.first_contact:
        return ()
    return (Notify1(NotifyType1.INITIAL_CONTACT, spi=sa.spi_i + sa.spi_r),)


def establish(sa: Sa, message: Message1) -> None:
    """Phase 1 is over: come up, or where a user is to prove itself too, wait until XAUTH is over."""
    sa.over_at, sa.initial_contact = sa.host.now, message.notify(NotifyType1.INITIAL_CONTACT) is not None
    if not sa.xauth:
        succession.come_up(sa)
    elif sa.connection.remote.xauth:
        sa.put_first(xauth.request)
