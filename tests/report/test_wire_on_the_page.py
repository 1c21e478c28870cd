"""What the messages show, as it stands on the page: offers, selectors, SAs, time, layouts, logs."""

import json
from pathlib import Path

from lab.report import build
from tests.report.outline import outline
from tests.report.test_layouts import IP, KEYS, esp
from tests.report.test_lineage import rekey_child, tunnel
from tests.report.trees import START, Talk, notify, proposal, sa, sealed, ts


def test_a_page_shows_what_was_agreed_and_what_was_refused(tmp_path: Path) -> None:
    talk, place = Talk(), tmp_path / "scenarios/g/talk/ours-to-strongswan"
    tunnel(talk)
    rekey_child(talk)
    ends = ("0", "0", "65535", "10.1.0.0", "10.1.0.255")
    offer = sealed(sa(proposal("ESP (3)", "ENCR ENCR_AES_CBC 128")), ts("TSi", ends), ts("TSr", ends))
    talk.ike("CREATE_CHILD_SA", offer, mid=4)
    talk.ike(
        "CREATE_CHILD_SA", sealed(notify("NO_PROPOSAL_CHOSEN")), mid=4, by="right", payloads=["N(NO_PROPOSAL_CHOSEN)"]
    )
    talk.esp("aaaaaaaa", raw=esp(IP).hex(), plain=IP.hex())
    talk.write(place)
    (place / "keys.json").write_text(json.dumps(KEYS))
    (place / "logs/right-daemon.log").write_text(
        f"{START + 0.09:.6f} failed no common ENCR: peer offers aes128; we allow aes256gcm16  connection=gw\n"
        f"{START:.6f} message received IKE_SA_INIT request 0 [ SA ]\n"
    )
    build(tmp_path)
    found = outline(place / "index.html")
    for words in (
        "Its reason: no common ENCR: peer offers aes128; we allow aes256gcm16",
        "right chose nothing: NO_PROPOSAL_CHOSEN. right allows aes256gcm16.",
        "ENCR_AES_CBC 128 \u2717 no match",
        "ENCR_AES_GCM_16 256 \u2713 chosen",
        "10.1.0.0/24 refused: NO_PROPOSAL_CHOSEN",
        "ESP in tunnel mode: IPv4, ICMP",
        "10 IKE, 1 ESP, AH or GRE in",
        "Packets in time",
    ):
        assert words in found.text, words
    assert {"sa-1", "sa-2", "sa-3", "log-right-daemon-2", "timeline", "why"} <= set(found.ids)
    assert {"#sa-2", "#sa-3", "#log-right-daemon-2", "#message-0"} <= set(found.links)
    assert "../../../../rfcs.html#rfc7296-3.3" in found.links
