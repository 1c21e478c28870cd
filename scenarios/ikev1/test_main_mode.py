"""Main Mode and Quick Mode: six messages and three, the last two of phase 1 and all of phase 2 encrypted."""

import pytest

from lab.evidence import forward_secrecy, keys
from lab.matrix import IKEV1, NEWER, ON_XFRM, SELVES
from lab.plugin import first_version as v1

pytestmark = pytest.mark.pairings(*map(str, IKEV1))


@pytest.mark.rfc("2409#5.4", "2409#5.5")
@pytest.mark.needs("ikev1")
@pytest.mark.pairings(*map(str, (*IKEV1, *SELVES, *ON_XFRM, *NEWER)))
def test_main_mode(lab, left, right):
    """Main Mode sets up the ISAKMP SA in six messages, Quick Mode a pair of ESP SAs in three; ESP carries a ping."""
    lab.up("direct", v1.tunnel())
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", "six and three, counted in the capture")
    v1.set_up(ladder, v1.MAIN)
    v1.hidden(v1.messages(ladder, v1.MAIN), first=5)
    v1.hidden(v1.messages(ladder, v1.QUICK), first=1)
    assert not ladder.keepalives(), "keepalives were sent although there is no NAT"


@pytest.mark.rfc("2409#5.5", "2409#8")
@pytest.mark.needs("ikev1", "pfs")
@pytest.mark.parametrize("group", ["none", "ecp256", "modp2048"])
def test_perfect_forward_secrecy(lab, left, right, group):
    """With a key exchange in Quick Mode the secrets of phase 1 open no ESP packet; without one they open every one."""
    esp = "aes256-sha256" if group == "none" else f"aes256-sha256-{group}"
    lab.up("direct", v1.tunnel(esp=esp))
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", f"KE in the first two messages of Quick Mode: {group}")
    v1.set_up(ladder)
    exchanged = ["KE" in entry["payloads"] for entry in v1.messages(ladder, v1.QUICK)]
    assert exchanged == [group != "none", group != "none", False], f"KE in Quick Mode: {ladder.words()}"

    lab.step("stolen", "SKEYID_d of phase 1 and the recorded Quick Mode, tried on every ESP packet")
    known = keys.merge(gateway.driver.keys() for gateway in (left, right))
    tried = forward_secrecy.attempt(lab.frames(), known)
    assert tried.packets, "there is no ESP to try"
    lab.steps.note(f"{tried.opened} of {tried.packets} open")
    wanted = tried.packets if group == "none" else 0
    assert tried.opened == wanted, f"{tried.opened} of {tried.packets} ESP packets open, not {wanted}"
