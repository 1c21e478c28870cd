"""Runs the tests of this directory where networks can be realised: in the guest (twice) and on this host."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inside import PYTEST, ROOT, pass_in_the_guest

TESTS = [f"tests/emulation/test_{name}.py" for name in ("network", "capture", "gate", "impair", "behaviours")]
CONTAINED = os.environ.get("IKELAB_GUEST") == "1" or os.environ.get("IKELAB_CONTAINED") == "1"

pytestmark = pytest.mark.skipif(CONTAINED, reason="already where networks can be realised")


@pytest.mark.guest
@pytest.mark.parametrize("virtual", [False, True], ids=["real time", "virtual time"])
def test_in_the_guest(virtual: bool, tmp_path: Path) -> None:
    pass_in_the_guest(TESTS, tmp_path, virtual=virtual)


@pytest.mark.host_netns
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nftables")
def test_on_this_host() -> None:
    contained = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--uts", "--ipc", "--kill-child"]
    done = subprocess.run(
        [*contained, sys.executable, *PYTEST, *TESTS],
        cwd=ROOT,
        env=os.environ | {"IKELAB_CONTAINED": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
