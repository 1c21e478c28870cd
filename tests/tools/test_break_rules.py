"""tools/break_rules.py: that its tables fit the lab, cover what they have to, and that a rule without a guard is found.

That each guard notices its break is seen by `make rules`, which takes some minutes.
"""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from lab.ike.impair.table import TABLE

ROOT = Path(__file__).parents[2]
COLLISIONS = ("test_collisions.py", "test_followup_collisions.py")


def tool():
    spec = importlib.util.spec_from_file_location("break_rules", ROOT / "tools" / "break_rules.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TOOL = tool()
RULES = [rule for table in TOOL.rules().values() for rule in table]


def functions(file: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_each_break_is_another_program(rule):
    text = (ROOT / rule.file).read_text()
    broken = rule.break_in(text)
    assert broken != text
    compile(broken, rule.file, "exec")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_each_rule_has_guards_that_there_are(rule):
    assert rule.guards()
    for test in rule.tests:
        file, name = re.sub(r"\[.*", "", test).split("::")
        assert name in functions(ROOT / "tests" / "ikev2" / file), f"there is no test {test}"


def test_no_rule_is_said_twice():
    says = [rule.says for rule in RULES]
    assert len(says) == len(set(says))


def test_every_impairment_guards_a_rule_in_requests_and_in_responses():
    guarded = {guard for rule in RULES for name in rule.impairments for guard in TOOL.guards_of(name)}
    assert {guard for name in TABLE for guard in TOOL.guards_of(name)} - guarded == set()


@pytest.mark.parametrize("file", COLLISIONS)
def test_every_test_of_collisions_guards_a_rule(file):
    named = {re.sub(r"\[.*", "", test).split("::")[1] for rule in RULES for test in rule.tests if test.startswith(file)}
    assert functions(ROOT / "tests" / "ikev2" / file) - named == set()


def test_a_place_that_is_not_there_once_is_an_error():
    rule = TOOL.Rule("a rule", "lab/x.py", (("one", "two"),), (), ())
    assert rule.break_in("one and more") == "two and more"
    for text in ("nil", "one one"):
        with pytest.raises(ValueError, match="to be replaced"):
            rule.break_in(text)


@pytest.fixture
def small(tmp_path):
    """A lab of two rules, of which its one test looks at the first."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "limits.py").write_text("LEAST = 16\nMOST = 256\n")
    return tmp_path


@pytest.mark.parametrize(("text", "noticed"), [("LEAST = 16", True), ("MOST = 256", False)])
def test_what_no_test_notices_is_told_and_the_copy_is_whole_again(small, monkeypatch, text, noticed):
    guard = "tests/ikev2/test_limits.py::test_least"
    before = (small / "lab" / "limits.py").read_bytes()
    rule = TOOL.Rule("a limit", "lab/limits.py", ((text, text + "0"),), ("test_limits.py::test_least",), ())
    monkeypatch.setattr(TOOL, "outcome", lambda copy, chosen, **_: ({guard: 1}, failing(copy, guard)))
    assert TOOL.unnoticed(small, rule) == ([] if noticed else [f"does not notice: {guard}"])
    assert (small / "lab" / "limits.py").read_bytes() == before


def failing(copy: Path, guard: str) -> set[str]:
    return set() if "LEAST = 16\n" in (copy / "lab" / "limits.py").read_text() else {guard}
