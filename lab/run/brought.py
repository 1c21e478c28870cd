"""What a guest must see beside the lab for the peers that the user brought along: templates, and packages.

Rule: everything is shown read-only at a place of its own, and said by the environment; where the host's kernel runs the
scenarios, the environment alone is enough.
"""

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import ConfigError
from lab.peers import offered
from lab.templates import find

TEMPLATES, PACKAGES = Path("/opt/peers.d"), Path("/opt/offered")


@dataclass(frozen=True, slots=True)
class Brought:
    """Where the guest sees what of the host, and what its processes are told."""

    mounts: dict[Path, Path] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def for_guest() -> Brought:
    """What a guest is given; nothing where nothing was brought."""
    mounts: dict[Path, Path] = {}
    told: dict[str, str] = {}
    if place := find.users():
        mounts[TEMPLATES], told[find.VARIABLE] = place, str(TEMPLATES)
    if points := offered.points():
        for name, value in points.items():
            package = value.partition(":")[0].partition(".")[0]
            mounts[PACKAGES / package] = _directory(name, package)
        told |= {"PYTHONPATH": f"/src:{PACKAGES}", offered.VARIABLE: _named(points)}
    return Brought(mounts, told)


def for_host() -> dict[str, str]:
    """What the processes in the host's namespaces are told: they stand in another directory."""
    place = find.users()
    return {find.VARIABLE: str(place)} if place else {}


def _named(points: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in points.items())


def _directory(name: str, package: str) -> Path:
    """The directory of an offering package; a lone module cannot be shown to a guest."""
    found = importlib.util.find_spec(package)
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise ConfigError(f"the peer {name!r} comes from {package!r}, which is no package; put it into a directory")
    return Path(places[0])
