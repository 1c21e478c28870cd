"""What a launch keeps between boots."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.guest import cache, workplace


def test_compiled_python_of_old_sources_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "directory", lambda: tmp_path)
    image = SimpleNamespace(root=Path("/root"), mounts={})
    made = []
    for number in range(workplace.KEPT + 3):
        place = workplace.compiled_python(Path(f"/source/{number}"), image)  # type: ignore[arg-type]
        assert place is not None and place.is_dir()
        os.utime(place, (number, number))
        made.append(place)
    assert [place for place in made if place.exists()] == made[3:]
    used = workplace.compiled_python(Path("/source/3"), image)  # type: ignore[arg-type]
    workplace.compiled_python(Path("/source/new"), image)  # type: ignore[arg-type]
    assert used == made[3] and used.exists() and not made[4].exists(), "the last use counts, not the making"
