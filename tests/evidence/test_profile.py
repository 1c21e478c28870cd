"""The profile that a run leaves, unpacked where Wireshark looks for profiles: IKEv1, ESP and GRE open with it alone.

The recordings below `with_ours` are runs of `ikev1/main-mode`, `esp/ah-tunnel/sha2-256` and `routing/gre-options/key`,
our stack with strongSwan 6.0.1.
"""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from lab.evidence import finish, tshark

RECORDED = Path(__file__).with_name("with_ours")
NAMES = ["ah", "gre", "ikev1"]
LEFT = 'frame.interface_name == "left:wan"'

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason=f"needs tshark: {tshark.FIX}")


@pytest.fixture(scope="module", params=NAMES)
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(request.param, tmp_path_factory.mktemp(request.param))


def finished(name: str, place: Path) -> Path:
    """A run's directory, and beside it `settings` with the profile as a user imports it."""
    directory = Path(shutil.copytree(RECORDED / name, place / name))
    finish.finish(directory)
    witness = finish.check(directory)
    assert witness.ok, witness.problems
    with zipfile.ZipFile(directory / "wireshark-profile.zip") as profile:
        profile.extractall(place / "settings" / "wireshark" / "profiles")
    return directory


def shown(directory: Path, what: str, *fields: str, profile: bool = True) -> list[list[str]]:
    """What tshark shows of these fields in the packets that a filter means, with the profile or without any."""
    words = ["tshark", *(["-C", "ikelab"] if profile else []), "-r", str(directory / "wire.pcapng"), "-Y", what]
    settings = directory.parent / ("settings" if profile else "nowhere")
    columns = [word for field in fields for word in ("-e", field)]
    done = subprocess.run(
        [*words, "-T", "fields", *columns], env=os.environ | {"XDG_CONFIG_HOME": str(settings)},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_ikev1_opens(tmp_path: Path) -> None:
    directory = finished("ikev1", tmp_path)
    sealed = "isakmp.flag_e == 1 && isakmp.exchangetype == 2"
    # Messages 5 and 6 of Main Mode at the points of their senders: identity and hash (RFC 2408 3.1). tshark takes
    # the IV from what it saw before, so that it does not open what other points saw of the same message again.
    rows = shown(directory, sealed, "frame.interface_name", "isakmp.typepayload")
    opened = [(name, types.split(",")[:2]) for name, types in rows if types.startswith("5,8")]
    assert opened == [("left:wan", ["5", "8"]), ("right:wan", ["5", "8"])]
    assert {row[0] for row in shown(directory, sealed, "isakmp.typepayload", profile=False)} == {""}
    # Quick Mode: hash, SA, nonce, two identities; and the ping inside ESP.
    (first, *_) = shown(directory, f"{LEFT} && isakmp.exchangetype == 32", "isakmp.typepayload")
    assert {"8", "1", "10", "5"} <= set(first[0].split(","))
    assert [row[0] for row in shown(directory, f"{LEFT} && icmp", "icmp.type")] == ["8", "0"] * 3


def test_all_of_ikev1_opens_where_one_point_is_exported(tmp_path: Path) -> None:
    directory = finished("ikev1", tmp_path)
    exported = directory / "exported"
    exported.mkdir()
    words = ["tshark", "-r", str(directory / "wire.pcapng"), "-Y", LEFT, "-w", str(exported / "wire.pcapng")]
    nowhere = os.environ | {"XDG_CONFIG_HOME": str(tmp_path / "nowhere")}
    subprocess.run(words, env=nowhere, check=True, timeout=120)
    (exported.parent / "settings").symlink_to(tmp_path / "settings")
    rows = shown(exported, "isakmp.flag_e == 1", "isakmp.exchangetype", "isakmp.typepayload")
    assert [types.split(",")[:2] for kind, types in rows if kind == "2"] == [["5", "8"]] * 2
    assert [types.split(",")[0] for kind, types in rows if kind == "32"] == ["8"] * 3


def test_a_wrong_key_opens_nothing_of_ikev1(tmp_path: Path) -> None:
    directory = finished("ikev1", tmp_path)
    table = tmp_path / "settings" / "wireshark" / "profiles" / "ikelab" / "ikev1_decryption_table"
    cookie, key = table.read_text().strip().split(",")
    table.write_text(f"{cookie},{key[:-1]}{'0' if key[-1] != '0' else '1'}\n")
    sealed = f"{LEFT} && isakmp.flag_e == 1 && isakmp.exchangetype == 2"
    opened = [row[0].split(",")[:2] for row in shown(directory, sealed, "isakmp.typepayload")]
    assert ["5", "8"] not in opened


def test_ah_hides_nothing_and_its_headers_are_read(tmp_path: Path) -> None:
    directory = finished("ah", tmp_path)
    for profile in (True, False):
        rows = shown(directory, f"{LEFT} && ah", "ah.sequence", "icmp.type", "ip.src", profile=profile)
        assert [row[1] for row in rows] == ["8", "0"] * 3
        assert rows[0][0] == "1" and rows[0][2] == "203.0.113.2,10.1.0.10"


def test_gre_inside_esp_opens(tmp_path: Path) -> None:
    directory = finished("gre", tmp_path)
    what = f"{LEFT} && esp && gre"
    rows = shown(directory, what, "gre.proto", "gre.key")
    assert len(rows) > 2 and {row[0] for row in rows} == {"0x0800"}
    assert all(row[1] for row in rows), "the key of GRE"
    assert shown(directory, what, "gre.proto", profile=False) == []


def test_what_is_clear_needs_no_profile(each: Path) -> None:
    done = subprocess.run(
        ["tshark", "-r", str(each / "clear.pcapng"), "-Y", "_ws.malformed || (isakmp.flag_e == 1)", "-T", "fields",
         "-e", "frame.number"],
        env=os.environ | {"XDG_CONFIG_HOME": str(each.parent / "nowhere")},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == ""
