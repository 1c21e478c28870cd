"""A template is read strictly: every mistake names file, line and key, and says what to do."""

from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.templates.template import Packages, read

GOOD = """\
title = "my own IKE"
abilities = ["ikev2", "psk"]

[image]
suite = "trixie"
packages = ["mine", "mine-tools"]

[commands]
start = ["{here}/run.sh", "{config}"]
ready = ["mine", "ping"]
initiate = ["mine", "up", "{child}", "{timeout}"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    program = tmp_path / "run.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def written(place: Path, text: str, name: str = "mine.toml") -> Path:
    (place / name).write_text(text)
    return place / name


def test_a_template_is_what_it_says(place: Path) -> None:
    found = read(written(place, GOOD))
    assert (found.name, found.title, found.abilities) == ("mine", "my own IKE", {"ikev2", "psk"})
    assert found.packages == Packages("trixie", ("mine", "mine-tools"))
    assert found.argv("initiate", {"child": "net", "timeout": "30"}) == ["mine", "up", "net", "30"]
    assert found.argv("start", {"here": "/x", "config": "/c"}) == ["/x/run.sh", "/c"]


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ('title = "my own IKE"', "title = 7", 1, "title: say what it is"),
        ('title = "my own IKE"', 'titel = "my own IKE"', 1, "titel: is no key here; there are title"),
        ('["ikev2", "psk"]', '"ikev2"', 2, "abilities: write a list of words"),
        ('["ikev2", "psk"]', '["ikev2", "P S K"]', 2, "abilities: 'P S K' is no word"),
        ('suite = "trixie"\n', "", 4, "image.suite: name the Debian suite"),
        ("packages = [", "package = [", 6, "image.package: is no key here; there are suite"),
        ('ready = ["mine", "ping"]\n', "", 8, "commands: has no ready; write ready"),
        ('ready = ["mine", "ping"]', 'ready = "mine ping"', 10, "commands.ready: write the command as a list"),
        ('ready = ["mine", "ping"]', 'ready = ["mine", "{child}"]', 10, "commands.ready: is not given {child}"),
        ('ready = ["mine", "ping"]', 'raedy = ["mine"]', 10, "commands.raedy: is no key here"),
        ("{here}/run.sh", "{here}/walk.sh", 9, "walk.sh does not exist; correct the path"),
        ("[commands]", "[commands", 8, "broken TOML"),
    ],
)
def test_every_mistake_has_its_place_and_its_cure(place: Path, before: str, after: str, line: int, words: str) -> None:
    file = written(place, GOOD.replace(before, after, 1))
    with pytest.raises(ConfigError) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}:{line}: ") and words in str(caught.value)


def test_a_program_of_its_own_must_be_executable(place: Path) -> None:
    (place / "run.sh").chmod(0o644)
    with pytest.raises(ConfigError, match=r"commands\.start: .*run: chmod \+x"):
        read(written(place, GOOD))


def test_the_name_of_the_file_is_checked(place: Path) -> None:
    with pytest.raises(ConfigError, match="small letters"):
        read(written(place, GOOD, "My IKE.toml"))


def test_other_bytes_and_missing_files_are_mistakes_in_words(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(ConfigError, match="UTF-8"):
        read(tmp_path / "mine.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.toml")
