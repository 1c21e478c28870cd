"""`--shard i/n`: one of n parts of the selected scenarios, for n machines that run one part each.

The parts are disjoint and together everything; neighbours go to different parts, because neighbours cost alike.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lab.errors import ConfigError
from lab.plugin.meta import Scenario

_FORM = re.compile(r"(\d+)/(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of`, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `2/3`; a ConfigError says what is wrong."""
        found = _FORM.fullmatch(text)
        number, of = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= number <= of:
            raise ConfigError(f"--shard is written i/n with 1 <= i <= n, such as 2/3, not {text!r}")
        return cls(number, of)

    def of_all(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """This part of the scenarios."""
        return list(scenarios[self.number - 1 :: self.of])
