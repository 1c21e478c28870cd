"""sharkd must say what tshark says, about good and bad captures alike, and must not outlive the lab."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.evidence import finish, keys, tshark
from lab.evidence.sharkd import Server, Unable
from tests.evidence.recorded import CAPTURES

pytestmark = pytest.mark.skipif(shutil.which("sharkd") is None, reason=f"needs sharkd: {tshark.FIX}")
_KILLED = """
import os, signal
from lab.evidence.sharkd import Server
server = Server.shared()
server.session(20.0).ask("info")
print(server._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def finished(tmp_path: Path, name: str) -> Path:
    directory = Path(shutil.copytree(CAPTURES / name, tmp_path / name))
    finish.finish(directory)
    return directory


@pytest.mark.parametrize("name", ["direct-cbc", "direct-chapoly", "guest-direct", "ipv6-gcm"])
def test_same_as_tshark(tmp_path: Path, name: str) -> None:
    directory = finished(tmp_path, name)
    place = directory / "wire.pcapng", directory / "wireshark"
    rows = tshark._by_sharkd(*place, 60.0)
    assert any(row.ike_decrypted for row in rows.values()) or name == "direct-chapoly"  # it knows no ChaCha20 of IKE
    assert (rows, []) == tshark._by_tshark(*place)


@pytest.mark.parametrize(("table", "name", "key"), [
    ("ikev2_decryption_table", "direct-cbc", "SK_ai"), ("ikev2_decryption_table", "ipv6-gcm", "SK_ei"),
])  # fmt: skip
def test_wrong_key_is_seen_alike(tmp_path: Path, table: str, name: str, key: str) -> None:
    directory = finished(tmp_path, name)
    file, right = directory / "wireshark" / table, getattr(keys.read(directory / "keys.json").ike[0], key)
    good = tshark._by_sharkd(directory / "wire.pcapng", directory / "wireshark", 60.0)
    file.write_text(file.read_text().replace(right, right[:-1] + ("1" if right[-1] == "0" else "0")))
    rows = tshark._by_sharkd(directory / "wire.pcapng", directory / "wireshark", 60.0)
    assert (rows, []) == tshark._by_tshark(directory / "wire.pcapng", directory / "wireshark")
    assert rows != good


def test_no_session_has_the_keys_of_another(tmp_path: Path) -> None:
    directory, empty = finished(tmp_path, "ipv6-gcm"), tmp_path / "empty"
    empty.mkdir()
    (empty / "preferences").write_text("")
    assert any(
        row.icv_good for row in tshark._by_sharkd(directory / "wire.pcapng", directory / "wireshark", 60.0).values()
    )
    rows = tshark._by_sharkd(directory / "wire.pcapng", empty, 60.0)
    assert rows and not any(row.icv_good or row.ike_decrypted for row in rows.values())


def test_refused_row_is_left_to_tshark_and_its_complaint(tmp_path: Path) -> None:
    directory = finished(tmp_path, "ipv6-gcm")
    with (directory / "wireshark" / "esp_sa").open("a") as table:
        table.write('"IPv4","*","*","0x1","no such cipher","0x00","NULL",""\n')
    with pytest.raises(Unable, match="setconf"):
        tshark._by_sharkd(directory / "wire.pcapng", directory / "wireshark", 60.0)
    assert any("no such cipher" in problem.text for problem in finish.check(directory).problems)


def test_torn_capture_is_left_to_tshark(tmp_path: Path) -> None:
    directory = finished(tmp_path, "nat-gcm")
    wire = directory / "wire.pcapng"
    wire.write_bytes(wire.read_bytes()[:-30])
    _, complaints = tshark.dissect(wire, directory / "wireshark")
    assert complaints == tshark._by_tshark(wire, directory / "wireshark")[1]
    assert complaints


def test_ports_that_a_nat_chose_are_told_to_tshark_alone(tmp_path: Path) -> None:
    directory = finished(tmp_path, "nat-gcm")
    with pytest.raises(Unable, match="no such profile"):
        tshark._by_sharkd(directory / "wire.pcapng", directory / "wireshark", 60.0)
    assert finish.check(directory).ok


def test_without_sharkd_tshark_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = finished(tmp_path, "nat-gcm")

    def nowhere() -> Server:
        raise Unable("sharkd is not installed")

    monkeypatch.setattr(Server, "shared", nowhere)
    assert finish.check(directory).ok


def test_dead_server_is_started_again(tmp_path: Path) -> None:
    before = Server.shared()
    before.close()
    assert Server.shared() is not before
    with Server.shared().session(20.0) as session:
        assert "version" in session.ask("info")


def test_it_ends_when_the_lab_is_killed() -> None:
    ran = subprocess.run([sys.executable, "-c", _KILLED], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == -signal.SIGKILL
    group, deadline = int(ran.stdout), time.monotonic() + 10.0
    while _lives(group):
        assert time.monotonic() < deadline, "sharkd outlives the lab"
        time.sleep(0.02)


def _lives(group: int) -> bool:
    """Whether a process of the group is more than a dead one that nobody has collected."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    words = [stat.rpartition(")")[2].split() for stat in stats]
    return any(int(word[2]) == group and word[0] != "Z" for word in words)
