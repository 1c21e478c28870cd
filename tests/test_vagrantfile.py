"""The Vagrantfile: whether vagrant takes it, with the providers that Debian's vagrant knows. No machine is made."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def validate(tmp_path: Path):
    """Copy the Vagrantfile with what it needs, changed or not, and let vagrant look at it."""
    if not shutil.which("vagrant"):
        pytest.skip("vagrant is not installed, and this Debian has no package of it")

    def run(provider: str = "", change=lambda text: text, **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "Vagrantfile").write_text(change((ROOT / "Vagrantfile").read_text()))
        home = {"HOME": str(tmp_path), "VAGRANT_HOME": str(tmp_path / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1"}
        chosen = {"VAGRANT_DEFAULT_PROVIDER": provider} if provider else {}
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("IKELAB_", "VAGRANT_"))}
        command = ["vagrant", "validate", *([] if provider else ["--ignore-provider"])]
        return subprocess.run(
            command, cwd=tmp_path, env={**plain, **home, **chosen, **environment}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    return run


def test_vagrant_takes_it_for_libvirt(validate):
    done = validate("libvirt")
    assert done.returncode == 0, done.stdout + done.stderr


def test_vagrant_takes_it_for_providers_that_are_not_here(validate):
    done = validate(IKELAB_BOX="debian/bookworm64", IKELAB_BOX_VERSION="12.1", IKELAB_CPUS="8", IKELAB_MEMORY="9000")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mistake_would_be_seen(validate):
    """A key of the libvirt block that does not exist."""
    done = validate("libvirt", lambda text: text.replace("machine.memory", "machine.memorial"))
    assert done.returncode != 0 and "memorial" in done.stdout + done.stderr


def test_it_runs_what_is_in_the_clone():
    text = (ROOT / "Vagrantfile").read_text()
    (script,) = re.findall(r"exec /ikelab/(\S+)", text)
    assert os.access(ROOT / script, os.X_OK)
