"""Which peers there are and what each can do.

"Add a peer" = a driver module and a row here, or no code at all: a template (`lab.templates`), or a row that another
package offers by the entry point group `ikelab.peers`. Abilities are words that scenarios ask for with `@needs(...)`; a
pairing whose peers lack one is `unsupported`, never `failed`. Drivers are imported only when a network exists: listing
peers must work on a machine that has none of them.
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lab.crypto.registry import KEYWORDS
from lab.errors import ConfigError
from lab.peers.base import Node, PeerDriver
from lab.peers.offered import offered
from lab.templates.find import templates
from lab.templates.template import Template


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IKEV2 = _words(
    "ikev2 psk tunnel transport nat-t cookie liveness delete narrowing rekey ppk childless fragmentation virtual-ip "
    "mobike redirect ah"
)
_ALGORITHMS = _words(
    "aes-gcm aes-cbc chacha20-poly1305 sha2-256 sha2-384 sha2-512 x25519 ecp256 ecp384 modp2048 modp3072"
)
# Every word of our proposals; what charon lacks is in `lab.plugin.algorithms.ELSEWHERE`, with the reason.
_EVERY_ALGORITHM = frozenset(KEYWORDS) - _words("mlkem768 mlkem1024")
_EAP = _words("eap-mschapv2 eap-md5 eap-tls eap-ttls")
_PUBKEY = _words("certificates rsa rsa/pss ecdsa ed25519 ed448 crl")
_MULTIPLE = _words("intermediate followup-ke")
_MLKEM = _words("mlkem mlkem768 mlkem1024")
# What a peer has of the first version; strongSwan 6.1 was built without it.
_IKEV1 = _words("ikev1 aggressive pfs dpd xauth mode-config push hybrid")
# Route-based tunnels: the kernel's, so of those whose data plane it is.
_KERNEL = _words("xfrm-interface")
_ONLY_OURS = _words("null-auth resumption eap-peap ah-gmac")
_OURS = _ONLY_OURS | _IKEV2 | _ALGORITHMS | _EVERY_ALGORITHM | _EAP | _PUBKEY | _MULTIPLE | _MLKEM | _IKEV1
# What no release of strongSwan has, and why, as the result of a scenario that needs it says.
_NO_STRONGSWAN = {
    "null-auth": "strongSwan has no NULL authentication (RFC 7619)",
    "resumption": "strongSwan has no session resumption (RFC 5723)",
    "eap-peap": "Debian builds strongSwan without its plugin eap-peap",
    "ah-gmac": "charon chooses it, knows no key length for it, and refuses the child",
}
_NO_MLKEM = "Debian builds this release without the plugin ml, and its plugin openssl knows no ML-KEM yet"


@dataclass(frozen=True, slots=True)
class Peer:
    """One row: how a peer is called, what it can do, and the class that drives it (`module:class`, with options).

    `without` says in words why it lacks an ability that others of its kind have.
    """

    name: str
    title: str
    driver: str
    abilities: frozenset[str]
    options: Mapping[str, object] = field(default_factory=dict, hash=False)
    without: Mapping[str, str] = field(default_factory=dict, hash=False)
    # Whether it may poll in a loop until another of its threads gets on: then time has to pass meanwhile.
    spins: bool = False

    def lacks(self, needs: Iterable[str]) -> str:
        """`strongswan lacks mlkem (reason), ah`, or nothing where it has them all."""
        missing = sorted(frozenset(needs) - self.abilities)
        told = [f"{word} ({self.without[word]})" if word in self.without else word for word in missing]
        return f"{self.name} lacks {', '.join(told)}" if told else ""

    def start(self, node: Node, run_dir: Path, **options: object) -> PeerDriver:
        """A driver of this peer in a node; the driver module is imported here and not before."""
        module, _, name = self.driver.partition(":")
        made: PeerDriver = getattr(importlib.import_module(module), name)(node, run_dir, **self.options, **options)
        return made


PEERS = {
    peer.name: peer
    for peer in (
        Peer("ours", "our own stack", "lab.peers.ours:Ours", _OURS),
        Peer("ours-xfrm", "our own IKE with the kernel's ESP (XFRM)", "lab.peers.ours:OursOnXfrm", _OURS | _KERNEL),
        Peer(
            "strongswan",
            "strongSwan's charon, driven through vici",
            "lab.peers.strongswan:StrongSwan",
            _IKEV2 | _ALGORITHMS | _EVERY_ALGORITHM | _EAP | _PUBKEY | _MULTIPLE | _IKEV1 | _KERNEL,
            without={**_NO_STRONGSWAN, "mlkem": _NO_MLKEM},
        ),
        Peer(
            "strongswan-6.1",
            "strongSwan 6.1, from a tree of its own in the guest",
            "lab.peers.strongswan_trees:StrongSwan61",
            _IKEV2 | _ALGORITHMS | _EVERY_ALGORITHM | _EAP | _PUBKEY | _MULTIPLE | _MLKEM | _KERNEL,
            without=_NO_STRONGSWAN,
        ),
        Peer(
            "strongswan-5.9",
            "strongSwan 5.9 of Debian 12, from a tree of its own in the guest",
            "lab.peers.strongswan_trees:StrongSwan59",
            _IKEV2 | _ALGORITHMS | _words("eap-mschapv2 eap-md5") | _PUBKEY | _IKEV1,
            spins=True,
        ),
    )
}


def peers() -> dict[str, Peer]:
    """Every peer there is: the lab's own, then those that were brought along, by name."""
    return {**PEERS, **brought()}


@cache
def brought() -> dict[str, Peer]:
    """The peers of templates and of entry points; ConfigError for one that cannot be meant."""
    found = {template.name: _of_template(template) for template in templates().values()}
    for name, row in offered().items():
        if not isinstance(row, Peer) or row.name != name:
            raise ConfigError(
                f"the entry point {name!r} of ikelab.peers gives no Peer of that name; correct its package"
            )
        if name in PEERS or name in found:
            raise ConfigError(f"the entry point {name!r} of ikelab.peers has the name of another peer; rename it")
        found[name] = row
    return found


def _of_template(template: Template) -> Peer:
    if template.name in PEERS:
        raise template.error(f"there is a peer called {template.name!r} already; rename the file")
    words = frozenset().union(*(row.abilities for row in PEERS.values()))
    if unknown := sorted(template.abilities - words):
        hint = "`ikelab list peers --json` shows the words there are"
        raise template.error(f"{unknown[0]!r} is no ability that a scenario asks for; {hint}", "abilities")
    options = {"template": template}
    return Peer(template.name, template.title, "lab.peers.template:TemplatePeer", template.abilities, options)


def peer(name: str) -> Peer:
    """The row of a peer, or a ConfigError that names the peers there are."""
    known = peers()
    if name not in known:
        raise ConfigError(f"there is no peer called {name!r}; there are {', '.join(sorted(known))}")
    return known[name]
