"""The layer of Python packages: ours, for the guest's Python, fetched by the host's pip with the host's settings."""

import json
import subprocess
import sys
from pathlib import Path

from lab.errors import UnfitError
from lab.guest import recipe
from lab.guest.base import compile_python
from lab.progress import Progress


def build(target: Path, base: Path, progress: Progress) -> dict[str, str]:
    """Install our dependencies into the empty directory `target`; package name -> version."""
    progress("python packages", 0, 0)
    report = target / "pip.json"
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile", "--disable-pip-version-check",
        "--target", str(target), "--only-binary=:all:", "--python-version", recipe.PYTHON, "--implementation", "cp",
        *(f"--platform={platform}" for platform in recipe.PLATFORMS), "--report", str(report), *recipe.requirements(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnfitError(f"pip cannot fetch the guest's packages: {_last(done.stderr)}", fix=_fix(done.stderr))
    installed = json.loads(report.read_text())["install"]
    report.unlink()
    progress("compile python packages", 0, 0)
    compile_python(base, target, target, shown="/opt/python")
    return {entry["metadata"]["name"]: entry["metadata"]["version"] for entry in installed}


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "no reason given"


def _fix(text: str) -> str:
    if "No module named pip" in text:
        return f"{sys.executable} -m ensurepip"
    return "check the network and pip's configuration (pip config list)"
