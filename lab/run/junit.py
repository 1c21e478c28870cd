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


def _case(result: Result, seed: int | None) -> ElementTree.Element:
    name = f"{result.id.rpartition('/')[2]}[{result.pairing}]"
    group = result.id.rpartition("/")[0].replace("/", ".")
    case = ElementTree.Element("testcase", classname=group, name=name, time=f"{result.duration_s or 0:.3f}")
    properties = ElementTree.SubElement(case, "properties")
    for key, value in (("verdict", result.verdict), ("clauses", " ".join(result.clauses)), ("seed", str(seed))):
        ElementTree.SubElement(properties, "property", name=key, value=value)
    if element := ELEMENTS.get(result.verdict):
        ElementTree.SubElement(case, element, message=result.reason)
    return case
