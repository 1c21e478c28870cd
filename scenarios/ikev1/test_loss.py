"""Reliability without acknowledgements: each message of phase 1 and of Quick Mode lost once."""

import pytest

from lab.matrix import IKEV1
from lab.plugin import first_version as v1

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

MAIN = [("MAIN_MODE", v1.MAIN, number) for number in range(1, 7)]
AGGRESSIVE = [("AGGRESSIVE_MODE", v1.AGGRESSIVE, number) for number in range(1, 4)]
QUICK = [("QUICK_MODE", v1.QUICK, number) for number in range(1, 4)]
FIRST_S = 4.0


def ids(case):
    return f"{case[0].partition('_')[0].lower()}-{case[2]}"


def again(ladder, exchange):
    """The copies of lost messages of an exchange that arrived."""
    lost = {entry["n"] for entry in ladder.ike(exchange) if entry["lost"]}
    return [entry for entry in ladder.ike(exchange) if entry["retransmit_of"] in lost and not entry["lost"]]


@pytest.mark.rfc("2408#5.1", "2409#5.4", "2409#5.5")
@pytest.mark.needs("ikev1")
@pytest.mark.parametrize("case", [*MAIN, *AGGRESSIVE, *QUICK], ids=ids)
def test_message_lost_once(lab, left, right, case):
    """One message is lost: whoever waits repeats its own after 4 s, bit for bit, and one tunnel comes of it."""
    what, exchange, number = case
    if exchange == v1.AGGRESSIVE and number == 3 and left.peer.name.startswith("strongswan"):
        lab.unsupported(
            "charon has begun Quick Mode when the repeated message 2 comes, and sends message 3 never again"
        )
    lab.up("direct", v1.tunnel(connection={"aggressive": "yes"} if exchange == v1.AGGRESSIVE else {}))
    rule = lab.network.drop("internet", f"{what} message", nth=number)
    lab.step("handshake", f"message {number} of {exchange} is lost")
    lab.establish()
    # A responder takes the child for made when ESP comes in, also where the third message of Quick Mode was lost.
    lab.until(lambda: again(lab.ladder(), exchange), "the lost message was sent again", 60, every=0.5)
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("repeated", "bit for bit, and nothing was made twice")
    assert rule.dropped() == 1, f"the network dropped {rule.dropped()} packets"
    (lost,) = [entry for entry in ladder.ike(exchange) if entry["lost"]]
    copies = again(ladder, exchange)
    waited = copies[0]["t_sent"] - lost["t_sent"]
    assert FIRST_S - 0.1 <= waited <= FIRST_S + 0.6, f"it was sent again after {waited:.2f} s"
    assert len(v1.messages(ladder, exchange)) == {v1.MAIN: 6}.get(exchange, 3), f"{ladder.words()}"
    assert len(left.children()) == len(right.children()) == 1, "more than one child came of it"
