"""Negotiating a child, in IKE_AUTH and in CREATE_CHILD_SA alike (RFC 7296 1.2, 1.3.1, 2.9, 2.17).

The initiator offers proposals under an SPI of its own and traffic selectors; the responder chooses, narrows, answers
with its SPI. Keys go to the initiator's direction first. Both install the inbound half before the message leaves that
lets the other use it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from lab.crypto import registry
from lab.crypto.choice import Mismatch, Selected, accept, select
from lab.crypto.proposal import without_ke
from lab.errors import ProtocolError
from lab.ike import explain, nat
from lab.ike.actions import KeyLog
from lab.ike.child import ChildSa
from lab.ike.config import Child
from lab.ike.host import LOWEST_SPI
from lab.ike.live_child import LiveChild
from lab.ike.options import MOST_SELECTORS, Selector
from lab.ike.view import child_keys
from lab.ikev2 import keys
from lab.ikev2 import mode as modes
from lab.ikev2.exchange import Payloads
from lab.ikev2.sa import Sa
from lab.ipsec.selector import narrow
from lab.wire.ids import KeMethod, NotifyType, PayloadType, ProtocolId
from lab.wire.message import Message
from lab.wire.payloads_v2 import SA, TS, Notify, Proposal, TrafficSelector

Selectors = tuple[TrafficSelector, ...]
Sides = tuple[Selectors, Selectors]  # local, remote


@dataclass(frozen=True, slots=True)
class Terms:
    """What both sides agreed on for a child; `declined` says why it is a tunnel where somebody wished otherwise.

    `padded` False: the peer takes no TFC padding (1.3.1).
    """

    chosen: Selected
    ts_local: Selectors
    ts_remote: Selectors
    mode: str = modes.TUNNEL
    declined: str = ""
    padded: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no child. `notify` is what the peer is to hear from us; None where the refusal is the peer's own.

    `heard` is the notify by which the peer refuses.
    """

    reason: str
    notify: NotifyType | None = None
    data: bytes = b""
    heard: NotifyType | None = None

    @property
    def payload(self) -> Notify:
        """The notify that a responder answers with."""
        return Notify(self.notify or NotifyType.NO_PROPOSAL_CHOSEN, self.data)


@dataclass(frozen=True, slots=True)
class Secret:
    """What the keys of a child are made of: [g^ir (new) |] Ni | Nr [| SK(1) ...], and whether we began (2.17).

    `outbound` False keeps the child from sending until the peer shows that it is ready.
    """

    seed: bytes
    initiator: bool
    ke: KeMethod | None = None
    outbound: bool = True


def usable(sa: Sa, config: Child) -> tuple[Proposal, ...]:
    """The configured proposals that can come true under this IKE SA: behind a NAT none of AH."""
    return nat.usable(config.proposals, sa.nat)


def hopeless(sa: Sa, config: Child) -> Refusal | None:
    """Why it is no use to ask for a child."""
    if not usable(sa, config):
        return Refusal(explain.ah_behind_nat(config.name, sa.nat))
    return _no_transport(sa, config, _offered(sa, config))


def _no_transport(sa: Sa, config: Child, sides: Sides) -> Refusal | None:
    """The refusal of selectors that a child configured for transport mode cannot carry."""
    why = modes.misfit(sa.path, *sides) if config.mode == modes.TRANSPORT else ""
    return Refusal(explain.no_transport(config.name, why), NotifyType.TS_UNACCEPTABLE) if why else None


def proposals(sa: Sa, child: LiveChild, *, ke: bool) -> tuple[Proposal, ...]:
    """Our proposals under the child's SPI; IKE_AUTH exchanges no keys, so `ke` False leaves the groups out (1.2)."""
    configured = usable(sa, child.config)
    return tuple(replace(p if ke else without_ke(p), spi=child.spi_in) for p in configured)


def our_selectors(sa: Sa, config: Child) -> Sides:
    """The configured selectors, local and remote; `dynamic` is the address of that side, the virtual ones if any."""
    local, remote = sa.dynamic()
    return _at(config.local_ts, local), _at(config.remote_ts, remote)


def _offered(sa: Sa, config: Child) -> Sides:
    """What an initiator offers: an address that it has yet to get may be any (2.19)."""
    local, remote = our_selectors(sa, config)
    if not sa.wants_address:
        return local, remote
    families = dict.fromkeys("::/0" if vip.version == 6 else "0.0.0.0/0" for vip in sa.connection.vips)
    return _at(config.local_ts, list(families)), remote


def _at(selectors: Iterable[Selector], hosts: list[str]) -> Selectors:
    """Selectors for the wire: `dynamic` once for each of these addresses."""
    found = (s.at(host) for s in selectors for host in (hosts[:1] if s.network else hosts))
    return tuple(islice(found, MOST_SELECTORS))


