"""Our driver, as far as it goes without a node: what it writes for the daemon and reads of its files."""

import json

import pytest

from lab.errors import BrokenError, ConfigError
from lab.ike.swanctl import parse
from lab.peers.ours import Ours
from lab.peers.registry import PEERS, peer


class Nowhere:
    name = "left"
    descriptors = (0, 0, 0)


@pytest.fixture
def ours(tmp_path):
    return Ours(Nowhere(), tmp_path, seed=1)


def test_the_configuration_is_written_as_it_was_given(ours):
    ours.configure(parse("ikelab {\n cookie_threshold = 1\n}\n"))
    assert parse(ours.configs()["swanctl.conf"]).plain() == {"ikelab": {"cookie_threshold": "1"}}


def test_keys_come_from_the_key_log_with_their_source(ours, tmp_path):
    lines = [{"kind": "ike", "spi_i": "00" * 8}, {"kind": "child", "spi": "c0000001"}]
    torn = '{"kind": "chi'
    (tmp_path / "keys.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + torn)
    assert ours.keys() == {
        "ike": [{"source": "ours:left", "spi_i": "00" * 8}],
        "child": [{"source": "ours:left", "spi": "c0000001"}],
    }


def test_events_are_told_once(ours, tmp_path):
    log = tmp_path / "events.jsonl"
    log.write_text('{"t": 1.0, "event": "ike-up", "connection": "gw"}\n')
    assert [(e.name, e.fields["connection"]) for e in ours.events()] == [("ike-up", "gw")]
    assert ours.events() == []
    log.write_text(log.read_text() + '{"t": 2.0, "event": "ike-down"}\n')
    assert [e.name for e in ours.events()] == ["ike-down"]


def test_asking_before_the_start_is_the_labs_mistake(ours):
    with pytest.raises(BrokenError, match="not made ready"):
        ours.sas()


def test_stopping_what_never_ran_is_no_error(ours):
    ours.stop()


def test_only_logs_that_say_something_are_shown(ours, tmp_path):
    (tmp_path / "stderr").write_text("")
    (tmp_path / "daemon.log").write_text("1.0 note serving\n")
    assert [path.name for path in ours.logs()] == ["daemon.log"]


def test_an_unknown_peer_is_an_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match="ours, ours-xfrm, strongswan"):
        peer("sonicwall")


def test_every_peer_names_a_driver_that_can_be_imported():
    for row in PEERS.values():
        module, _, name = row.driver.partition(":")
        assert hasattr(__import__(module, fromlist=[name]), name)
