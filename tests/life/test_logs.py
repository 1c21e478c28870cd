"""Logs as one stream: whole lines with their nodes, files that appear late, and files that begin anew."""

from pathlib import Path

from lab.life.logs import Follower


def test_lines_come_once_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    follower = Follower(lambda: {"left": [log]})
    assert follower.lines() == []
    log.write_bytes(b"one\ntw")
    assert follower.lines() == ["left: one"]
    with log.open("ab") as file:
        file.write(b"o\n")
    assert follower.lines() == ["left: two"]
    log.write_bytes(b"anew\n")
    assert follower.lines() == ["left: anew"]
