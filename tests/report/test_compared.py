"""The page "IKEv1 and IKEv2 compared": what was seen, what failed, and what was not run."""

import json
from pathlib import Path

import pytest

from lab.report import build, compared, model
from lab.report.model import Verdict
from tests import collected
from tests.report.outline import outline
from tests.report.proven import FIRST, collisions, esp, handshake, ike2, result, timing, write, write_proven
from tests.report.test_hostile import HOSTILE, SHOWN

PAGES = ("compared.html", "claims.html", "collisions.html", "timing.html")


@pytest.fixture
def proven(tmp_path: Path) -> Path:
    return write_proven(tmp_path / "run")


def line(run: Path, name: str) -> compared.Line:
    return next(one for one in compared.table(run, model.load_run(run)) if one.name == name)


def test_every_scenario_that_the_table_names_is_in_the_catalogue() -> None:
    ids = collected.names()
    for row in compared.comparison.ROWS:
        assert row.ikev1.looks and row.ikev2.looks, f"{row.name}: a cell that no run proves"
        for look in (*row.ikev1.looks, *row.ikev2.looks):
            assert any(look.proof.means(name) for name in ids), f"{row.name}: no scenario {look.proof.select}"


def test_results_that_say_the_same_stand_together_and_a_failed_one_says_why(proven: Path) -> None:
    found = line(proven, "Messages to establish")
    (main,), aggressive = found.ikev1.entries[0].findings, found.ikev1.entries[1].findings
    assert main.words == "6 Main Mode + 3 Quick Mode = 9 messages before the first ESP packet"
    assert [one.pairing for one in main.results] == ["ours>strongswan", "strongswan>ours"]
    assert aggressive == ()
    failed, passed = found.ikev2.entries[0].findings
    assert (failed.verdict, failed.words) == (Verdict.FAILED, "No packet ever came.")
    assert passed.words.startswith("2 IKE_SA_INIT + 2 IKE_AUTH = 4 messages")


def test_the_figure_is_that_of_the_ladder(tmp_path: Path) -> None:
    more = [ike2("IKE_AUTH", "EAP", 2), ike2("IKE_AUTH", "EAP", 2, response=True)]
    run = write(tmp_path / "run", result(f"{FIRST}ikev2", [*handshake(), *more, esp()]))
    (found,) = line(run, "Messages to establish").ikev2.entries[0].findings
    assert found.words.startswith("2 IKE_SA_INIT + 4 IKE_AUTH = 6 messages")


@pytest.mark.parametrize("ladder", ["[]", "{", '[{"n": "x", "payloads": 7}, 3]'])
def test_a_broken_ladder_shows_nothing(proven: Path, ladder: str) -> None:
    (proven / f"scenarios/{FIRST}ikev2/ours-to-strongswan/ladder.json").write_text(ladder)
    passed = line(proven, "Messages to establish").ikev2.entries[0].findings[-1]
    assert (passed.verdict, passed.words) == (Verdict.PASSED, "Its messages do not show it.")


def test_the_page_links_each_cell_to_its_proof(proven: Path) -> None:
    build(proven)
    found = outline(proven / "compared.html")
    assert f"scenarios/{FIRST}main-mode/strongswan-to-ours/index.html" in found.links
    assert "not run ikelab run ikev1/aes-gcm-in-phase-1 would." in found.text
    assert "failed No cookie was demanded." in found.text
    assert "unsupported strongswan lacks mlkem768." in found.text


def test_the_index_leads_to_both_pages_and_they_lead_back(proven: Path) -> None:
    build(proven)
    assert set(PAGES) <= set(outline(proven / "index.html").links)
    for page in PAGES:
        found = outline(proven / page)
        assert "index.html" in found.links
        assert len(found.ids) == len(set(found.ids))
        assert found.suspects == []
        for link in found.links:
            target, _, anchor = link.partition("#")
            if not target.startswith("https://"):
                assert (proven / target).exists(), link
                assert not anchor or target or anchor in found.ids, link


@pytest.mark.parametrize("page", PAGES)
def test_hostile_strings_are_text(tmp_path: Path, page: str) -> None:
    evil = {"reason": HOSTILE, "verdict": "failed", "title": HOSTILE, "dir": f"scenarios/{FIRST}ikev2/failed"}
    strange = [one | {"exchange": HOSTILE, "from": HOSTILE} for one in handshake()]
    run = write(
        tmp_path / "run",
        result(f"{FIRST}ikev2", [], f"ours>{HOSTILE}", **evil),
        result(f"{FIRST}main-mode", [*strange, esp()], dir="scenarios/b"),
        result("ikev2/plain-tunnel", [], dir="scenarios/c", negotiated={"ike": {"encr": HOSTILE}}),
        result("timing/a", [], dir="scenarios/e", timing=timing(peer=HOSTILE)),
        result("faults/collision/a", [], dir="scenarios/d", collisions=collisions(deviations={"both": [HOSTILE]})),
    )
    build(run)
    found = outline(run / page)
    assert SHOWN in found.text
    assert found.suspects == []
    assert len(found.scripts) == 1 and "pwned" not in found.scripts[0]


def test_a_directory_that_leads_elsewhere_is_not_read(tmp_path: Path) -> None:
    run = write(tmp_path / "run", result(f"{FIRST}ikev2", [*handshake(), esp()]))
    facts = json.loads((run / "run.json").read_text())
    facts["results"][0]["dir"] = "../elsewhere"
    (run / "run.json").write_text(json.dumps(facts))
    words = [finding.words for finding in line(run, "Messages to establish").ikev2.entries[0].findings]
    assert "Its files are not there to be read." in words
