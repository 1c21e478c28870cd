"""The cache: a layer is whole or not there, builds do not collide, and what changed is named."""

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from lab.errors import UnfitError
from lab.guest import base, cache, image, kernel, mirror, python_layer, recipe


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ikelab"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builders that write next to nothing, and the list of what they built."""
    calls: list[str] = []

    def make_base(root: Path, *_: object) -> dict[str, str]:
        calls.append("base")
        (root / "file").write_text("x" * 100)
        return {"bash": "5"}

    def make_python(root: Path, *_: object) -> dict[str, str]:
        calls.append("python")
        return {"click": "8"}

    def make_kernel(target: Path, *_: object) -> dict[str, str]:
        calls.append("kernel")
        (target / "linux").touch()
        return {"release": "7.0-x"}

    def make_peer(root: Path, peer: recipe.Peer, *_: object) -> dict[str, str]:
        found = {"forky": "1:6.1.0-2", "bookworm": "5.9.8-5+deb12u5", "trixie": "5.2-2.3+deb13u1"}
        return {peer.packages[0]: found[peer.suite]}

    monkeypatch.setattr(base, "build", make_base)
    monkeypatch.setattr(base, "build_peer", make_peer)
    monkeypatch.setattr(python_layer, "build", make_python)
    monkeypatch.setattr(kernel, "build", make_kernel)
    monkeypatch.setattr(mirror, "find", lambda: mirror.Mirror("http://m/debian", None))
    return calls


def silent(what: str, done: int, total: int) -> None:
    pass


def test_only_what_is_missing_is_built(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    image.build(silent)
    assert built == ["base", "python", "kernel"]
    image.build(silent)
    assert len(built) == 3
    monkeypatch.setattr(recipe, "requirements", lambda: ["other"])
    found = image.build(silent)
    assert built[3:] == ["python"]
    assert found.release == "7.0-x"
    assert found.versions["base"] == {"bash": "5"}
    further = ["strongswan-6.1.0", "strongswan-5.9.8", "libreswan-5.2"]
    assert list(found.mounts) == ["/opt/python", *(f"/opt/peers/{peer}" for peer in further)]


def test_a_further_peer_may_be_left_out(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> dict[str, str]:
        raise UnfitError("this mirror is empty")

    monkeypatch.setattr(base, "build_peer", refused)
    said: list[str] = []
    found = image.build(lambda what, done, total: said.append(what))
    kinds = ("strongswan-forky", "strongswan-bookworm", "libreswan-trixie")
    assert said == [f"left out {kind}: this mirror is empty" for kind in kinds]
    assert built == ["base", "python", "kernel"]
    assert list(found.mounts) == ["/opt/python"]


def test_a_full_disk_while_building_is_named(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(root: Path, *_: object) -> dict[str, str]:
        raise OSError(errno.ENOSPC, "No space left on device", str(root / "file"))

    monkeypatch.setattr(base, "build", full)
    with pytest.raises(UnfitError, match=r"cannot build the base layer: No space left on device: .*make room"):
        image.build(silent)


def test_an_interrupted_build_leaves_no_layer(built: list[str], monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    def interrupted(root: Path, *_: object) -> dict[str, str]:
        (root / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(python_layer, "build", interrupted)
    with pytest.raises(KeyboardInterrupt):
        image.build(silent)
    with pytest.raises(UnfitError, match="no python layer"):
        image.locate()
    monkeypatch.setattr(python_layer, "build", lambda *_: {"click": "8"})
    image.build(silent)
    assert built == ["base", "kernel"]
    assert not list(place.glob("*.unfinished"))


def test_a_kernel_build_under_way_is_kept_and_older_ones_go(built: list[str], place: Path) -> None:
    ours = kernel.work_directory(image.layers()[-1].path)
    other = place / "kernel-000000000000.work"
    for work in (ours, other):
        work.mkdir(parents=True)
    image.build(silent)
    assert ours.is_dir() and not other.exists()


def test_status_says_why_a_layer_would_be_built(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert {row["reason"] for row in image.status()} == {"it was never built, or never completely"}
    image.build(silent)
    assert all(row["present"] and not row["reason"] for row in image.status())
    monkeypatch.setattr(recipe, "PACKAGES", ("bash",))
    rows = {row["layer"]: row for row in image.status()}
    assert rows["base"]["reason"].startswith("its package list changed since base-")
    assert len(rows["base"]["older"]) == 1 and rows["python"]["present"]


def test_clean_can_keep_what_is_current(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    image.build(silent)
    monkeypatch.setattr(recipe, "PACKAGES", ("bash",))
    image.build(silent)
    assert image.clean(older_only=True) >= 100
    image.locate()
    image.clean()
    with pytest.raises(UnfitError, match="ikelab image build"):
        image.locate()


def hold(place: str, ready: str, done: str) -> None:
    os.environ["XDG_CACHE_HOME"] = place
    with cache.locked(lambda: None), open(ready, "w") as fifo, open(done) as wait:
        fifo.write("x")
        fifo.close()
        wait.read()


def test_two_builds_wait_for_each_other(tmp_path: Path, built: list[str]) -> None:
    ready, done = str(tmp_path / "ready"), str(tmp_path / "done")
    os.mkfifo(ready)
    os.mkfifo(done)
    other = multiprocessing.get_context("spawn").Process(target=hold, args=(str(tmp_path), ready, done))
    other.start()
    with open(ready) as fifo, open(done, "w") as release:
        assert fifo.read() == "x"
        said: list[str] = []

        def progress(what: str, count: int, total: int) -> None:
            said.append(what)
            if what == "wait for another build":
                release.close()

        image.build(progress)
    other.join(10)
    assert other.exitcode == 0
    assert said[0] == "wait for another build"
    assert built == ["base", "python", "kernel"]


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UnfitError, match=r"cannot write the cache .*XDG_CACHE_HOME"):
        image.build(silent)


def test_a_tree_with_locked_directories_can_be_removed(tmp_path: Path) -> None:
    locked = tmp_path / "tree/locked"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    (tmp_path / "other").mkdir(mode=0o500)
    (tmp_path / "tree/link").symlink_to(tmp_path / "other")
    locked.chmod(0)
    cache.remove(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o500, "what a link leads to was touched"


def test_versions_are_recorded_as_json(built: list[str]) -> None:
    image.build(silent)
    for layer in image.layers():
        assert json.loads((layer.path / "versions.json").read_text()) == layer.versions()


def test_another_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(UnfitError, match="x86_64, not on aarch64"):
        image.build(silent)
