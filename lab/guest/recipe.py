"""What goes into the image. Each layer has a recipe; its digest names the layer, so a changed recipe is a new layer.

Add a Debian package: one line in PACKAGES. Add a kernel option: one line in kernel.config. Add a Python package: one
line in pyproject.toml. Versions are never pinned, because they vanish from the archive; they are recorded instead.
"""

import hashlib
import json
import re
import tomllib
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from lab.templates.find import templates

SUITES = ("trixie", "trixie-updates", "trixie-security")
KERNEL_SUITES = ("trixie-backports", "forky", "sid")  # the first that offers a recent enough source is used
KERNEL_OLDEST = (6, 16)  # the first with `seccomp=on`
KERNEL_CONFIG = Path(__file__).with_name("kernel.config")
KERNEL_OBJECTS = 950  # for the progress bar only
PYTHON = "3.13"
# addsitedir, and not the bare path: setuptools offers distutils to mininet through a .pth file of its own.
PYTHON_PATH = "import site; site.addsitedir('/opt/python')\n"

PACKAGES = (
    # a system that a shell can run on
    "base-files", "base-passwd", "bash", "coreutils", "dash", "debianutils", "findutils", "grep", "mawk", "mount",
    "procps", "sed", "util-linux",
    # the network and what observes it
    "bridge-utils", "conntrack", "ethtool", "iperf3", "iproute2", "iputils-ping", "net-tools", "nftables", "tcpdump",
    # Python and the peers of the base system
    "python3", "frr",
    "strongswan-charon", "strongswan-swanctl", "libcharon-extra-plugins", "libcharon-extauth-plugins",
    "libstrongswan-standard-plugins", "libstrongswan-extra-plugins",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Peer:
    """A further peer, in a tree of its own under /opt/peers: Debian's packages of peers exclude each other."""

    name: str
    suite: str
    packages: tuple[str, ...]  # the first one gives the version
    without: tuple[str, ...] = ()  # what they depend on and do without

    @property
    def suites(self) -> tuple[str, ...]:
        """Where its packages come from: of the base system's release, with the updates."""
        return SUITES if self.suite == SUITES[0] else (self.suite,)

    @property
    def on_base(self) -> bool:
        """Whether the base system has what it needs: its tree is laid over that, and holds only what is new."""
        return self.suite == SUITES[0]

    @property
    def kind(self) -> str:
        """Name of its layer; the version is known only when it is built."""
        return f"{self.name}-{self.suite}"


_STRONGSWAN = (
    "strongswan-charon", "strongswan-swanctl", "libcharon-extra-plugins", "libcharon-extauth-plugins",
    "libstrongswan-standard-plugins", "libstrongswan-extra-plugins",
)  # fmt: skip
PEERS = (Peer("strongswan", "forky", _STRONGSWAN), Peer("strongswan", "bookworm", _STRONGSWAN))


def peers() -> tuple[Peer, ...]:
    """Every further peer: those above, and those of the templates that have packages."""
    brought = [template for template in templates().values() if template.packages]
    found = [Peer(one.name, p.suite, p.names, p.without) for one in brought if (p := one.packages)]
    return (*PEERS, *found)


# Taken for a file or two, without what they depend on.
ALONE = {"mininet": ("usr/bin/mnexec",)}

# Dependencies that only installing or a running systemd needs.
LEFT_OUT = frozenset({
    "adduser", "cron", "cron-daemon-common", "debconf", "dpkg", "init-system-helpers", "install-info", "kmod",
    "libpam-modules", "libpam-modules-bin", "libpam-runtime", "libsystemd-shared", "logrotate", "passwd", "perl-base",
    "sensible-utils", "systemd", "systemd-standalone-sysusers", "tar", "tzdata", "tzdata-legacy", "udev",
    "openssl-provider-legacy-doc",
})  # fmt: skip

# What nobody reads in a guest.
DROPPED = (
    "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "usr/share/bug",
    "usr/share/doc-base", "usr/share/bash-completion", "usr/share/zoneinfo", "usr/share/pixmaps", "usr/share/icons",
    "usr/lib/systemd", "usr/lib/udev", "usr/share/apport", "usr/share/menu", "usr/share/applications",
    "usr/lib/python3.13/test", "usr/lib/python3.13/idlelib", "usr/lib/python3.13/turtledemo",
)  # fmt: skip

# Names that Debian's update-alternatives would have made.
LINKS = {"usr/bin/awk": "mawk", "usr/bin/which": "which.debianutils", "var/run": "/run", "var/lock": "/run/lock"}

# Directories that base-files makes when it is installed, and where the guest sees other directories of the host.
FOLDERS = (
    "dev", "home", "mnt", "opt/peers", "opt/python", "proc", "results", "root", "run", "src", "srv", "sys", "tmp",
    "var/cache/python", "var/lib", "var/log", "var/tmp",
)  # fmt: skip

USERS = ("frr:x:101:101::/nonexistent:/usr/sbin/nologin", "tcpdump:x:102:102::/nonexistent:/usr/sbin/nologin")
GROUPS = ("frr:x:101:", "frrvty:x:103:frr", "tcpdump:x:102:")

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def requirements() -> list[str]:
    """Our Python dependencies: from pyproject.toml of a checkout, else from the installed package."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.is_file():
        return sorted(tomllib.loads(project.read_text())["project"]["dependencies"])
    return sorted(line for line in metadata.requires("ikelab") or [] if not re.search(r";.*\bextra\b", line))


def kernel_digest() -> str:
    """Name of the kernel layer."""
    return _digest("kernel/1", KERNEL_OLDEST, KERNEL_SUITES, KERNEL_CONFIG.read_text())


def base_digest() -> str:
    """Name of the layer of Debian files."""
    parts = ("base/1", SUITES, PACKAGES, ALONE, sorted(LEFT_OUT), DROPPED, LINKS, FOLDERS, USERS, GROUPS, PYTHON_PATH)
    return _digest(*parts, Path(__file__).with_name("base.py").read_text())


def peer_digest(peer: Peer) -> str:
    """Name of the layer of a further peer."""
    facts = asdict(peer)
    if not peer.without:
        del facts["without"]  # the layers of before had none
    return _digest("peer/1", facts, sorted(LEFT_OUT), DROPPED, *([base_digest()] if peer.on_base else []))


def python_digest() -> str:
    """Name of the layer of Python packages."""
    return _digest("python/1", requirements(), PYTHON, PLATFORMS)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]
