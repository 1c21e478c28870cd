"""Starts the tests of our packets against the kernel's, where there is a kernel with ESP and AH."""

import os
from pathlib import Path

import pytest

from tests.inside import pass_in_the_guest

pytestmark = pytest.mark.skipif(os.environ.get("IKELAB_GUEST") == "1", reason="already in the guest")


@pytest.mark.guest
def test_against_the_kernel_in_the_guest(tmp_path: Path) -> None:
    pass_in_the_guest(["tests/ipsec/kernel"], tmp_path, limit_s=600)
