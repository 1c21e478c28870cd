"""GRE tunnels of two of our daemons on the bare host: a device each, ESP between them, and nothing left of it."""

import signal
from pathlib import Path

import pytest

from tests.daemon.test_main import failed, written
from tests.daemon.test_tunnels import Site, config, site  # noqa: F401  (a fixture)
from tests.netns import needs_root

HERE, THERE = "172.31.0.1", "172.31.0.2"


def gre(local: str, remote: str, address: str, options: str = "") -> str:
    text = f"local = {local}\n remote = {remote}\n addresses = {address}/30\n {options}\n"
    return f"ikelab {{ gre {{ gre1 {{ {text} }} }} }}\n"


@pytest.mark.parametrize("options", ["", "key = 7\n checksum = yes\n sequence_numbers = yes"], ids=["plain", "all"])
@needs_root[0]
@needs_root[1]
def test_gre_in_user_space_at_both_ends(site: Site, options: str) -> None:  # noqa: F811
    site.wire()
    only_gre = {"local_ts": "dynamic[gre]", "remote_ts": "dynamic[gre]"}
    left, right = site.start(
        left=config("left", **only_gre) + gre("192.0.2.1", "192.0.2.2", HERE, options),
        right=config("right", **only_gre) + gre("192.0.2.2", "192.0.2.1", THERE, options),
    )
    left.call("initiate", child="net", timeout=10)
    site.echo(THERE)
    for size in (1, 500, 1372, 4000):
        assert site.ask(size, THERE), f"{size} octets"
    assert left.child()["packets_out"] == right.child()["packets_in"] >= 4
    assert left.call("stats")["drops"] == {} and right.call("stats")["drops"] == {}
    site.left.kill(left.pid, signal.SIGKILL)
    assert "gre1" not in site.left.ip("link show"), "the device outlived its daemon"


@pytest.mark.parametrize("backend", ["xfrm", "none"])
def test_gre_goes_with_our_own_data_plane_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    error = failed(capsys, 2, written(tmp_path, gre("192.0.2.1", "192.0.2.2", HERE)), backend=backend)
    assert "swanctl.conf:1: ikelab.gre: goes with --backend userspace only" in error
    assert "ip link add gre1 type gre" in error
