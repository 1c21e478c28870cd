"""Where templates are looked for, and all that are there.

    the lab's own        peers.d of a checkout, or what a wheel carries
    the user's           the directory that IKELAB_PEERS_D names, else ./peers.d

A run hands the user's directory on to guests by that variable (`lab.run.brought`). Each directory is read once per
process.
"""

import os
from functools import cache
from pathlib import Path

import lab
from lab.errors import ConfigError
from lab.templates.template import Template, read

FOLDER, VARIABLE = "peers.d", "IKELAB_PEERS_D"


def own() -> Path | None:
    """The directory that comes with the lab."""
    package = Path(lab.__file__).resolve().parent
    places = (package.parent / FOLDER, package / "data" / FOLDER)
    return next((place for place in places if place.is_dir()), None)


def users() -> Path | None:
    """The user's directory, unless that is the lab's own; ConfigError where the variable names none."""
    named = os.environ.get(VARIABLE)
    place = Path(named or FOLDER).absolute()
    if named and not place.is_dir():
        raise ConfigError(f"{VARIABLE} names {named}, which is no directory; correct it or unset it")
    return place if place.is_dir() and place.resolve() != own() else None


def templates() -> dict[str, Template]:
    """Every template by its name; ConfigError for one that cannot be meant, or a name given twice."""
    return _read(tuple(place for place in (own(), users()) if place is not None))


@cache
def _read(places: tuple[Path, ...]) -> dict[str, Template]:
    found: dict[str, Template] = {}
    for file in (file for place in places for file in sorted(place.glob("*.toml"))):
        template = read(file)
        if earlier := found.get(template.name):
            raise ConfigError(f"{earlier.file} has this name already; rename one of them", file=str(file))
        found[template.name] = template
    return found
