"""Sections of GRE tunnels: what they mean, and mistakes by file, line and key."""

from ipaddress import ip_address

import pytest

from lab.errors import ConfigError
from lab.ike.config import load
from lab.ike.gre import Gre

LOCAL, REMOTE = "203.0.113.2", "198.51.100.2"
ENDS = f"local = {LOCAL}\n remote = {REMOTE}"


def tunnels(*sections):
    return load("ikelab {\n gre {\n" + "\n".join(sections) + "\n}\n}\n", "x.conf").gre


def refused(*sections):
    with pytest.raises(ConfigError) as caught:
        tunnels(*sections)
    return str(caught.value)


def test_defaults():
    assert tunnels(f"gre1 {{ {ENDS}\n }}") == (Gre("gre1", ip_address(LOCAL), ip_address(REMOTE)),)
    assert load("").gre == ()


def test_all_of_it():
    text = f"{ENDS}\n addresses = 172.31.0.1/30, fd00::1/64\n mtu = 1280\n key = 0\n checksum = yes\n"
    (tunnel,) = tunnels(f"gre1 {{ {text} sequence_numbers = yes\n }}")
    assert tunnel.addresses == ("172.31.0.1/30", "fd00::1/64")
    assert (tunnel.mtu, tunnel.key, tunnel.checksum, tunnel.sequence_numbers) == (1280, 0, True, True)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("gre1 { local = 192.0.2.1\n }", "x.conf:3: gre1: remote = ADDRESS is needed"),
        ("gre1 { local = here\n }", "x.conf:3: local: 'here' does not appear to be an IPv4 or IPv6 address"),
        (f"gre1 {{ {ENDS}\n mtu = 100\n }}", "x.conf:5: mtu: '100' is not between 576 and 65000"),
        (f"gre1 {{ {ENDS}\n key = 4294967296\n }}", "x.conf:5: key: '4294967296' is not between 0 and 4294967295"),
        (f"gre1 {{ {ENDS}\n ttl = 1\n }}", "x.conf:5: ttl: unknown key; section 'gre1' knows addresses, "),
        (f"a-name-too-long-for-linux {{ {ENDS}\n }}", "x.conf:3: a-name-too-long-for-linux: no name for an interface"),
        ("gre1 { local = 192.0.2.1\n remote = 2001:db8::1\n }", "x.conf:4: remote: local and remote are of different"),
        (f"gre1 {{ {ENDS}\n addresses = 172.31.0.1/40\n }}", "x.conf:5: addresses: '172.31.0.1/40' does not"),
    ],
)
def test_mistakes(section, words):
    assert refused(section).startswith(words)


def test_two_tunnels_between_the_same_ends_need_different_keys():
    assert "gre1 has the same ends and the same key" in refused(f"gre1 {{ {ENDS}\n }}", f"gre2 {{ {ENDS}\n }}")
    assert len(tunnels(f"gre1 {{ {ENDS}\n }}", f"gre2 {{ {ENDS}\n key = 0\n }}")) == 2
