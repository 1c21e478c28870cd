"""What does not come up, and how it looks on the wire: IKEv1 often answers with silence where IKEv2 says why."""

import pytest

from lab.matrix import IKEV1, SELVES
from lab.plugin import first_version as v1
from lab.plugin import proofs

pytestmark = pytest.mark.pairings(*map(str, IKEV1))

PATIENCE_S = 8
OTHER = "10.9.0.0/24"
# Both stacks repeat after 4 s, and after 7.2 s more; the patience of a scenario ends between the two.
LAST_SENT, SCHEDULE, TOLERANCE_S = 5, (0.0, 4.0), 0.006


def refused(lab, left, right):
    """The left side initiates in vain, knows why, and neither side has a child."""
    lab.step("handshake", f"{left} initiates")
    outcome = left.initiate(timeout=PATIENCE_S)
    assert not outcome.up, "a child came up"
    assert outcome.reason, f"{left} does not say why"
    assert not left.children() and not right.children(), "one side holds a child"
    return lab.ladder()


@pytest.mark.rfc("2409#5.5", "2408#3.14")
@pytest.mark.needs("ikev1")
@pytest.mark.parametrize("what", ["proposal", "selectors"])
def test_quick_mode_refused(lab, left, right, what):
    """No ESP algorithm in common, or selectors that the responder has not: an encrypted notify, and phase 1 stays."""
    if what == "proposal":
        ours, notify = v1.tunnel(esp="aes128-sha1"), "N(NO_PROPOSAL_CHOSEN)"
    else:
        ours, notify = v1.tunnel(child={"local_ts": OTHER}), "N(INVALID_ID_INFORMATION)"
    lab.up("direct", left=ours, right=v1.tunnel())
    ladder = refused(lab, left, right)

    lab.step("told", f"{right} refuses by {notify}, encrypted, and only message 1 of Quick Mode was sent")
    v1.by_turns(ladder, v1.MAIN, 6)
    quick = {entry["step"] for entry in v1.messages(ladder, v1.QUICK)}
    assert quick == {1}, f"messages of Quick Mode: {ladder.words()}"
    told = [entry for entry in v1.messages(ladder, "Informational") if notify in entry["payloads"]]
    assert told and told[0]["from"] == "right", f"nobody says {notify}: {ladder.words()}"
    assert told[0]["encrypted"] and told[0]["payloads"][0] == "HASH", f"{notify} is not authenticated: {told[0]}"


@pytest.mark.rfc("2409#5.4", "2408#3.14")
@pytest.mark.needs("ikev1")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*map(str, (*IKEV1, *SELVES)))
def test_wrong_psk(lab, left, right):
    """With different pre-shared keys message 5 of Main Mode does not open: it is sent again, and nothing comes up."""
    lab.up("direct", left=v1.tunnel(), right=v1.tunnel(secret="another secret"))
    ladder = refused(lab, left, right)
    assert not left.established() and not right.established(), "a side lists an ISAKMP SA as established"
    assert not ladder.esp(), "ESP was sent"

    lab.step("silence", f"message 5 of Main Mode again, bit for bit, and no message 6 from {right}")
    v1.by_turns(ladder, v1.MAIN, 5)
    assert not v1.messages(ladder, v1.QUICK), f"Quick Mode began: {ladder.words()}"
    fifth = [entry for entry in ladder.ike(v1.MAIN) if entry["step"] == LAST_SENT]
    proofs.schedule(fifth, SCHEDULE, TOLERANCE_S)
    assert not any(entry["lost"] for entry in fifth), f"message 5 was lost: {ladder.words()}"

    lab.step("told", f"{right} may say PAYLOAD_MALFORMED each time, under its own keys, and nothing else")
    told = ladder.ike(sender="right")[2:]
    lab.steps.note(f"{len(told)} notifies" if told else "silence")
    kinds = [(entry["exchange"], entry["payloads"], entry["encrypted"]) for entry in told]
    malformed = ("Informational", ["HASH", "N(PAYLOAD_MALFORMED)"], True)
    assert kinds in ([], [malformed] * len(fifth)), f"{right} answers message 5: {ladder.words()}"
