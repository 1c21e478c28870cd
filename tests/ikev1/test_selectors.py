"""Traffic selectors as ID payloads and back (RFC 2407 4.6.2)."""

from ipaddress import ip_address

import pytest

from lab.errors import ProtocolError
from lab.ikev1.selectors import of_id, to_id
from lab.wire.ids_v1 import IdType1
from lab.wire.payloads_v1 import ID1
from lab.wire.payloads_v2 import TrafficSelector


@pytest.mark.parametrize(
    ("selector", "kind"),
    [
        (TrafficSelector.of_network("10.1.0.0/24"), IdType1.ID_IPV4_ADDR_SUBNET),
        (TrafficSelector.of_network("0.0.0.0/0"), IdType1.ID_IPV4_ADDR_SUBNET),
        (TrafficSelector.of_network("10.1.0.7/32", 17, 500, 500), IdType1.ID_IPV4_ADDR),
        (TrafficSelector.of_network("2001:db8::/56", 6), IdType1.ID_IPV6_ADDR_SUBNET),
        (TrafficSelector.of_network("2001:db8::1/128"), IdType1.ID_IPV6_ADDR),
        (TrafficSelector(0, 0, 65535, ip_address("10.0.0.5"), ip_address("10.0.0.9")), IdType1.ID_IPV4_ADDR_RANGE),
        (TrafficSelector(0, 0, 65535, ip_address("::5"), ip_address("::9")), IdType1.ID_IPV6_ADDR_RANGE),
    ],
    ids=str,
)
def test_round_trip(selector: TrafficSelector, kind: IdType1) -> None:
    payload = to_id(selector)
    assert payload.id_type == kind
    assert of_id(ID1.decode(payload.encode())) == selector


def test_a_range_of_ports_cannot_be_written() -> None:
    with pytest.raises(ProtocolError, match="one or all"):
        to_id(TrafficSelector.of_network("10.1.0.0/24", 6, 80, 90))


@pytest.mark.parametrize(
    "payload",
    [
        ID1(IdType1.ID_FQDN, b"left.example"),
        ID1(IdType1.ID_IPV4_ADDR, b"\1\2\3"),
        ID1(IdType1.ID_IPV4_ADDR_SUBNET, bytes([10, 0, 0, 0, 255, 0, 255, 0])),
        ID1(IdType1.ID_IPV4_ADDR_RANGE, bytes([10, 0, 0, 9, 10, 0, 0, 1])),
        ID1(IdType1(77), bytes(8)),
    ],
    ids=lambda p: p.id_type.name,
)
def test_what_selects_no_traffic(payload: ID1) -> None:
    with pytest.raises(ProtocolError):
        of_id(payload)
