"""Every other request of ours beside that of `ip xfrm`, octet by octet, as in `test_messages`."""

from collections.abc import Callable

import pytest

from lab.backends.xfrm import messages as m
from lab.backends.xfrm.link import Link
from lab.backends.xfrm.policies import message as policy
from lab.backends.xfrm.states import key
from lab.backends.xfrm.states import message as state
from tests.backends.xfrm.test_messages import (
    CHILDREN,
    Monitor,
    guest,
    ip,
    policy_of,
    words_of_policy,
    words_of_state,
)
from tests.netns import Node

GIVEN = CHILDREN["gcm"]
KEY = key(GIVEN, GIVEN.path, inbound=False)
POLICY, WAY = policy_of("interface", m.OUT)
NAMED = ["src", KEY.src, "dst", KEY.dst, "proto", "esp", "spi", f"0x{KEY.spi.hex()}"]
MEANT = [
    "src",
    str(POLICY.selector.src.network),
    "dst",
    str(POLICY.selector.dst.network),
    "dir",
    "out",
    "if_id",
    "0x2a",
]
# What has to be there first, our message, and what to say to `ip xfrm` instead.
Request = tuple[int, m.XfrmMessage, list[str]]
REQUESTS: dict[str, Callable[[], Request]] = {
    "update-state": lambda: (
        m.UPDSA,
        state(GIVEN, GIVEN.path, inbound=False),
        ["state", "update", *words_of_state(GIVEN, inbound=False)],
    ),
    "query-state": lambda: (m.GETSA, KEY.message(), ["state", "get", *NAMED]),
    "delete-state": lambda: (m.DELSA, KEY.message(), ["state", "delete", *NAMED]),
    "flush-states": lambda: (m.FLUSHSA, m.FlushSas(), ["state", "flush"]),
    "count-states": lambda: (m.GETSADINFO, m.Count.everything(), ["state", "count"]),
    "update-policy": lambda: (m.UPDPOLICY, policy(POLICY, WAY), ["policy", "update", *words_of_policy(POLICY, WAY)]),
    "query-policy": lambda: (m.GETPOLICY, POLICY.message(), ["policy", "get", *MEANT]),
    "delete-policy": lambda: (m.DELPOLICY, POLICY.message(), ["policy", "delete", *MEANT]),
    "flush-policies": lambda: (m.FLUSHPOLICY, m.FlushPolicies(), ["policy", "flush"]),
}
ASKS_BACK = {m.GETSA, m.GETPOLICY, m.GETSADINFO}


def there() -> None:
    """One state and one policy, as both sides of the comparison find them."""
    ip(["state", "flush"])
    ip(["policy", "flush"])
    ip(["state", "add", *words_of_state(GIVEN, inbound=False)])
    ip(["policy", "add", *words_of_policy(POLICY, WAY)])


def record() -> dict[str, list[str]]:
    link, monitor, found = Link(), Monitor(), {}
    for name, request in REQUESTS.items():
        kind, message, words = request()
        both = []
        for ask in (lambda k=kind, q=message: link.ask(k, q), lambda w=words: ip(w)):
            there()
            monitor.drain()
            ask()
            octets = bytearray(monitor.request(kind))
            if kind in ASKS_BACK:
                octets[6] &= ~4  # NLM_F_ACK: we want to hear of a refusal in the same way as everywhere
            both.append(octets.hex())
        found[name] = both
    return found


@pytest.fixture(scope="module")
def node():
    made = Node()
    made.ip("link add nlmon0 type nlmon")
    made.ip("link set nlmon0 up")
    yield made
    made.close()


@pytest.fixture(scope="module")
def recorded(node: Node) -> dict[str, list[str]]:
    return node.call(record)


@guest
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_what_ip_xfrm_sends(recorded: dict[str, list[str]], name: str) -> None:
    ours, theirs = recorded[name]
    assert ours == theirs
