"""One rule of the gate: what to do with which packets. Its shape is that of a line of JSON on the gate's socket.

    action       field        what it does
    drop                      the packet ends here
    hold         until, for   it waits until a packet that matches `until` comes, `for` so long, or until it is released
    delay        for          it goes on so much later
    duplicate                 it goes on twice
    swap                      it goes on right behind the next packet of its kind from the same side
    corrupt      octet, mask  one octet is changed, and the checksums around it are made right again
    record                    it goes on, and its octets are kept
    order        filters      the first packet of each filter goes on in the order of the filters, none before
                              `gather` of them are there; what comes right behind one waits a moment (engine.py)

Nothing waits for ever: what `for` does not end sooner ends after LONGEST_S seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.emulation import units
from lab.emulation.gate import filter as filters
from lab.emulation.gate.filter import Filter
from lab.errors import ConfigError

LONGEST_S = 600.0
MOST_IN_ORDER = 16
LARGEST_OCTET = 65535
ACTIONS = ("drop", "hold", "delay", "duplicate", "swap", "corrupt", "record", "order")
WAITING = ("hold", "swap", "order")
_OWN = {
    "hold": ("until", "for"), "delay": ("for",), "swap": ("for",), "order": ("filters", "gather", "for"),
    "corrupt": ("octet", "mask"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as read; see the file's table. `through` is the interface of the link that it is meant for, or empty."""

    action: str
    filters: tuple[Filter, ...]
    until: Filter | None = None
    seconds: float = LONGEST_S
    octet: int = 0
    mask: int = 0xFF
    gather: int = 0
    through: str = ""

    @property
    def filter(self) -> Filter:
        """The filter, of `order` the first."""
        return self.filters[0]

    @property
    def words(self) -> str:
        """The rule in words, for reports."""
        said = f"{self.action} {' | '.join(one.text for one in self.filters)}"
        said += f" until {self.until.text}" if self.until else ""
        said += f" for {self.seconds:g} s" if self.action == "delay" else ""
        return said + (f" at octet {self.octet}" if self.action == "corrupt" else "")

    @property
    def every_filter(self) -> tuple[Filter, ...]:
        """All filters in it."""
        return (*self.filters, *((self.until,) if self.until else ()))


def read(request: Mapping[str, Any]) -> Rule:
    """A rule from its fields: `action`, `filter`, and those of the action; ConfigError says what is wrong."""
    action = request.get("action")
    if action not in ACTIONS:
        raise ConfigError(f"the gate can {', '.join(ACTIONS)}, not `{action}`")
    own = _OWN.get(action, ())
    if unknown := sorted(set(request) - {"action", "filter", "through", *own}):
        raise ConfigError(f"{action} takes {', '.join(own) or 'a filter alone'}, not {', '.join(map(str, unknown))}")
    until = _text(request, "until")
    return Rule(
        action,
        _filters(request, action),
        filters.parse(until) if until else None,
        _seconds(request, action),
        _whole(request, "octet", 0, LARGEST_OCTET, 0),
        _whole(request, "mask", 1, 0xFF, 0xFF),
        _whole(request, "gather", 0, MOST_IN_ORDER, 0),
        _text(request, "through"),
    )


def _filters(request: Mapping[str, Any], action: str) -> tuple[Filter, ...]:
    if action != "order":
        return (filters.parse(_text(request, "filter")),)
    found = request.get("filters")
    if not isinstance(found, list) or not 2 <= len(found) <= MOST_IN_ORDER:
        raise ConfigError(f"order wants 2 to {MOST_IN_ORDER} filters")
    if not all(isinstance(one, str) for one in found):
        raise ConfigError("a filter is text")
    return tuple(filters.parse(one) for one in found)


def _text(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key, "")
    if not isinstance(value, str):
        raise ConfigError(f"{key} is text")
    return value


def _seconds(request: Mapping[str, Any], action: str) -> float:
    """How long, as a number of seconds or as `20ms`."""
    value = request.get("for")
    if value is None:
        if action == "delay":
            raise ConfigError("delay wants to know `for` how long")
        return LONGEST_S
    if isinstance(value, str) and re.match(units.DURATION, value):
        value = units.nanoseconds(value) / 1e9
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_S:
        raise ConfigError(f"`for` is a number of seconds, or a time like 1.5s or 20ms, of at most {LONGEST_S:g} s")
    return float(value)


def _whole(request: Mapping[str, Any], key: str, least: int, most: int, otherwise: int) -> int:
    value = request.get(key, otherwise)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{key} is a whole number from {least} to {most}")
    return value
