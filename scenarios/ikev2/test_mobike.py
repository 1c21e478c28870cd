"""MOBIKE: addresses change in the middle of an SA, and the tunnel goes along (RFC 4555)."""

import pytest

from lab.matrix import IKEV2, ON_XFRM, OUR_PEERS
from lab.plugin.echoes import echoes, outage
from lab.plugin.tunnel import Tunnel

PAIRINGS = tuple(map(str, (*IKEV2, *ON_XFRM)))
UPDATE, COOKIE2 = "N(UPDATE_SA_ADDRESSES)", "N(COOKIE2)"
DETECTION = ("N(NAT_DETECTION_SOURCE_IP)", "N(NAT_DETECTION_DESTINATION_IP)")
OLD, NEW = "203.0.113.2", "203.0.113.77"
INSIDE, OUTSIDE = "192.168.1.2", "192.0.2.130"
RIGHT, RIGHT_NEW = "198.51.100.2", "198.51.100.77"
COUNT, EVERY_S, SETTLED_S, MOST_OUTAGE_S = 100, 0.02, 10.0, 3.0
ROAMS = Tunnel(connection={"mobike": "yes", "local_addrs": "%any"})
STAYS = Tunnel(connection={"mobike": "yes"})


def ip(lab, node, *lines):
    """Change addresses or routes of a node, one `ip` command a line."""
    for line in lines:
        done = lab.network.node(node).run(["ip", *line.split()])
        assert done.returncode == 0, f"ip {line}: {done.stderr}"


def host(place):
    """The address of a place of the ladder, with a port or without."""
    return place.partition(":")[0]


def spis(gateway):
    """The SPIs of a side's IKE SA and of its CHILD SA."""
    (sa,) = gateway.established()
    return sa["spi_i"], sa["spi_r"], *((c["spi_in"], c["spi_out"]) for c in sa["children"] if c["state"] == "INSTALLED")


def ends(gateway):
    """Where a gateway has the ends of its IKE SA, and whether its child is in UDP."""
    (sa,) = gateway.established()
    return sa["local_host"], sa["remote_host"], *(child["encap"] for child in sa["children"])


def roam(lab, change):
    """Make a change while a ping every 20 ms goes on, wait until both sides say where they are, and count."""
    before = [spis(gateway) for gateway in lab.gateways]
    seen = len(lab.ladder())
    with lab.pinging(COUNT, EVERY_S, before=10, whole=False):
        change()
    lost, without = outage(echoes(lab.frames(), "left-host"), lab.inner("left"), lab.inner("right"))
    lab.step("outage", f"{lost} pings lost, {without:.3f} s without an answer")
    assert without <= MOST_OUTAGE_S, f"{lost} pings lost, {without:.3f} s without an answer"
    assert [spis(gateway) for gateway in lab.gateways] == before, "other SAs than before"
    return lab.ladder().entries[seen:]


def moved(lab, entries, there, seen):
    """The initiator asked from its new address, and ESP goes there: `seen` is that address as the responder sees it."""
    _left, right = lab.gateways
    asked = [e for e in entries if e["exchange"] == "INFORMATIONAL" and UPDATE in e["payloads"] and not e["response"]]
    assert asked, f"no UPDATE_SA_ADDRESSES: {lab.ladder().words()}"
    update = [e for e in asked if e["from"] == "left" and host(e["src"]) == there][-1:]
    assert update, f"UPDATE_SA_ADDRESSES not from {there}: {asked}"
    missing = {COOKIE2, *DETECTION} - set(update[0]["payloads"])
    assert not missing, f"UPDATE_SA_ADDRESSES without {missing}"
    answers = [e for e in entries if e["response"] and e["from"] == "right"]
    (answer,) = [e for e in answers if e["message_id"] == update[0]["message_id"]][:1]
    assert {COOKIE2, *DETECTION} <= set(answer["payloads"]), f"answered with {answer['payloads']}"
    assert host(answer["dst"]) == seen, f"answered to {answer['dst']}"
    esp = [e for e in entries if e["protocol"] == "ESP" and e["t_sent"] >= answer["t_sent"]]
    to_there = [e for e in esp if e["from"] == "right" and host(e["dst"]) == seen]
    assert to_there, f"{right} never sent ESP to {seen}"
    if right.peer.name in OUR_PEERS:
        returned = [e for e in entries if e["response"] and e["from"] == "left" and COOKIE2 in e["payloads"]]
        assert returned, "nobody asked whether the initiator is there"
        early = [e for e in to_there if e["t_sent"] < returned[0]["t_received"]]
        assert not early, f"{right} sent ESP to {seen} before it knew that the initiator is there"
    late = [e for e in esp if e["t_sent"] > to_there[0]["t_sent"]]
    astray = [e for e in late if host(e["src"] if e["from"] == "left" else e["dst"]) not in (there, seen)]
    assert not astray, f"ESP from {astray[0]['src']} to {astray[0]['dst']} after the move"
    return to_there


