import pytest

from lab.evidence.results import Result
from lab.run.attempts import merge
from lab.run.main import exit_code


def result(verdict, reason=""):
    return Result(id="a/b", pairing="ours>strongswan", verdict=verdict, reason=reason, attempts=[verdict])


@pytest.mark.parametrize(
    ("words", "merged", "code"),
    [
        (["passed"], "passed", 0),
        (["passed", "passed"], "passed", 0),
        (["failed"], "failed", 1),
        (["unsupported"], "unsupported", 0),
        (["unresolved", "unresolved"], "unresolved", 5),
        (["unresolved", "passed"], "flaky", 0),
        (["passed", "failed"], "flaky", 1),
        (["unresolved", "failed"], "failed", 1),
    ],
)
def test_attempts_become_one_verdict_and_one_exit_code(words, merged, code):
    one = merge([result(word) for word in words])
    assert (one.verdict, one.attempts) == (merged, words)
    assert exit_code([one]) == code


def test_a_flaky_result_says_which_attempt_went_wrong():
    one = merge([result("unresolved", "the guest ended"), result("passed")])
    assert one.reason == "attempt 1 of 2 was unresolved: the guest ended"


def test_a_failure_outweighs_what_the_lab_broke():
    assert exit_code([result("unresolved"), result("failed")]) == 1
