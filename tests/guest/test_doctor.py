"""The doctor names a fix for every lack, and does not repair or break anything."""

import socket
from pathlib import Path

import pytest

from lab.guest import boot, doctor, doctor_host, doctor_tools, mirror, workplace


def test_every_lack_has_a_fix() -> None:
    for check in doctor.checks(guest=False):
        assert check.ok or check.fix, check
        assert check.found


def test_every_check_says_what_needs_it() -> None:
    for check in doctor.checks(guest=False):
        assert check.what and check.needed_by and check.scenarios, check


def test_a_port_that_is_taken_is_told_with_how_to_find_who_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 0))
        number = taken.getsockname()[1]
        monkeypatch.setattr(doctor_tools, "PORTS", (number,))
        (row,) = (row for row in doctor_tools.rows() if row[0] == f"port-{number}")
        assert not row[3] and "in use" in row[2] and f"ss -ulpn sport = :{number}" in row[5]
    (row,) = (row for row in doctor_tools.rows() if row[0] == f"port-{number}")
    assert row[3] and not row[5]


def test_an_enforced_profile_of_charon_is_a_lack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    profiles = tmp_path / "profiles"
    monkeypatch.setattr(doctor_host, "PROFILES", profiles)
    for mode, ok in (("enforce", False), ("complain", True)):
        profiles.write_text(f"/usr/sbin/ntpd (enforce)\n/usr/lib/ipsec/charon ({mode})\n")
        (row,) = (row for row in doctor_host.rows() if row[0] == "host-apparmor")
        assert row[3] is ok and (ok or "aa-complain /usr/lib/ipsec/charon" in row[5])


def test_an_old_python_and_a_missing_program_are_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_tools, "OLDEST_PYTHON", (99, 0))
    monkeypatch.setattr(doctor_tools.shutil, "which", lambda _: None)
    found = {row[0]: row for row in doctor_tools.rows()}
    assert not any(found[name][3] for name in ("python", "tshark", "chromium", "vagrant"))
    assert "tshark-esp" not in found


def test_ids_are_unique() -> None:
    ids = [check.id for check in doctor.checks(guest=False)]
    assert len(ids) == len(set(ids))


def test_without_an_image_the_fix_is_to_build_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = {check.id: check for check in doctor.checks(host=False)}
    assert not found["image"].ok and not found["boot"].ok
    assert "ikelab image build" in found["image"].fix
    assert {check.id for check in doctor.missing(found.values(), doctor.GUEST)} == {"image", "boot"}


def test_no_room_for_memory_is_a_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workplace, "LEAST_FREE", 1 << 60)
    (memory,) = (check for check in doctor.checks(host=False) if check.id == "memory")
    assert not memory.ok
    assert "make room" in memory.fix


def test_without_a_mirror_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IKELAB_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(mirror, "_host", lambda: (None, None))
    (check,) = (check for check in doctor.checks(host=False) if check.id == "mirror")
    assert not check.ok
    assert "IKELAB_DEBIAN_MIRROR" in check.fix


def test_what_needs_root_is_not_tried_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    rows = {row[0]: row for row in doctor_host.rows()}
    assert rows["host-veth"][2] == "not tried: needs root"


@pytest.mark.guest
def test_the_guest_kernel_passes_every_trial_of_host_mode(tmp_path: Path) -> None:
    said: list[str] = []
    program = "from lab.guest import doctor_host as d; [print(*row) for row in d.rows() if not row[3]]"
    boot.run(
        ["python3", "-c", program], source=Path(__file__).parents[2], results=tmp_path, output=said.append, limit_s=60
    )
    assert said == []
