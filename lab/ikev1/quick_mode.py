"""Quick Mode: a pair of IPsec SAs in three messages, as many at a time as one likes (RFC 2409 5.5).

    initiator                                              responder
    HDR*, HASH(1), SA, Ni, [KE], IDci, IDcr, [NAT-OA]  -->
                                                       <--  HDR*, HASH(2), SA, Nr, [KE], IDci, IDcr, [NAT-OA]
    HDR*, HASH(3)                                      -->

With KE both sides make a new secret (perfect forward secrecy), without it the keys follow from those of phase 1. There
is no narrowing: the responder takes the selectors as they are, or none. A new Quick Mode for what there is already is
how IKEv1 rekeys: it is known by its selectors alone.

Nobody acknowledges the third message, so each side receives on the new SAs before it lets the other send there: the
responder with its answer, the initiator before its last message.
"""

from dataclasses import dataclass, replace
from functools import partial

from lab.crypto import registry
from lab.crypto.choice import Mismatch
from lab.crypto.groups import KeyPair
from lab.errors import ProtocolError
from lab.ike import explain as words
from lab.ike import lending, nat
from lab.ike import mode as modes
from lab.ike.actions import KeyLog
from lab.ike.child import ChildSa
from lab.ike.config import Child
from lab.ike.host import LOWEST_SPI
from lab.ike.live_child import LiveChild
from lab.ike.states import ChildState
from lab.ike.view import child_keys
from lab.ikev1 import informational, keys, phase2, proposals, selectors
from lab.ikev1.exchange import Exchange, ExchangeTimeout, Payloads, Step
from lab.ikev1.proposals import Agreed
from lab.ikev1.sa import Sa, Switch
from lab.ipsec.selector import contains
from lab.wire.ids import KeMethod, ProtocolId
from lab.wire.ids_v1 import ExchangeType1, IdType1, Mode1, NotifyType1, Phase2, Protocol1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import ID1, KE1, SA1, NatOa, Nonce1
from lab.wire.payloads_v2 import Proposal, TrafficSelector

QUICK_MODE = ExchangeType1.QUICK_MODE
# Under one ISAKMP SA at the wish of the peer.
MOST_CHILDREN = 1000
# Seconds after which a new child is used at the latest where the peer has not shown that it receives on it.
SWITCH = 1.0
Pair = tuple[TrafficSelector, TrafficSelector]  # local, remote


@dataclass(frozen=True, slots=True)
class Terms:
    """What both sides agreed on for a child."""

    agreed: Agreed
    spi_out: bytes
    pair: Pair
    mode: str
    ni: bytes
    nr: bytes
    shared: bytes = b""


# -- the initiator


def initiator(sa: Sa, message_id: int, config: Child, old: LiveChild | None = None) -> Exchange:
    """RFC 2409 5.5    SA, Ni --> <-- SA, Nr    HASH(3) -->; with `old`, which it then replaces."""
    if old is not None and (not old.alive or old.successor is not None):
        return None
    child = sa.new_child(config, old.reqid if old else 0)
    child.quiet = old is not None
    if old is not None and old.state is ChildState.INSTALLED:
        old.life.become(ChildState.REKEYING)
    try:
        last = yield from _initiate(sa, message_id, child, old)
    except (ProtocolError, ExchangeTimeout) as error:
        reason = error.reason if isinstance(error, ProtocolError) else str(error)
        sa.failed(reason, config.name, stage=QUICK_MODE.name, asked=True)
        sa.drop_child(child, reason)
        if old is not None and old.state is ChildState.REKEYING:
            old.life.become(ChildState.INSTALLED)
        return None
    return last


def _initiate(sa: Sa, message_id: int, child: LiveChild, old: LiveChild | None) -> Exchange:
    pair, mode = _offered(sa, child)
    ours = _usable(sa, child.config)
    possible = proposals.groups(ours)
    if not possible:
        raise ProtocolError(f"IKEv1 has no numbers for {words.proposals(ours)}")
    group = possible[0]
    key = registry.group(group).generate(sa.host.random) if group else None
    offer = proposals.phase2(ours, child.spi_in, wire_mode(sa, mode), seconds(child.config), group)
    ni = sa.new_nonce()
    ids = tuple(map(selectors.to_id, pair))
    front: Payloads = (
        offer,
        Nonce1(ni),
        *((KE1(key.public),) if key else ()),
        *ids,
        *original_addresses(sa, mode, asked=True),
    )
    answer = yield Step(
        QUICK_MODE,
        phase2.hashed(sa, message_id, front),
        check=lambda message: phase2.unauthentic(sa, message, ni),
    )
    terms = _answered(sa, child, offer, answer, (pair, mode, ni, key))
    if old is not None and not old.alive:
        old = None
    install(sa, child, terms, outbound=old is None)
    if old is None:
        sa.child_up(child)
    else:
        succeed(sa, old, child)
    return Step(QUICK_MODE, (phase2.last_hash(sa, message_id, ni + terms.nr),), repeat=False)


