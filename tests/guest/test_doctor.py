"""The doctor names a fix for every lack, and does not repair or break anything."""

from pathlib import Path

import pytest

from lab.guest import boot, doctor, doctor_host, mirror, workplace


def test_every_lack_has_a_fix() -> None:
    for check in doctor.checks(guest=False):
        assert check.ok or check.fix, check
        assert check.found


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
