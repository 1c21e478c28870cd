"""The attributes of the Configuration payload in both roles, and replies that no honest responder sends."""

from ipaddress import IPv4Network, IPv6Network, ip_address

import pytest

from lab.errors import ProtocolError
from lab.ike import configuration
from lab.ike.configuration import MOST, Configuration
from lab.wire.ids import CfgAttribute as A
from lab.wire.ids import CfgType
from lab.wire.payloads_v2 import CP

ANY4, ANY6 = ip_address("0.0.0.0"), ip_address("::")
ONE, SIX, DNS = ip_address("10.3.0.1"), ip_address("2001:db8::1"), ip_address("10.3.0.53")
GIVEN = Configuration((ONE, SIX), (DNS,), (IPv4Network("10.1.0.0/16"), IPv6Network("2001:db8:1::/48")))
FOUR = (A.INTERNAL_IP4_ADDRESS, ONE.packed)


def test_asked_and_given_over_the_wire() -> None:
    ours = CP.decode(configuration.request([ANY4, ANY6]).encode())
    assert configuration.asked(ours) == (ANY4, ANY6)
    answer = CP.decode(configuration.reply(ours, GIVEN).encode())
    assert configuration.read(ours, answer) == GIVEN


def test_a_particular_address_is_asked_for() -> None:
    assert configuration.asked(configuration.request([ONE, SIX])) == (ONE, SIX)


def test_a_reply_holds_only_what_was_asked_for() -> None:
    ours = CP(CfgType.CFG_REQUEST, ((A.INTERNAL_IP4_ADDRESS, b""),))
    assert configuration.reply(ours, GIVEN).attributes == (FOUR,)


def test_what_nobody_asked_for_is_skipped() -> None:
    ours = configuration.request([ANY4])
    answer = CP(CfgType.CFG_REPLY, (FOUR, (A.INTERNAL_IP6_ADDRESS, SIX.packed + b"\x40"), (A(16000), b"x")))
    assert configuration.read(ours, answer) == Configuration((ONE,))


@pytest.mark.parametrize(
    "attributes",
    [
        (),
        ((A.INTERNAL_IP4_ADDRESS, b""),),
        ((A.INTERNAL_IP4_ADDRESS, bytes(4)),),
        ((A.INTERNAL_IP4_ADDRESS, bytes(5)),),
        ((A.INTERNAL_IP4_ADDRESS, b"\xe0\x00\x00\x01"),),
        ((A.INTERNAL_IP6_ADDRESS, SIX.packed),),
        ((A.INTERNAL_IP4_ADDRESS, b"\x7f\0\0\1"),),
        ((A.INTERNAL_IP4_DNS, DNS.packed),),
    ],
)
def test_a_reply_without_a_usable_address(attributes: tuple[tuple[A, bytes], ...]) -> None:
    with pytest.raises(ProtocolError, match="no virtual address"):
        configuration.read(configuration.request([ANY4, ANY6]), CP(CfgType.CFG_REPLY, attributes))


@pytest.mark.parametrize("answer", [None, CP(CfgType.CFG_ACK, (FOUR,))])
def test_no_reply_at_all(answer: CP | None) -> None:
    with pytest.raises(ProtocolError, match="lacks CFG_REPLY"):
        configuration.read(configuration.request([ANY4]), answer)


def test_many_addresses_are_bounded() -> None:
    many = tuple((A.INTERNAL_IP4_ADDRESS, bytes((10, 0, n >> 8, n & 255))) for n in range(1, 999))
    assert len(configuration.read(configuration.request([ANY4]), CP(CfgType.CFG_REPLY, many)).addresses) == MOST
    assert len(configuration.asked(CP(CfgType.CFG_REQUEST, many))) == MOST


@pytest.mark.parametrize("value", [b"\x0a\x01\0\0\xff\0\xff\0", b"\x0a\x01\0\x01\xff\xff\0\0", b"\x0a\x01\0\0"])
def test_a_subnet_that_is_none_is_skipped(value: bytes) -> None:
    answer = CP(CfgType.CFG_REPLY, (FOUR, (A.INTERNAL_IP4_SUBNET, value)))
    assert configuration.read(configuration.request([ANY4]), answer).subnets == ()


@pytest.mark.parametrize("value", [SIX.packed + b"\x40", SIX.packed + b"\x81", SIX.packed, SIX.packed + b"\x80\0"])
def test_an_ipv6_subnet_that_is_none_is_skipped(value: bytes) -> None:
    answer = CP(CfgType.CFG_REPLY, ((A.INTERNAL_IP6_ADDRESS, SIX.packed + b"\x80"), (A.INTERNAL_IP6_SUBNET, value)))
    assert configuration.read(configuration.request([ANY6]), answer).subnets == ()


def test_lengths_of_the_request_are_those_of_the_rfc() -> None:
    lengths = {kind: len(value) for kind, value in configuration.request([ANY4, ANY6]).attributes}
    assert lengths == {
        A.INTERNAL_IP4_ADDRESS: 0, A.INTERNAL_IP4_DNS: 0, A.INTERNAL_IP4_SUBNET: 0,
        A.INTERNAL_IP6_ADDRESS: 0, A.INTERNAL_IP6_DNS: 0, A.INTERNAL_IP6_SUBNET: 17,
    }  # fmt: skip


def test_every_truncation_is_refused_or_read() -> None:
    whole = configuration.reply(configuration.request([ANY4, ANY6]), GIVEN).encode()
    refused = 0
    for end in range(len(whole)):
        try:
            CP.decode(whole[:end])
        except ProtocolError:
            refused += 1
    # Only an end between two attributes (after the head and each but the last) can be read.
    assert refused == len(whole) - 5


def test_only_a_request_asks() -> None:
    assert configuration.asked(CP(CfgType.CFG_SET, (FOUR,))) == ()
    assert configuration.asked(CP(CfgType.CFG_REQUEST, ((A.INTERNAL_IP4_ADDRESS, b"abc"),))) == ()
