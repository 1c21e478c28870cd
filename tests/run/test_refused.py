"""What a run says beneath a verdict of what was refused."""

import io
import json
from pathlib import Path

from lab.evidence.results import Result
from lab.run.progress import Screen
from lab.run.refused import MOST_SENTENCES, refused
from tests.history.recorded import entry

T0 = 1795780191.0


def scenario(place: Path, *answers: str, log: str = "") -> Path:
    """A directory with a response for each of these payloads, an hour apart, and our daemon's log on the right."""
    (place / "logs").mkdir(parents=True)
    rows = []
    for n, payload in enumerate(answers):
        row = entry(n, "IKE_AUTH", n, response=True, spi="a:b", began=T0)
        rows.append(row | {"t_sent": T0 + 3600 * n, "payloads": [payload]})
    (place / "ladder.json").write_text(json.dumps(rows))
    (place / "logs" / "right-daemon.log").write_text(log)
    return place


def test_a_refusal_comes_with_its_reason(tmp_path: Path) -> None:
    log = f"{T0} failed no common KE: peer offers ecp256, modp2048; we allow x25519, ecp384  connection=gw\n"
    (said,) = refused(scenario(tmp_path, "N(NO_PROPOSAL_CHOSEN)", log=log))
    assert said.startswith("right refuses left's IKE_AUTH request 0: NO_PROPOSAL_CHOSEN")
    assert said.endswith("no common KE: peer offers ecp256, modp2048; we allow x25519, ecp384")


def test_eap_that_ends_by_its_own_failure_is_told_too(tmp_path: Path) -> None:
    log = f"{T0} failed peer refuses carol by eap-mschapv2: authentication failure (691)  connection=gw\n"
    assert refused(scenario(tmp_path, "EAP", log=log)) == [
        "right: peer refuses carol by eap-mschapv2: authentication failure (691)"
    ]


def test_where_nothing_was_refused_nothing_is_said(tmp_path: Path) -> None:
    assert refused(scenario(tmp_path, "AUTH", log=f"{T0} note all is well\n")) == []
    assert refused(tmp_path / "nowhere") == []


def test_many_are_counted(tmp_path: Path) -> None:
    answers = ["N(TS_UNACCEPTABLE)", "N(INVALID_SYNTAX)", "N(AUTHENTICATION_FAILED)", "N(NO_ADDITIONAL_SAS)"]
    found = refused(scenario(tmp_path, *answers))
    assert len(found) == MOST_SENTENCES + 1
    assert found[-1] == f"2 more: ikelab explain {tmp_path}"


def test_it_stands_beneath_the_verdict() -> None:
    stream = io.StringIO()
    result = Result(id="ikev2/wrong-psk", pairing="ours>strongswan", verdict="passed", dir="x")
    Screen(["ikev2/wrong-psk"], stream).result(result, ["right refuses left"])
    assert "ikev2/wrong-psk  ours>strongswan\n   right refuses left\n" in stream.getvalue()
