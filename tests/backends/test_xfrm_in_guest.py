"""Starts the tests of the kernel data plane where there is a kernel with ESP."""

import os
from pathlib import Path

import pytest

from tests.inside import pass_in_the_guest

pytestmark = pytest.mark.skipif(os.environ.get("IKELAB_GUEST") == "1", reason="already in the guest")


@pytest.mark.guest
def test_xfrm_in_the_guest(tmp_path: Path) -> None:
    pass_in_the_guest(["tests/backends/xfrm"], tmp_path, limit_s=280)
