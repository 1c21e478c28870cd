"""The plain tunnel: two gateways, four messages, and packets that travel protected."""

import pytest

from lab.matrix import ALL, NEWER, ON_XFRM, with_brought
from lab.plugin import proofs


@pytest.mark.rfc("7296#1.2", "4303#3.1.2")
@pytest.mark.pairings(*map(str, (*ALL, *NEWER, *ON_XFRM, *with_brought())))
def test_plain_tunnel(lab, left, right):
    """IKE_SA_INIT and IKE_AUTH set up the IKE SA and its first CHILD SA; ESP carries a ping."""
    lab.up("direct")
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", "four, counted in the capture")
    proofs.set_up_in_four_messages(ladder)
    assert not ladder.keepalives(), "keepalives were sent although there is no NAT"
    floated = [entry for entry in ladder.ike() if entry["src"].endswith(":4500")]
    assert not floated, f"IKE moved to port 4500 although there is no NAT: {floated[0]}"
