"""Which peers initiate to which: pairings, and which of them a run wants.

A pairing is written `initiator>responder`. A scenario runs in `DEFAULT` unless its `pairings` mark says otherwise;
`--peer` and `--role` of a run narrow that further. A pairing whose peers lack an ability the scenario needs stays in
the run and is reported as `unsupported`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.errors import ConfigError
from lab.peers.registry import brought, peer

OURS = "ours"
# The same IKE on each of its data planes.
OUR_PEERS = (OURS, "ours-xfrm")
ROLES = ("initiator", "responder", "both")


@dataclass(frozen=True, slots=True, order=True)
class Pairing:
    """Two peers by name; the initiator sits in the node `left`, the responder in `right`."""

    initiator: str
    responder: str

    @classmethod
    def parse(cls, text: str) -> "Pairing":
        """Read `ours>strongswan`; a ConfigError names what is wrong."""
        initiator, arrow, responder = text.partition(">")
        if not arrow:
            raise ConfigError(f"a pairing is written initiator>responder, not {text!r}")
        return cls(peer(initiator).name, peer(responder).name)

    def __str__(self) -> str:
        return f"{self.initiator}>{self.responder}"

    @property
    def directory(self) -> str:
        """The pairing as a directory name: `>` is not allowed in file names everywhere."""
        return f"{self.initiator}-to-{self.responder}"

    def lacks(self, needs: Iterable[str]) -> str:
        """Which needed abilities a peer lacks, in words; empty when none."""
        wanted = tuple(needs)
        lacking = (peer(name).lacks(wanted) for name in sorted({self.initiator, self.responder}))
        return "; ".join(filter(None, lacking))


ON_XFRM = (Pairing("ours-xfrm", "strongswan"), Pairing("strongswan", "ours-xfrm"))
DEFAULT = (Pairing(OURS, "strongswan"), Pairing("strongswan", OURS))
NEWER = (Pairing(OURS, "strongswan-6.1"), Pairing("strongswan-6.1", OURS))
# What a scenario of IKEv2 runs in: every strongSwan of our day; one that lacks an ability is unsupported, in words.
IKEV2 = (*DEFAULT, *NEWER)
WE_INITIATE, WE_RESPOND = IKEV2[::2], IKEV2[1::2]
SELVES = (Pairing(OURS, OURS), Pairing("strongswan", "strongswan"))
ALL = (*DEFAULT, *SELVES)
# The strongSwan of Debian 12, as old as IKEv1 is still met with.
OLDER = (Pairing(OURS, "strongswan-5.9"), Pairing("strongswan-5.9", OURS))
# What a scenario of IKEv1 runs in.
IKEV1 = (*DEFAULT, *OLDER)


def with_brought() -> tuple[Pairing, ...]:
    """Our stack with each peer that was brought along (`peers.d`, entry points), in both roles."""
    return tuple(pairing for name in brought() for pairing in (Pairing(OURS, name), Pairing(name, OURS)))


def wanted(pairing: Pairing, peers: Sequence[str] = (), role: str = "both") -> bool:
    """Whether a run with these `--peer` names (none: every peer) and this `--role` of our stack has the pairing."""
    names = {pairing.initiator, pairing.responder}
    if peers and not names <= {OURS, *peers}:
        return False
    return role == "both" or getattr(pairing, role) in OUR_PEERS
