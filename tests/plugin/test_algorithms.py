"""Every row of the registry is negotiated by a scenario, or somebody has written down why not."""

import importlib.util
from pathlib import Path

import pytest

from lab.crypto import proposal, registry
from lab.matrix import IKEV2
from lab.plugin.algorithms import ELSEWHERE, suites
from lab.wire.ids import ProtocolId, TransformType
from tests import collected

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "ikev2" / "test_algorithms.py"
ROWS = {
    word: transform
    for word, transform in registry.KEYWORDS.items()
    if transform.type not in registry.ADDITIONAL and word != "none"
}


def parameters():
    spec = importlib.util.spec_from_file_location("scenarios_of_algorithms", SCENARIOS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PARAMETERS


def negotiated(protocol):
    found = set()
    for parameter in parameters():
        (suite,) = parameter.values
        text = suite.ike if protocol == ProtocolId.IKE else suite.esp
        found |= {registry.normal(transform) for transform in proposal.parse(text, protocol).transforms}
    return found


@pytest.mark.parametrize("word", ROWS)
def test_every_row_is_in_a_scenario_or_has_a_reason(word):
    transform = ROWS[word]
    if word in ELSEWHERE:
        return
    ike_only = transform.type in (TransformType.PRF, TransformType.KE)
    wanted = [ProtocolId.IKE, *([] if ike_only else [ProtocolId.ESP])]
    missing = [p.name for p in wanted if registry.allowed(transform, p) and transform not in negotiated(p)]
    assert not missing, f"no scenario negotiates `{word}` for {', '.join(missing)}, and ELSEWHERE names none"


def test_the_integrity_algorithms_of_ah_alone_have_scenarios_of_their_own():
    names = collected.names()
    assert {f"esp/ah-gmac/{bits}" for bits in registry.AH_GMAC} <= names


def test_what_is_negotiated_elsewhere_is_a_row_and_is_negotiated_there():
    words = {word for suite in suites() for word in suite.words}
    names = collected.names()
    for word, scenario in ELSEWHERE.items():
        assert word in ROWS, f"`{word}` is no row any more"
        assert word not in words or word == "noesn", f"`{word}` is negotiated here, and yet also by {scenario}"
        assert any(name.startswith(scenario) for name in names), f"there is no scenario {scenario}"
    for word in ("mlkem768", "mlkem1024"):
        assert f"{ELSEWHERE[word]}/{word}" in names


def test_a_suite_asks_of_its_peers_every_word_it_negotiates():
    for parameter in parameters():
        (suite,) = parameter.values
        assert set(suite.words) == {word for mark in parameter.marks for word in mark.args}
        assert not any(pairing.lacks(suite.words) for pairing in IKEV2)


def test_slow_groups_come_once():
    words = [word for suite in suites() for word in suite.ike.split("-")]
    slow = [word for word in words if word.startswith("modp")]
    assert len(slow) == len(set(slow)) > 1
