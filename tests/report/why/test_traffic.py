"""SAs that stand and traffic that does not arrive; NAT mappings that ended; requests that were given up."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.report.why import account
from tests.report.why.test_why import T0, exchange, scenario

TRIED = "3 echo requests from 10.1.0.10 to 10.2.0.10; left-host pings 10.2.0.10 in vain"
OUTSIDE = "203.0.113.2:20411"


def child(spi_in: str, spi_out: str, local: str, remote: str, **counters: int) -> dict[str, Any]:
    counted = {"packets_in": 0, "packets_out": 0} | counters
    names = {"name": "net", "state": "INSTALLED", "protocol": "ESP", "spi_in": spi_in, "spi_out": spi_out}
    return {**names, "local_ts": [local], "remote_ts": [remote], **counted}


def esp(n: int, spi: str, *, lost: bool, t: float = T0 + 2, dst: str = "198.51.100.2:4500") -> dict[str, Any]:
    return {
        "n": n, "t_sent": t, "from": "right", "to": "left", "protocol": "ESP", "exchange": None, "message_id": None,
        "response": None, "payloads": [], "spi": spi, "lost": lost, "retransmit_of": None,
        "src": "198.51.100.2:4500", "dst": dst,
    }  # fmt: skip


def failed(
    tmp_path: Path, left: list[Any], right: list[Any], ladder: list[Any] | None = None, *, verdict: str = "failed",
    tried: str = "failed",
) -> Path:  # fmt: skip
    """A scenario whose ping failed while these CHILD SAs stood."""
    place = scenario(tmp_path, ladder or [])
    sas = {side: [{"name": "gw", "children": rows}] for side, rows in (("left", left), ("right", right))}
    (place / "sas.json").write_text(json.dumps({"schema": "ikelab.sas/1", **sas}))
    steps = [{"name": "ping", "verdict": tried, "detail": TRIED}]
    (place / "result.json").write_text(json.dumps({"verdict": verdict, "steps": steps}))
    return place


def test_selectors_that_do_not_take_what_was_sent(tmp_path: Path) -> None:
    left = [child("aa", "bb", "10.1.0.0/24", "10.2.0.64/26")]
    right = [child("bb", "aa", "10.2.0.0/24[tcp]", "10.1.0.0/24", packets_out=1)]
    found = account(failed(tmp_path, left, right, [esp(0, "aa", lost=False)]))
    assert found.conclusion[0] == (
        "left has no CHILD SA for packets from 10.1.0.10 to 10.2.0.10: net 10.1.0.0/24 === 10.2.0.64/26"
    )
    assert found.findings[0].proof == "sas.json, and step ping of result.json"
    assert not any("right has no CHILD SA" in one for one in found.conclusion)


def test_an_sa_that_nothing_was_put_into(tmp_path: Path) -> None:
    left = [child("aa", "bb", "10.1.0.0/24", "10.2.0.0/24")]
    found = account(failed(tmp_path, left, []))
    assert "left put no packet from 10.1.0.10 to 10.2.0.10 into its SA (net)" in found.conclusion[0]


@pytest.mark.parametrize(
    ("right", "ladder", "words"),
    [
        ([child("bb", "aa", "10.2.0.0/24", "10.1.0.0/24")], [esp(0, "bb", lost=True), esp(1, "bb", lost=True)],
         "none of them arrived at right: the network lost them"),
        ([child("bb", "aa", "10.2.0.0/24", "10.1.0.0/24")], [esp(0, "bb", lost=True), esp(1, "bb", lost=False)],
         "right took none of the 1 that arrived: its log and counters.json say why it drops them"),
        ([child("cc", "aa", "10.2.0.0/24", "10.1.0.0/24")], [esp(0, "bb", lost=False)], "right has no such SA"),
        ([child("bb", "aa", "10.2.0.0/24", "10.1.0.0/24")], [], "none of them was seen on a wire either"),
    ],
)  # fmt: skip
def test_counters_of_both_sides_beside_the_wire(
    tmp_path: Path, right: list[Any], ladder: list[Any], words: str
) -> None:
    left = [child("aa", "bb", "10.1.0.0/24", "10.2.0.0/24", packets_out=2)]
    found = account(failed(tmp_path, left, right, ladder))
    (said,) = (one for one in found.conclusion if one.startswith("left sent"))
    assert said.startswith("left sent 2 packets of ESP with SPI bb (child net), and ") and words in said


def test_who_got_nothing_is_not_asked_why_it_sends_nothing(tmp_path: Path) -> None:
    left = [child("aa", "bb", "10.1.0.0/24", "10.2.0.0/24", packets_out=2)]
    right = [child("bb", "aa", "10.2.0.0/24", "10.1.0.0/24")]
    (said,) = account(failed(tmp_path, left, right, [esp(0, "bb", lost=True), esp(1, "bb", lost=True)])).conclusion
    assert said.startswith("left sent 2 packets") and said.endswith("the network lost them")


def test_traffic_that_arrived_is_no_finding(tmp_path: Path) -> None:
    left = [child("aa", "bb", "10.1.0.0/24", "10.2.0.0/24", packets_out=2, packets_in=2)]
    right = [child("bb", "aa", "10.2.0.0/24", "10.1.0.0/24", packets_out=2, packets_in=2)]
    found = account(failed(tmp_path, left, right, [esp(0, "bb", lost=False)]))
    assert found.findings == () and found.conclusion == ()


def test_what_a_scenario_that_passed_took_away_concludes_nothing(tmp_path: Path) -> None:
    left = [child("aa", "bb", "10.1.0.0/24", "10.2.0.0/24", packets_out=2)]
    found = account(failed(tmp_path, left, [], verdict="passed", tried="passed"))
    assert found.conclusion == () and len(found.findings) == 1


def nat(place: Path, *more: dict[str, Any]) -> Path:
    named = {"node": "left-nat", "protocol": "UDP", "inside": "192.168.1.2:4500", "outside": OUTSIDE}
    timeline = [{"t": T0, "event": "created", **named}, {"t": T0 + 15, "event": "expired", **named}]
    later = [{**named, **one} for one in more]
    (place / "nat.json").write_text(json.dumps({"schema": "ikelab.nat/1", "timeline": [*timeline, *later]}))
    return place


def test_a_mapping_that_expired_before_a_packet_came(tmp_path: Path) -> None:
    ladder = [esp(0, "aa", lost=False, t=T0, dst=OUTSIDE), esp(1, "aa", lost=True, t=T0 + 60, dst=OUTSIDE)]
    found = account(nat(failed(tmp_path, [], [], ladder)))
    assert found.conclusion == (
        "left-nat let the mapping of 192.168.1.2:4500 to 203.0.113.2:20411 expire after 15 s without a packet; "
        "1 packet of right to it came too late, the first 45.0 s after that",
    )
    assert found.findings[0].proof == "nat.json, and message 1 of the ladder"


@pytest.mark.parametrize(("lost", "t"), [(False, T0 + 60), (True, T0 + 10), (True, T0 + 90)])
def test_a_mapping_whose_end_cost_nothing_is_no_finding(tmp_path: Path, lost: bool, t: float) -> None:
    place = failed(tmp_path, [], [], [esp(0, "aa", lost=lost, t=t, dst=OUTSIDE)])
    assert account(nat(place, {"t": T0 + 80, "event": "created"})).findings == ()


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ({"left_charon": "2026-11-27T11:52:36.383 10[IKE] <gw|1> giving up after 5 retransmits\n"},
         "165 s after the first it gave up after 5 repetitions"),
        ({"left_daemon": f"{T0 + 165} failed peer does not answer: IKE_AUTH request 1  connection=gw\n"},
         "165 s after the first it gave up: peer does not answer: IKE_AUTH request 1"),
    ],
)  # fmt: skip
def test_a_request_that_was_given_up(tmp_path: Path, log: dict[str, str], words: str) -> None:
    found = account(scenario(tmp_path, exchange(repeated=5, lost=True, answered=False), **log))
    assert found.conclusion[0].endswith(words)


@pytest.mark.parametrize("name", ["sas.json", "nat.json", "result.json"])
@pytest.mark.parametrize(
    "rubbish", ["", "[]", '{"left": [7], "right": {}, "timeline": [{"event": "expired", "outside": 3}]}']
)
def test_rubbish_raises_nothing(tmp_path: Path, name: str, rubbish: str) -> None:
    place = nat(failed(tmp_path, [child("aa", "bb", "rubbish", "10.2.0.0/24")], [], [esp(0, "aa", lost=True)]))
    (place / name).write_text(rubbish)
    account(place)
