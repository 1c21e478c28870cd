"""The pages of the documentation, and what they tell the reader to type."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("**/*.md"))
    if not {"_build", "generated", "example-project"} & set(path.relative_to(ROOT).parts)
)
_BLOCK = re.compile(r"^```(?P<kind>console|\{code-block\} python)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CAPTION = re.compile(r":caption: (\S+)\n\n?")
_TAKES = re.compile(r"\s+# takes (?P<how_long>.*)$")


@dataclass(frozen=True, slots=True)
class Typed:
    """A command, the output that the page shows below it, and how long the page says that it takes."""

    command: str
    shown: str
    takes: str = ""

    @property
    def minutes(self) -> bool:
        """Whether it is what the tests themselves need first."""
        return "minute" in self.takes


@dataclass(frozen=True, slots=True)
class Written:
    """A file that the page tells the reader to write."""

    name: str
    text: str


@cache
def scenarios() -> dict[str, list[str]]:
    """The ids of all scenarios, with their pairings."""
    command = [sys.executable, "-m", "lab", "list", "scenarios", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {row["name"]: row["pairings"] for row in json.loads(done.stdout)["scenarios"]}


def name(page: Path) -> str:
    """A page as tests are called by it."""
    return page.relative_to(ROOT).as_posix()


def steps(page: Path) -> list[Typed | Written]:
    """What a page tells the reader to do, in order."""
    return [step for block in _BLOCK.finditer(page.read_text()) for step in _of_block(block["kind"], block["text"])]


def _of_block(kind: str, text: str) -> list[Typed | Written]:
    if kind != "console":
        caption = _CAPTION.match(text)
        return [Written(caption[1], text[caption.end() :])] if caption else []
    found: list[Typed | Written] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        takes = _TAKES.search(command)
        found.append(Typed(_TAKES.sub("", command), shown, takes["how_long"] if takes else ""))
    return found


def matches(shown: str, output: str) -> bool:
    """Whether output is what the page shows: `...` is anything, blanks count once, and nothing shown is no claim."""
    pattern = ".*".join(re.escape(" ".join(part.split())) for part in shown.split("..."))
    return not shown or re.fullmatch(rf"\s*{pattern}\s*", " ".join(output.split()), re.DOTALL) is not None
