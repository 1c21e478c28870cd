"""Every command that README and documentation show, run as they show it, with the output that they show."""

import os
import re
import shlex
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.pages import PAGES, ROOT, Typed, Written

STEPS = {page: pages.steps(page) for page in PAGES}
SHOWN = {page: steps for page, steps in STEPS.items() if any(isinstance(step, Typed) for step in steps)}
SLOW = [page for page, steps in SHOWN.items() if any(isinstance(step, Typed) and step.takes for step in steps)]
# The scenarios of a worksheet are run with the catalogue as a whole; of its commands only what they select is checked.
EVERY = "IKELAB_EVERY_COMMAND"
SHEETS = [page for page in SLOW if page.parent.name == "worksheets"]
QUICK = [page for page in SHOWN if page not in SLOW]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that looks like a clone, in which commands may write."""
    for entry in ROOT.iterdir():
        if entry.name not in {"reports", ".git", ".venv"}:
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def carry_out(steps: list[Typed | Written], place: Path) -> list[tuple[Typed, int, str]]:
    """Run the commands of a page in one shell: each with its exit code and its output."""
    script = ["exec 2>&1 </dev/null"]
    typed = [step for step in steps if isinstance(step, Typed) and not step.minutes]
    for step in steps:
        if isinstance(step, Written):
            (place / step.name).parent.mkdir(exist_ok=True, parents=True)
            (place / step.name).write_text(step.text)
        elif not step.minutes:
            script.append(f"{step.command}\nprintf '\\n@@%s@@\\n' $?")
    environment = {
        **os.environ, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "NO_COLOR": "1",
        "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    shell = ["bash", "-c", "\n".join(script)]
    done = subprocess.run(
        shell, cwd=place, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=280
    )
    # tshark says so to root alone, on the first use.
    said = re.sub(r'^Running as user "root".*\n', "", done.stdout, flags=re.MULTILINE)
    parts = re.split(r"\n@@(\d+)@@\n", said)
    assert len(parts) == 2 * len(typed) + 1, f"the shell ended early:\n{done.stdout}"
    return [(step, int(code), said) for step, code, said in zip(typed, parts[1::2], parts[::2], strict=False)]


def check(page: Path, place: Path) -> None:
    for step, code, said in carry_out(SHOWN[page], place):
        assert code == 0, f"`{step.command}` exits with {code}:\n{said}"
        assert pages.matches(step.shown, said), f"`{step.command}` says\n{said}\nbut the page shows\n{step.shown}"


@pytest.mark.parametrize("page", QUICK, ids=pages.name)
def test_commands(page: Path, place: Path) -> None:
    check(page, place)


@pytest.mark.guest
@pytest.mark.slow
@pytest.mark.skipif("IKELAB_SLOW" not in os.environ, reason="takes minutes: IKELAB_SLOW=1 runs it")
@pytest.mark.parametrize("page", SLOW, ids=pages.name)
def test_commands_that_run_scenarios(page: Path, place: Path) -> None:
    if page in SHEETS and EVERY not in os.environ:
        pytest.skip(f"its scenarios are run with the catalogue; {EVERY}=1 runs its commands too")
    check(page, place)


@pytest.mark.parametrize("page", SHEETS, ids=pages.name)
def test_a_worksheet_selects_scenarios_that_there_are(page: Path) -> None:
    (typed,) = (step for step in SHOWN[page] if isinstance(step, Typed))
    words = shlex.split(typed.command)
    selected = list(takewhile(lambda word: not word.startswith("-"), words[2:]))
    assert words[:2] == ["ikelab", "run"] and selected
    for wish in selected:
        name, _, pairing = wish.partition(":")
        found = (
            pages.scenarios().get(name, []) if pairing else [one for one in pages.scenarios() if one.startswith(name)]
        )
        assert found and (not pairing or pairing in found), f"{wish} selects nothing"


def test_a_wrong_page_is_seen(place: Path) -> None:
    """What these tests rest on: exit codes, output and files are really looked at."""
    steps = [
        Written("a/b.txt", "hello\n"), Typed("cat a/b.txt", "hello\n"), Typed("cd a; false", ""), Typed("pwd", "...a\n")
    ]  # fmt: skip
    found = carry_out([*steps, Typed("sleep 600", "", "ten minutes")], place)
    assert [(code, pages.matches(step.shown, said)) for step, code, said in found] == [(0, True), (1, True), (0, True)]
    assert not pages.matches("hello\n", "hello you\n")
    assert pages.matches("ok ... tunnel\n...done\n", "ok   1.2 s tunnel\nand\ndone\n")
    assert pages.matches("", "anything")
