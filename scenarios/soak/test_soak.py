"""A day and a week in the life of one tunnel: lifetimes, liveness and loss, with times as they are in production.

Each hour passes with 1 % loss in both directions and hardly any traffic, so that liveness has to be asked for; its last
minutes pass without loss, and there no ping may be lost. In virtual time a day is over in about a minute.
"""

import time

import pytest

from lab.plugin.echoes import Pinging, all_answered, echoes
from lab.plugin.tunnel import Tunnel

HOURS, LOSS, SIDES = 24, "1%", ("left", "right")
IKE_S, CHILD_S, DPD_S = 4 * 3600, 3600, 30
# A ping every 5 minutes leaves room for liveness checks; for the last six minutes there is one every 9 s.
SPARSE, HOUR_S = ["ping", "-n", "-q", "-i", "300", "-w", "3240"], 3600
DENSE, DENSE_EVERY_S = 40, 9.0
# A replaced SA lives on for 5 s, and a lost answer to its Delete is asked for again after 4 s and 7.2 s.
SETTLED_S, LEFT_OVER = 30, "one IKE SA and one CHILD SA are left on both sides"
# Tables that only grow while something is under way; what lingers (165 s) and waits in the heap is bounded apart.
STEADY = ("ike_sas", "half_open", "children", "child_spis")
BOUNDED = {"engines": 4, "lingering": 3, "deadlines": 80, "begun": 1}


@pytest.mark.rfc("7296#2.1", "7296#2.4", "7296#2.8")
@pytest.mark.needs("rekey")
@pytest.mark.clock("virtual")
@pytest.mark.limit(300)
@pytest.mark.long
def test_a_day(lab, left, right):
    """24 hours of rekeying by lifetime, liveness and 1 % loss: no SA is lost, and no ping while nothing is lost."""
    lifetimes = {"rekey_time": f"{IKE_S}", "dpd_delay": f"{DPD_S}"}
    lab.up("direct", Tunnel(esp="aes256gcm16-x25519", connection=lifetimes, child={"rekey_time": f"{CHILD_S}"}))
    lab.establish()
    first = left.sas()
    lived(lab, left, right, [f"hour {hour}" for hour in range(1, HOURS + 1)], SPARSE, HOUR_S)

    lab.step("rekeyed", "by lifetime, again and again, and never set up anew")
    ladder = lab.ladder()
    assert len(ladder.ike("IKE_SA_INIT", response=False, again=False)) == 1, "the IKE SA was set up more than once"
    asked = ladder.ike("CREATE_CHILD_SA", response=False, again=False)
    ike = [entry for entry in asked if "TSi" not in entry["payloads"]]
    assert len(ike) >= HOURS * 3600 // IKE_S - 1, f"{len(ike)} rekeyings of the IKE SA in {HOURS} hours"
    assert len(asked) - len(ike) >= HOURS - 1, f"{len(asked) - len(ike)} rekeyings of the CHILD SA in {HOURS} hours"
    assert any(entry["lost"] for entry in ladder.ike()), "nothing was lost, so nothing was shown"
    assert {entry["from"] for entry in asked} == set(SIDES), "only one side ever began a rekeying"
    assert left.sas()[0]["spi_i"] != first[0]["spi_i"], "the IKE SA is still the first"


def lived(lab, left, right, spans, sparse, at_most):
    """Spans of time with loss and few pings, the end of each without loss, and there no ping is lost."""
    (ours,) = (gateway for gateway in (left, right) if gateway.peer.name == "ours")
    ends, host = (lab.inner("left"), lab.inner("right")), lab.network.node("left-host")
    tables, calm = [], []
    for span in spans:
        lab.step(span)
        lossy(lab, LOSS)
        host.run([*sparse, ends[1]], timeout=at_most)
        lossy(lab, "0%")
        began = time.time()
        Pinging(host, ends[1], DENSE, DENSE_EVERY_S).ended()
        calm.append((began, time.time()))
        lab.until(lambda: settled(left, right), LEFT_OVER, SETTLED_S, every=1.0)
        tables.append({name.partition(".")[2]: size for name, size in ours.driver.counters().items()})

    lab.step("counted", f"every ping without loss was answered, and the tables are as they were after {spans[0]}")
    seen = echoes(lab.frames(), "left-host")
    for began, ended in calm:
        all_answered([echo for echo in seen if began <= echo.t <= ended], *ends, DENSE)
    steady(tables)


def lossy(lab, loss):
    """So much of what each gateway sends is lost on its way from now on."""
    for sender in SIDES:
        lab.network.set_link(f"{sender}-wan", sender, loss=loss)


WEEK_DAYS, DAY_S, WEEK_DPD_S = 7, 86400, 300
QUIET = ["ping", "-n", "-q", "-i", "1800", "-w", str(DAY_S - 300)]


@pytest.mark.rfc("7296#2.1", "7296#2.4", "7296#2.8")
@pytest.mark.needs("rekey")
@pytest.mark.clock("virtual")
@pytest.mark.limit(240)
def test_a_week(lab, left, right):
    """Seven days at production lifetimes with 1 % loss: no SA is lost, and no ping in the hour of each day without."""
    lab.up("direct", Tunnel(esp="aes256gcm16-x25519", connection={"dpd_delay": f"{WEEK_DPD_S}"}))
    lab.establish()
    lived(lab, left, right, [f"day {day}" for day in range(1, WEEK_DAYS + 1)], QUIET, 2 * DAY_S)

    lab.step("rekeyed", "by lifetime, again and again, and never set up anew")
    ladder = lab.ladder()
    assert len(ladder.ike("IKE_SA_INIT", response=False, again=False)) == 1, "the IKE SA was set up more than once"
    asked = ladder.ike("CREATE_CHILD_SA", response=False, again=False)
    ike = [entry for entry in asked if "TSi" not in entry["payloads"]]
    assert len(ike) >= WEEK_DAYS * DAY_S // IKE_S, f"{len(ike)} rekeyings of the IKE SA in {WEEK_DAYS} days"
    children = len(asked) - len(ike)
    assert children >= WEEK_DAYS * DAY_S // CHILD_S, f"{children} rekeyings of the CHILD SA in {WEEK_DAYS} days"
    assert any(entry["lost"] for entry in ladder.ike()), "nothing was lost, so nothing was shown"


def settled(left, right):
    """Both sides list one IKE SA and one CHILD SA."""
    return all(len(side.established()) == len(side.children()) == 1 for side in (left, right))


def steady(tables):
    """The tables that only grow while something is under way were alike each time, the others bounded."""
    for name in STEADY:
        assert len({size[name] for size in tables}) == 1, f"{name} time by time: {[size[name] for size in tables]}"
    for name, most in BOUNDED.items():
        assert max(size[name] for size in tables) <= most, f"{name} time by time: {[size[name] for size in tables]}"
