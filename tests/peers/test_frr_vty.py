"""The vty protocol against a daemon that says what the test wants."""

import socket
import threading

import pytest

from lab.errors import BrokenError
from lab.peers import frr_vty
from lab.peers.base import PeerFault


class Daemon:
    """Answers one question with these pieces, then hangs up."""

    def __init__(self, path, *pieces):
        self.path, self.heard = path, b""
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve, args=(pieces,), daemon=True)
        self._thread.start()

    def _serve(self, pieces):
        link, _ = self._listening.accept()
        with link:
            self.heard = link.recv(1000)
            for piece in pieces:
                link.sendall(piece)

    def ended(self):
        self._thread.join(10)
        self._listening.close()
        return self.heard


def asked(tmp_path, *pieces):
    daemon = Daemon(tmp_path / "ospfd.vty", *pieces)
    try:
        return frr_vty.ask(daemon.path, "show version")
    finally:
        assert daemon.ended() == b"show version\0"


def test_an_answer_ends_with_its_code(tmp_path):
    assert asked(tmp_path, b"FRRouting 10.3\n\0\0\0\0") == "FRRouting 10.3\n"


def test_an_answer_in_pieces(tmp_path):
    assert asked(tmp_path, b"FRR", b"outing\n\0", b"\0\0", b"\0") == "FRRouting\n"


def test_a_refusal_is_the_labs_mistake(tmp_path):
    with pytest.raises(BrokenError, match="ospfd refuses 'show version': % Unknown command"):
        asked(tmp_path, b"% Unknown command\n\0\0\0\x02")


def test_a_daemon_that_dies_is_the_peers_fault(tmp_path):
    with pytest.raises(PeerFault, match="ospfd does not answer 'show version': it hung up"):
        asked(tmp_path, b"FRR")


def test_nobody_there(tmp_path):
    assert not frr_vty.answers(tmp_path / "ospfd.vty")
    with pytest.raises(PeerFault):
        frr_vty.ask(tmp_path / "ospfd.vty", "show version")


def test_somebody_there(tmp_path):
    daemon = Daemon(tmp_path / "ospfd.vty")
    assert frr_vty.answers(daemon.path)
    daemon.ended()
