"""Names of scenarios and families, and the verdict over several results."""

import pytest

from lab.report import model, proof
from lab.report.model import Verdict
from lab.report.proof import Proof


@pytest.mark.parametrize(
    ("select", "scenario", "meant"),
    [
        ("nat/forced/", "nat/forced/left", True),
        ("nat/forced", "nat/forced/left", False),
        ("ikev2/eap/md5", "ikev2/eap/md5", True),
        ("ikev2/eap/md5", "ikev2/eap/md5-with-identity", False),
        ("nat/forced/", "nat/forced-again/left", False),
    ],
)
def test_a_name_is_one_scenario_and_a_slash_at_its_end_makes_it_a_family(select, scenario, meant):
    assert Proof("", select).means(scenario) is meant


def test_the_command_can_be_pasted_into_a_shell():
    assert Proof("", "nat/forced/").command == "ikelab run nat/forced/"
    assert Proof("", "a b/$(c)").command == "ikelab run 'a b/$(c)'"


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        ("", None),
        ("unsupported", Verdict.UNSUPPORTED),
        ("passed unsupported", Verdict.PASSED),
        ("passed flaky", Verdict.FLAKY),
        ("flaky passed failed unresolved", Verdict.FAILED),
    ],
)
def test_what_is_unsupported_spoils_nothing(verdicts, wanted):
    assert proof.worst(model.result({"verdict": word}, None) for word in verdicts.split()) is wanted
