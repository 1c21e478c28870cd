"""What keeps a daemon from starting is one sentence and the documented exit code."""

import os
from pathlib import Path

import pytest

from lab.daemon.main import _random, main

GOOD = "connections {\n}\n"


def failed(capsys: pytest.CaptureFixture[str], code: int, config: Path, **options: object) -> str:
    """Start it, expect this exit code, and give back the one sentence."""
    assert main(config, **options) == code
    error = capsys.readouterr().err
    assert error.startswith("ikelab: ") and error.count("\n") == 1, error
    return error


def written(directory: Path, text: str | bytes) -> Path:
    file = directory / "swanctl.conf"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("connections {\n  gw {\n    versoin = 2\n", ["swanctl.conf:4:", "never closed"]),
        ("connections {\n  gw {\n    versoin = 2\n  }\n}\n", ["swanctl.conf:3: versoin:", "unknown key"]),
        ("connections {\n  gw {\n    version = 9\n  }\n}\n", ["swanctl.conf:3: version:", "'9'"]),
        (b"connections {\n  \xff\n}\n", ["swanctl.conf", "not UTF-8"]),
    ],
)
def test_a_wrong_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | bytes, says: list[str]
) -> None:
    error = failed(capsys, 2, written(tmp_path, text))
    for part in says:
        assert part in error


def test_no_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file" in failed(capsys, 2, tmp_path / "none.conf")
    assert "Is a directory" in failed(capsys, 2, tmp_path)


def test_a_run_directory_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = written(tmp_path, GOOD)
    assert "cannot write" in failed(capsys, 3, config, run_dir=config)
    assert "cannot write" in failed(capsys, 3, config, keylog=config / "deep")


@pytest.mark.parametrize("backend", ["userspace", "none"])
def test_xfrm_interfaces_go_with_the_kernel_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    sides = "local { auth = psk }\n remote { auth = psk }"
    text = f"connections {{ gw {{ {sides}\n children {{ net {{\n if_id_out = 1\n }} }} }} }}\n"
    error = failed(capsys, 2, written(tmp_path, text), backend=backend)
    assert "swanctl.conf:4: if_id_out: XFRM interfaces are the kernel's: start the daemon with --backend xfrm" in error


def test_a_full_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = written(tmp_path, GOOD)
    (tmp_path / "daemon.log").symlink_to("/dev/full")
    error = failed(capsys, 3, config, run_dir=tmp_path, backend="none")
    # Where port 500 is not ours that is found first; both are said in one sentence.
    assert "No space left on device" in error or "UDP port 500" in error


def test_a_seed_gives_the_same_octets_to_the_same_configuration_only() -> None:
    assert _random("a", "left")(64) == _random("a", "left")(64)
    assert _random("a", "left")(64) != _random("a", "right")(64) != _random("b", "right")(64)
    assert _random(None, "left") is os.urandom


def test_an_unknown_impairment_is_told_with_those_near_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = failed(capsys, 2, written(tmp_path, GOOD), impair=("icv-wrong", "icv-wrongly"))
    assert "--impair" in error and "'icv-wrongly'" in error and "icv-wrong" in error.partition("near")[2]
