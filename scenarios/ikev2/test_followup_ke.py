"""Additional key exchanges, by ML-KEM most of all, behind CREATE_CHILD_SA, in IKE_FOLLOWUP_KE (RFC 9370 2.2.4)."""

import pytest

from lab.matrix import IKEV2
from lab.plugin.echoes import all_answered, echoes, in_the_midst
from lab.plugin.renewal import one_new, spis
from lab.plugin.tunnel import CHILD, CONNECTION, Tunnel

PAIRINGS = tuple(map(str, IKEV2))
ASKER = pytest.mark.parametrize("asker", ["left", "right"])
MLKEM = pytest.mark.needs("mlkem")
METHODS = pytest.mark.parametrize(
    "methods",
    [
        pytest.param(["ecp384"], id="classic"),
        pytest.param(["mlkem768"], id="one", marks=MLKEM),
        pytest.param(["mlkem768", "mlkem1024"], id="two", marks=MLKEM),
    ],
)
LINK = "N(ADDITIONAL_KEY_EXCHANGE)"
TS = ["TSi", "TSr"]
EVERY_S, COUNT, LEAST, ONE_WAY = 0.02, 350, 25, "25ms"
SETTLED_S = 10


def tunnel(methods, **connection):
    """X25519 first and these methods behind it, for the IKE SA and for its children."""
    words = "-".join(["x25519", *(f"ke{place}_{method}" for place, method in enumerate(methods, 1))])
    return Tunnel(ike=f"aes256gcm16-prfsha384-{words}", esp=f"aes256gcm16-{words}", connection=connection)


def follows(ladder, methods, asker, request, response):
    """CREATE_CHILD_SA holds these payloads and IKE_FOLLOWUP_KE runs once for each method; all of it, as it was sent."""
    found = ladder.ike("CREATE_CHILD_SA", again=False) + ladder.ike("IKE_FOLLOWUP_KE", again=False)
    answerer = {"left": "right", "right": "left"}[asker]
    middle, last = [(["KEi", LINK], ["KEr", LINK])] * (len(methods) - 1), (["KEi", LINK], ["KEr"])
    wanted = [
        (sender, sorted(payloads))
        for pair in [(request, [*response, LINK]), *middle, last]
        for sender, payloads in zip((asker, answerer), pair, strict=True)
    ]
    assert [(e["from"], sorted(e["payloads"])) for e in found] == wanted, f"not RFC 9370 2.2.4: {ladder.words()}"
    numbers = [e["message_id"] for e in found[::2]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"not one after the other: {numbers}"
    return found


@pytest.mark.rfc("9370#2.2.4", "7296#2.8")
@pytest.mark.needs("followup-ke", "rekey")
@pytest.mark.pairings(*PAIRINGS)
@pytest.mark.parametrize("what", ["child", "ike"])
@METHODS
@ASKER
def test_followup_rekey(lab, left, right, what, methods, asker):
    """One side rekeys while pings go through every 20 ms: the new SA stands on all key exchanges, no ping is lost."""
    ike = what == "ike"
    lab.up("direct", tunnel(methods))
    for sender in ("left", "right"):
        lab.network.set_link(f"{sender}-wan", sender, delay=ONE_WAY)
    lab.establish()
    gateway, before = {"left": left, "right": right}[asker], spis(left, what)

    lab.step("rekey", f"{asker} rekeys while {COUNT} pings go through, one every {EVERY_S * 1000:g} ms")
    with lab.pinging(COUNT, EVERY_S, before=LEAST):
        outcome = gateway.rekey(**({"ike": CONNECTION} if ike else {"child": CHILD}))
        assert outcome.up, f"{gateway} could not rekey: {outcome.reason}"
        lab.until(lambda: one_new(left, right, what, before), "one new SA on both sides", SETTLED_S)

    lab.step("counted", "every echo request has its reply")
    ladder = lab.prove_protected()
    asked = all_answered(echoes(lab.frames(), "left-host"), lab.inner("left"), lab.inner("right"), COUNT)

    lab.step("messages", f"{len(methods)} times IKE_FOLLOWUP_KE behind CREATE_CHILD_SA, and a Delete behind them")
    head, tail = ([], []) if ike else (["N(REKEY_SA)"], TS)
    found = follows(ladder, methods, asker, [*head, "SA", "Ni", "KEi", *tail], ["SA", "Nr", "KEr", *tail])
    question, _ = ladder.ike("INFORMATIONAL", again=False)
    assert (question["from"], question["payloads"]) == (asker, ["D"]), f"not deleted by {asker}: {ladder.words()}"
    assert question["message_id"] == found[-1]["message_id"] + 1, f"deleted too early: {ladder.words()}"
    in_the_midst(asked, found[0]["t_sent"], question["t_sent"], LEAST)


@pytest.mark.rfc("9370#2.2.4", "7296#1.3.1")
@pytest.mark.needs("followup-ke", "childless")
@pytest.mark.pairings(*PAIRINGS)
@METHODS
def test_followup_new_child(lab, left, right, methods):
    """The IKE SA comes without a child (RFC 6023); its first one stands on all key exchanges and carries a ping."""
    lab.up("direct", tunnel(methods, childless="force"))
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    lab.step("messages", f"{len(methods)} times IKE_FOLLOWUP_KE behind CREATE_CHILD_SA")
    follows(ladder, methods, "left", ["SA", "Ni", "KEi", *TS], ["SA", "Nr", "KEr", *TS])


@pytest.mark.rfc("9370#2.2.4", "7296#2.8.1")
@pytest.mark.needs("followup-ke", "rekey")
@pytest.mark.pairings(*PAIRINGS)
@pytest.mark.parametrize("what", ["child", "ike"])
@pytest.mark.parametrize(
    "methods",
    [
        pytest.param(["ecp384", "ecp256"], id="classic"),
        pytest.param(["mlkem768", "mlkem1024"], id="two", marks=MLKEM),
    ],
)
def test_followup_collision(lab, left, right, what, methods):
    """Both sides rekey at once: the nonces decide, the loser never sends IKE_FOLLOWUP_KE, and one SA is left."""
    ike = what == "ike"
    lab.up("direct", tunnel(methods))
    for sender in ("left", "right"):
        lab.network.set_link(f"{sender}-wan", sender, delay=ONE_WAY)
    lab.establish()
    before = spis(left, what)

    lab.step("collision", "both ask within one round trip")
    # Our driver waits for the outcome, vici does not: so ours is asked last.
    for gateway in sorted((left, right), key=lambda gateway: gateway.peer.name == "ours"):
        gateway.rekey(**({"ike": CONNECTION} if ike else {"child": CHILD}))

    lab.until(lambda: one_new(left, right, what, before), "one new SA", 60)
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", "two CREATE_CHILD_SA that are answered, and one side goes on")
    asked, answered = (ladder.ike("CREATE_CHILD_SA", response=response, again=False) for response in (False, True))
    assert sorted(e["from"] for e in asked) == ["left", "right"], f"not one attempt of each side: {ladder.words()}"
    assert all(LINK in e["payloads"] for e in answered), (
        f"one attempt was refused, so nothing collided: {ladder.words()}"
    )
    followers = [e["from"] for e in ladder.ike("IKE_FOLLOWUP_KE", response=False, again=False)]
    assert followers in (["left"] * 2, ["right"] * 2), f"not one side went on: {ladder.words()}"
    deleted = [e["from"] for e in ladder.ike("INFORMATIONAL", response=False, payload="D", again=False)]
    assert deleted == followers[:1], f"not only {followers[0]} deletes, and only the old SA: {ladder.words()}"
