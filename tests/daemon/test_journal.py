"""The files of a run."""

import json
import sys
from pathlib import Path

import pytest

from lab.daemon.journal import MOST_PROVOKED, Journal, line_of
from lab.errors import UnfitError
from lab.ike.actions import Event, KeyLog
from lab.trace import PROVOKED, Record


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (Record(1.5, "drop", "unknown SPI", {"spi": "c1", "n": 3}), "101.500000 drop unknown SPI  spi=c1 n=3"),
        (Record(0.0, "note", "two\nlines\there"), "100.000000 note two lines here"),
        (Record(0.0, "note", "x", {"a": "with space", "b": 'quo"te', "c": "new\nline"}),
         '100.000000 note x  a="with space" b="quo\\"te" c="new\\nline"'),
        (Record(0.0, "note", "x", {"empty": "", "none": None, "list": [1, 2]}), '100.000000 note x  list="[1, 2]"'),
    ],
)  # fmt: skip
def test_a_record_is_one_line(record: Record, line: str) -> None:
    assert line_of(record, 100.0) == line


def test_every_line_is_on_disk_when_it_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run", tmp_path / "keys", offset=1000.0)
    journal.record(Record(1.0, "note", "caf\u00e9"))
    journal.event(Event("child-up", {"child": "net"}), 2.0)
    journal.keys(KeyLog({"kind": "ike", "SK_d": "00"}))
    assert (tmp_path / "run" / "daemon.log").read_text() == "1001.000000 note caf\\xe9\n"
    event = json.loads((tmp_path / "run" / "events.jsonl").read_text())
    assert event == {"t": 1002.0, "event": "child-up", "child": "net"}
    assert json.loads((tmp_path / "keys" / "keys.jsonl").read_text()) == {"kind": "ike", "SK_d": "00"}
    assert journal.wants_keys
    journal.close()
    assert (tmp_path / "keys" / "keys.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_second_daemon_adds_to_the_files_of_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        journal = Journal(tmp_path, None, offset=0.0)
        journal.record(Record(0.0, "note", "here"))
        journal.close()
    assert (tmp_path / "daemon.log").read_text().count("here") == 2


def test_without_directories_the_log_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(None, None, offset=0.0)
    journal.record(Record(0.0, "note", "hello"))
    journal.event(Event("child-up"), 0.0)
    journal.keys(KeyLog({}))
    journal.close()
    assert capsys.readouterr().err == "0.000000 note hello\n" and not sys.stderr.closed and not journal.wants_keys


def test_a_directory_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnfitError, match=r"cannot write .*daemon.log: .*; name another --run-dir"):
        Journal(tmp_path / "file", None, offset=0.0)


@pytest.mark.parametrize("name", ["daemon.log", "events.jsonl", "keys.jsonl"])
def test_a_full_disk_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    journal = Journal(tmp_path, tmp_path, offset=0.0)
    with pytest.raises(UnfitError, match=rf"cannot write .*{name}: No space left on device"):
        journal.record(Record(0.0, "note", "x"))
        journal.event(Event("child-up"), 0.0)
        journal.keys(KeyLog({}))
    journal.close()


@pytest.mark.parametrize("kind", PROVOKED)
def test_a_flood_of_what_anybody_provokes_is_counted_and_not_written(tmp_path: Path, kind: str) -> None:
    journal = Journal(tmp_path, None, offset=0.0)
    for number in range(5000):
        journal.record(Record(10.0 + number / 10000, kind, f"nonsense {number}"))
    journal.record(Record(10.6, "state", "written all the same"))
    journal.record(Record(11.5, kind, "later"))
    journal.close()
    lines = (tmp_path / "daemon.log").read_text().splitlines()
    assert len(lines) == MOST_PROVOKED + 3
    assert [line.split(" ", 1)[1] for line in lines[-3:]] == [
        "state written all the same",
        "note 4900 more packets were dropped, refused or repeated in a second",
        f"{kind} later",
    ]


def test_control_characters_of_a_peer_do_not_reach_the_terminal() -> None:
    line = line_of(Record(0.0, "failed", "peer calls itself \x1b[2J\x07", {"id": "\x1b[2J"}), 0.0)
    assert line.isprintable()
    assert "\\x1b[2J\\x07" in line
