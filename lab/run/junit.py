"""JUnit XML of a run, for machines that know nothing better."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from lab.evidence.results import Result

# verdict -> the element inside <testcase>; passed and flaky have none
ELEMENTS = {"failed": "failure", "unresolved": "error", "unsupported": "skipped"}


def write(results: Sequence[Result], path: Path, *, seed: int | None) -> None:
    """Write one <testcase> per result, with clauses and seed as properties."""
    counts = {element: sum(ELEMENTS.get(one.verdict) == element for one in results) for element in ELEMENTS.values()}
    suite = ElementTree.Element(
        "testsuite",
        name="ikelab",
        tests=str(len(results)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
        time=f"{sum(one.duration_s or 0 for one in results):.3f}",
    )
    for one in results:
        suite.append(_case(one, seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def properties(result: Result, seed: int | None) -> list[tuple[str, str]]:
    """What a test of JUnit's says beside its verdict; empty ones are left out."""
    found = {
        "verdict": result.verdict,
        "pairing": result.pairing,
        "topology": result.topology,
        "clauses": " ".join(result.clauses),
        "seed": "" if seed is None else str(seed),
        "evidence": result.dir,
        "reproduce": result.reproduce,
    }
    return [(name, value) for name, value in found.items() if value]


def _case(result: Result, seed: int | None) -> ElementTree.Element:
    test = f"{result.id.rpartition('/')[2]}[{result.pairing}]"
    group = result.id.rpartition("/")[0].replace("/", ".")
    case = ElementTree.Element("testcase", classname=group, name=test, time=f"{result.duration_s or 0:.3f}")
    listed = ElementTree.SubElement(case, "properties")
    for name, value in properties(result, seed):
        ElementTree.SubElement(listed, "property", name=name, value=value)
    if element := ELEMENTS.get(result.verdict):
        ElementTree.SubElement(case, element, message=result.reason)
    return case
