"""Sections of RFCs by their numbers, each with what it is about in words of our own: `sections.tsv`, and a page of it.

Rules of this file: a section that is not in the list still has a place on the page of a run that checks it, without
words. Nothing here is copied from an RFC, so a page needs no network to say what a section is about.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby

from lab.report import words

PAGE = "rfcs.html"


@dataclass(frozen=True, slots=True)
class Section:
    """One section: `key` as `rfc7296:2.8`, its name, its words, and whether the run checks it as a clause."""

    key: str
    words: str
    clause: str

    @property
    def name(self) -> str:
        """`RFC 7296, 2.8`."""
        return words.clause(self.key)


@cache
def known() -> dict[str, str]:
    """What each section is about, by `rfc7296:2.8`."""
    text = files("lab.report").joinpath("sections.tsv").read_text(encoding="utf-8")
    rows = (line.partition("\t") for line in text.splitlines() if line)
    return {f"rfc{name.replace(' ', ':', 1)}": about for name, _, about in rows}


def key(name: str) -> str:
    """`7296#2.8`, `rfc7296:2.8` and `RFC 7296 2.8` as `rfc7296:2.8`; an empty string for what names no section."""
    match = words.CLAUSE.match(name.strip())
    return f"rfc{match[1]}" + (f":{match[2]}" if match[2] else "") if match else ""


def about(name: str) -> str:
    """What a section is about, or an empty string."""
    return known().get(key(name), "")


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
    found = [Section(one, known().get(one, ""), checked.get(one, "")) for one in keys]
    return [(rfc, list(group)) for rfc, group in groupby(found, key=_rfc)]


def _rfc(section: Section) -> str:
    return words.clause(section.key.partition(":")[0])
