"""What a scenario put on a link itself is known by its content, and passed over by the witnesses."""

from pathlib import Path

import pytest

from lab.errors import BrokenError
from lab.evidence import forged


def test_there_and_back(tmp_path: Path) -> None:
    assert forged.read(tmp_path) == frozenset()
    forged.write([b"one", b"two", b"one"], tmp_path)
    assert forged.read(tmp_path) == {forged.fingerprint(b"one"), forged.fingerprint(b"two")}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"contents": 7}'])
def test_a_broken_file_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / forged.FILE).write_text(text)
    with pytest.raises(BrokenError, match=r"forged\.json"):
        forged.read(tmp_path)
