"""Whatever a peer, a log or a file name says stands on the page as text."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.report import build
from tests.report.outline import outline
from tests.report.synthetic import write_run

PAGE = "scenarios/nat/both_sides/ours-to-strongswan"
HOSTILE = (
    "\"'><img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
    "<svg onload=document.title='pwned'></style><!--{{7*7}}]]>&amp;\u202e\ud800\x00\x1b[31m"
)
SHOWN = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
# Left alone, so that the page is still found and still has a ladder with all its rows.
STRUCTURE = frozenset(
    {"dir", "verdict", "point", "from", "to", "protocol", "kind", "ends", "raw", "plain", "of", "octets", "outcome"}
)


def poison(value: Any, key: str = "") -> Any:
    """Every string with something hostile behind it."""
    if isinstance(value, str):
        return value if key in STRUCTURE else value + HOSTILE
    if isinstance(value, list):
        return [poison(item, key) for item in value]
    if isinstance(value, dict):
        return {name: poison(item, name) for name, item in value.items()}
    return value


def write_hostile_run(path: Path) -> Path:
    """A run in which everything that can be hostile is."""
    write_run(path)
    for file in [path / "run.json", *(path / PAGE).glob("*.json")]:
        value = poison(json.loads(file.read_bytes()))
        if file.name == "nat.json":
            value[0][HOSTILE] = HOSTILE
        if file.name == "result.json":
            value["negotiated"][HOSTILE] = {HOSTILE: [HOSTILE]}
            value["evidence"] += [
                {"file": name} for name in ("javascript:alert(1)", "//evil.example/x", "../../run.json")
            ]
        file.write_text(json.dumps(value))
    for folder in ("logs", "configs"):
        (path / PAGE / folder / "a <b onclick=x>&'\"#?%2e.log").write_text(HOSTILE * 3, errors="replace")
    (path / PAGE / "topology.svg").write_text(SVG)
    build(path)
    return path


SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9"
 onload="document.title='pwned'"><script>document.title='pwned'</script><style>body{display:none}</style>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><img src="x"/></body></foreignObject>
<image href="https://evil.example/a.png"/><a href="javascript:alert(1)"><text>click</text></a>
<rect id="main" width="9" height="9" fill="url(https://evil.example/x)" style="background:url(x)" onclick="x()"/>
<use xlink:href="https://evil.example/x.svg#a"/><use xlink:href="#main"/><text>kept &lt;b&gt;</text>
<animate attributeName="href" to="javascript:alert(1)"/></svg>"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hostile_run(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("page", ["index.html", f"{PAGE}/index.html"])
def test_hostile_strings_are_text(hostile: Path, page: str) -> None:
    found = outline(hostile / page)
    assert SHOWN in found.text
    assert found.suspects == []
    assert len(found.scripts) == 1 and "pwned" not in found.scripts[0]
    assert "{{7*7}}" in found.text and "49]]>" not in found.text


def test_links_lead_to_files_of_the_run_or_to_the_rfc_editor(hostile: Path) -> None:
    for page in ("index.html", f"{PAGE}/index.html"):
        for link in outline(hostile / page).links:
            if link.startswith("https://"):
                assert link.startswith("https://www.rfc-editor.org/rfc/rfc"), link
            else:
                assert ":" not in link.split("/")[0] and not link.startswith("//"), link


def test_every_file_with_a_strange_name_can_be_followed(hostile: Path) -> None:
    assert "./logs/a%20%3Cb%20onclick%3Dx%3E%26%27%22%23%3F%252e.log" in outline(hostile / PAGE / "index.html").links


def test_the_drawing_keeps_its_shapes_and_loses_what_acts(hostile: Path) -> None:
    page = (hostile / PAGE / "index.html").read_text()
    drawing = page[page.index('<figure class="topology">') : page.index("</figure>")]
    assert "kept &lt;b&gt;" in drawing and 'id="drawing-main"' in drawing and 'href="#drawing-main"' in drawing
    for word in ("pwned", "evil", "javascript", "foreign", "style", "onclick", "animate", "image"):
        assert word not in drawing.lower(), word