def _usable(sa: Sa, config: Child) -> tuple[Proposal, ...]:
    """The configured proposals that can come true; ProtocolError in words where none can."""
    if found := nat.usable(config.proposals, sa.nat):
        return found
    raise ProtocolError(words.ah_behind_nat(config.name, sa.nat), NotifyType1.NO_PROPOSAL_CHOSEN)


def _offered(sa: Sa, child: LiveChild) -> tuple[Pair, str]:
    """The first selector of each side, and the mode; ProtocolError where that mode cannot carry them."""
    config = child.config
    local, remote = sa.dynamic()
    pair = config.local_ts[0].at(local[0]), config.remote_ts[0].at(remote[0])
    for side, configured in (("local_ts", config.local_ts), ("remote_ts", config.remote_ts)):
        if len(configured) > 1:
            sa.host.trace.emit(
                "note", f"child {config.name}: IKEv1 has room for one selector; of {side} the first goes"
            )
    if child.mode != modes.TRANSPORT:
        return pair, modes.TUNNEL
    if why := modes.misfit(sa.path, pair[:1], pair[1:]):
        raise ProtocolError(words.no_transport(config.name, why), NotifyType1.INVALID_ID_INFORMATION)
    return pair, modes.TRANSPORT


def _answered(
    sa: Sa, child: LiveChild, offer: SA1, answer: Message1, asked: tuple[Pair, str, bytes, KeyPair | None]
) -> Terms:
    """The initiator's look at the answer; ProtocolError in words."""
    pair, mode, ni, key = asked
    chosen = proposals.accept(offer, answer.need(SA1), _usable(sa, child.config), phase=2)
    if isinstance(chosen, Mismatch):
        raise ProtocolError(f"peer's choice is none of our proposals: {chosen.reason}", NotifyType1.NO_PROPOSAL_CHOSEN)
    ids = list(answer.all(ID1))
    if ids and mode == modes.TUNNEL and [i.encode() for i in ids] != [selectors.to_id(s).encode() for s in pair]:
        theirs = ", ".join(str(selectors.of_id(i)) for i in ids)
        raise ProtocolError(f"peer answers with the selectors {theirs}", NotifyType1.INVALID_ID_INFORMATION)
    shared = key.shared(answer.need(KE1).data) if key else b""
    return Terms(chosen, _spi(chosen), pair, mode, ni, answer.need(Nonce1).data, shared)


def spi_of(step: Step) -> bytes:
    """The SPI that a first message of ours offers; empty where it offers none."""
    offer = next((payload for payload in step.payloads if isinstance(payload, SA1)), None)
    return offer.proposals[0].spi if offer else b""


# -- the responder


def responder(sa: Sa, first: Message1) -> Exchange:
    """RFC 2409 5.5    --> SA, Ni    SA, Nr <--    --> HASH(3)."""
    if len(sa.children) >= MOST_CHILDREN:
        raise ProtocolError(f"{len(sa.children)} children, no more are taken", NotifyType1.NO_PROPOSAL_CHOSEN)
    if sa.virtual.lends and not sa.virtual.remote:
        raise ProtocolError(lending.missing(sa), NotifyType1.INVALID_ID_INFORMATION)
    message_id = first.header.message_id
    config, terms, public = _accept(sa, first)
    old = _same(sa, config, terms.pair)
    child = sa.new_child(config, old.reqid if old else 0)
    child.quiet = True
    install(sa, child, terms, outbound=False)
    answer = SA1((replace(terms.agreed.proposal, spi=child.spi_in),))
    ids = tuple(first.all(ID1))
    exchanged = (KE1(public),) if public else ()
    originals = original_addresses(sa, terms.mode, asked=False)
    back: Payloads = (answer, Nonce1(terms.nr), *exchanged, *ids, *originals)
    try:
        yield Step(
            QUICK_MODE,
            phase2.hashed(sa, message_id, back, terms.ni),
            check=lambda message: phase2.wrong_last(sa, message, terms.ni + terms.nr),
        )
    except ExchangeTimeout as error:
        sa.failed(str(error), config.name, stage=QUICK_MODE.name, asked=False)
        sa.drop_child(child, str(error))
        return None
    if not child.alive:
        return None
    if old is not None and old.alive and old.successor is None:
        if old.state is ChildState.INSTALLED:
            old.life.become(ChildState.REKEYED)
        old.rekey_at = None
        sa.replace(old, child)
    else:
        child.quiet = False
        sa.use(child)
        sa.child_up(child)
    return None


