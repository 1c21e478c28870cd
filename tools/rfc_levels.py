#!/usr/bin/env python3
"""The requirement words of RFC sections, to fill and to check the LEVEL column of lab/report/sections.tsv.

    tools/rfc_levels.py DIR        each section of the list whose RFC lies in DIR as rfcNNNN.txt: what the list says,
                                   and how often the text has each word
    tools/rfc_levels.py --check DIR    only rows whose level is a word that the text of the section never has, and rows
                                   whose section is not found

DIR holds RFCs as the RFC Editor has them in plain text; none is part of this repository. The words are those of
RFC 2119 and count only in capitals, except in an RFC that has none in capitals (RFC 2328 is older than the custom,
RFC 8201 keeps to what it replaces). A section is its own text, with that of the sections under it which have no row of
their own. The level in the list is what the scenarios check in the section, which may be less than the strongest word:
a reader decides, this tool says what there is to decide about.
"""

import re
import signal
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lab.report.sections import LEVELS, UNLEVELLED, known

# Word of RFC 2119 -> the level it stands for.
WORDS = {"MUST": "MUST", "REQUIRED": "MUST", "SHALL": "MUST", "SHOULD": "SHOULD", "RECOMMENDED": "SHOULD"} | {
    "MAY": "MAY",
    "OPTIONAL": "MAY",
}
_NUMBER = r"\d+(?:\.\d+)*|[A-Z](?:\.\d+)*"
_HEADING = re.compile(rf"^(?:Appendix |APPENDIX )?({_NUMBER})[. :]+\s*\S|^(?:Appendix|APPENDIX) ([A-Z])\.?$")
# Numbers at the start of a line of prose are no headings: one that is set in stands between empty lines.
_SET_IN = re.compile(r"^ {1,4}(\d+(?:\.\d+)+)[. ]+\s*\S")
_CONTENTS = re.compile(r"\s{2,}\d+$|(?:\. ?){3}")
_WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")


def sections(text: str) -> dict[str, str]:
    """Number -> the section's own text; of headings that occur twice both texts count."""
    found: dict[str, list[str]] = {}
    here: list[str] = []
    lines = ["", *text.splitlines(), ""]
    for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
        if number := _heading(before.strip(), line.rstrip(), after.strip()):
            here = found.setdefault(number, [])
        here.append(line)
    return {number: "\n".join(lines) for number, lines in found.items()}


def _heading(before: str, line: str, after: str) -> str:
    """The number of the section that the line begins; an empty string if it begins none."""
    if _CONTENTS.search(line):
        return ""
    if match := _HEADING.match(line):
        return match[1] or match[2]
    match = None if before or after else _SET_IN.match(line)
    return match[1] if match else ""


def levels(text: str) -> Counter[str]:
    """How often each level's words occur."""
    return Counter(WORDS[word] for word in _WORD.findall(text))


class Texts:
    """The RFCs of a directory, read as they are asked for, by `rfc7296`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[str, dict[str, str]] = {}

    def __contains__(self, rfc: str) -> bool:
        return (self._directory / f"{rfc}.txt").exists()

    def counts(self, rfc: str, number: str) -> Counter[str] | None:
        """The words of a section and of those under it that have no row; None if there is no such section."""
        if rfc not in self._read:
            text = (self._directory / f"{rfc}.txt").read_text(errors="replace")
            self._read[rfc] = sections(text if levels(text) else text.upper())
        parts = self._read[rfc]
        if number not in parts:
            return None
        return levels("\n".join(text for name, text in parts.items() if row_of(rfc, name) == number))


def row_of(rfc: str, number: str) -> str:
    """The section of the list that a section belongs to: itself, or the nearest above it; without one, itself."""
    pieces = number.split(".")
    above = (".".join(pieces[:count]) for count in range(len(pieces), 0, -1))
    return next((name for name in above if f"{rfc}:{name}" in known()), number)


def table(directory: Path, *, check: bool) -> Iterable[str]:
    """A line for each row of the list whose text lies in the directory."""
    texts = Texts(directory)
    for key, section in known().items():
        rfc, _, number = key.partition(":")
        if rfc not in texts:
            continue
        counts = texts.counts(rfc, number)
        if counts is None:
            yield f"{key}\t{section.level}\tno such heading"
        elif not check:
            yield "\t".join([key, section.level, *(f"{level} {counts[level]}" for level in LEVELS), section.words])
        elif section.level != UNLEVELLED and not counts[section.level]:
            yield f"{key} is {section.level}, but its text has {dict(counts) or 'no such word'}"


def main(arguments: list[str]) -> int:
    """1 if a check found something."""
    check = arguments[:1] == ["--check"]
    lines = list(table(Path(arguments[-1]), check=check))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return int(check and bool(lines))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it, as it ends any other tool
    sys.exit(main(sys.argv[1:]))
