"""The scenarios of this checkout, collected once in a process: pytest goes through all their files for it."""

from functools import cache

from lab.plugin.meta import Scenario
from lab.run import catalogue


@cache
def everything() -> tuple[Scenario, ...]:
    """Every scenario in every pairing."""
    return tuple(catalogue.collect(everything=True))


@cache
def names() -> frozenset[str]:
    """The ids of all scenarios."""
    return frozenset(one.id for one in everything())
