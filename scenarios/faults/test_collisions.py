"""Rekey collisions: both sides rekey or delete at once, and the four messages arrive in each of six orders.

The gate holds the messages and lets them go in that order. The page "Rekey collisions" of the report has the table.
"""

import time
from dataclasses import replace

import pytest

from lab.matrix import DEFAULT, IKEV2, OUR_PEERS, SELVES
from lab.plugin import collisions, echoes
from lab.plugin.collisions import SIDES, Play
from lab.plugin.renewal import alike, spis
from lab.plugin.tunnel import CHILD, CONNECTION

PINGS, EVERY_S = 20, 0.1
QUIET_S, POLL_S = 20.0, 1.0
PAIRS = {
    "child-child": ("rekey child", "rekey child"),
    "ike-ike": ("rekey ike", "rekey ike"),
    "ike-child": ("rekey ike", "rekey child"),
    "child-ike": ("rekey child", "rekey ike"),
    "child-delete": ("rekey child", "delete child"),
    "ike-delete": ("rekey ike", "delete ike"),
    "delete-delete": ("delete child", "delete child"),
    "rekeyed-ike-deleted-child": ("rekey ike", "delete child"),
    "rekeyed-child-deleted-ike": ("rekey child", "delete ike"),
}
# Both rekey the same: the nonces decide (2.8.1, 2.8.2). The rest of what charon does here is as old as 5.9.
WITH_EVERY_STRONGSWAN = ("child-child", "ike-ike")
WITH_ONE = pytest.mark.pairings(*map(str, (*DEFAULT, *SELVES)))
PARAMETERS = [pytest.param(pair, marks=() if pair in WITH_EVERY_STRONGSWAN else WITH_ONE) for pair in PAIRS]


def begin(gateway, action):
    """Have a side begin something; nobody waits for its end."""
    what, which = action.split()
    named = {"child": CHILD} if which == "child" else {"ike": CONNECTION}
    if what == "rekey":
        gateway.rekey(**named, wait=False)
    else:
        gateway.terminate(**({"ike": "", **named} if which == "child" else named), timeout=0)


def view(gateway):
    """The SPIs of the SAs of a side that are up; the children's as (in, out)."""
    return spis(gateway, "ike"), spis(gateway, "child")


def agree(left, right):
    """Whether both sides list the same SAs."""
    return alike(left, right, "ike") and alike(left, right, "child")


def quiet(lab, left, right):
    """Wait until both sides list the same, twice in a row; some never do."""
    deadline, before = time.monotonic() + QUIET_S, None
    while time.monotonic() < deadline:
        now = view(left), view(right)
        if now == before and agree(left, right):
            return True
        before = now
        time.sleep(POLL_S)
    return agree(left, right)


def ready(lab, left, right):
    """One IKE SA and one CHILD SA on both sides, made anew where the play before left something else."""
    if agree(left, right) and [len(part) for part in view(left)] == [1, 1]:
        return
    for gateway in (left, right):
        if gateway.sas():
            gateway.terminate(timeout=10)
    lab.until(lambda: not left.sas() and not right.sas(), "no SA is left of the play before", 200, every=1.0)
    lab.establish()


def play(lab, gate, order, actions):
    """One order; the answers are filled in from the capture afterwards."""
    left, right = lab.left, lab.right
    ready(lab, left, right)
    filters = {
        "LQ": collisions.request(actions["left"], "left"),
        "LR": collisions.response(actions["left"], "left"),
        "RQ": collisions.request(actions["right"], "right"),
        "RR": collisions.response(actions["right"], "right"),
    }
    rule = gate.order(*(filters[name] for name in order), gather=2, seconds=2.0)
    began = time.time()
    with lab.pinging(PINGS, EVERY_S, whole=False):
        for gateway, action in zip((left, right), actions.values(), strict=True):
            begin(gateway, action)
    same = quiet(lab, left, right)
    rule.remove()
    views = {one.name: tuple(len(part) for part in view(one)) for one in (left, right)}
    return Play(order, {}, views, same, PINGS, 0), began, time.time()


def answered(ladder, actions, began, ended):
    """For each asker the payloads of the response to its request, None where none was sent."""
    found = {}
    within = [entry for entry in ladder.ike() if began <= entry["t_sent"] <= ended]
    for asker in SIDES:
        exchange = collisions.request(actions[asker], asker).split()[0]
        asked = next(
            (e for e in within if not e["response"] and e["from"] == asker and e["exchange"] == exchange), None
        )
        assert asked is not None, f"{asker} sent no request to {actions[asker]}: {ladder.words()}"
        same = [e for e in within if e["response"] and e["from"] == collisions.other(asker)]
        answer = next((e for e in same if (e["message_id"], e["spi"]) == (asked["message_id"], asked["spi"])), None)
        found[asker] = answer and answer["payloads"]
    return found


def unanswered(lab, frames, began, ended):
    """How many echo requests of that time have no reply at the tap of the host that asked."""
    seen = [echo for echo in echoes.echoes(frames, "left-host") if began <= echo.t <= ended]
    return echoes.outage(seen, lab.inner("left"), lab.inner("right"))[0]


@pytest.mark.rfc("7296#2.25", "7296#2.25.1", "7296#2.25.2", "7296#2.8.1", "7296#2.8.2")
@pytest.mark.needs("rekey")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*map(str, IKEV2), "strongswan>strongswan")
@pytest.mark.parametrize("pair", PARAMETERS)
def test_collision(lab, left, right, pair):
    """Both sides begin at once; in each of six orders one view of the SAs is left, and 2.25 says who answers what."""
    actions = dict(zip(SIDES, PAIRS[pair], strict=True))
    lab.up("direct")
    gate = lab.gate()
    lab.establish()
    played = []
    for order in collisions.ORDERS:
        lab.step(collisions.said(order), f"left: {actions['left']}, right: {actions['right']}")
        played.append(play(lab, gate, order, actions))
    frames, ladder = lab.frames(), lab.ladder()
    plays = []
    for one, began, ended in played:
        answers, lost = answered(ladder, actions, began, ended), unanswered(lab, frames, began, ended)
        full = replace(one, answers=answers, lost=lost)
        found = {}
        for side, sentence in collisions.deviations(*actions.values(), full):
            found.setdefault(side, []).append(sentence)
        plays.append(replace(full, deviations=found))
    lab.leave("collisions.json", collisions.facts(*actions.values(), plays))
    judged(lab, plays)


def judged(lab, plays):
    """Our side does as 2.25 says, and with us both sides agree in the end; what else is not so is said in a step."""
    lab.step("verdict", "what RFC 7296 2.25 says")
    peers = {"left": lab.left.peer.name, "right": lab.right.peer.name}
    ours = {side for side, name in peers.items() if name in OUR_PEERS}
    for one in plays:
        for side, sentences in one.deviations.items():
            who = f"{peers[side]} ({side}): " if side in peers else ""
            said = f"{collisions.said(one.order)}: {who}{'; '.join(sentences)}"
            lab.steps.note(said)
            assert side not in ours, said
            assert not ours or side != "both" or one.agree, said
