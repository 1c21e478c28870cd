"""A command template: its shape, and reading it strictly.

    template = read(Path("peers.d/mine.toml"))      ConfigError with file, line, key and what to do

Rules: a key that is not in the tables below is an error, never ignored; so is a placeholder that its command is not
given. What a program needs beyond its arguments it finds in the environment (`lab.peers.template`).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import ConfigError

# Every command is given these; what one command is given beside them stands at its name.
EVERYWHERE = frozenset({"here", "node", "role", "run", "config", "logs", "keys"})
COMMANDS: Mapping[str, frozenset[str]] = {
    "configure": frozenset(),
    "start": frozenset(),
    "ready": frozenset(),
    "version": frozenset(),
    "initiate": frozenset({"child", "timeout"}),
    "rekey": frozenset({"ike", "child"}),
    "redirect": frozenset({"gateway", "ike"}),
    "terminate": frozenset({"ike", "child", "timeout"}),
    "sas": frozenset(),
    "keys": frozenset(),
    "events": frozenset(),
    "counters": frozenset(),
    "logs": frozenset(),
    "stop": frozenset(),
}
REQUIRED = ("start", "ready", "initiate")
TOP = ("title", "abilities", "image", "commands")
IMAGE = ("suite", "packages", "without")
_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_WORD = re.compile(r"[a-z0-9][a-z0-9./+_-]*")
_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")  # other braces are a shell's or JSON's


@dataclass(frozen=True, slots=True)
class Packages:
    """Debian packages of a suite that the image gets for it; the first one gives the version."""

    suite: str
    names: tuple[str, ...]
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """One implementation: what it can do, the commands that drive it, the packages it needs in the guest."""

    name: str
    title: str
    abilities: frozenset[str]
    commands: Mapping[str, tuple[str, ...]]
    packages: Packages | None = None
    file: Path = Path()
    text: str = field(default="", repr=False)

    @property
    def here(self) -> Path:
        """The directory of the template, which its own programs lie below."""
        return self.file.parent

    def argv(self, command: str, values: Mapping[str, str]) -> list[str]:
        """The words of a command with its placeholders filled in."""
        return [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in self.commands[command]]

    def error(self, text: str, *keys: str) -> ConfigError:
        """A ConfigError that points at a key of the file."""
        return ConfigError(text, file=str(self.file), line=line_of(self.text, *keys), key=".".join(keys))


def read(file: Path) -> Template:
    """Read one template; ConfigError where it cannot be meant."""
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}; make it readable", file=str(file)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 text at octet {error.start}; save it as UTF-8", file=str(file)) from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        raise ConfigError(f"broken TOML: {error}; correct it", file=str(file), line=line) from error
    return _Reader(file, text, data).template()


def line_of(text: str, *keys: str) -> int:
    """The line of a key of the table that the keys before it name; of the table, or 0, where it is not there."""
    *table, key = keys or ("",)
    inside, found = not table, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            inside = header[1] == ".".join(table)
            if inside or header[1] == key:
                found = number
        elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return found


class _Reader:
    """One file on its way to a Template."""

    def __init__(self, file: Path, text: str, data: dict[str, Any]) -> None:
        self.file, self.text, self.data = file, text, data

    def fail(self, text: str, *keys: str) -> ConfigError:
        return ConfigError(text, file=str(self.file), line=line_of(self.text, *keys), key=".".join(keys))

    def template(self) -> Template:
        name = self.file.stem
        if not _NAME.fullmatch(name):
            raise self.fail("the file's name is the peer's: give it small letters, digits, dots and dashes only")
        self.known(self.data, TOP)
        return Template(
            name=name,
            title=self.title(),
            abilities=frozenset(self.words(self.data.get("abilities"), "abilities")),
            commands=self.commands(),
            packages=self.packages(),
            file=self.file,
            text=self.text,
        )

    def known(self, table: Mapping[str, Any], names: tuple[str, ...], *above: str) -> None:
        for key in table:
            if key not in names:
                raise self.fail(f"is no key here; there are {', '.join(names)}", *above, key)

    def title(self) -> str:
        title = self.data.get("title")
        if not isinstance(title, str) or not title.strip():
            raise self.fail('say what it is in a few words: title = "..."', "title")
        return title

    def words(self, value: Any, *keys: str) -> tuple[str, ...]:
        """A list of small words that is not empty."""
        if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
            raise self.fail('write a list of words: ["...", "..."]', *keys)
        wrong = next((word for word in value if not _WORD.fullmatch(word)), None)
        if wrong is not None:
            raise self.fail(f"{wrong!r} is no word that can stand here", *keys)
        return tuple(value)

    def table(self, name: str) -> dict[str, Any]:
        value = self.data.get(name, {})
        if not isinstance(value, dict):
            raise self.fail(f"write a table: [{name}]", name)
        return value

    def packages(self) -> Packages | None:
        image = self.table("image")
        if not image:
            return None
        self.known(image, IMAGE, "image")
        suite = image.get("suite")
        if not isinstance(suite, str) or not _WORD.fullmatch(suite):
            raise self.fail('name the Debian suite of the packages: suite = "trixie"', "image", "suite")
        without = self.words(image["without"], "image", "without") if "without" in image else ()
        return Packages(suite, self.words(image.get("packages"), "image", "packages"), without)

    def commands(self) -> dict[str, tuple[str, ...]]:
        table = self.table("commands")
        self.known(table, tuple(COMMANDS), "commands")
        for name in REQUIRED:
            if name not in table:
                raise self.fail(
                    f'has no {name}; write {name} = ["PROGRAM", "ARGUMENT", ...] below [commands]', "commands"
                )
        return {name: self.command(name, words) for name, words in table.items()}

    def command(self, name: str, words: Any) -> tuple[str, ...]:
        if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
            raise self.fail('write the command as a list of words: ["PROGRAM", "ARGUMENT", ...]', "commands", name)
        given = EVERYWHERE | COMMANDS[name]
        for placeholder in (found for word in words for found in _PLACEHOLDER.findall(word)):
            if placeholder not in given:
                offered = ", ".join(f"{{{one}}}" for one in sorted(given))
                raise self.fail(f"is not given {{{placeholder}}}; it is given {offered}", "commands", name)
        self.program(name, words[0])
        return tuple(words)

    def program(self, name: str, word: str) -> None:
        """A program of the template's own must be there and executable; others are looked for in the guest."""
        if not word.startswith("{here}/"):
            return
        path = self.file.parent / word.removeprefix("{here}/")
        if not path.is_file():
            raise self.fail(f"{path} does not exist; correct the path or add the program", "commands", name)
        if not path.stat().st_mode & 0o111:
            raise self.fail(f"{path} is not executable; run: chmod +x {path}", "commands", name)