@pytest.mark.rfc("4555#3.1", "4555#3.5", "4555#3.7")
@pytest.mark.needs("mobike")
@pytest.mark.pairings(*PAIRINGS)
def test_address_change(lab, left, right):
    """The initiator's gateway gets another outside address in the middle of a session, and traffic goes on."""
    lab.up("direct", left=ROAMS, right=STAYS)
    lab.establish()
    lab.ping()
    lab.step("move", f"{left} loses {OLD} and has {NEW}")
    entries = roam(lab, lambda: ip(lab, "left", f"addr add {NEW}/24 dev wan", f"addr del {OLD}/24 dev wan"))
    lab.until(lambda: ends(right)[:2] == (RIGHT, NEW), f"{right} lists its peer at {NEW}", SETTLED_S)
    lab.until(lambda: ends(left)[:2] == (NEW, RIGHT), f"{left} lists itself at {NEW}", SETTLED_S)
    moved(lab, entries, NEW, NEW)
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("port 4500", "ports change with IKE_AUTH although there is no NAT, and ESP stays outside UDP")
    assert all(e["src"].endswith(":4500") for e in ladder.ike("IKE_AUTH")), ladder.words()
    assert not any(e["udp"] for e in ladder.esp()), "ESP in UDP without a NAT"


@pytest.mark.rfc("4555#3.5", "4555#3.3")
@pytest.mark.needs("mobike", "nat-t")
@pytest.mark.pairings(*PAIRINGS)
def test_behind_a_nat_and_back(lab, left, right):
    """The initiator leaves its public network for one behind a NAT, where ESP goes in UDP, and comes back."""
    lab.up("roaming", left=ROAMS, right=STAYS)
    lab.establish()
    lab.ping()
    assert not any(e["udp"] for e in lab.ladder().esp()), "ESP in UDP without a NAT"

    lab.step("behind a NAT", f"{left} loses {OLD} and goes out through the NAT of another network")
    away = ("route replace default via 192.168.1.1 dev wifi", f"addr del {OLD}/24 dev wan")
    entries = roam(lab, lambda: ip(lab, "left", *away))
    lab.until(lambda: ends(right) == (RIGHT, OUTSIDE, True), f"{right} lists its peer at {OUTSIDE}, in UDP", SETTLED_S)
    lab.until(lambda: ends(left) == (INSIDE, RIGHT, True), f"{left} lists itself at {INSIDE}, in UDP", SETTLED_S)
    there = moved(lab, entries, INSIDE, OUTSIDE)
    assert all(entry["udp"] for entry in there), f"bare ESP towards the NAT: {there[0]['src']} to {there[0]['dst']}"
    lab.ping()

    lab.step("back", f"{left} has {OLD} again and goes out there")
    back = (
        f"addr add {OLD}/24 dev wan",
        "route replace default via 203.0.113.1 dev wan",
        f"addr del {INSIDE}/24 dev wifi",
    )
    entries = roam(lab, lambda: ip(lab, "left", *back))
    lab.until(lambda: ends(right) == (RIGHT, OLD, False), f"{right} lists its peer at {OLD}, outside UDP", SETTLED_S)
    lab.until(lambda: ends(left) == (OLD, RIGHT, False), f"{left} lists itself at {OLD}, outside UDP", SETTLED_S)
    there = moved(lab, entries, OLD, OLD)
    assert not any(entry["udp"] for entry in there), f"ESP in UDP without a NAT: {there[0]['src']} to {there[0]['dst']}"
    lab.ping()
    lab.prove_protected()


@pytest.mark.rfc("4555#3.6")
@pytest.mark.needs("mobike")
@pytest.mark.pairings(*PAIRINGS)
def test_responder_changes_address(lab, left, right):
    """The responder's gateway gets another address: it lists it in a request from there, and the tunnel goes along."""
    lab.up("direct", left=ROAMS, right=ROAMS)
    lab.establish()
    lab.ping()
    lab.step("move", f"{right} loses {RIGHT} and has {RIGHT_NEW}")
    change = f"addr add {RIGHT_NEW}/24 dev wan", f"addr del {RIGHT}/24 dev wan"
    entries = roam(lab, lambda: ip(lab, "right", *change))
    lab.until(lambda: ends(left)[:2] == (OLD, RIGHT_NEW), f"{left} lists its peer at {RIGHT_NEW}", SETTLED_S)
    lab.until(lambda: ends(right)[:2] == (RIGHT_NEW, OLD), f"{right} lists itself at {RIGHT_NEW}", SETTLED_S)
    lists = ("N(ADDITIONAL_IP4_ADDRESS)", "N(NO_ADDITIONAL_ADDRESSES)")
    told = [
        e
        for e in entries
        if e["from"] == "right" and host(e["src"]) == RIGHT_NEW and {*lists} & {*e["payloads"]} and not e["response"]
    ]
    assert told, f"{right} did not list its addresses from {RIGHT_NEW}: {lab.ladder().words()}"
    updates = [e for e in entries if e["from"] == "right" and UPDATE in e["payloads"]]
    assert not updates, "UPDATE_SA_ADDRESSES from the responder"
    mark = lab.ladder().entries[-1]["t_sent"]
    lab.ping()
    esp = [e for e in lab.prove_protected().esp() if e["t_sent"] > mark]
    astray = [e for e in esp if {host(e["src"]), host(e["dst"])} != {OLD, RIGHT_NEW}]
    assert esp and not astray, f"ESP from {astray[0]['src']} to {astray[0]['dst']} after the move"
