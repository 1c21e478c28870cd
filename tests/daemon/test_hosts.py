"""The hosts file, as it is and as it should not be."""

from pathlib import Path

import pytest

from lab.daemon.hosts import lookup

TEXT = """
# 192.0.2.99 gw.example.org
192.0.2.7   gw.example.org gw   # the old one
not-an-address gw.example.org
2001:db8::7 GW.example.org.
192.0.2.8
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("gw.example.org", ("192.0.2.7", "2001:db8::7")),
        ("Gw.Example.Org.", ("192.0.2.7", "2001:db8::7")),
        ("gw", ("192.0.2.7",)),
        ("example.org", ()),
        ("", ()),
    ],
)
def test_lookup(tmp_path: Path, name: str, found: tuple[str, ...]) -> None:
    file = tmp_path / "hosts"
    file.write_text(TEXT)
    assert lookup(name, file) == found


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert lookup("gw", tmp_path / "hosts") == ()


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_bytes(b"192.0.2.7 \xff\xfe gw\n")
    assert lookup("gw", file) == ("192.0.2.7",)
