"""A gateway that is started, killed and started again."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.errors import BrokenError
from lab.ike.swanctl import Section
from lab.plugin.gateway import Gateway


class Driver:
    def __init__(self, _node, run_dir, seed=0):
        self.run_dir, self.done, self.seed = run_dir, [], seed

    def configure(self, tree, files):
        self.done.append("configure")

    def start(self):
        self.done.append("start")

    def ready(self, timeout):
        self.done.append("ready")

    def kill(self):
        self.done.append("kill")

    def keys(self):
        return {"ike": [], "child": [{"spi": self.run_dir.name}]}

    def logs(self):
        return [self.run_dir / "daemon.log"]


class Node:
    def __init__(self):
        self.ran = []

    def popen(self, argv, **_options):
        self.ran.append(argv)
        return SimpleNamespace(wait=lambda: 0)


@pytest.fixture
def gateway():
    return Gateway("right", SimpleNamespace(name="ours", start=Driver))


def test_nobody_can_be_restarted_before_the_start(gateway):
    with pytest.raises(BrokenError):
        gateway.restart(1.0)


def test_a_restart_keeps_the_configuration_and_what_the_former_daemon_knew(gateway):
    node = Node()
    gateway.launch(node, Path("scratch/right"), Section(), {}, seed=7)
    former = gateway.driver
    gateway.restart(1.0)
    assert gateway.driver is not former
    assert (former.seed, gateway.driver.seed) == (7, 8), "the same numbers would give the same SPIs to other keys"
    assert former.done == ["configure", "start", "kill"]
    assert gateway.driver.done == ["configure", "start", "ready"]
    spis = [key["spi"] for part in gateway.logged_keys() for key in part["child"]]
    assert spis == ["right", "right-1"], "each daemon has a directory of its own"
    assert node.ran == [["ip", "xfrm", "policy", "flush"], ["ip", "xfrm", "state", "flush"]]
    assert set(gateway.logs()) == {"1-daemon.log", "daemon.log"}
