"""What the doctor says in the end: a machine that runs every scenario is not told that much is missing."""

import pytest
from click.testing import CliRunner

from lab.cli import cli, doctor
from lab.guest.doctor import EVIDENCE, GUEST, Check

HOST = Check("host-gre", "GRE tunnels", "not tried: needs root", False, "host mode", "run as root", "routing/")
TSHARK = Check("tshark", "tshark", "missing", False, EVIDENCE, "apt-get install tshark")
BOOTS = Check("boot", "a guest boots", "yes", True, GUEST, "")


@pytest.mark.parametrize(
    ("found", "code", "signs", "said"),
    [
        ([BOOTS, HOST], 0, ["ok", "--"], "scenarios in a guest, which is the default: all there"),
        ([BOOTS, TSHARK, HOST], 3, ["ok", "MISSING", "--"], "which is the default: lacks tshark"),
        ([BOOTS], 0, ["ok"], "all there"),
    ],
)
def test_only_what_guests_need_is_missing(
    found: list[Check], code: int, signs: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.look, "checks", lambda: found)
    done = CliRunner().invoke(cli, ["doctor"])
    lines = done.stdout.splitlines()
    assert done.exit_code == code
    assert [line.split()[0] for line in lines[: len(found)]] == signs
    conclusion = " ".join(lines[len(found) + 1 :])  # behind the line on labs that died
    assert said in conclusion
    assert ("host mode (1)" in conclusion) is (HOST in found)