def _accept(sa: Sa, first: Message1) -> tuple[Child, Terms, bytes]:
    """The first configured child that fits, what was agreed, and our public value; ProtocolError in words."""
    refusal = ProtocolError(f"connection {sa.connection.name} has no children", NotifyType1.INVALID_ID_INFORMATION)
    offered = _selectors(sa, first)
    # Selectors are not narrowed, so a child that is configured for just these goes before one that has more.
    for config in sorted(sa.connection.children.values(), key=lambda one: not _meant(sa, one, offered)):
        try:
            return config, *_fit(sa, config, first, offered)
        except ProtocolError as error:
            # Selectors lead to the child that was meant, so what follows them tells more.
            if refusal.notify != NotifyType1.NO_PROPOSAL_CHOSEN:
                refusal = error
    raise refusal


def _meant(sa: Sa, config: Child, offered: Pair) -> bool:
    """Whether a child has the peer's selectors, ours first, octet for octet."""
    sides = zip((config.local_ts, config.remote_ts), sa.dynamic(), offered, strict=True)
    return all(any(one.at(host) == wanted for one in own for host in hosts) for own, hosts, wanted in sides)


def _selectors(sa: Sa, first: Message1) -> Pair:
    """The peer's selectors, ours first; without ID payloads the ends of the ISAKMP SA (RFC 2409 5.5)."""
    ids = list(first.all(ID1))
    if len(ids) == 2:
        return selectors.of_id(ids[1]), selectors.of_id(ids[0])
    if ids:
        raise ProtocolError(f"{len(ids)} ID payloads in QUICK_MODE, 0 or 2 allowed", NotifyType1.PAYLOAD_MALFORMED)
    local, remote = (TrafficSelector.of_network(host) for host in (sa.path.local_host, sa.path.remote_host))
    return local, remote


def _fit(sa: Sa, config: Child, first: Message1, offered: Pair) -> tuple[Terms, bytes]:
    offer = first.need(SA1)
    wishes = {p.transforms[0].get(Phase2.MODE) for p in offer.proposals if p.transforms}
    wanted = modes.TRANSPORT if wishes & set(_TRANSPORT) else modes.TUNNEL
    if wanted == modes.TRANSPORT and config.mode == modes.TRANSPORT:
        local, remote = modes.as_seen(sa.nat, sa.path, offered[:1], offered[1:])
        offered = local[0], remote[0]
    local_hosts, remote_hosts = sa.dynamic()
    allowed = (
        [selector.at(host) for selector in config.local_ts for host in local_hosts],
        [selector.at(host) for selector in config.remote_ts for host in remote_hosts],
    )
    for side, theirs, ours in zip(("local", "remote"), offered, allowed, strict=True):
        if not any(contains(one, theirs) for one in ours):
            raise ProtocolError(words.unacceptable(side, (theirs,), ours), NotifyType1.INVALID_ID_INFORMATION)
    why = modes.misfit(sa.path, offered[:1], offered[1:]) if config.mode == modes.TRANSPORT else ""
    if why:
        raise ProtocolError(words.no_transport(config.name, why), NotifyType1.INVALID_ID_INFORMATION)
    if sa.nat.detected and all(p.protocol == Protocol1.AH for p in offer.proposals):
        raise ProtocolError(words.ah_behind_nat(config.name, sa.nat), NotifyType1.NO_PROPOSAL_CHOSEN)
    chosen = proposals.choose_phase2(_usable(sa, config), offer, (wire_mode(sa, config.mode),))
    if isinstance(chosen, Mismatch):
        raise ProtocolError(chosen.reason, NotifyType1.NO_PROPOSAL_CHOSEN)
    public, shared = _exchange(sa, chosen, first)
    ni, nr = first.need(Nonce1).data, sa.new_nonce()
    return Terms(chosen, _spi(chosen), offered, config.mode, ni, nr, shared), public


def _exchange(sa: Sa, chosen: Agreed, first: Message1) -> tuple[bytes, bytes]:
    """Our public value and the new secret, or nothing of both without PFS."""
    group, given = chosen.selected.ke, first.get(KE1)
    if (group is None) != (given is None):
        has = "a key exchange" if given else "no key exchange"
        raise ProtocolError(f"peer sends {has}, and its proposal says otherwise", NotifyType1.INVALID_KEY_INFORMATION)
    if group is None or given is None:
        return b"", b""
    return registry.group(group).respond(sa.host.random, given.data)


