"""A verdict stands only on a whole capture."""

from types import SimpleNamespace

import pytest

from lab.errors import BrokenError
from lab.plugin.laboratory import Lab
from lab.plugin.verdict import FAILED, PASSED, UNRESOLVED, Verdict


def concluded(verdict: Verdict, uncaptured: int) -> list[Verdict]:
    settled: list[Verdict] = []
    steps = SimpleNamespace(end=lambda verdict: None, add=lambda *words: None)
    stand_in = SimpleNamespace(steps=steps, running=[], has_network=False, uncaptured=uncaptured, settle=settled.append)
    try:
        Lab.conclude(stand_in, verdict)  # type: ignore[arg-type]
    except BrokenError as error:
        assert "lost 3 packets" in str(error)
    return settled


@pytest.mark.parametrize(
    ("word", "uncaptured", "wanted"), [(PASSED, 0, PASSED), (PASSED, 3, UNRESOLVED), (FAILED, 3, FAILED)]
)
def test_a_capture_with_holes_proves_nothing(word: str, uncaptured: int, wanted: str) -> None:
    (verdict,) = concluded(Verdict(word, ""), uncaptured)  # type: ignore[arg-type]
    assert verdict.word == wanted
