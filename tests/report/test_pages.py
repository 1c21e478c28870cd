"""The pages as a whole: what is built from whole, partial and broken run directories."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from lab.errors import ConfigError
from lab.report import assets, build, sections
from tests.report.outline import outline
from tests.report.synthetic import SCENARIOS, write_many, write_run

PAGE = "scenarios/nat/both_sides/ours-to-strongswan"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("run"))
    build(run)
    return run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A small run that a test may break."""
    run = write_run(tmp_path / "run", only=("nat/both_sides", "ikev2/wrong_psk"))
    build(run)
    return run


@pytest.mark.parametrize("number", [15, 130])
def test_it_tells_how_many_pages_are_written(tmp_path: Path, number: int) -> None:
    told: list[tuple[str, int, int]] = []
    run = write_many(tmp_path / "run", number)
    for one in json.loads((run / "run.json").read_text())["results"]:
        (run / one["dir"]).mkdir(parents=True, exist_ok=True)
    build(run, lambda *step: told.append(step))
    steps = [done for _, done, _ in told]
    assert steps == sorted(set(steps)) and (steps[0], steps[-1]) == (0, number)
    assert {(what, total) for what, _, total in told} == {("write the report", number)}


def test_every_page_is_well_formed_and_every_link_leads_somewhere(built: Path) -> None:
    pages = sorted(built.rglob("*.html"))
    assert len([page for page in pages if page.name == "index.html"]) == 2 + 2 * len(SCENARIOS)
    outlines = {page.resolve(): outline(page) for page in pages}
    for page, found in outlines.items():
        assert len(found.ids) == len(set(found.ids)), f"ids are doubled in {page}"
        for link in found.links:
            target, _, anchor = link.partition("#")
            if target.startswith("https://"):
                continue
            file = (page.parent / target).resolve() if target else page
            assert file.is_file(), f"{page}: {link}"
            if anchor and file.suffix == ".html":
                assert anchor in outlines[file].ids, f"{page}: {link}"


def test_nothing_in_a_page_fetches_or_acts_but_its_one_script(built: Path) -> None:
    for page in built.rglob("index.html"):
        found = outline(page)
        assert found.suspects == []
        script = "index.js" if page.parent == built else "scenario.js"
        assert found.scripts == [assets.static("copy.js") + assets.static(script)]


def test_the_index_shows_the_run(built: Path) -> None:
    text = outline(built / "index.html").text
    assert "1 failed, 1 unresolved, 1 flaky of 19 results" in text
    assert "guest kernel 6.18.9, ikelab 0.1.0, strongswan 6.0.1, seed 20261123, took 41.3 s" in text
    assert "ikelab run --kernel guest --seed 20261123" in text
    assert "a CHILD SA was installed after AUTHENTICATION_FAILED was due." in text
    assert "1 failed, 1 unsupported, 2 passed" in text
    assert "RFC 7296, 2.23" in text


def test_the_index_tells_how_much_each_clause_asks(built: Path) -> None:
    rows = dict(
        re.findall(r'<tr id="c-([^"]+)">.*?<span class="level[^>]*>([^<]+)</span>', (built / "index.html").read_text())
    )
    assert rows
    for clause, level in rows.items():
        assert level == sections.level(unquote(clause)).replace("-", "no level"), clause
    assert {"MUST", "SHOULD"} <= set(rows.values())


def test_a_scenario_page_has_its_parts_in_order(built: Path) -> None:
    ids = outline(built / PAGE / "index.html").ids
    order = ["name", "steps", "again", "topology", "ladder", "timeline", "sas", "negotiated", "nat", "traffic"]
    order += ["configs", "logs", "downloads"]
    assert [id for id in ids if id in order] == order
    links = outline(built / PAGE / "index.html").links
    listed = [link[1:] for link in links[links.index("#steps") :] if link[:1] == "#" and link[1:] in order]
    assert listed == order[1:], "the list on top of the page has another order"


def test_a_scenario_page_tells_the_messages_and_their_octets(built: Path) -> None:
    page = outline(built / PAGE / "index.html")
    assert "IKE_AUTH request 1 {IDi N(INITIAL_CONTACT) IDr AUTH SA TSi TSr N(MOBIKE_SUPPORTED)}" in page.text
    assert "40 ESP 20 left \u2192 right, 20 right \u2192 left" in page.text
    assert "192.168.1.2:4500 \u2192 198.51.100.2:4500" in page.text
    assert "203.0.113.2:24500 \u2192 192.168.2.2:4500" in page.text
    assert "After decryption, 233 octets" in page.text
    assert "SK_ei" in page.text and "Lab keys" in page.text
    assert "2 IKE_SA_INIT, 2 IKE_AUTH, 40 ESP." in page.text


