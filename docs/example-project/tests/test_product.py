"""Does the product keep its promises? `left` is the branch office, `right` the product at headquarters.

`ours>strongswan` means: ikelab's own stack begins, the product (a strongSwan) answers.
"""

from pathlib import Path

import pytest

from lab.ike.swanctl import parse
from lab.plugin import proofs
from lab.plugin.tunnel import Tunnel

PRODUCT = Path(__file__).parents[1] / "product"
pytestmark = pytest.mark.pairings("ours>strongswan")


def shipped() -> Tunnel:
    """The product's own settings, on top of what ikelab sets for a lab (names, addresses, a secret)."""
    values = {
        key: value.text for key, value in parse((PRODUCT / "gateway.conf").read_text(), "gateway.conf").values.items()
    }
    esp = values.pop("esp_proposals")
    return Tunnel(ike=values.pop("proposals"), esp=esp, connection=values)


@pytest.mark.rfc("7296#1.2", "7296#2.23")
@pytest.mark.needs("nat-t")
def test_a_branch_office_behind_its_router(lab, left, right):
    """A branch office behind a home router gets its tunnel in four messages, and its data is protected."""
    lab.up(str(PRODUCT / "branch.yaml"), left=Tunnel(), right=shipped())
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    proofs.set_up_in_four_messages(ladder)
    assert all(entry["udp"] for entry in ladder.esp()), "ESP is not in UDP, although there is a NAT"


@pytest.mark.rfc("7296#2.7")
@pytest.mark.needs("modp2048")
def test_an_old_client_is_refused_in_words(lab, left, right):
    """A client that knows only MODP-2048 is told NO_PROPOSAL_CHOSEN; no tunnel comes up."""
    lab.up("direct", left=Tunnel(ike="aes256-sha256-modp2048"), right=shipped())
    lab.step("refused")
    outcome = left.initiate()
    assert not outcome.up, "the product took a proposal that it does not ship"
    answers = lab.ladder().ike("IKE_SA_INIT", sender="right", response=True)
    assert [entry["payloads"] for entry in answers] == [["N(NO_PROPOSAL_CHOSEN)"]], lab.ladder().words()
