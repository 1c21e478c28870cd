"""AH in the evidence: read without a key, its ICV checked with one at every hop, and told when a hop changed it."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lab.errors import ProtocolError
from lab.evidence import detail
from lab.evidence.ah_key import AhKey, parts
from lab.evidence.datagram import sightings
from lab.evidence.keyring import Keyring
from lab.evidence.keys import ChildKeys, Keys
from lab.evidence.reading import Reader
from lab.ike.child import ChildSa
from lab.ike.view import child_keys
from lab.ipsec.ah import AhOut
from lab.plugin import proofs
from lab.wire.packets import IPv4, IPv6, decode_ip
from tests.evidence.made import Frame
from tests.ipsec.children import LEFT, ah_child

PING = IPv4(ip_address("10.1.0.5"), ip_address("10.2.0.7"), 1, b"\x08\0\0\0\0\7\0\1" + bytes(48)).encode()


def keys(sa: ChildSa) -> Keys:
    return Keys(child=[ChildKeys(source="ours:left", **_fields(entry)) for entry in child_keys(sa)])


def _fields(entry: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in entry.items() if name in ChildKeys.__struct_fields__}


def frame(packet: bytes, point: str = "left:wan", at: int = 0) -> Frame:
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return Frame(at, point, bytes(12) + kind + packet)


@pytest.mark.parametrize("proposal", ["sha1", "sha256", "sha512", "aescmac", "aes128gmac", "sha256-esn"])
def test_the_icv_is_right_at_every_hop(proposal: str) -> None:
    word, _, esn = proposal.partition("-")
    sa = ah_child(word, esn=bool(esn))
    packet = AhOut(sa).encapsulate(PING, LEFT, 0)
    routed = replace(decode_ip(packet), ttl=62, tos=3).encode()
    frames = [frame(packet), frame(routed, "internet:left", 1)]
    assert proofs.every_icv(frames, keys(sa)) == 2
    reading = Reader(Keyring(keys(sa))).read(sightings(frames)[1])
    assert (reading.protocol, reading.opened, reading.encrypted, reading.seq) == ("AH", True, False, 1)
    assert reading.inner == "ICMP echo-request 10.1.0.5 -> 10.2.0.7 seq 1"


def test_without_a_key_it_is_read_all_the_same_and_nobody_vouches_for_it() -> None:
    packet = AhOut(ah_child()).encapsulate(PING, LEFT, 0)
    reading = Reader(Keyring(Keys())).read(sightings([frame(packet)])[0])
    assert (reading.opened, reading.inner) == (False, "ICMP echo-request 10.1.0.5 -> 10.2.0.7 seq 1")


def test_what_a_nat_changed_is_told() -> None:
    sa = ah_child()
    packet = AhOut(sa).encapsulate(PING, LEFT, 0)
    changed = replace(decode_ip(packet), src=ip_address("203.0.113.9")).encode()
    with pytest.raises(AssertionError, match=r"right:wan saw AH 203.0.113.9 -> 198.51.100.1 whose ICV is not"):
        proofs.every_icv([frame(packet), frame(changed, "right:wan", 1)], keys(sa))


def test_fragments_are_put_together_before_the_icv_is_looked_at() -> None:
    sa = ah_child()
    packet = decode_ip(AhOut(sa).encapsulate(PING, LEFT, 0))
    first = replace(packet, payload=packet.payload[:64], fragment=0x2000).encode()
    second = replace(packet, payload=packet.payload[64:], fragment=8).encode()
    assert proofs.every_icv([frame(first), frame(second, at=1)], keys(sa)) == 1


def test_ipv6_and_the_tree_of_fields() -> None:
    path = replace(LEFT, local_host="2001:db8::1", remote_host="2001:db8::2")
    sa = ah_child(path=path, mode="transport")
    inner = IPv6(ip_address("2001:db8::1"), ip_address("2001:db8::2"), 17, bytes(8) + b"data").encode()
    (sighting,) = sightings([frame(AhOut(sa).insert(inner))])
    reading = Reader(Keyring(keys(sa))).read(sighting)
    assert reading.opened and reading.inner.startswith("UDP 2001:db8::1:0")
    tree = detail.of_datagram(sighting.body, reading)["tree"]
    header, inside = tree
    assert [node["at"] for node in header["children"]] == [[0, 1], [1, 1], [2, 2], [4, 4], [8, 4], [12, 20]]
    assert header["children"][0]["value"] == "17" and inside["at"] == [32, 12]


def test_what_is_no_ah_is_said() -> None:
    assert "not an AH packet" in Reader(Keyring(Keys())).read(sightings([frame(short())])[0]).note
    with pytest.raises(ProtocolError):
        parts(short())
    for unknown in (None, "AUTH_NOBODY"):
        with pytest.raises(ProtocolError, match="not known"):
            AhKey(ChildKeys(source="x", spi="00000001", encr="", encr_key="", integ=unknown))


def short() -> bytes:
    return IPv4(ip_address("192.0.2.1"), ip_address("198.51.100.1"), 51, b"\x04\x05\0\0short").encode()