def _same(sa: Sa, config: Child, pair: Pair) -> LiveChild | None:
    """The child with the same selectors that a new one replaces: the youngest that nothing has replaced yet."""
    fitting = [
        c for c in sa.children.values()
        if c.config is config and c.up and c.successor is None and not c.quiet
        and (c.keyed.ts_local, c.keyed.ts_remote) == ((pair[0],), (pair[1],))
    ]  # fmt: skip
    return fitting[-1] if fitting else None


# -- both


_TRANSPORT = (Mode1.TRANSPORT, Mode1.UDP_TRANSPORT, Mode1.UDP_TRANSPORT_DRAFT)


def wire_mode(sa: Sa, mode: str) -> Mode1:
    """The encapsulation mode that stands for a mode on this SA: in UDP where there is a NAT (RFC 3947 5.1)."""
    numbers = sa.nat_numbers if sa.nat.detected else None
    if mode == modes.TRANSPORT:
        return numbers.transport if numbers else Mode1.TRANSPORT
    return numbers.tunnel if numbers else Mode1.TUNNEL


def original_addresses(sa: Sa, mode: str, *, asked: bool) -> Payloads:
    """NAT-OAi and NAT-OAr: in transport mode behind a NAT, the addresses as we see them (RFC 3947 5.2).

    `asked` says whether this Quick Mode is ours.
    """
    if mode != modes.TRANSPORT or not sa.nat.detected or sa.nat_numbers is None:
        return ()
    ours, theirs = (TrafficSelector.of_network(host).start for host in (sa.path.local_host, sa.path.remote_host))
    packed = (ours, theirs) if asked else (theirs, ours)
    kinds = {4: IdType1.ID_IPV4_ADDR, 6: IdType1.ID_IPV6_ADDR}
    return tuple(NatOa(kinds[host.version], host.packed, sa.nat_numbers.nat_oa) for host in packed)


def seconds(config: Child) -> int:
    """How long a child lives."""
    return int(config.life_time or config.rekey_time * 1.1)


def _spi(agreed: Agreed) -> bytes:
    spi = agreed.proposal.spi
    if len(spi) != 4 or int.from_bytes(spi, "big") < LOWEST_SPI:
        raise ProtocolError(f"peer's SPI {spi.hex() or 'of no octets'} is not allowed", NotifyType1.INVALID_SPI)
    return spi


def succeed(sa: Sa, old: LiveChild, new: LiveChild) -> None:
    """The initiator's side of a rekeying: the new child waits for the peer's first packet, the old one for its end."""
    new.quiet = False
    if old.state in (ChildState.INSTALLED, ChildState.REKEYING):
        old.life.become(ChildState.REKEYED)
    old.rekey_at = None
    delete = partial(informational.delete_child, child=old, reason="rekeyed")
    sa.switching.append(Switch(sa.host.now + SWITCH, old, new, delete))


def install(sa: Sa, child: LiveChild, terms: Terms, *, outbound: bool) -> None:
    """Derive the keys of both directions and put the child into the data plane."""
    chosen = terms.agreed.selected
    protocol, encr = ProtocolId(terms.agreed.proposal.protocol), registry.normal(chosen.encr) if chosen.encr else None
    integ = registry.integ(chosen.integ.id).key_octets if chosen.integ else 0
    size = registry.encr(encr).keymat_octets if encr else 0
    made = []
    for spi in (child.spi_in, terms.spi_out):
        seed = keys.keymat_seed(protocol, spi, terms.ni + terms.nr, terms.shared)
        made.append(keys.keymat(sa.agreed.prf_spec, sa.keys.skeyid_d, seed, size + integ))
    keyed = ChildSa(
        name=child.config.name,
        spi_in=child.spi_in,
        spi_out=terms.spi_out,
        protocol=protocol,
        mode=terms.mode,
        encr=encr,
        integ=chosen.integ,
        esn=chosen.esn,
        key_encr_in=made[0][:size],
        key_integ_in=made[0][size:],
        key_encr_out=made[1][:size],
        key_integ_out=made[1][size:],
        ts_local=(terms.pair[0],),
        ts_remote=(terms.pair[1],),
        path=sa.path,
        encap=sa.nat.detected,
        reqid=child.reqid,
        ke=KeMethod(chosen.ke) if chosen.ke else None,
        replay_window=child.config.replay_window,
        ike_spi_i=sa.spi_i,
        copy_df=child.config.copy_df,
        if_id_in=child.config.if_id_in,
        if_id_out=child.config.if_id_out,
    )
    sa.install(child, keyed, outbound=outbound)
    if sa.host.keylog:
        for entry in child_keys(keyed):
            sa.host.act(KeyLog(entry))
