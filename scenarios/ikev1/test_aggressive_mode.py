"""Aggressive Mode: three messages in place of six, at the price of showing who is there."""

import pytest

from lab.matrix import IKEV1, SELVES
from lab.plugin import first_version as v1

pytestmark = pytest.mark.pairings(*map(str, IKEV1))


@pytest.mark.rfc("2409#5.4", "2409#5.5")
@pytest.mark.needs("ikev1", "aggressive")
@pytest.mark.pairings(*map(str, (*IKEV1, *SELVES)))
def test_aggressive_mode(lab, left, right):
    """Aggressive Mode sets up the ISAKMP SA in three messages, of which only the last is encrypted."""
    lab.up("direct", v1.tunnel(connection={"aggressive": "yes"}))
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", "three and three, counted in the capture")
    v1.set_up(ladder, v1.AGGRESSIVE)
    v1.hidden(v1.messages(ladder, v1.AGGRESSIVE), first=3)
    v1.hidden(v1.messages(ladder, v1.QUICK), first=1)


@pytest.mark.rfc("2409#5.4", "3947#4")
@pytest.mark.needs("ikev1", "aggressive", "nat-t")
def test_aggressive_mode_behind_nat(lab, left, right):
    """Behind a NAT the initiator moves to port 4500 with the third message."""
    lab.up("nat-initiator", v1.tunnel(connection={"aggressive": "yes"}))
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("traversal", "moved with the third message, ESP in UDP")
    v1.set_up(ladder, v1.AGGRESSIVE)
    v1.floated(ladder, v1.AGGRESSIVE, 3)
