"""Childless initiation (RFC 6023): IKE_AUTH carries no child, the first one comes by CREATE_CHILD_SA."""

import pytest

from lab.matrix import IKEV2
from lab.plugin.tunnel import Tunnel

pytestmark = pytest.mark.pairings(*map(str, IKEV2))

OF_A_CHILD = {"TSi", "TSr"}


@pytest.mark.rfc("6023#3")
@pytest.mark.needs("childless")
def test_childless(lab, left, right):
    """IKE_AUTH makes the IKE SA alone; its child comes with a key exchange of its own."""
    lab.up("direct", Tunnel(esp="aes256gcm16-x25519", connection={"childless": "force"}))
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    (_, offer) = ladder.ike("IKE_SA_INIT", again=False)
    assert "N(CHILDLESS_IKEV2_SUPPORTED)" in offer["payloads"], f"the responder says nothing: {offer['payloads']}"
    for entry in ladder.ike("IKE_AUTH", again=False):
        found = OF_A_CHILD & set(entry["payloads"])
        assert not found, f"IKE_AUTH from {entry['from']} carries a child: {entry['payloads']}"
    request, response = ladder.ike("CREATE_CHILD_SA", again=False)
    assert {"SA", "KEi", *OF_A_CHILD} <= set(request["payloads"]), (
        f"no child with a key exchange: {request['payloads']}"
    )
    assert {"SA", "KEr", *OF_A_CHILD} <= set(response["payloads"]), (
        f"no child with a key exchange: {response['payloads']}"
    )


@pytest.mark.rfc("6023#3")
@pytest.mark.needs("childless")
def test_childless_prefer(lab, left, right):
    """The initiator prefers it and the responder does not offer it: the child comes with IKE_AUTH as ever."""
    lab.up("direct", left=Tunnel(connection={"childless": "prefer"}), right=Tunnel(connection={"childless": "never"}))
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()
    for entry in ladder.ike("IKE_AUTH", again=False):
        assert set(entry["payloads"]) >= OF_A_CHILD, f"IKE_AUTH without a child: {entry['payloads']}"
    assert not ladder.ike("CREATE_CHILD_SA"), f"an exchange too many: {ladder.words()}"
