"""RFC 6040 figures 3 and 4, cell by cell, and the checksum of an IPv4 header that was changed."""

from ipaddress import ip_address

import pytest

from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.outer import traffic_class, with_congestion
from lab.wire.packets import IPv4, IPv6, decode_ip

NOT, ECT1, ECT0, CE = 0, 1, 2, 3
# inner -> what comes out for an outer Not-ECT, ECT(0), ECT(1), CE; None is a drop
FIGURE_4 = {
    NOT: {NOT: NOT, ECT0: NOT, ECT1: NOT, CE: None},
    ECT0: {NOT: ECT0, ECT0: ECT0, ECT1: ECT1, CE: CE},
    ECT1: {NOT: ECT1, ECT0: ECT1, ECT1: ECT1, CE: CE},
    CE: {NOT: CE, ECT0: CE, ECT1: CE, CE: CE},
}
DSCP = 46 << 2


def packets(tos: int) -> list[bytes]:
    v4 = IPv4(ip_address("10.1.0.5"), ip_address("10.2.0.7"), 17, b"data", tos=tos).encode()
    v6 = IPv6(ip_address("2001:db8::1"), ip_address("2001:db8::2"), 59, b"data", tos=tos, flow=0xABCDE).encode()
    return [v4, v6]


@pytest.mark.parametrize("inner", FIGURE_4)
@pytest.mark.parametrize("outer", [NOT, ECT0, ECT1, CE])
def test_each_cell_of_figure_4(inner: int, outer: int) -> None:
    for packet in packets(DSCP | inner):
        wanted = FIGURE_4[inner][outer]
        if wanted is None:
            with pytest.raises(Dropped) as caught:
                with_congestion(packet, outer)
            assert caught.value.why is Reason.ECN
            continue
        # The outer DSCP (here CS6) never comes in.
        result = with_congestion(packet, 48 << 2 | outer)
        decoded = decode_ip(result)  # which refuses a wrong checksum
        assert decoded.tos == DSCP | wanted
        assert decoded.payload == b"data" and result[20:] == packet[20:]


def test_the_outer_header_takes_the_whole_traffic_class() -> None:
    for tos in range(256):
        assert [traffic_class(packet) for packet in packets(tos)] == [tos, tos]
