"""Tests that realise a topology run where nothing of the machine can be touched: in the guest, or contained.

On the host they are skipped here and started by test_realised.py, which puts them where they may run.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from lab.emulation import topology
from lab.emulation.network import Network
from lab.emulation.topology import Topology

IN_GUEST = os.environ.get("IKELAB_GUEST") == "1"
CONTAINED = IN_GUEST or os.environ.get("IKELAB_CONTAINED") == "1"
VIRTUAL = os.environ.get("IKELAB_CLOCK") == "virtual"

Up = Callable[[str | Topology], Network]

# On the host these are not skipped one by one: test_realised.py runs them all, elsewhere.
NAMES = ("network", "capture", "gate", "gate_wire", "impair", "impair_measured", "behaviours")
collect_ignore = [] if CONTAINED else [f"test_{name}.py" for name in NAMES]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Start networks; they are stopped after the test."""
    with ExitStack() as stack:
        yield lambda what: stack.enter_context(
            Network(topology.load(what) if isinstance(what, str) else what, tmp_path / "run")
        )


@cache
def kernel_has_netem() -> bool:
    command = (
        "ip link add probe type ifb && tc qdisc add dev probe root netem; result=$?; ip link del probe; exit $result"
    )
    return CONTAINED and not subprocess.run(["sh", "-c", command], capture_output=True).returncode


@pytest.fixture
def netem() -> None:
    if not kernel_has_netem():
        pytest.skip("needs netem")


@pytest.fixture
def virtual_time() -> None:
    if not VIRTUAL:
        pytest.skip("needs a virtual clock")
