"""Other releases of strongSwan than the guest's own, older and newer: charon from a tree of its own under /opt/peers.

Debian's packages of peers exclude each other, so the image keeps these apart. A tree is laid over the base system (its
own libraries, everybody's tools) in the mount namespace of each charon, and nobody else sees it. The tools are made for
the libraries of the base system: beside those of an older release they do not run, so such a charon has no `updown`.
"""

from pathlib import Path

from lab.errors import UnfitError
from lab.peers.charon_conf import CONF
from lab.peers.strongswan import StrongSwan

PEERS = Path("/opt/peers")
BINARY = "/usr/lib/ipsec/charon"
# $1 the run directory, $2 the daemon, $3 its tree. What the overlay writes stays in memory and goes with the namespace.
_LAUNCH = f"""set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$3:/,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
mount --bind "$1" /mnt/root/run
for shared in dev proc sys; do mount --rbind /$shared /mnt/root/$shared; done
STRONGSWAN_CONF=/run/{CONF} exec chroot /mnt/root "$2"
"""


def tree(version: str) -> Path:
    """The newest release of this version in the image; UnfitError where there is none."""
    found = [path for path in PEERS.glob(f"strongswan-{version}.*") if (path / BINARY.lstrip("/")).exists()]
    if not found:
        raise UnfitError(f"no strongSwan {version} is under {PEERS}", fix="run: ikelab image build, use --kernel guest")
    return max(found, key=lambda path: [int(part) for part in path.name.partition("-")[2].split(".")])


class StrongSwanOfTree(StrongSwan):
    """charon of the release that `release` names, as in 6.1."""

    release = ""

    def find(self) -> str:
        """The daemon's path inside its tree."""
        self._tree_path = tree(self.release)
        return BINARY

    def argv(self, run: Path) -> list[str]:
        """The command that starts charon with its own root."""
        return ["unshare", "--mount", "sh", "-c", _LAUNCH, "sh", str(run), self._binary, str(self._tree_path)]


class StrongSwan61(StrongSwanOfTree):
    """charon of strongSwan 6.1, which has ML-KEM (OpenSSL 3.5), IKE_INTERMEDIATE and multiple key exchanges."""

    name, release = "strongswan-6.1", "6.1"


class StrongSwan59(StrongSwanOfTree):
    """charon of strongSwan 5.9 as in Debian 12, the last release before version 6; it has IKEv1."""

    name, release = "strongswan-5.9", "5.9"
