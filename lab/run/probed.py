"""The probe of a peer, run where scenarios run: in a guest, or in namespaces of the host."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lab.errors import BrokenError
from lab.guest import boot
from lab.plugin.probe import PREFIX
from lab.run import brought
from lab.run.catalogue import source_directory

LIMIT_S = 120.0
Step = dict[str, Any]


def check(name: str, said: Callable[[Step], None]) -> list[Step]:
    """Every step, handed to `said` as it ends; BrokenError where the guest ended before the probe did."""
    steps: list[Step] = []
    other: list[str] = []

    def line(text: str) -> None:
        if not text.startswith(PREFIX):
            other.append(text)
            return
        steps.append(json.loads(text.removeprefix(PREFIX)))
        said(steps[-1])

    given = brought.for_guest()
    with TemporaryDirectory(prefix="ikelab-probe-") as results:
        done = boot.run(
            ["python3", "-m", "lab.plugin.probe", name], source=source_directory(), results=Path(results), output=line,
            limit_s=LIMIT_S, env=given.environment, also=given.mounts, virtual_time=True,
        )  # fmt: skip
    if done.exit_code != 0:
        raise BrokenError(f"the probe did not end: {done.reason}{': ' + other[-1] if other else ''}")
    return steps
