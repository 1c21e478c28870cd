"""Two of our daemons that move many packets at once: what one side sends by TCP is what the other one reads."""

import hashlib
import random
import socket

import pytest

from lab.ike.config import OFFLOADS
from tests.daemon.test_tunnels import Site, config, site  # noqa: F401  (a fixture)
from tests.netns import Daemon, needs_root

CONTENT = random.Random(7).randbytes(6 << 20)
PORT = 5000


def configured(side: str, offload: str, encap: str = "yes", **changes: str) -> str:
    text = config(side, **changes).replace("version = 2", f"version = 2\n encap = {encap}")
    return text.replace("ikelab {", f"ikelab {{\n offload = {offload}")


def sent_through(site: Site) -> bytes:  # noqa: F811
    """The hash of what arrives at the right side of what the left side sends."""
    mine, theirs = socket.socketpair()

    def serve() -> int:
        with socket.create_server(("10.2.0.1", PORT)) as server:
            theirs.send(b"!")
            connection, _sender = server.accept()
            found = hashlib.sha256()
            with connection:
                while data := connection.recv(1 << 18):
                    found.update(data)
            theirs.send(found.digest())
        return 0

    def send() -> None:
        with socket.create_connection(("10.2.0.1", PORT), 30, ("10.1.0.1", 0)) as connection:
            connection.sendall(CONTENT)

    site.right.fork(serve)
    assert mine.recv(1) == b"!"
    site.left.call(send)
    mine.settimeout(30)
    with mine, theirs:
        return mine.recv(32)


def started(site: Site, ours: str, theirs: str, **changes: str) -> tuple[Daemon, Daemon]:  # noqa: F811
    site.wire()
    sides = {"left": configured("left", ours, **changes), "right": configured("right", theirs, **changes)}
    daemons = site.start(**sides)
    daemons[0].call("initiate", child="net", timeout=10)
    return daemons


@pytest.mark.parametrize("esp", ["aes128gcm16", "chacha20poly1305", "aes128-sha256"])
@pytest.mark.parametrize("offload", OFFLOADS)
@needs_root[0]
@needs_root[1]
def test_content_arrives_whole(site: Site, offload: str, esp: str) -> None:  # noqa: F811
    pytest.importorskip("numpy")
    left, right = started(site, offload, offload, esp=esp)
    assert sent_through(site) == hashlib.sha256(CONTENT).digest()
    ours, theirs = (daemon.call("stats") for daemon in (left, right))
    assert ours["offload"]["path"] == theirs["offload"]["path"] == offload
    assert ours["drops"] == theirs["drops"] == {}
    trains = ours["offload"].get("packets in trains out", 0), theirs["offload"].get("packets in trains in", 0)
    if offload == "super-packets":
        # How long trains are is TCP's business: it sends less at once where answers take their time.
        assert all(trains), (ours["offload"], theirs["offload"])
    else:
        assert trains == (0, 0)
    assert bool(ours["offload"].get("packets in batches out")) == (offload != "none")


@pytest.mark.parametrize("encap", ["yes", "no"], ids=["UDP", "raw"])
@needs_root[0]
@needs_root[1]
def test_one_side_alone_with_super_packets(site: Site, encap: str) -> None:  # noqa: F811
    pytest.importorskip("numpy")
    left, right = started(site, "super-packets", "none", encap=encap)
    assert sent_through(site) == hashlib.sha256(CONTENT).digest()
    assert left.call("stats")["drops"] == right.call("stats")["drops"] == {}
    assert left.call("stats")["offload"]["trains out"]


@needs_root[0]
@needs_root[1]
def test_all_sizes_of_datagrams_pass(site: Site) -> None:  # noqa: F811
    pytest.importorskip("numpy")
    started(site, "super-packets", "super-packets")
    site.echo()
    for size in (1, 500, 1300, 1372, 1500, 8000, 60000):
        assert site.ask(size), f"{size} octets"
