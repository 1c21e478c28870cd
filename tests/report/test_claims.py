"""The page "Claims": each with what is true, what proves it, and the verdict of the run."""

from pathlib import Path

import pytest

from lab.report import build, claims, model
from lab.report.textbook import CLAIMS, LOOSE
from lab.report.words import clause_address
from tests import collected
from tests.report.outline import outline
from tests.report.proven import FIRST, result, write, write_proven


def judged(run: Path, number: int) -> claims.Judged:
    return claims.judge(model.load_run(run))[1][number - 1]


def test_every_scenario_that_a_claim_names_is_in_the_catalogue() -> None:
    ids = collected.names()
    for claim in CLAIMS:
        for proof in claim.proofs:
            assert any(proof.means(name) for name in ids), f"claim {claim.number}: no scenario {proof.select}"


def test_all_seventeen_are_there_each_with_a_proof_and_clauses_that_can_be_followed() -> None:
    assert [one.number for one in CLAIMS] == list(range(1, 18))
    for claim in CLAIMS:
        assert claim.proofs and claim.truth and all(clause_address(clause) for clause in claim.clauses)


def every(number: int, **more: object) -> list[dict[str, object]]:
    """A result for each proof of a claim."""
    names = [one.select + ("x" if one.family else "") for one in CLAIMS[number - 1].proofs]
    return [result(name, [], **more) for name in dict.fromkeys(names)]


def test_a_claim_is_shown_when_every_proof_of_it_passed(tmp_path: Path) -> None:
    run = write(tmp_path / "run", *every(6))
    assert judged(run, 6).sentence == "Shown by this run as it is written."


def test_a_refined_claim_is_shown_as_refined_but_for_what_has_no_scenario(tmp_path: Path) -> None:
    number = next(claim.number for claim in CLAIMS if claim.missing and claim.judgement == LOOSE)
    run = write(tmp_path / "run", *every(number))
    assert (
        judged(run, number).sentence == "Shown by this run as it is put right here, but for what has no scenario yet."
    )


def test_a_claim_whose_proofs_were_run_in_part_says_so(tmp_path: Path) -> None:
    run = write(tmp_path / "run", *every(6)[:1])
    assert judged(run, 6).sentence == "Shown in part: 2 of 3 proofs were not run; the others passed."
    run = write(tmp_path / "more", *every(6)[:2])
    assert judged(run, 6).sentence == "Shown in part: 1 of 3 proofs was not run; the others passed."


@pytest.mark.parametrize("word", ["failed", "unresolved", "flaky"])
def test_one_bad_result_is_enough(tmp_path: Path, word: str) -> None:
    good, *rest = every(6)
    run = write(tmp_path / "run", good | {"verdict": word}, *rest)
    assert judged(run, 6).sentence == f"Not shown: 1 of the 3 results that should prove it is {word}."


def test_what_no_pairing_supports_shows_nothing(tmp_path: Path) -> None:
    run = write(tmp_path / "run", *every(6, verdict="unsupported"))
    assert judged(run, 6).sentence == "Not shown: no pairing of this run supports what would prove it."


def test_each_pairing_has_its_own_verdict(tmp_path: Path) -> None:
    run = write_proven(tmp_path / "run")
    pairings, all_of_them = claims.judge(model.load_run(run))
    assert pairings == ["ours>strongswan", "strongswan>ours"]
    assert [one.worst.value for one in all_of_them[3].cells if one.worst] == ["passed", "failed"]
    assert all_of_them[3].cells[1].gravest.id == f"{FIRST}ikev2"
    assert [one.gravest for one in all_of_them[15].cells] == [None, None]
    assert all_of_them[15].sentence == "Not run: nothing in this run proves or refutes it."


def test_the_page_says_all_of_it(tmp_path: Path) -> None:
    run = write_proven(tmp_path / "run")
    build(run)
    found = outline(run / "claims.html")
    assert f"scenarios/{FIRST}ikev2/strongswan-to-ours/index.html" in found.links
    assert "not run ikelab run routing/no-adjacency-without-gre would." in found.text
    missing = next(claim.missing for claim in CLAIMS if claim.missing)
    assert f"No scenario yet {missing}" in found.text
    assert "https://www.rfc-editor.org/rfc/rfc4302#section-3.3.3.1" in found.links
    for claim in CLAIMS:
        assert f"{claim.number}. {claim.topic}" in found.text and f"claim-{claim.number}" in found.ids


def test_an_empty_run_has_both_pages(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    build(run)
    assert "Not run: nothing in this run" in outline(run / "claims.html").text
    assert "not run ikelab run ikev2/cookie would." in outline(run / "compared.html").text
