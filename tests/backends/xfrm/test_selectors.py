from ipaddress import ip_address

import pytest

from lab.backends.xfrm.selectors import KernelSelector, Unsayable, selectors
from lab.wire.payloads_v2 import TrafficSelector

HERE, THERE = TrafficSelector.of_network("10.1.0.0/24"), TrafficSelector.of_network("10.2.0.0/16")


def test_a_pair_of_networks_is_one_selector() -> None:
    (found,) = selectors([HERE], [THERE])
    fields = found.fields()
    assert (fields["saddr"], fields["prefixlen_s"]) == (ip_address("10.1.0.0").packed, 24)
    assert (fields["daddr"], fields["prefixlen_d"]) == (ip_address("10.2.0.0").packed, 16)
    assert (fields["family"], fields["proto"], fields["sport_mask"], fields["dport_mask"]) == (2, 0, 0, 0)


def test_families_and_protocols_that_differ_make_no_pair() -> None:
    six = TrafficSelector.of_network("2001:db8::/64")
    tcp, udp = TrafficSelector.of_network("10.3.0.0/24", 6), TrafficSelector.of_network("10.4.0.0/24", 17)
    assert selectors([HERE], [six]) == selectors([tcp], [udp]) == []
    assert [one.protocol for one in selectors([HERE, tcp], [tcp])] == [6, 6]


RANGES = [(0, 0), (0, 1), (1, 65535), (0, 65534), (1, 65534), (80, 80), (1023, 1025), (4096, 8191), (65535, 65535)]


@pytest.mark.parametrize(("start", "end"), [*RANGES, *((n * 997, n * 1009 + 13) for n in range(1, 60, 7))])
def test_a_range_of_ports_becomes_blocks_that_cover_it_and_no_more(start: int, end: int) -> None:
    found = selectors([TrafficSelector.of_network("10.1.0.0/24", 6, start, end)], [THERE])
    covered = [range(one.src.port, one.src.port + (0xFFFF & ~one.src.mask) + 1) for one in found]
    assert sum(map(len, covered)) == end - start + 1
    assert min(block[0] for block in covered) == start and max(block[-1] for block in covered) == end
    assert all(one.src.port & ~one.src.mask == 0 for one in found)
    assert len(found) <= 30


def test_a_range_of_addresses_becomes_networks() -> None:
    odd = TrafficSelector(0, 0, 65535, ip_address("10.1.0.1"), ip_address("10.1.0.4"))
    assert [str(one.src.network) for one in selectors([odd], [THERE])] == ["10.1.0.1/32", "10.1.0.2/31", "10.1.0.4/32"]


@pytest.mark.parametrize(("protocol", "start", "end"), [(6, 65535, 0), (1, 0x0800, 0x08FF), (58, 0, 0)])
def test_what_the_kernel_cannot_say_is_refused(protocol: int, start: int, end: int) -> None:
    with pytest.raises(Unsayable, match="no selector"):
        selectors([TrafficSelector.of_network("10.1.0.0/24", protocol, start, end)], [THERE])


def test_narrow_selectors_come_first_and_words_come_back() -> None:
    (wide,) = selectors([HERE], [THERE])
    (narrow,) = selectors([TrafficSelector.of_network("10.1.0.7/32", 6, 443, 443)], [THERE])
    assert narrow.breadth < wide.breadth
    assert [KernelSelector.parse(one.words()) for one in (wide, narrow)] == [wide, narrow]
    assert wide.reversed().reversed() == wide != wide.reversed()
