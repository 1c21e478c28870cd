"""What the kernel tells unasked, as we and as `ip xfrm` read it: a question, the end of an SA, and its move."""

import os
import select
import shutil
import socket
import subprocess
from contextlib import suppress

from lab.backends.xfrm import link as links
from lab.backends.xfrm import messages as m
from lab.backends.xfrm.states import key
from lab.backends.xfrm.structs import Migration
from tests.backends.xfrm.test_messages import CHILDREN, REQID, guest, ip, policy_of, words_of_policy, words_of_state
from tests.netns import Node

GIVEN = CHILDREN["gcm"]
KEY = key(GIVEN, GIVEN.path, inbound=False)
NEW = "192.0.2.77"
IP = shutil.which("ip") or "ip"


def shown(*words: str) -> str:
    return subprocess.run([IP, *words], capture_output=True, text=True, check=True).stdout


def poke() -> None:
    """A packet that the policy takes."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.setblocking(False)
        here.sendto(b"!", ("10.2.0.1", 7))


def move() -> m.Migrate:
    """The SA of that policy to another peer."""
    selector, _ = policy_of("gcm", m.OUT)
    here, old = (socket.inet_aton(host) for host in (KEY.src, KEY.dst))
    ends = {"old_saddr": here, "new_saddr": here, "old_daddr": old, "new_daddr": socket.inet_aton(NEW)}
    what = {"proto": 50, "mode": m.TUNNEL, "reqid": REQID, "old_family": 2, "new_family": 2}
    made = m.Migrate()
    made.update({"sel": selector.selector.fields(), "dir": m.OUT})
    made["attrs"] = [("XFRMA_MIGRATE", Migration.pack(ends | what))]
    return made


def read(notes: links.Notes) -> list[list[object]]:
    """What waits, in a few words for each message."""
    found: list[list[object]] = []
    while (messages := notes.read()) is not None:
        for one in messages:
            if isinstance(one, m.Wanted):
                found.append(["acquire", socket.inet_ntoa(one["id"]["daddr"][:4]), one["id"]["proto"]])
            elif isinstance(one, m.Expiry):
                found.append(["hard" if one["hard"] else "soft", one["state"]["id"]["spi"].hex()])
            elif isinstance(one, m.Migrate):
                value = Migration.read(one.get_attr("XFRMA_MIGRATE"))
                found.append(["migrate", socket.inet_ntoa(value["new_daddr"][:4]), value["reqid"]])
    return found


def told() -> dict[str, object]:
    link, notes = links.Link(), links.Notes(m.GROUP_ACQUIRE | m.GROUP_EXPIRE | m.GROUP_MIGRATE)
    for words in (
        "link add wan type veth peer name far",  # a packet for `lo` meets no policy
        *("link set wan up", "link set far up"),
        *("addr add 192.0.2.1/24 dev wan", "addr add 10.1.0.1/32 dev wan"),
        "route add 10.2.0.0/24 dev wan src 10.1.0.1",
    ):
        shown(*words.split())
    ip(["policy", "add", *words_of_policy(*policy_of("gcm", m.OUT))])
    with subprocess.Popen([IP, "xfrm", "monitor"], stdout=subprocess.PIPE) as monitor:
        assert monitor.stdout is not None
        while not select.select([monitor.stdout], [], [], 0.05)[0]:  # until it listens
            ip(["state", "flush"])
            poke()
        read(notes)
        ip(["state", "flush"])
        poke()
        ours = read(notes)
        ip(["state", "flush"])
        ip(["state", "add", *words_of_state(GIVEN, inbound=False), "limit", "packet-soft", "1"])
        for _ in range(2):
            poke()
        ours += read(notes)
        link.ask(m.MIGRATE, move())
        ours += read(notes)
        text = ""
        while "Expired" not in text and select.select([monitor.stdout], [], [], 5)[0]:
            text += os.read(monitor.stdout.fileno(), 65536).decode()
        monitor.terminate()
    states, policies = shown("xfrm", "state"), shown("xfrm", "policy", "list", "nosock")
    return {"ours": ours, "monitor": text, "states": states, "policies": policies}


@guest
def test_the_kernel_tells_us_and_moves_what_we_say() -> None:
    node = Node()
    try:
        found = node.call(told)
    finally:
        node.close()
    assert found["ours"] == [["acquire", KEY.dst, 50], ["soft", KEY.spi.hex()], ["migrate", NEW, REQID]]
    states, policies = str(found["states"]), str(found["policies"])
    assert f"dst {NEW}\n\tproto esp spi 0x{KEY.spi.hex()}" in states and KEY.dst not in states
    assert f"tmpl src {KEY.src} dst {NEW}" in policies
    monitor = str(found["monitor"])
    assert "acquire proto esp" in monitor and "sel src 10.1.0.1/32 dst 10.2.0.1/32" in monitor, monitor
    expired = monitor[monitor.index("Expired") :]
    assert f"src {KEY.src} dst {KEY.dst}" in expired and f"spi 0x{KEY.spi.hex()}" in expired, monitor
