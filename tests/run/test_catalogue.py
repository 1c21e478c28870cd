from dataclasses import replace

import pytest

from lab.errors import ConfigError
from lab.matrix import Pairing
from lab.plugin.meta import Scenario
from lab.run import catalogue


@pytest.fixture
def scenarios(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --import-mode=importlib\n")
    (tmp_path / "nat").mkdir()
    (tmp_path / "nat" / "test_places.py").write_text(
        '''
import pytest

@pytest.mark.rfc("7296#2.23")
def test_both_sides(lab, left, right):
    """Both gateways behind NAT.

    More words.
    """

@pytest.mark.needs("cookie")
@pytest.mark.clock("virtual")
@pytest.mark.limit(240)
@pytest.mark.pairings("ours>ours")
@pytest.mark.parametrize("kind", ["full-cone", "symmetric"])
def test_kinds(lab, left, right, kind):
    pass

@pytest.mark.pairings("ours>ours", "ours>strongswan")
@pytest.mark.parametrize("kind", ["short", pytest.param("long", marks=pytest.mark.pairings("ours>ours"))])
def test_walks(lab, left, right, kind):
    pass

def test_no_scenario():
    pass
'''
    )
    return tmp_path


def test_scenarios_are_collected_with_what_they_say_of_themselves(scenarios):
    found = {(one.id, str(one.pairing)): one for one in catalogue.collect(scenarios)}
    assert set(found) == {
        ("nat/both-sides", "ours>strongswan"),
        ("nat/both-sides", "strongswan>ours"),
        ("nat/kinds/full-cone", "ours>ours"),
        ("nat/kinds/symmetric", "ours>ours"),
        ("nat/walks/short", "ours>ours"),
        ("nat/walks/short", "ours>strongswan"),
        ("nat/walks/long", "ours>ours"),
    }
    both = found["nat/both-sides", "ours>strongswan"]
    assert (both.title, both.clauses, both.clock, both.limit_s) == (
        "Both gateways behind NAT.",
        ("7296#2.23",),
        "any",
        60,
    )
    kinds = found["nat/kinds/symmetric", "ours>ours"]
    assert (kinds.title, kinds.needs, kinds.clock, kinds.limit_s) == ("kinds", ("cookie",), "virtual", 240)


def test_roles_narrow_the_pairings(scenarios):
    assert {str(one.pairing) for one in catalogue.collect(scenarios, role="responder")} == {
        "strongswan>ours",
        "ours>ours",
    }


def test_a_broken_scenario_file_is_an_error_that_names_it(scenarios):
    (scenarios / "nat" / "test_wrong.py").write_text("import no_such_module\n")
    with pytest.raises(ConfigError, match=r"test_wrong\.py.*no_such_module"):
        catalogue.collect(scenarios)


ONE = Scenario("ikev2/rekey/child", Pairing("ours", "strongswan"), "node", "title", ("7296#2.8.1", "4303#2.5"))


@pytest.mark.parametrize(
    "wish",
    ["ikev2/", "ikev2/rekey", "ikev2/rekey/child", "rfc7296", "rfc7296:2.8", "RFC7296:2.8.1", "rfc4303:2"]
    + ["ikev2/rekey/child:ours>strongswan"],
)
def test_a_wish_that_means_a_scenario(wish):
    assert catalogue.means(wish, ONE)


@pytest.mark.parametrize(
    "wish",
    ["nat/", "rekey", "rfc7296:2.88", "rfc7296:2.8.10", "rfc729", "ikev2/rekey/child:ours>ours"],
)
def test_a_wish_that_does_not(wish):
    assert not catalogue.means(wish, ONE)


LONG = replace(ONE, id="soak/a-week", long=True)


@pytest.mark.parametrize("wishes", [["soak/a-week"], ["soak/a-"], ["nat/", "soak/a-week:ours>strongswan"]])
def test_a_long_scenario_that_is_named(wishes):
    assert catalogue.select([LONG], wishes) == [LONG]


@pytest.mark.parametrize("wishes", [[], ["soak/"], ["soak"], ["rfc7296:2.8"]])
def test_a_long_scenario_that_is_not_named(wishes, monkeypatch):
    assert catalogue.select([LONG], wishes) == []
    monkeypatch.setenv(catalogue.SLOW, "1")
    assert catalogue.select([LONG], wishes) == [LONG]


def test_the_scenarios_of_this_checkout_can_be_collected():
    ids = {one.id for one in catalogue.collect()}
    assert "ikev2/plain-tunnel" in ids
