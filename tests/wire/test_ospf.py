"""OSPF packets that scapy wrote, cut at every octet."""

from ipaddress import IPv4Address

import pytest

from lab.errors import ProtocolError
from lab.wire.ospf import OspfPacket, OspfType


def hello(**fields):
    from scapy.contrib.ospf import OSPF_Hdr, OSPF_Hello  # noqa: PLC0415

    head = OSPF_Hdr(src="1.1.1.1", area="0.0.0.0", **fields)
    return bytes(head / OSPF_Hello(neighbors=["2.2.2.2", "3.3.3.3"]))


def test_a_hello_of_scapys():
    packet = OspfPacket.decode(hello() + b"what is behind its length")
    assert (packet.kind, str(packet.router_id), str(packet.area)) == (OspfType.HELLO, "1.1.1.1", "0.0.0.0")
    assert packet.heard() == (IPv4Address("2.2.2.2"), IPv4Address("3.3.3.3"))


def test_cut_anywhere():
    data = hello()
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            OspfPacket.decode(data[:size])


def test_a_changed_octet_breaks_the_checksum():
    data = bytearray(hello())
    data[-1] ^= 1
    with pytest.raises(ProtocolError, match="wrong OSPF checksum"):
        OspfPacket.decode(bytes(data))


def test_the_checksum_leaves_the_password_out():
    data = bytearray(hello(authtype=1))
    data[16:24] = b"password"
    assert OspfPacket.decode(bytes(data)).kind is OspfType.HELLO


@pytest.mark.parametrize(("at", "value"), [(0, 3), (1, 0), (1, 6)])
def test_another_version_and_unknown_types(at, value):
    data = bytearray(hello())
    data[at] = value
    with pytest.raises(ProtocolError, match="not an OSPF packet of version 2"):
        OspfPacket.decode(bytes(data))
