"""What a scenario's page shows, read from its directory. No markup except drawings made by the SVG helpers.

Rules of this file: each part stands alone, so that a missing file takes away its own section and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from lab.report import associations, drawing, facts, files, rungs, words
from lab.report.facts import Doubts, Facts
from lab.report.model import Result, Verdict
from lab.report.rungs import Ladder

MOST_MAPPINGS = 200


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a scenario. `word` is its verdict as written, `at` its time since the start."""

    name: str
    verdict: Verdict
    word: str
    detail: str
    at: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on a scenario's page."""

    result: Result
    reason: str
    reproduce: str
    steps: list[Step]
    evidence: list[tuple[str, str, str, str]]
    counts: list[tuple[str, str]]
    negotiated: list[tuple[str, str]]
    topology: Markup | None
    ladder: Ladder | None
    sides: list[associations.Side]
    keys: list[tuple[str, list[tuple[str, str]]]]
    mappings: list[Facts]
    configs: list[files.Text]
    logs: list[files.Text]
    downloads: list[files.Download]
    doubts: Doubts


def load(directory: Path, result: Result) -> Page:
    """Read a scenario's directory. Never raises for bad content."""
    doubts = Doubts()
    found = facts.table(facts.load(directory / "result.json", doubts, needed=True))
    nat = facts.load(directory / "nat.json", doubts)
    return Page(
        result=result,
        reason=result.reason or _reason(result, facts.rows(found, "steps")),
        reproduce=facts.text(found, "reproduce"),
        steps=[_step(item) for item in facts.rows(found, "steps")],
        evidence=[_evidence(item) for item in facts.rows(found, "evidence")],
        counts=_pairs(facts.table(found, "messages")),
        negotiated=_pairs(facts.table(found, "negotiated")),
        topology=_topology(directory, doubts),
        ladder=rungs.load(directory, result, doubts),
        sides=associations.sides(facts.load(directory / "sas.json", doubts)),
        keys=associations.keys(facts.load(directory / "keys.json", doubts)),
        mappings=(facts.rows(nat) or facts.rows(nat, "mappings"))[:MOST_MAPPINGS],
        configs=files.configs(directory),
        logs=files.logs(directory),
        downloads=files.downloads(directory),
        doubts=doubts,
    )


def columns(rows: Sequence[Facts]) -> list[str]:
    """The keys that occur in any of the rows, in the order of their first occurrence."""
    return list(dict.fromkeys(key for row in rows for key in row))


def sections(page: Page) -> list[tuple[str, str, bool]]:
    """(anchor, name, present) in the order of the page."""
    return [
        ("steps", "Steps", bool(page.steps)),
        ("again", "Run it again", bool(page.reproduce)),
        ("topology", "Topology", bool(page.topology)),
        ("ladder", "Messages", bool(page.ladder)),
        ("sas", "Security associations", bool(page.sides or page.keys)),
        ("negotiated", "Negotiated", bool(page.negotiated)),
        ("nat", "NAT mappings", bool(page.mappings)),
        ("configs", "Configurations", bool(page.configs)),
        ("logs", "Logs", bool(page.logs)),
        ("evidence", "Evidence", bool(page.evidence)),
        ("downloads", "Downloads", bool(page.downloads)),
    ]


def _reason(result: Result, steps: Sequence[Facts]) -> str:
    """A sentence for a result that gives none."""
    if result.verdict is Verdict.PASSED:
        return f"All {len(steps)} steps passed." if len(steps) > 1 else ""
    first = next((facts.text(step, "name") for step in steps if facts.text(step, "verdict") != "passed"), "")
    return f"It ended at the step '{first}'." if first else "No reason was given."


def _step(item: Facts) -> Step:
    word = facts.text(item, "verdict")
    verdict = next((one for one in Verdict if one.value == word), Verdict.UNSUPPORTED)
    at = facts.number(item, "at_s")
    shown = "" if at is None else f"{at:.3f} s"
    return Step(facts.text(item, "name", "unnamed"), verdict, word, facts.text(item, "detail"), shown)


def _evidence(item: Facts) -> tuple[str, str, str, str]:
    name = facts.text(item, "file")
    return facts.text(item, "kind"), name, files.address(name), facts.text(item, "note")


def _pairs(found: Facts) -> list[tuple[str, str]]:
    return [(words.label(name), words.plain(value)) for name, value in found.items()]


def _topology(directory: Path, doubts: Doubts) -> Markup | None:
    path = directory / "topology.svg"
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        doubts.add(f"topology.svg cannot be read: {error}.")
        return None
    drawn = drawing.inline(source)
    if drawn is None:
        doubts.add("topology.svg is no drawing that can be shown.")
    return drawn
