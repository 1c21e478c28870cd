"""The pages as a whole: what is built from whole, partial and broken run directories."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.report import build
from tests.report.synthetic import write_run

VOID = {"meta", "link", "br", "img", "input", "hr"}
OPTIONAL_END = {"td", "th", "tr", "p"}


class Outline(HTMLParser):
    """Checks nesting and collects ids, links, and the text of each element id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src"):
                self.links.append(value or "")
            elif name.startswith("on") or name == "style":
                self.handlers.append(f"{tag} {name}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] in OPTIONAL_END and self.open[-1] != tag:
            self.open.pop()
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not (self.open and self.open[-1] in ("style", "script")):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def outline(path: Path) -> Outline:
    return Outline(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("run"))
    build(run)
    return run


def test_every_page_is_well_formed_and_every_link_leads_somewhere(run_dir: Path) -> None:
    pages = sorted(run_dir.rglob("index.html"))
    assert len(pages) == 19
    for page in pages:
        found = outline(page)
        assert len(found.ids) == len(set(found.ids)), f"ids are doubled in {page}"
        for link in found.links:
            target, _, anchor = link.partition("#")
            if target.startswith("https://"):
                continue
            file = (page.parent / target).resolve() if target else page
            assert file.is_file(), f"{page}: {link}"
            if anchor and file.name == "index.html" and file != page:
                assert f'id="{anchor}"' in file.read_text(), f"{page}: {link}"
            elif anchor and file == page:
                assert anchor in found.ids, f"{page}: {link}"


def test_it_can_be_built_again(run_dir: Path) -> None:
    before = {path: path.read_bytes() for path in run_dir.rglob("index.html")}
    assert build(run_dir) == run_dir / "index.html"
    assert before == {path: path.read_bytes() for path in run_dir.rglob("index.html")}


def test_what_is_no_run_directory_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run directory"):
        build(tmp_path)


def test_a_run_with_only_run_json_has_an_index(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"schema": "ikelab.run/1", "results": [], "duration_s": 1}))
    assert "No results" in outline(build(tmp_path)).text
