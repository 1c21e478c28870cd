from pathlib import Path

import pytest

from lab.report import files


def test_the_end_of_a_long_log_is_shown_from_a_whole_line_on(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("".join(f"line {n}\n" for n in range(20_000)))
    (log,) = files.logs(tmp_path)
    assert log.content.startswith("line ") and log.content.endswith("line 19999\n")
    assert len(log.content) <= files.LOG_LIMIT
    assert log.missing == "The beginning is left out here."


def test_a_short_log_is_whole(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_bytes(b"one\r\ntwo\x1b[0m\xff")
    (log,) = files.logs(tmp_path)
    assert (log.content, log.missing, log.address) == ("one\ntwo\ufffd[0m\ufffd", "", "./logs/a.log")


def test_the_beginning_of_a_long_configuration_is_shown(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "left.conf").write_text("x" * (files.CONFIG_LIMIT + 1))
    (config,) = files.configs(tmp_path)
    assert len(config.content) == files.CONFIG_LIMIT and config.missing


def test_evidence_comes_first_with_its_notes_then_the_rest(tmp_path: Path) -> None:
    for name in ("wire.pcapng", "keys.json", "extra.bin", "index.html", "wireshark/esp_sa"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    evidence = [{"file": "keys.json", "note": "both agree"}, {"file": "gone.txt", "note": "n"}, {"file": "wireshark"}]
    found = [(one.name, one.address, one.size) for one in files.downloads(tmp_path, evidence)]
    assert found == [
        ("keys.json", "./keys.json", 5), ("gone.txt", "", None), ("wireshark", "./wireshark", None),
        ("wire.pcapng", "./wire.pcapng", 5), ("extra.bin", "./extra.bin", 5),
        ("wireshark/esp_sa", "./wireshark/esp_sa", 5),
    ]  # fmt: skip
    assert files.downloads(tmp_path, evidence)[0].meaning == "both agree"


@pytest.mark.parametrize(
    ("name", "address"),
    [("a b#c?.log", "./a%20b%23c%3F.log"), ("javascript:x", "./javascript%3Ax"), ("../x", ""), ("/etc/passwd", "")],
)
def test_links_stay_in_the_directory(name: str, address: str) -> None:
    assert files.address(name) == address
