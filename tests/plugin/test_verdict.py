import pytest

from lab.errors import BrokenError
from lab.peers.base import PeerFault
from lab.plugin.verdict import judge


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, "passed"),
        (AssertionError("four messages, not five\nassert 4 == 5"), "failed"),
        (PeerFault("charon died"), "failed"),
        (BrokenError("no network"), "unresolved"),
        (OSError(28, "No space left on device"), "unresolved"),
        (KeyError("a bug in the scenario"), "unresolved"),
        (KeyboardInterrupt(), "unresolved"),
        (pytest.skip.Exception("strongswan lacks ah"), "unsupported"),
        (pytest.fail.Exception("said so"), "failed"),
    ],
)
def test_how_a_scenario_ended_decides_the_verdict(error, word):
    assert judge(error).word == word


def test_the_reason_is_the_message_without_pytests_introspection():
    assert judge(AssertionError("four messages, not five\nassert 4 == 5")).reason == "four messages, not five"


def test_an_unresolved_reason_names_the_kind_of_error():
    assert judge(BrokenError("no network")).reason == "BrokenError: no network"