def offer(sa: Sa, child: LiveChild, *, ke: bool = False, sides: Sides | None = None) -> tuple[Payloads, Payloads]:
    """What an initiator sends: SAi2, and behind nonce and key exchange TSi, TSr and the notifies of the child."""
    local, remote = sides or _offered(sa, child.config)
    return (SA(proposals(sa, child, ke=ke)),), (
        *(() if modes.misfit(sa.path, local, remote) else modes.notify(child.mode)),
        TS(PayloadType.TSi, local),
        TS(PayloadType.TSr, remote),
    )


def check_answer(
    sa: Sa, child: LiveChild, answer: Message, *, ke: bool = False, sides: Sides | None = None
) -> Terms | Refusal:
    """The initiator's look at the answer; a refusal leaves the IKE SA alive."""
    if error := answer.error:
        return Refusal(_refused(sa, child, error), heard=error.notify_type)
    sa_payload, tsi, tsr = answer.get(SA), answer.of(PayloadType.TSi), answer.of(PayloadType.TSr)
    if sa_payload is None or not isinstance(tsi, TS) or not isinstance(tsr, TS):
        return Refusal("peer's answer holds neither a child nor a reason why there is none")
    chosen = accept(proposals(sa, child, ke=ke), sa_payload.proposals)
    if isinstance(chosen, Mismatch):
        return Refusal(f"peer's choice is none of our proposals: {chosen.reason}", NotifyType.NO_PROPOSAL_CHOSEN)
    local, remote = sides or our_selectors(sa, child.config)
    why = modes.misfit(sa.path, local, remote)
    wished = child.mode == modes.TRANSPORT
    if not modes.asked(answer):
        declined = (why or "the peer wants a tunnel") if wished else ""
        agreed = _agree(chosen, (tsi.selectors, local), (tsr.selectors, remote), declined=declined)
        return _heard(agreed, answer)
    if why or not wished:
        return Refusal("peer chose transport mode; we asked for tunnel mode", NotifyType.NO_PROPOSAL_CHOSEN)
    ours, theirs = modes.as_seen(sa.nat, sa.path, tsi.selectors, tsr.selectors)
    return _heard(_agree(chosen, (ours, local), (theirs, remote), modes.TRANSPORT), answer)


def _heard(terms: Terms | Refusal, message: Message) -> Terms | Refusal:
    """The terms with what the peer says of itself beside them."""
    if isinstance(terms, Refusal) or message.notify(NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED) is None:
        return terms
    return replace(terms, padded=False)


def _agree(
    chosen: Selected,
    local: tuple[Selectors, Selectors],
    remote: tuple[Selectors, Selectors],
    mode: str = modes.TUNNEL,
    declined: str = "",
) -> Terms | Refusal:
    """The terms, with the selectors that the peer's and ours have in common, each side given as (peer's, ours)."""
    terms = Terms(chosen, narrow(*local), narrow(*remote), mode, declined)
    for side, common, (theirs, ours) in (("local", terms.ts_local, local), ("remote", terms.ts_remote, remote)):
        if not common:
            return Refusal(explain.unacceptable(side, theirs, ours), NotifyType.TS_UNACCEPTABLE)
    spi = chosen.proposal.spi
    if len(spi) != 4 or int.from_bytes(spi, "big") < LOWEST_SPI:
        return Refusal(f"peer's SPI {spi.hex() or 'of no octets'} is not allowed", NotifyType.NO_PROPOSAL_CHOSEN)
    return terms


def _refused(sa: Sa, child: LiveChild, error: Notify) -> str:
    reason = explain.refused(f"child {child.config.name}", error)
    if error.notify_type == NotifyType.NO_PROPOSAL_CHOSEN:
        return f"{reason} {explain.proposals(usable(sa, child.config))}"
    if error.notify_type == NotifyType.TS_UNACCEPTABLE:
        local, remote = _offered(sa, child.config)
        return f"{reason} (we offer {explain.selectors(local)} to {explain.selectors(remote)})"
    if error.notify_type in (NotifyType.INTERNAL_ADDRESS_FAILURE, NotifyType.FAILED_CP_REQUIRED):
        return f"{reason} {explain.addresses(sa.connection.vips)}"
    return reason


def choose(sa: Sa, request: Message, *, ke: bool = False, only: Child | None = None) -> tuple[Child, Terms] | Refusal:
    """The responder's choice: the first configured child that fits; a refusal leaves the IKE SA alive."""
    refusals: dict[str, Refusal] = {}
    for config in (only,) if only else sa.connection.children.values():
        terms = _fit(sa, config, request, ke=ke)
        if isinstance(terms, Terms):
            return config, terms
        refusals[config.name] = terms
    if not refusals:
        return Refusal(f"connection {sa.connection.name} has no children", NotifyType.TS_UNACCEPTABLE)
    # Selectors lead to the child that was meant, so a mismatch of its proposals tells more than other selectors.
    meant = {name: one for name, one in refusals.items() if one.notify == NotifyType.NO_PROPOSAL_CHOSEN} or refusals
    reasons = [(f"child {name}", one.reason) for name, one in meant.items()]
    return replace(next(iter(meant.values())), reason=explain.each(reasons))


