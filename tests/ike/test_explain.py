"""Refusals in words."""

import pytest

from lab.crypto import proposal
from lab.ike import explain
from lab.ike.credentials import Identity
from lab.ike.means import Means
from lab.wire.ids import AuthMethod, IdType, NotifyType, ProtocolId
from lab.wire.payloads_v2 import Auth, Notify, TrafficSelector

LEFT, RIGHT = Identity(IdType.ID_FQDN, b"left"), Identity(IdType.ID_FQDN, b"right")
NETS = tuple(TrafficSelector.of_network(net) for net in ("10.1.0.0/24", "10.3.0.0/24"))
ERRORS = [notify for notify in NotifyType if notify.is_error]


def test_what_the_peer_says_and_what_it_means() -> None:
    assert explain.refused("IKE_AUTH", Notify(NotifyType.AUTHENTICATION_FAILED)) == (
        "peer refuses IKE_AUTH: AUTHENTICATION_FAILED, it does not accept our identity or our proof of it"
    )
    assert explain.refused("child net", Notify(NotifyType(8192))) == "peer refuses child net: UNKNOWN_8192"


@pytest.mark.parametrize("notify", ERRORS)
def test_every_error_can_be_told(notify: NotifyType) -> None:
    assert explain.refused("it", Notify(notify)).startswith(f"peer refuses it: {notify.name}")


def test_what_we_offer() -> None:
    offer = proposal.parse_all(["aes256gcm16-prfsha384-x25519"], ProtocolId.IKE)
    assert explain.proposals(offer) == "(we offer aes256gcm16-prfsha384-x25519)"


def test_selectors_without_anything_in_common() -> None:
    assert explain.unacceptable("local", NETS[:1], NETS[1:]) == "peer offers local 10.1.0.0/24; we allow 10.3.0.0/24"
    assert explain.unacceptable("remote", (), NETS) == (
        "peer offers remote nothing that we know; we allow 10.1.0.0/24, 10.3.0.0/24"
    )


def test_who_is_who() -> None:
    assert explain.no_secret(LEFT, RIGHT) == "we hold no pre-shared key for local left and remote right"
    assert explain.no_connection(LEFT, RIGHT, ["gw"]) == (
        "peer calls itself left and asks for right; connections at this address: gw"
    )
    assert explain.no_connection(LEFT, None, []) == "peer calls itself left; connections at this address: none"


def test_proofs() -> None:
    assert explain.wrong_proof(LEFT) == "AUTH of left does not verify: its pre-shared key is not ours"
    said = explain.other_means(LEFT, Auth(AuthMethod.RSA_SIGNATURE, b""), Means.parse("psk"))
    assert said == f"left proves itself by RSA_SIGNATURE; we take {Means.parse('psk')}"
    said = explain.other_means(LEFT, Auth(AuthMethod.NULL, b""), Means.parse("psk"))
    assert said == "peer proves nothing (NULL authentication); we take a pre-shared key"
