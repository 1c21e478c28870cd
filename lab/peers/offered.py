"""Peers that other installed packages offer: the entry point group `ikelab.peers`.

    [project.entry-points."ikelab.peers"]
    mine = "my_package.peer:PEER"        # a lab.peers.registry.Peer whose name is `mine`

In a guest the packages of the machine are not installed: a run shows those that offer peers and names their entry
points in IKELAB_OFFERED (`lab.run.brought`).
"""

import os
from importlib.metadata import EntryPoint, entry_points

from lab.errors import ConfigError

GROUP, VARIABLE = "ikelab.peers", "IKELAB_OFFERED"


def points() -> dict[str, str]:
    """Name -> `module:attribute` of every entry point: those installed here, and those a run names."""
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    named = (word.partition("=") for word in os.environ.get(VARIABLE, "").split())
    return found | {name: value for name, _, value in named}


def offered() -> dict[str, object]:
    """What the entry points give; ConfigError where one cannot be loaded."""
    found = {}
    for name, value in points().items():
        try:
            found[name] = EntryPoint(name, value, GROUP).load()
        except (ImportError, AttributeError, ValueError) as error:
            text = f"the entry point {name!r} of {GROUP} ({value}) cannot be loaded: {error}"
            raise ConfigError(f"{text}; correct or remove its package") from error
    return found
