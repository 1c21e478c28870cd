"""TFC padding (RFC 7296 1.3.1): used where it is configured, makes sense, and the peer takes it."""

import pytest

from lab.ikev2 import child_sa
from lab.ikev2.mode import notify
from lab.wire.ids import NotifyType
from lab.wire.payloads_v2 import Notify
from tests.pair import Pair, mirrored, net

REFUSED = Notify(NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED)


def padding(pair: Pair) -> list[int]:
    return [side.ever[-1].tfc_padding for side in pair.sides]


@pytest.mark.parametrize("by", ["left", "right"])
def test_each_side_pads_what_it_sends(by: str) -> None:
    left, right = net(child="tfc_padding = 700"), mirrored(net())
    assert padding(Pair(left, right).initiate(by)) == [700, 0]
    assert padding(Pair(net(child="tfc_padding = 9"), mirrored(net(child="tfc_padding = 8"))).initiate(by)) == [9, 8]


@pytest.mark.parametrize("by", ["left", "right"])
def test_a_peer_that_takes_none_gets_none(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setattr(child_sa.modes, "notify", lambda mode: (*notify(mode), REFUSED))
    # Between hosts, because the notifies of a mode are left out where the selectors rule transport mode out.
    text = net(child="tfc_padding = 700").replace("10.1.0.0/24", "dynamic").replace("10.2.0.0/24", "dynamic")
    assert padding(Pair(text, mirrored(text)).initiate(by)) == [0, 0]


def test_rekeyed_it_is_padded_again() -> None:
    pair = Pair(net(child="tfc_padding = 700"), mirrored(net())).initiate()
    pair.left.do("rekey", child="net")
    pair.wait(10)
    pair.check()
    assert padding(pair) == [700, 0]


@pytest.mark.parametrize("words", ["ah_proposals = sha256", "mode = transport"])
def test_it_is_for_tunnels_of_esp(words: str) -> None:
    text = net(child=f"tfc_padding = 700\n{words}").replace("10.1.0.0/24", "dynamic").replace("10.2.0.0/24", "dynamic")
    assert padding(Pair(text, mirrored(text)).initiate()) == [0, 0]
