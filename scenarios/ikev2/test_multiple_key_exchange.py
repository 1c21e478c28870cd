"""Additional key exchanges, by ML-KEM most of all, between IKE_SA_INIT and IKE_AUTH (RFC 9242, RFC 9370)."""

import pytest

from lab.matrix import IKEV2
from lab.plugin.tunnel import Tunnel

PAIRINGS = tuple(map(str, IKEV2))
MLKEM = pytest.mark.needs("mlkem")
IKE = "aes256gcm16-prfsha384-x25519"


@pytest.mark.rfc("9370#2.2.2", "9242#3")
@pytest.mark.needs("intermediate")
@pytest.mark.pairings(*PAIRINGS)
@pytest.mark.parametrize(
    "methods",
    [
        pytest.param(["ecp384"], id="ecp384"),
        pytest.param(["mlkem768"], id="mlkem768", marks=MLKEM),
        pytest.param(["mlkem1024"], id="mlkem1024", marks=MLKEM),
        pytest.param(["mlkem768", "mlkem1024"], id="both", marks=MLKEM),
    ],
)
def test_additional_key_exchange(lab, left, right, methods):
    """X25519, then others in IKE_INTERMEDIATE; AUTH covers it and ESP carries a ping with keys made of all of them."""
    words = "-".join(f"ke{place}_{method}" for place, method in enumerate(methods, 1))
    lab.up("direct", Tunnel(ike=f"{IKE}-{words}"))
    lab.establish()
    lab.ping()
    ladder = lab.prove_protected()

    lab.step("messages", f"{len(methods)} times IKE_INTERMEDIATE with a KE payload, between IKE_SA_INIT and IKE_AUTH")
    found = [(e["exchange"], e["message_id"], e["response"], e["from"]) for e in ladder.ike(again=False)]
    exchanges = ["IKE_SA_INIT", *["IKE_INTERMEDIATE"] * len(methods), "IKE_AUTH"]
    wanted = [
        (exchange, number, response, sender)
        for number, exchange in enumerate(exchanges)
        for response, sender in ((False, "left"), (True, "right"))
    ]
    assert found[: len(wanted)] == wanted, f"not the initial exchanges of RFC 9370: {ladder.words()}"
    later = [e for e in found[len(wanted) :] if e[0] in exchanges]
    assert not later, f"there are more of the initial exchanges than were agreed: {ladder.words()}"
    for entry in ladder.ike("IKE_SA_INIT"):
        assert "N(INTERMEDIATE_EXCHANGE_SUPPORTED)" in entry["payloads"], f"not announced in {entry['payloads']}"
    for entry in ladder.ike("IKE_INTERMEDIATE"):
        ke = "KEr" if entry["response"] else "KEi"
        assert entry["payloads"] == [ke], f"IKE_INTERMEDIATE holds {entry['payloads']}, not {ke} alone"
