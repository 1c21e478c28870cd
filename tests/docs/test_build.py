"""The documentation builds without a warning, and what is generated says all that the code has."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.cli import schemas as outputs
from lab.emulation import topology
from lab.evidence.schemas import SCHEMAS
from lab.ike.states import CHILD_MOVES, IKE_MOVES
from tests.docs.pages import ROOT, scenarios

pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(place / "doctrees")]
    done = subprocess.run(
        [*command, "docs", str(place / "html")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "html"


def test_it_opens_from_disk_without_the_network(built: Path) -> None:
    loaded = re.compile(r'(?:src|<link[^>]*href)="(https?://[^"]*)"')
    strangers = {found for page in built.rglob("*.html") for found in loaded.findall(page.read_text())}
    assert not strangers


def test_the_catalogue_has_every_scenario(built: Path) -> None:
    text = (built / "generated/scenarios.html").read_text()
    assert not {one for one in scenarios() if f">{one}<" not in text}
    clauses = (built / "generated/clauses.html").read_text()
    assert "rfc7296#section-2.23" in clauses and clauses.count("<tr") > 100


def test_every_topology_is_drawn(built: Path) -> None:
    text = (built / "generated/topologies.html").read_text()
    assert not {name for name in topology.names() if f"/{name}.svg" not in text}


@pytest.mark.parametrize(("name", "moves"), [("ike-sa", IKE_MOVES), ("child-sa", CHILD_MOVES)])
def test_the_drawings_have_every_move_and_no_other(built: Path, name: str, moves: frozenset) -> None:
    drawing = ElementTree.parse(built / f"_images/{name}.svg")
    drawn = [path.get("data-move") for path in drawing.iter(f"{SVG}path") if path.get("data-move")]
    assert sorted(drawn) == sorted(f"{before.name}>{after.name}" for before, after in moves)


def test_every_schema_can_be_downloaded(built: Path) -> None:
    found = {
        path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in built.rglob("*.schema.json")
    }
    printed = {outputs.file_name(one).removesuffix(".schema.json") for one in outputs.SCHEMAS}
    assert set(found) == set(SCHEMAS) | printed
    assert found["result.json"]["$schema"].endswith("2020-12/schema")
