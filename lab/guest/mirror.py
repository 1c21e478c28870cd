"""Which Debian mirror to use: the one this machine's own apt uses, or IKELAB_DEBIAN_MIRROR.

No mirror is written down in the lab: a machine behind a proxy or with a local mirror keeps using it.
"""

import os
import re
import subprocess
from dataclasses import dataclass

from lab.errors import UnfitError

# Suites by which a line of the host's sources is recognised as Debian's own archive.
RELEASES = re.compile(
    r"^(oldoldstable|oldstable|stable|testing|unstable|buster|bullseye|bookworm|trixie|forky|duke|sid)(/updates)?"
)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True, slots=True)
class Mirror:
    """Base addresses of the Debian archive and, where known, of its security updates."""

    archive: str
    security: str | None


def find() -> Mirror:
    """The mirror to use, or UnfitError with what to set."""
    archive, security = _host()
    archive = os.environ.get("IKELAB_DEBIAN_MIRROR") or archive
    security = os.environ.get("IKELAB_DEBIAN_SECURITY_MIRROR") or security
    if not archive:
        raise UnfitError(
            "this machine's apt sources name no Debian mirror", fix="set IKELAB_DEBIAN_MIRROR to the address of one"
        )
    return Mirror(archive.rstrip("/"), security.rstrip("/") if security else None)


def _host() -> tuple[str | None, str | None]:
    """The archive and security addresses in the host's own sources, as apt reads them."""
    try:
        listing = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UnfitError("apt-get is missing", fix="the guest image needs a Debian or Ubuntu host") from error
    return choose(listing.stdout)


def choose(listing: str) -> tuple[str | None, str | None]:
    """Pick archive and security addresses out of lines of `address suite component`."""
    archive = security = None
    for line in listing.splitlines():
        words = line.split()
        if len(words) != 3 or words[2] != "main" or not RELEASES.match(words[1]):
            continue
        if "security" in words[1] or words[1].endswith("/updates"):
            security = security or words[0]
        elif "backports" not in words[1]:
            archive = archive or words[0]
    return archive, security