def _fit(sa: Sa, config: Child, request: Message, *, ke: bool) -> Terms | Refusal:
    """What a request and one configured child agree on."""
    sa_payload, tsi, tsr = request.get(SA), request.of(PayloadType.TSi), request.of(PayloadType.TSr)
    if sa_payload is None or not isinstance(tsi, TS) or not isinstance(tsr, TS):
        raise ProtocolError("request for a child without SA or traffic selectors", NotifyType.INVALID_SYNTAX)
    local, remote = our_selectors(sa, config)
    (theirs_local, theirs_remote), mode, declined = _mode(sa, config, request, (tsr.selectors, tsi.selectors))
    common = narrow(theirs_local, local), narrow(theirs_remote, remote)
    for side, both, theirs, own in zip(
        ("local", "remote"), common, (theirs_local, theirs_remote), (local, remote), strict=True
    ):
        if not both:
            return Refusal(explain.unacceptable(side, theirs, own), NotifyType.TS_UNACCEPTABLE)
    if refusal := _no_transport(sa, config, common):
        return refusal
    ours, offered = usable(sa, config), sa_payload.proposals
    if sa.nat.detected and (not ours or all(one.protocol == ProtocolId.AH for one in offered)):
        return Refusal(explain.ah_behind_nat(config.name, sa.nat), NotifyType.NO_PROPOSAL_CHOSEN)
    if not ke:
        ours, offered = tuple(map(without_ke, ours)), tuple(map(without_ke, offered))
    chosen = select(ours, offered)
    if isinstance(chosen, Mismatch):
        return Refusal(chosen.reason, NotifyType.NO_PROPOSAL_CHOSEN)
    return _heard(_agree(chosen, (theirs_local, local), (theirs_remote, remote), mode, declined), request)


def _mode(sa: Sa, config: Child, request: Message, offered: Sides) -> tuple[Sides, str, str]:
    """The responder's mode: the peer's selectors as that mode sees them, the mode, and why it is not the wish."""
    asked, configured = modes.asked(request), config.mode == modes.TRANSPORT
    if asked and configured:
        return modes.as_seen(sa.nat, sa.path, *offered), modes.TRANSPORT, ""
    whose = "the peer wants" if configured else f"child {config.name} is configured for"
    return offered, modes.TUNNEL, f"{whose} a tunnel" if asked or configured else ""


def answer(child: LiveChild, terms: Terms) -> tuple[Payloads, Payloads]:
    """What a responder sends: SAr2 under its own SPI, and behind nonce and key exchange TSi, TSr and the notifies."""
    return (SA((replace(terms.chosen.proposal, spi=child.spi_in),)),), (
        *modes.notify(terms.mode),
        TS(PayloadType.TSi, terms.ts_remote),
        TS(PayloadType.TSr, terms.ts_local),
    )


def install(sa: Sa, child: LiveChild, terms: Terms, secret: Secret) -> None:
    """Derive the keys of an agreed child and put it into the data plane."""
    chosen = terms.chosen
    if terms.declined:
        sa.host.trace.emit("note", f"child {child.config.name} is no transport mode: {terms.declined}")
    encr = registry.normal(chosen.encr) if chosen.encr else None
    cut = keys.child_keys(sa.agreed.prf_spec, sa.keys.sk_d, secret.seed, encr=encr, integ=chosen.integ)
    to_responder, to_initiator = (cut.encr_i, cut.integ_i), (cut.encr_r, cut.integ_r)
    incoming, outgoing = (to_initiator, to_responder) if secret.initiator else (to_responder, to_initiator)
    keyed = ChildSa(
        name=child.config.name,
        spi_in=child.spi_in,
        spi_out=chosen.proposal.spi,
        protocol=ProtocolId(chosen.proposal.protocol),
        mode=terms.mode,
        encr=encr,
        integ=chosen.integ,
        esn=chosen.esn,
        key_encr_in=incoming[0],
        key_integ_in=incoming[1],
        key_encr_out=outgoing[0],
        key_integ_out=outgoing[1],
        ts_local=terms.ts_local,
        ts_remote=terms.ts_remote,
        path=sa.esp_path,
        encap=sa.nat.detected,
        reqid=child.reqid,
        ke=secret.ke,
        replay_window=child.config.replay_window,
        ike_spi_i=sa.spi_i,
        limits=child.limits(sa.host),
        tfc_padding=_tfc_padding(child.config, terms),
        copy_df=child.config.copy_df,
        if_id_in=child.config.if_id_in,
        if_id_out=child.config.if_id_out,
    )
    sa.install(child, keyed, outbound=secret.outbound)
    if sa.host.keylog:
        for entry in child_keys(keyed):
            sa.host.act(KeyLog(entry))


def _tfc_padding(config: Child, terms: Terms) -> int:
    """What inner packets are filled up to: only a tunnel of ESP can tell the padding from the packet (RFC 4303 2.7)."""
    fits = terms.mode == modes.TUNNEL and terms.chosen.proposal.protocol == ProtocolId.ESP
    return config.tfc_padding if fits and terms.padded else 0
