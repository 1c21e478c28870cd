#!/usr/bin/env python3
"""The requirement words of RFC sections, to fill and to check the LEVEL column of lab/report/sections.tsv.

    tools/rfc_levels.py DIR        each section of the list whose RFC lies in DIR as rfcNNNN.txt: what the list says,
                                   and how often the text has each word
    tools/rfc_levels.py --check DIR    only rows whose level is a word that the text of the section never has

DIR holds RFCs as the RFC Editor has them in plain text; none is part of this repository. The words are those of
RFC 2119 and count only in capitals. A section is its own text, without that of the sections under it. The level in the
list is what the scenarios check in the section, which may be less than the strongest word: a reader decides, this tool
says what there is to decide about.
"""

import re
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
_HEADING = re.compile(r"^(?:Appendix |APPENDIX )?(\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)[. :]+\s*\S")
_CONTENTS = re.compile(r"\s\d+$|(?:\. ?){3}")
_WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")


def sections(text: str) -> dict[str, str]:
    """Number -> the section's own text; of headings that occur twice (a table of contents) the longer text counts."""
    found: dict[str, list[str]] = {}
    here: list[str] = []
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading and not _CONTENTS.search(line.rstrip()):
            here = found.setdefault(heading[1].rstrip("."), [])
        here.append(line)
    return {number: "\n".join(lines) for number, lines in found.items()}


def levels(text: str) -> Counter[str]:
    """How often each level's words occur."""
    return Counter(WORDS[word] for word in _WORD.findall(text))


def table(directory: Path, *, check: bool) -> Iterable[str]:
    """A line for each row of the list whose text lies in the directory."""
    texts = {path.stem: sections(path.read_text(errors="replace")) for path in directory.glob("rfc*.txt")}
    for key, section in known().items():
        rfc, _, number = key.partition(":")
        text = texts.get(rfc, {}).get(number)
        if text is None:
            if rfc in texts and not check:
                yield f"{key}\t{section.level}\tno such heading"
            continue
        counts = levels(text)
        if not check:
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
    sys.exit(main(sys.argv[1:]))
