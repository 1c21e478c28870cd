"""The FRR driver, as far as it goes without a node."""

import subprocess

import pytest

from lab.errors import BrokenError
from lab.peers.base import PeerFault
from lab.peers.frr import Frr
from lab.peers.frr_conf import Link, Router


class Node:
    name = "left"

    def popen(self, argv, **options):
        return subprocess.Popen(["sh", "-c", "echo no such interface >&2; exit 1"], **options)


@pytest.fixture
def frr(tmp_path, monkeypatch):
    monkeypatch.setattr(Frr, "_own", lambda self, path: None)  # the user of the tests stays the owner
    return Frr(Node(), tmp_path, Router("1.1.1.1", (Link("gre1"),)))


def test_the_configuration_names_the_node(frr):
    assert frr.configs()["ospfd.conf"].startswith("hostname left\n")


def test_each_daemon_gets_our_directory_as_its_run(frr):
    argv = frr.argv("ospfd")
    assert str(frr.run) in argv and "/usr/lib/frr/ospfd" in argv
    assert argv[argv.index("-f") + 1] == "/run/ospfd.conf"
    assert argv[argv.index("-z") + 1] == "/run/zserv.api"
    assert argv[argv.index("-P") + 1] == "0", "no TCP port"
    assert "-f" not in frr.argv("mgmtd"), "mgmtd has no such option"


def test_a_daemon_that_does_not_start_is_quoted(frr):
    with pytest.raises(BrokenError, match="mgmtd in left did not start: no such interface"):
        frr.start()
    assert (frr.run / "ospfd.conf").read_text() == frr.configs()["ospfd.conf"]


def test_asking_a_dead_daemon_is_the_peers_fault(frr):
    with pytest.raises(PeerFault, match="ospfd in left died: it said nothing"):
        frr.neighbors()


def test_stopping_what_never_ran_is_no_error(frr):
    frr.stop()
