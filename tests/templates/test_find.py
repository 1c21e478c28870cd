"""Where templates are found, and what two of one name are."""

from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.peers.registry import PEERS, brought, peer
from lab.templates import find

TEXT = 'title = "x"\nabilities = ["ikev2"]\n[commands]\nstart = ["x"]\nready = ["x"]\ninitiate = ["x"]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "peers.d"
    place.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(find.VARIABLE, raising=False)
    brought.cache_clear()
    find._read.cache_clear()
    return place


def test_the_working_directory_s_are_found_beside_the_lab_s_own(folder: Path) -> None:
    (folder / "mine.toml").write_text(TEXT)
    found = find.templates()
    assert found["mine"].file == folder / "mine.toml"
    assert {file.stem for file in (find.own() or folder).glob("*.toml")} < set(found)
    assert peer("mine").abilities == {"ikev2"}
    brought.cache_clear()


def test_a_variable_names_another_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "mine.toml").write_text(TEXT)
    monkeypatch.setenv(find.VARIABLE, str(folder))
    monkeypatch.chdir("/")
    assert "mine" in find.templates()
    monkeypatch.setenv(find.VARIABLE, str(folder / "none"))
    with pytest.raises(ConfigError, match="no directory; correct it or unset it"):
        find.templates()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("strongswan", TEXT, "there is a peer called 'strongswan' already; rename the file"),
        ("mine", TEXT.replace("ikev2", "ikev3"), "2: abilities: 'ikev3' is no ability"),
    ],
)
def test_what_the_registry_refuses(folder: Path, name: str, text: str, words: str) -> None:
    (folder / f"{name}.toml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        peer(name)
    brought.cache_clear()


def test_a_name_given_twice_is_said_to_be(folder: Path) -> None:
    place = find.own()
    assert place is not None
    taken = next(place.glob("*.toml")).name
    (folder / taken).write_text(TEXT)
    with pytest.raises(ConfigError, match="has this name already; rename one of them"):
        find.templates()


def test_no_module_of_the_lab_names_a_peer_that_was_brought() -> None:
    place = find.own()
    assert place is not None
    names = {file.stem for file in place.glob("*.toml")}
    assert names and not names & set(PEERS)
    for module in (place.parent / "lab").rglob("*.py"):
        text = module.read_text().lower()
        assert not [name for name in names if name in text], f"{module} names a peer of {place.name}"
