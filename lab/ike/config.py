"""swanctl.conf subset -> Connection, Child, Credentials, Settings. Every default is here; unknown keys are errors.

The keys mean what they mean to strongSwan, so that one text serves both. What swanctl.conf has no place for stands in a
section `ikelab { }` of ours, whose keys carry the names of strongswan.conf.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from lab.crypto import proposal
from lab.crypto.certificates import Certificate
from lab.errors import ConfigError
from lab.ike import options, pool_config, secrets_config, versions, xauth_config
from lab.ike.child import TO_THE_MTU
from lab.ike.credentials import NOBODY, Credentials, Identity
from lab.ike.files import FileReader, Files, no_files
from lab.ike.gre import Gre, tunnels
from lab.ike.impair import table as impairments
from lab.ike.impair.row import Impairment
from lab.ike.means import PRE_SHARED_KEY, Means
from lab.ike.options import Selector
from lab.ike.path import PORT
from lab.ike.pool_config import PoolConfig
from lab.ike.swanctl import Section, parse
from lab.wire.gateway import Gateway
from lab.wire.ids import ProtocolId, TransformType
from lab.wire.payloads_v2 import Proposal

MOST_PROPOSALS = 255  # their number is one octet
MOST_DUMMIES = 10000.0  # a second


def _proposals(value: str, protocol: ProtocolId) -> tuple[Proposal, ...]:
    """A list of proposals, numbered from 1; the word `default` stands for ours."""
    texts = [part.strip() for part in value.split(",") if part.strip()]
    if len(texts) > MOST_PROPOSALS:
        raise ValueError(f"{len(texts)} proposals, an SA payload numbers at most {MOST_PROPOSALS}")
    return proposal.parse_all(texts, protocol)


def ike_proposals(value: str) -> tuple[Proposal, ...]:
    """Proposals for the IKE SA, in order of preference."""
    return _proposals(value, ProtocolId.IKE)


def esp_proposals(value: str) -> tuple[Proposal, ...]:
    """Proposals for ESP, in order of preference."""
    return _proposals(value, ProtocolId.ESP)


def ah_proposals(value: str) -> tuple[Proposal, ...]:
    """Proposals for AH, in order of preference."""
    return _proposals(value, ProtocolId.AH)


# How many packets the user-space data plane moves at once, from the most to the least (lab/backends/offload.py).
OFFLOADS = ("super-packets", "udp", "none")
# The documents of NAT traversal in IKEv1, the one that goes first in front.
NAT_T_DOCUMENTS = ("rfc3947", "draft-03", "draft-02")


@dataclass(frozen=True, slots=True)
class Settings:
    """The section `ikelab`: what holds for the whole endpoint. Times in seconds."""

    retransmit_timeout: float = 4.0
    retransmit_base: float = 1.8
    retransmit_tries: int = 5
    keep_alive: float = 20.0
    half_open_timeout: float = 30.0
    half_open_limit: int = 1000
    block_threshold: int = 5
    cookie_threshold: int = 30
    cookie_lifetime: float = 60.0
    window_size: int = 1
    fragment_size: int = 1280
    signature_authentication: bool = True
    nat_traversal: bool = True
    nat_t_documents: tuple[str, ...] = NAT_T_DOCUMENTS
    quick_modes: int = 2
    return_routability: bool = True
    max_ike_sas: int = 10000
    follow_redirects: bool = True
    offload: str = OFFLOADS[0]
    ticket_lifetime: float = 3600.0
    tls_version_min: str = "1.2"
    tls_version_max: str = "1.3"
    dummy_rate: float = 0.0
    impair: tuple[Impairment, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """`local { }` or `remote { }`: how one side proves who it is; `id` None is `%any`.

    `eap_id` is the name in EAP: of the user where it is local; where it is remote, `%any` asks the peer for it, a name
    is taken as the peer's, and without one its IKE identity is. `xauth`: this side also proves itself by XAUTH, by
    the name `xauth_id` (empty: its IKE identity; of a peer, any).

    `certs` are our own certificates, or those of the peer that are trusted as they are; without `cacerts` every CA of
    the section `authorities` may have issued the peer's. `revocation` = strict wants a valid CRL for each certificate.
    """

    auth: Means = PRE_SHARED_KEY
    id: Identity | None = None
    eap_id: str = ""
    xauth: bool = False
    xauth_id: str = ""
    certs: tuple[Certificate, ...] = ()
    cacerts: tuple[Certificate, ...] = ()
    revocation: str = "relaxed"

    @property
    def eap(self) -> bool:
        """Whether this side proves itself by EAP."""
        return self.auth.eap


@dataclass(frozen=True, slots=True)
class Child:
    """`children.NAME { }`; `esp_proposals` has our defaults only where `ah_proposals` has nothing."""

    name: str
    local_ts: tuple[Selector, ...] = (Selector(None),)
    remote_ts: tuple[Selector, ...] = (Selector(None),)
    esp_proposals: tuple[Proposal, ...] = ()
    ah_proposals: tuple[Proposal, ...] = ()
    mode: str = "tunnel"
    start_action: str = "none"
    dpd_action: str = "clear"
    rekey_time: float = 3600.0
    life_time: float = 0.0
    rand_time: float = -1.0
    replay_window: int = 32
    reqid: int = 0
    tfc_padding: int = 0
    copy_df: str = "yes"
    if_id_in: int = 0
    if_id_out: int = 0
    rekey_bytes: int = 0
    life_bytes: int = 0
    rand_bytes: int = -1
    rekey_packets: int = 0
    life_packets: int = 0
    rand_packets: int = -1

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """What is offered, ESP first, numbered from 1 throughout (RFC 7296 3.3.1)."""
        both = (*self.esp_proposals, *self.ah_proposals)
        return tuple(replace(one, number=number) for number, one in enumerate(both, 1))


@dataclass(frozen=True, slots=True)
class Connection:
    """`connections.NAME { }`: how to speak with one peer or a group of peers; empty addresses mean any.

    `vips` are the virtual addresses that we ask for as initiator (the unspecified one: any), `pools` what we lend from;
    without `pull`, which is IKEv1's, the responder gives them without being asked.
    """

    name: str
    version: int = 2
    local_addrs: tuple[str, ...] = ()
    remote_addrs: tuple[str, ...] = ()
    local_port: int = PORT
    remote_port: int = PORT
    proposals: tuple[Proposal, ...] = ()
    local: AuthConfig = AuthConfig()
    remote: AuthConfig = AuthConfig()
    children: dict[str, Child] = field(default_factory=dict)
    dpd_delay: float = 0.0
    encap: bool = False
    ppk_id: Identity | None = None
    ppk_required: bool = False
    childless: str = "allow"
    send_certreq: bool = True
    send_cert: str = "ifasked"
    unique: str = "no"
    rekey_time: float = 14400.0
    over_time: float = -1.0
    rand_time: float = -1.0
    fragmentation: str = "yes"
    aggressive: bool = False
    vips: tuple[IPv4Address | IPv6Address, ...] = ()
    pools: tuple[PoolConfig, ...] = ()
    pull: bool = True
    mobike: bool = True
    redirect_to: Gateway | None = None
    redirect_in: str = "ike_sa_init"
    resumption: bool = False

    def lives_at(self, local: str) -> bool:
        """Whether this address of ours may be used for it."""
        return _among(local, self.local_addrs)

    def serves(self, local: str, remote: str) -> bool:
        """Whether this connection takes a peer at these addresses."""
        return self.lives_at(local) and _among(remote, self.remote_addrs)


# Only what a configuration says comes here, over and over.
_network = lru_cache(ip_network)


def _among(host: str, allowed: tuple[str, ...]) -> bool:
    if not allowed or host in allowed:
        return True
    address = ip_address(host)
    return any(address in _network(entry) for entry in allowed)


@dataclass(frozen=True, slots=True)
class Config:
    """All that an endpoint is configured with; `kernel_only` are the errors that settings of XFRM are elsewhere."""

    connections: tuple[Connection, ...] = ()
    credentials: Credentials = field(default_factory=Credentials)
    settings: Settings = Settings()
    pools: dict[str, PoolConfig] = field(default_factory=dict)
    gre: tuple[Gre, ...] = ()
    kernel_only: tuple[ConfigError, ...] = ()

    def child(self, name: str) -> tuple[Connection, Child] | None:
        """The child of this name and the first connection that has it."""
        return next(((c, c.children[name]) for c in self.connections if name in c.children), None)


def fragment_size(value: str) -> int:
    """Octets of an IP packet with an IKE fragment; 0 leaves it to the address family.

    The least leaves room for content under every algorithm and both IP versions.
    """
    return 0 if value == "0" else int(options.within(options.number, 256, 65535)(value))  # type: ignore[call-overload]


def tfc_padding(value: str) -> int:
    """Octets, or the word `mtu`."""
    if value == "mtu":
        return TO_THE_MTU
    return int(str(options.within(options.number, 0, 65535)(value)))


# Of a connection they hold for each of its children that has none of its own.
_INTERFACE: dict[str, options.Reader] = dict.fromkeys(("if_id_in", "if_id_out"), options.interface_id)
_CONNECTION: dict[str, options.Reader] = {
    # Keys with one allowed word say what this stack does today; a peer may do more.
    "version": options.one_of("0", "1", "2"),
    "aggressive": options.yes_no,
    "local_addrs": options.addresses,
    "remote_addrs": options.addresses,
    "local_port": options.within(options.number, 1, 65535),
    "remote_port": options.within(options.number, 1, 65535),
    "proposals": ike_proposals,
    "dpd_delay": options.seconds,
    "dpd_timeout": options.seconds,
    "encap": options.yes_no,
    "ppk_id": options.identity,
    "ppk_required": options.yes_no,
    "childless": options.one_of("allow", "never", "prefer", "force"),
    "mobike": options.yes_no,
    "fragmentation": options.one_of("yes", "accept", "no"),
    "redirect_to": Gateway.parse,
    "redirect_in": options.one_of("ike_sa_init", "ike_auth"),
    "resumption": options.yes_no,
    "send_certreq": options.yes_no,
    "send_cert": options.one_of("ifasked", "always", "never"),
    "unique": options.one_of("no", "never", "keep", "replace"),
    "keyingtries": options.one_of("1"),
    "reauth_time": options.one_of("0", "0s"),
    "rekey_time": options.seconds,
    "over_time": options.seconds,
    "rand_time": options.seconds,
    "vips": options.hosts,
    "pools": options.text,
    **_INTERFACE,
    "pull": options.yes_no,
}
_CHILD: dict[str, options.Reader] = {
    "local_ts": options.selectors,
    "remote_ts": options.selectors,
    "esp_proposals": esp_proposals,
    "ah_proposals": ah_proposals,
    "mode": options.one_of("tunnel", "transport"),
    "start_action": options.one_of("none", "start", "trap", "trap|start"),
    "close_action": options.one_of("none"),
    "dpd_action": options.one_of("clear", "none", "trap", "start", "restart"),
    "rekey_time": options.seconds,
    "life_time": options.seconds,
    "rand_time": options.seconds,
    "replay_window": options.within(options.number, 0, 65536),
    "reqid": options.within(options.number, 0, 2**32 - 1),
    "tfc_padding": tfc_padding,
    "copy_df": options.one_of("yes", "no", "set"),
    **_INTERFACE,
    **dict.fromkeys(("rekey_bytes", "life_bytes", "rand_bytes"), options.within(options.number, 0, 2**63 - 1)),
    **dict.fromkeys(("rekey_packets", "life_packets", "rand_packets"), options.within(options.number, 0, 2**63 - 1)),
}
_SETTINGS: dict[str, options.Reader] = {
    "retransmit_timeout": options.within(options.real, 0.001, 3600),
    "retransmit_base": options.within(options.real, 1, 10),
    "retransmit_tries": options.within(options.number, 0, 100),
    "keep_alive": options.seconds,
    "half_open_timeout": options.seconds,
    "half_open_limit": options.number,
    "block_threshold": options.number,
    "cookie_threshold": options.number,
    "cookie_lifetime": options.within(options.seconds, 1, 86400),
    "window_size": options.within(options.number, 1, 1024),
    "fragment_size": fragment_size,
    "signature_authentication": options.yes_no,
    "nat_traversal": options.yes_no,
    "nat_t_documents": options.some_of(*NAT_T_DOCUMENTS),
    "quick_modes": options.within(options.number, 1, 64),
    "return_routability": options.yes_no,
    "max_ike_sas": options.number,
    "offload": options.one_of(*OFFLOADS),
    "follow_redirects": options.yes_no,
    "ticket_lifetime": options.within(options.seconds, 1, 604800),
    "tls_version_min": options.one_of("1.2", "1.3"),
    "tls_version_max": options.one_of("1.2", "1.3"),
    "dummy_rate": options.within(options.real, 0, MOST_DUMMIES),
    "impair": impairments.named,
}
# Read, checked and without effect on IKEv2 of this stack; a peer that is given the same text may heed them.
_NO_EFFECT = {
    "keyingtries", "reauth_time", "dpd_timeout", "close_action",
}  # fmt: skip
_SIDE = r"(?:local|remote)(?:-.*)?"


def load(text: str, file: str = "", read: FileReader = no_files) -> Config:
    """Read a configuration; ConfigError names file, line and key. `read` gives the octets of the files it names."""
    return build(parse(text, file), Files(read))


def build(tree: Section, files: Files = Files()) -> Config:  # noqa: B008  (frozen, and without state)
    """The typed form of a parsed tree."""
    options.read(tree, {}, ("connections", "secrets", "authorities", "pools", "ikelab"))
    connections = tree.sections.get("connections", Section())
    options.read(connections, {}, (".*",))
    credentials = secrets_config.credentials(tree, files)
    pools = pool_config.pools(tree.sections.get("pools", Section()))
    return Config(
        tuple(_connection(section, files, credentials, pools) for section in connections.sections.values()),
        credentials,
        _settings(tree.sections.get("ikelab", Section())),
        pools,
        _gre(tree),
        tuple(_kernel_only(connections)),
    )


def _settings(section: Section) -> Settings:
    return Settings(**options.read(section, _SETTINGS, ("gre",)))  # type: ignore[arg-type]


def _gre(tree: Section) -> tuple[Gre, ...]:
    ours = tree.sections.get("ikelab", Section())
    return tunnels(ours.sections.get("gre", Section()))


def _kernel_only(connections: Section) -> Iterator[ConfigError]:
    """The places that tie a child to an XFRM interface."""
    for connection in connections.sections.values():
        for section in (connection, *connection.sections.get("children", Section()).sections.values()):
            for key in _INTERFACE.keys() & section.values.keys():
                yield section.error("XFRM interfaces are the kernel's: start the daemon with --backend xfrm", key)


def _connection(section: Section, files: Files, credentials: Credentials, pools: dict[str, PoolConfig]) -> Connection:
    values = options.read(section, _CONNECTION, (_SIDE, "children")) | {"pools": pool_config.known(section, pools)}
    values["version"] = versions.SPOKEN[str(values.get("version", "0"))]
    values.setdefault("proposals", ike_proposals("default"))
    children = section.sections.get("children", Section())
    options.read(children, {}, (".*",))
    inner = children.sections.items()
    interface = {key: values.pop(key) for key in _INTERFACE if key in values}
    local, remote = _local(section, files, credentials), _auth(section, "remote", files)[1]
    _check_ppk(section, values, credentials)
    connection = Connection(
        name=section.name,
        local=local,
        remote=remote,
        children={name: _child(child, interface) for name, child in inner},
        **_effective(values),  # type: ignore[arg-type]
    )
    versions.check(section, connection)
    return connection


def _check_ppk(section: Section, values: dict[str, object], credentials: Credentials) -> None:
    """A PPK that is named must be there."""
    named = values.get("ppk_id")
    if isinstance(named, Identity) and credentials.ppk(named.data) is None:
        raise section.error(f"no PPK in `secrets` is called {named}", "ppk_id")


def _auth(section: Section, side: str, files: Files) -> tuple[Section, AuthConfig]:
    """The one authentication round of a side; `auth` must be written, so that nobody takes one for the other."""
    _, rounds = xauth_config.rounds(section, side)
    if len(rounds) != 1:
        raise section.error(f"exactly one section {side!r} is needed, {len(rounds)} found")
    readers: dict[str, options.Reader] = {
        "auth": Means.parse,
        "id": options.identity,
        "eap_id": options.text,
        "certs": files.certificates,
    }
    if side == "remote":
        readers["cacerts"] = files.certificates
        readers["revocation"] = options.one_of("relaxed", "strict")
    if xauth_config.alone(rounds[0]):
        readers = {"auth": Means.parse, "id": options.identity, "xauth_id": options.text}
    values = options.read(rounds[0], readers)
    values.pop("xauth_id", None)
    if "auth" not in values:
        raise rounds[0].error("auth = psk or auth = pubkey is needed")
    found = AuthConfig(**values, **xauth_config.of(section, side))  # type: ignore[arg-type]
    if found.auth.null and found.id not in (None, NOBODY):
        raise rounds[0].error("who proves nothing is nobody: leave id out with auth = null, or write %null", "id")
    return rounds[0], found


def _local(section: Section, files: Files, credentials: Credentials) -> AuthConfig:
    """Our own side, which needs a private key for each of its certificates."""
    inner, local = _auth(section, "local", files)
    if local.auth.signed and not local.certs:
        raise inner.error("certs = FILE is needed with auth = pubkey", "auth")
    keyless = next((c for c in local.certs if credentials.key(c.public) is None), None)
    if keyless:
        raise inner.error(f"no private key in `secrets` belongs to certificate {keyless}", "certs")
    return local


def _child(section: Section, interface: dict[str, object]) -> Child:
    values = interface | options.read(section, _CHILD)
    if "ah_proposals" not in values:
        values.setdefault("esp_proposals", esp_proposals("default"))
    child = Child(name=section.name, **_effective(values))  # type: ignore[arg-type]
    if not child.replay_window and any(t.id for p in child.proposals for t in p.of(TransformType.ESN)):
        # RFC 4303 2.2.1: without a window a receiver cannot follow the half of the number that is not sent.
        raise section.error("replay_window = 0 goes only with proposals without esn", "replay_window")
    return child


def _effective(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if key not in _NO_EFFECT}
