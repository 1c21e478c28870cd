#!/usr/bin/env python3
"""Break the rules of the protocol one by one, in a copy of the lab, and see that the tests which guard them fail.

    tools/break_rules.py [--list] [WORD...]       only rules whose file or text has one of these words

A rule stands in tools/rules/*.toml: what it says, the place that keeps it, what breaks it, and who has to notice:

    [[rule]]
    says = "a message ID beyond the window is dropped (RFC 7296 2.3)"
    file = "lab/ikev2/engine.py"
    text = '''...'''                              occurs exactly once in the file
    broken = '''...'''                            stands there instead
    also = [{ text = '''...''', broken = '''...''' }]                further places of the file, where one is not enough
    impairments = ["message-id-wrong/request"]    their tests in tests/ikev2/test_impaired.py fail; both sides without /
    tests = ["test_gate.py::test_name"]           below tests/ikev2; without [case] one case of it has to fail

Each rule runs in a process of its own, which the lab is imported into anew; nothing but the copy is written to. Exit
code 1 where a test did not notice.
"""

import argparse
import contextlib
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "tools" / "rules"
COPIED = ("lab", "tests", "scenarios", "topologies", "pyproject.toml")
# Imported before a process is forked for each rule: what the lab and its tests lean on, and nothing of theirs.
SHARED = ("cryptography.x509", "hypothesis", "jsonschema", "OpenSSL.SSL", "rich.console", "yaml")
# Seconds for one test: a broken rule may well have two endpoints talk for ever.
PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with what breaks it; `edits` are (text, broken) of its file."""

    says: str
    file: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]
    impairments: tuple[str, ...]

    @classmethod
    def read(cls, row: dict[str, Any]) -> "Rule":
        """A rule as its table has it."""
        edits = tuple((edit["text"], edit["broken"]) for edit in (row, *row.get("also", ())))
        return cls(row["says"], row["file"], edits, tuple(row.get("tests", ())), tuple(row.get("impairments", ())))

    def break_in(self, text: str) -> str:
        """The file without the rule; ValueError where its place is not there exactly once."""
        for before, after in self.edits:
            if text.count(before) != 1:
                raise ValueError(f"{self.file} has {text.count(before)} times what is to be replaced: {before!r}")
            text = text.replace(before, after)
        return text

    def guards(self) -> list[str]:
        """The tests that have to fail, by their node IDs."""
        return [f"tests/ikev2/{test}" for test in self.tests] + [
            node for name in self.impairments for node in guards_of(name)
        ]


def rules(tables: Path = TABLES) -> dict[str, list[Rule]]:
    """All rules by the name of their table."""
    return {
        path.stem: [Rule.read(row) for row in tomllib.loads(path.read_text())["rule"]]
        for path in sorted(tables.glob("*.toml"))
    }


def guards_of(impairment: str) -> Iterator[str]:
    """The tests about an impairment, `name` or `name/request` or `name/response`."""
    # Not before the copy stands in front: the lab is imported once in a process.
    from lab.ike.impair.table import TABLE  # noqa: PLC0415

    name, _, side = impairment.partition("/")
    row = TABLE[name]
    for response, word in ((False, "request"), (True, "response")):
        if row.on(response=response) and side in ("", word):
            outcome = row.expected(response=response).value
            yield f"tests/ikev2/test_impaired.py::test_a_{word}_that_has_to_be_{outcome}[{name}]"


class Watch:
    """A plugin of pytest: what failed. One case that fails is enough; `brief`: so is one that runs."""

    def __init__(self, guards: Iterable[str], *, brief: bool) -> None:
        self.guards, self._brief = set(guards), brief
        self.ran: dict[str, int] = defaultdict(int)
        self.failed: set[str] = set()

    def _guard(self, node: str) -> str:
        return node if node in self.guards else node.split("[")[0]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave out the cases of a test whose outcome is known."""
        guard = self._guard(item.nodeid)
        if guard in self.failed or (self._brief and self.ran[guard]):
            pytest.skip("one case is enough")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test counts by its call."""
        if report.when == "call":
            self.ran[self._guard(report.nodeid)] += 1
            if report.failed:
                self.failed.add(self._guard(report.nodeid))


@contextlib.contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """Other text in a file, for a while."""
    before = path.read_bytes()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_bytes(before)


def _serve(copy: Path, chosen: list[Rule], brief: bool, told: Connection) -> None:
    """In a process of its own: run the guards of these rules against what lies in the copy."""
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    watch = Watch((guard for rule in chosen for guard in rule.guards()), brief=brief)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--timeout={PATIENCE}", "--tb=no"]
    pytest.main([*options, *sorted(watch.guards)], plugins=[watch])
    told.send(({guard: watch.ran[guard] for guard in watch.guards}, watch.failed))


def outcome(copy: Path, chosen: list[Rule], *, brief: bool = False) -> tuple[dict[str, int], set[str]]:
    """How many cases of each guard ran, and which guards failed."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    process = fork.Process(target=_serve, args=(copy, chosen, brief, there))
    process.start()
    there.close()
    try:
        ran, failed = here.recv()
    except EOFError:
        ran, failed = {}, set()
    process.join()
    return ran, failed


def unbroken(copy: Path, chosen: list[Rule]) -> list[str]:
    """What is wrong, in words, before anything is broken: a guard fails, or there is no such test."""
    ran, failed = outcome(copy, chosen, brief=True)
    missing = sorted(guard for guard, count in ran.items() if not count)
    return (
        [f"fails although nothing is broken: {guard}" for guard in sorted(failed)]
        + [f"does not run: {guard}" for guard in missing]
        + ([] if ran else ["the tests cannot be run"])
    )


def unnoticed(copy: Path, rule: Rule) -> list[str]:
    """The guards that do not fail where the rule is broken, in words."""
    place = copy / rule.file
    with changed(place, rule.break_in(place.read_text())):
        ran, failed = outcome(copy, [rule])
    if not any(ran.values()):
        return ["the tests cannot even be run with the break"]
    return [f"does not notice: {guard}" for guard in sorted(set(ran) - failed)]


def prepared(place: Path) -> Path:
    """A copy of what the tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place / name)
    return place


def main() -> int:
    """Break what is asked for, and say who noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--list", action="store_true", help="only show the rules")
    asked = parser.parse_args()
    chosen = [
        (table, rule)
        for table, found in rules().items()
        for rule in found
        if not asked.words or any(word in f"{table}: {rule}" for word in asked.words)
    ]
    if not chosen:
        parser.error(f"no rule has {' or '.join(asked.words)} in it")
    if asked.list:
        print("\n".join(f"{table:12} {rule.says}" for table, rule in chosen))
        return 0
    for name in SHARED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        copy = prepared(Path(place))
        if wrong := unbroken(copy, [rule for _, rule in chosen]):
            print("\n".join(wrong))
            return 1
        for table, rule in chosen:
            began = time.monotonic()
            wrong = unnoticed(copy, rule)
            bad += bool(wrong)
            print(f"{'UNNOTICED' if wrong else 'noticed'} {time.monotonic() - began:5.1f} s  {table}: {rule.says}")
            print("".join(f"    {line}\n" for line in wrong), end="", flush=True)
    print(f"{len(chosen)} rules broken, {len(chosen) - bad} noticed")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
