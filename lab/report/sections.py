"""Sections of RFCs by their numbers: how much each asks, and what it is about in words of our own; and a page of them.

    7296 2.1<TAB>MUST<TAB>words        a line of sections.tsv

Rules of this file: a section that is not in the list still has a place on the page of a run that checks it, without
words. The level is the strongest of MUST, SHOULD and MAY (RFC 2119) among what the scenarios check in the section; a
section that says how things are without any of these words has `-`, and so has one whose words none of them checks. A
section stands for those under it that are not in the list. Nothing here is copied from an RFC, so a page needs
no network to say what a section is about. `tools/rfc_levels.py` compares the levels with the texts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import groupby

from lab.report import words

PAGE = "rfcs.html"
# The strongest first; the one without a requirement word stands for itself.
LEVELS, UNLEVELLED = ("MUST", "SHOULD", "MAY"), "-"


@dataclass(frozen=True, slots=True)
class Section:
    """One section: `key` as `rfc7296:2.8`, its words, its level, and whether the run checks it as a clause."""

    key: str
    words: str = ""
    level: str = UNLEVELLED
    clause: str = ""

    @property
    def name(self) -> str:
        """`RFC 7296, 2.8`."""
        return words.clause(self.key)


@cache
def known() -> dict[str, Section]:
    """The sections of the list, by `rfc7296:2.8`."""
    text = files("lab.report").joinpath("sections.tsv").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        name, level, about = line.split("\t")
        named = f"rfc{name.replace(' ', ':', 1)}"
        found[named] = Section(named, about, level)
    return found


def key(name: str) -> str:
    """`7296#2.8`, `rfc7296:2.8` and `RFC 7296 2.8` as `rfc7296:2.8`; an empty string for what names no section."""
    match = words.CLAUSE.match(name.strip())
    return f"rfc{match[1]}" + (f":{match[2]}" if match[2] else "") if match else ""


def about(name: str) -> str:
    """What a section is about, or an empty string."""
    return of(name).words


def level(name: str) -> str:
    """`MUST`, `SHOULD` or `MAY`; `-` of a section that has none of these words, or is unknown."""
    return of(name).level


def of(name: str) -> Section:
    """The section, as far as it is known."""
    return known().get(key(name), Section(key(name)))


@cache
def address(name: str) -> str:
    """The place of a section on the page, from the run directory: `rfcs.html#rfc7296-2.8`; of unknown ones nothing."""
    return f"{PAGE}#{anchor(key(name))}" if key(name) in known() else ""


def anchor(section: str) -> str:
    """`rfc7296-2.8` for `rfc7296:2.8`."""
    return section.replace(":", "-")


def listed(clauses: Iterable[str]) -> list[tuple[str, list[Section]]]:
    """All sections under their RFCs, in order; `clauses` are those that the run checks."""
    checked = {key(name): name for name in clauses if key(name)}
    keys = sorted({*known(), *checked}, key=words.clause_order)
    found = [replace(of(one), clause=checked.get(one, "")) for one in keys]
    return [(rfc, list(group)) for rfc, group in groupby(found, key=_rfc)]


def _rfc(section: Section) -> str:
    return words.clause(section.key.partition(":")[0])
