"""Session resumption (RFC 5723): a client comes back with a ticket, and no key exchange is done again."""

import pytest

from lab.matrix import IKEV2, WE_INITIATE
from lab.plugin.tunnel import CONNECTION, Tunnel

RESUMABLE = Tunnel(connection={"resumption": "yes"})


def came_back(lab, left, right):
    """The client ends its session and begins again; the exchanges of the second time."""
    lab.step("end", f"{left} ends the session")
    outcome = left.terminate(ike=CONNECTION)
    assert outcome.up, f"{left} could not end it: {outcome.reason}"
    lab.until(lambda: not left.sas() and not right.sas(), "both sides have forgotten the SAs", 5)
    before = len(lab.ladder().ike(again=False))
    lab.establish()
    lab.ping()
    return lab.prove_protected().ike(again=False)[before:]


def words(entries):
    """Exchange and sender of each message."""
    return [(entry["exchange"], entry["from"]) for entry in entries]


@pytest.mark.rfc("5723#4.3.2", "5723#5.1")
@pytest.mark.needs("resumption")
@pytest.mark.pairings("ours>ours", *map(str, IKEV2))
def test_resumption(lab, left, right):
    """Twice in a row the client comes back with a ticket: no key exchange, and other keys each time."""
    lab.up("direct", RESUMABLE)
    lab.establish()
    lab.ping()
    request, answer = lab.ladder().ike("IKE_AUTH", again=False)
    assert "N(TICKET_REQUEST)" in request["payloads"], f"{left} asks for no ticket: {request['payloads']}"
    assert "N(TICKET_LT_OPAQUE)" in answer["payloads"], f"{right} gives none: {answer['payloads']}"
    seen = {entry["SK_d"] for entry in left.driver.keys()["ike"]}
    for _ in range(2):
        found = came_back(lab, left, right)
        wanted = [(name, side) for name in ("IKE_SESSION_RESUME", "IKE_AUTH") for side in ("left", "right")]
        assert words(found) == wanted, f"the session was not resumed by four messages: {words(found)}"
        ask, reply = found[:2]
        assert {"Ni", "N(TICKET_OPAQUE)"} <= set(ask["payloads"]), f"no ticket is shown: {ask['payloads']}"
        for entry in (ask, reply):
            exchanged = {"KEi", "KEr", "SAi1", "SAr1"} & set(entry["payloads"])
            assert not exchanged, f"{entry['from']} begins anew: {entry['payloads']}"
        keys = [entry["SK_d"] for entry in left.driver.keys()["ike"]]
        assert len(keys) == len(set(keys)) == len(seen) + 1, "the resumed IKE SA has keys of another one"
        seen = set(keys)


@pytest.mark.rfc("5723#4.1")
@pytest.mark.pairings(*map(str, WE_INITIATE))
def test_resumption_not_offered(lab, left, right):
    """A gateway that does not know tickets takes no notice of the question, and the client begins anew."""
    lab.up("direct", left=RESUMABLE, right=Tunnel())
    lab.establish()
    lab.ping()
    request, answer = lab.ladder().ike("IKE_AUTH", again=False)
    assert "N(TICKET_REQUEST)" in request["payloads"], f"{left} asks for no ticket: {request['payloads']}"
    told = [name for name in answer["payloads"] if "TICKET" in name]
    assert not told, f"{right} speaks of tickets: {told}"
    found = came_back(lab, left, right)
    assert words(found)[0] == ("IKE_SA_INIT", "left"), f"{left} did not begin anew: {words(found)}"
