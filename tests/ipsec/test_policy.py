"""Which policy decides about an outbound packet."""

from ipaddress import ip_address

from lab.ipsec.association import Association
from lab.ipsec.flow import flow_of
from lab.ipsec.policy import Discard, Policies, Protect, Trap, breadth
from lab.wire.packets import IPv4
from lab.wire.payloads_v2 import TrafficSelector
from tests.ipsec.children import child, predictable


def ts(text: str, protocol: int = 0, port: int | None = None) -> tuple[TrafficSelector, ...]:
    low, high = (0, 65535) if port is None else (port, port)
    return (TrafficSelector.of_network(text, protocol, low, high),)


def packet(dst: str = "10.2.0.7", port: int = 80) -> bytes:
    ports = (1234).to_bytes(2, "big") + port.to_bytes(2, "big")
    return IPv4(ip_address("10.1.0.5"), ip_address(dst), 6, ports).encode()


def flow(dst: str = "10.2.0.7", port: int = 80) -> object:
    return flow_of(packet(dst, port))


def installed(**changes: object) -> Association:
    return Association(child(**changes), predictable)


def test_nothing_is_said_about_a_packet() -> None:
    policies = Policies()
    policies.protect(installed())
    assert policies.find(flow("10.3.0.1")) is None


def test_the_narrowest_policy_decides_whatever_came_first() -> None:
    wide, narrow = installed(ts_remote=ts("10.0.0.0/8")), installed(ts_remote=ts("10.2.0.0/24", 6, 80))
    for order in ((wide, narrow), (narrow, wide)):
        policies = Policies()
        for association in order:
            policies.protect(association)
        assert policies.find(flow(port=80)).association is narrow
        assert policies.find(flow(port=81)).association is wide


def test_the_newest_of_two_equal_children_takes_over() -> None:
    policies, old, new = Policies(), installed(), installed(spi_in=b"\xc1\x00\x00\x09")
    policies.protect(old)
    policies.protect(new)
    assert policies.find(flow()).association is new
    policies.forget(new)
    assert policies.find(flow()).association is old


def test_a_trap_waits_behind_the_child_it_asked_for() -> None:
    policies, association = Policies(), installed()
    policies.trap("net", association.child.ts_local, association.child.ts_remote)
    assert isinstance(policies.find(flow()), Trap)
    policies.protect(association)
    assert isinstance(policies.find(flow()), Protect)
    policies.forget(association)
    assert isinstance(policies.find(flow()), Trap)
    policies.untrap("net")
    assert policies.find(flow()) is None


def test_discard_beats_a_child_that_is_as_broad_or_broader() -> None:
    policies = Policies()
    policies.protect(installed(ts_remote=ts("10.0.0.0/8")))
    policies.discard("no-telnet", ts("10.1.0.0/24"), ts("10.0.0.0/8", 6, 23))
    assert isinstance(policies.find(flow(port=23)), Discard)
    assert isinstance(policies.find(flow(port=22)), Protect)


def test_breadth_counts_addresses_protocol_and_ports() -> None:
    sides = [ts("10.2.0.7/32", 6, 80), ts("10.2.0.7/32", 6), ts("10.2.0.7/32"), ts("10.2.0.0/24"), ts("0.0.0.0/0")]
    widths = [breadth((), side) for side in sides]
    assert widths == sorted(widths) and len(set(widths)) == len(widths)
    assert breadth((), ()) == 0


def test_what_is_remembered_of_a_flow_holds_until_the_policies_change() -> None:
    policies, old, new = Policies(), installed(), installed(spi_in=b"\xc1\x00\x00\x09")
    assert policies.of(packet()) is None
    policies.trap("net", old.child.ts_local, old.child.ts_remote)
    assert isinstance(policies.of(packet()), Trap)
    policies.protect(old)
    assert policies.of(packet()).association is old
    policies.protect(new)
    assert policies.of(packet()).association is new and policies.of(packet("10.3.0.1")) is None
    policies.forget(new)
    assert policies.of(packet()).association is old
    policies.forget(old)
    assert isinstance(policies.of(packet()), Trap)
    policies.untrap("net")
    assert policies.of(packet()) is None
