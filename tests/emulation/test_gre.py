"""The request for a GRE device, read back by pyroute2."""

import struct

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from lab.emulation.gre import Gre

PLAIN = Gre("203.0.113.2", "198.51.100.2", "172.31.0.1/30")


def asked(device):
    batch = device.batch(201)
    message = ifinfmsg(bytes(batch.data))
    message.decode()
    return message, batch.requests


def test_ends_name_and_mtu():
    message, requests = asked(PLAIN)
    assert (message.get_attr("IFLA_IFNAME"), message.get_attr("IFLA_MTU"), message["index"]) == ("gre1", 1400, 201)
    info = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")
    assert (info.get_attr("IFLA_GRE_LOCAL"), info.get_attr("IFLA_GRE_REMOTE")) == (PLAIN.local, PLAIN.remote)
    assert requests == ["link add gre gre1", "address add 172.31.0.1/30", "link set  201"]


@pytest.mark.parametrize(
    ("options", "flags"),
    [({}, 0), ({"key": 0}, 0x2000), ({"checksum": True}, 0x8000), ({"key": 7, "sequence": True}, 0x3000)],
)
def test_options_of_both_directions(options, flags):
    message, _ = asked(Gre(PLAIN.local, PLAIN.remote, PLAIN.address, **options))
    info = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")
    for way in ("I", "O"):
        assert info.get_attr(f"IFLA_GRE_{way}FLAGS") == flags
        assert info.get_attr(f"IFLA_GRE_{way}KEY") == options.get("key", 0)


def test_over_ipv6():
    """The option that `ip link` puts before GRE, and flags in the order of the network."""
    device = Gre("2001:db8:a::2", "2001:db8:b::2", PLAIN.address, key=7)
    message, requests = asked(device)
    info = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")
    assert (info.get_attr("IFLA_IP6GRE_LOCAL"), info.get_attr("IFLA_IP6GRE_REMOTE")) == (device.local, device.remote)
    assert info.get_attr("IFLA_IP6GRE_ENCAP_LIMIT") == 4 and info.get_attr("IFLA_IP6GRE_TTL") == 64
    for kind in (2, 3):  # IFLA_GRE_IFLAGS and IFLA_GRE_OFLAGS: the flag of a key, in two octets of an attribute of six
        assert struct.pack("=HH", 6, kind) + b"\x20\0" in bytes(device.batch(201).data)
    assert requests[0] == "link add ip6gre gre1"
