"""Run nft inside a namespace: load a ruleset, read a counter.

Rules are text, as in the manual, because people will read them in the evidence.
"""

import re
import shutil
import subprocess

from lab.emulation.namespace import Namespace
from lab.errors import BrokenError, UnfitError


def load(namespace: Namespace, rules: str) -> None:
    """Load a ruleset as one transaction."""
    _run(namespace, ["-f", "-"], rules)


def counter(namespace: Namespace, table: str, name: str) -> int:
    """How many packets a named counter has seen."""
    text = _run(namespace, ["list", "counter", *table.split(), name])
    found = re.search(r"packets (\d+)", text)
    if found is None:
        raise BrokenError(f"nft shows no packets for the counter {name} of table {table}")
    return int(found[1])


def ruleset(namespace: Namespace) -> str:
    """All rules of a namespace, as nft lists them."""
    return _run(namespace, ["list", "ruleset"])


def _run(namespace: Namespace, arguments: list[str], text: str = "") -> str:
    program = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
    if program is None:
        raise UnfitError("nft is not installed", fix="apt-get install nftables")
    with namespace.entered():
        process = subprocess.Popen(
            [program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    output, errors = process.communicate(text)
    if process.returncode:
        raise BrokenError(f"nft {' '.join(arguments)} failed: {' '.join(errors.split())}")
    return output