def test_a_scenario_page_says_what_it_is_judged_from(built: Path) -> None:
    page = outline(built / PAGE / "index.html")
    assert "Judged from the captured packets, wire.pcapng" in page.text and "./wire.pcapng" in page.links


def test_losses_and_retransmissions_are_told_in_words(built: Path) -> None:
    text = outline(built / "scenarios/faults/losses/ours-to-strongswan/index.html").text
    assert "{SA KE No} lost" in text
    assert "{SA KE No} retransmission of 0" in text
    assert "silence of 4.00 s" in text
    assert "The same octets as message 3." in text


def test_it_can_be_built_again(run_dir: Path) -> None:
    before = {path: path.read_bytes() for path in run_dir.rglob("index.html")}
    assert build(run_dir) == run_dir / "index.html"
    assert before == {path: path.read_bytes() for path in run_dir.rglob("index.html")}


def test_no_other_file_is_left_behind(run_dir: Path) -> None:
    before = set(run_dir.rglob("*"))
    build(run_dir)
    assert before == set(run_dir.rglob("*"))


def test_what_is_no_run_directory_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run directory"):
        build(tmp_path)


def test_a_run_with_only_run_json_has_an_index(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"schema": "ikelab.run/1", "results": [], "duration_s": 1}))
    assert "No results" in outline(build(tmp_path)).text


def test_an_interrupted_run_shows_what_was_finished(run_dir: Path) -> None:
    (run_dir / "run.json").unlink()
    (run_dir / PAGE / "result.json").unlink()
    text = outline(build(run_dir)).text
    assert "the run was interrupted" in text
    assert "The scenario was interrupted before it had a verdict." in text
    page = outline(run_dir / PAGE / "index.html")
    assert "result.json is missing." in page.text
    assert "ladder" in page.ids


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"messages": 7, "steps": "x", "results": {}}', b"[" * 100_000]
)
def test_broken_files_take_away_their_own_section_only(run_dir: Path, content: bytes) -> None:
    for path in (run_dir / PAGE).glob("*.json"):
        path.write_bytes(content)
    (run_dir / PAGE / "topology.svg").write_bytes(content)
    build(run_dir)
    page = outline(run_dir / PAGE / "index.html")
    assert "configs" in page.ids and "logs" in page.ids
    assert "ladder" not in page.ids and "sas" not in page.ids
    assert "wrong_psk" in outline(run_dir / "index.html").text


@pytest.mark.parametrize("name", ["keys.json", "sas.json", "ladder.json", "detail.json", "nat.json", "topology.json"])
def test_any_file_may_be_missing(run_dir: Path, name: str) -> None:
    (run_dir / PAGE / name).unlink()
    build(run_dir)
    assert "downloads" in outline(run_dir / PAGE / "index.html").ids


def test_results_that_lead_outside_the_run_have_no_page_and_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    run = tmp_path / "run"
    run.mkdir()
    results = [{"id": "a/b", "pairing": "x>y", "verdict": "passed", "dir": name} for name in ("../outside", "/etc", "")]
    (run / "run.json").write_text(json.dumps({"results": results, "duration_s": 1}))
    found = outline(build(run))
    assert "3 results" in found.text
    assert not [link for link in found.links if "outside" in link or "etc" in link]
    assert list(outside.iterdir()) == []


def test_two_thousand_results_fit_into_a_megabyte(tmp_path: Path) -> None:
    index = build(write_many(tmp_path, 2000))
    assert outline(index).text.count("strongswan \u2192 ours") > 990
    assert index.stat().st_size < 1_000_000


def test_a_scenario_page_stays_below_two_megabytes_whatever_was_captured(run_dir: Path) -> None:
    directory = run_dir / PAGE
    ladder = json.loads((directory / "ladder.json").read_bytes())
    details = json.loads((directory / "detail.json").read_bytes())
    leaf = {"name": "Data", "value": "f" * 500, "at": [0, 250]}
    tree = [{"name": "payload", "value": "", "at": [0, 9], "children": [leaf] * 60}] * 4
    ladder = [{**ladder[place % 3], "n": place, "t_sent": place / 7} for place in range(2000)]
    details = [{**details[1], "n": place, "tree": tree, "raw": "ab" * 5_000} for place in range(100)]
    (directory / "ladder.json").write_text(json.dumps(ladder))
    (directory / "detail.json").write_text(json.dumps(details))
    for side in ("left", "right"):
        (directory / "logs" / f"{side}.log").write_text("&<>'\"" * 50_000)
        (directory / "configs" / f"{side}.swanctl.conf").write_text("&<>'\"" * 50_000)
    build(run_dir)
    assert (directory / "index.html").stat().st_size < 2_000_000
