"""What the pages name exists: scenarios, topologies, files of the repository, options."""

import re
from pathlib import Path

import pytest

from lab.emulation import topology
from tests.docs import pages
from tests.docs.pages import PAGES, ROOT

FOLDERS = "lab|scenarios|tests|topologies|tools|docs|bench|reports"
_FILE = re.compile(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]*\w)")
_GROUPS = "conformance|esp|faults|ikev1|ikev2|nat|routing|soak"
_SCENARIO = re.compile(rf"(?<![\w./-])((?:{_GROUPS})/[\w.-]+(?:/[\w.-]+)?)")
# What comes to be in the course of things, stands for a name, is a scenario of the example, or promised as a contract.
MADE = re.compile(r"^(reports/out|docs/_build|docs/generated|tests/a-branch-office)|NAME|bench/esp_throughput.py")


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_files_exist(page: Path) -> None:
    named = {found.rstrip(".") for found in _FILE.findall(page.read_text())}
    missing = {file for file in named if not MADE.search(file) and not (ROOT / file).exists()}
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_scenarios_exist(page: Path) -> None:
    text = page.read_text()
    named = {found.rstrip(".") for found in _SCENARIO.findall(text)}
    named = {one for one in named if not one.endswith((".py", ".md", "/")) and f"scenarios/{one}" not in text}
    missing = {one for one in named if not any(known.startswith(one) for known in pages.scenarios())}
    assert not missing


def test_the_worksheets_are_six_and_each_predicts_runs_and_sees() -> None:
    sheets = [page for page in PAGES if page.parent.name == "worksheets" and page.stem != "index"]
    assert len(sheets) == 6
    for sheet in sheets:
        assert re.findall(r"^## (.*)$", sheet.read_text(), re.MULTILINE) == ["Predict", "Run", "See"]


def test_topologies_that_are_drawn_exist() -> None:
    drawn = {found for page in PAGES for found in re.findall(r"generated/([\w-]+)\.svg", page.read_text())}
    assert drawn <= {*topology.names(), "ike-sa", "child-sa"} and drawn
