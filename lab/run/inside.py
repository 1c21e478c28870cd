"""The process that runs scenarios: one pytest for a whole batch, in a guest or in the host's namespaces.

    python -m lab.run.inside --out DIR --batch DIR [--seed N] SCENARIOS | --suite DIR

Rule: whatever a scenario needs is imported before pytest starts, so that the first scenario costs no more than the
others; processes that have to be forked come out of the nursery, never out of this one. Of a suite that is not the
lab's only the files that hold the batch's scenarios are read, and not its ini file: what else there is, and the plugins
it wants, need not work here.
"""

import argparse
import gc
import importlib
import os
import sys
from pathlib import Path

import pytest

from lab.peers.nursery import Nursery
from lab.plugin.selection import Plan
from lab.run.catalogue import plugin_arguments

PLAN, EVENTS = "plan.json", "events.jsonl"
SUITE_INI = Path(__file__).with_name("suite.ini")
PRELOADED = (
    "lab.plugin.laboratory",
    "lab.peers.ours",
    "lab.peers.strongswan",
)


def main(arguments: list[str] | None = None) -> int:
    """Run the batch; the exit code is pytest's."""
    parser = argparse.ArgumentParser(prog="lab.run.inside")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch", type=Path, required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--pause", type=Path)
    parser.add_argument("--step", type=Path)
    parser.add_argument("--suite", type=Path)
    parser.add_argument("scenarios", type=Path, nargs="?")
    given = parser.parse_args(arguments)
    Nursery.shared()  # first, so that it gets ready while this process imports
    for module in PRELOADED:
        importlib.import_module(module)
    # What is loaded now stays: keep the collector off it, in this process and in every child.
    gc.freeze()
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    return int(pytest.main(_pytest_arguments(given)))


def _pytest_arguments(given: argparse.Namespace) -> list[str]:
    return [
        *(_of_suite(given) if given.suite else [str(given.scenarios)]),
        *plugin_arguments(),
        *("-p", "no:ikelab-suite"),
        *("-p", "no:cacheprovider", "-p", "no:timeout", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
        *("--tb=short", "-q", "--no-header"),
        f"--ikelab-out={given.out}",
        f"--ikelab-plan={given.batch / PLAN}",
        f"--ikelab-events={given.batch / EVENTS}",
        f"--ikelab-seed={given.seed}",
        *([f"--ikelab-pause={given.pause}"] if given.pause else []),
        *([f"--ikelab-step={given.step}"] if given.step else []),
    ]


def _of_suite(given: argparse.Namespace) -> list[str]:
    """The files to read of somebody else's suite, and where it is."""
    files = Plan.read(given.batch / PLAN).files
    settings = ["-c", str(SUITE_INI), f"--rootdir={given.suite}", "-o", f"pythonpath={given.suite}"]
    return [*(str(given.suite / file) for file in files), *settings]


if __name__ == "__main__":
    sys.exit(main())
