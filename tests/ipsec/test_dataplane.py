"""Two data planes back to back, and every drop with its reason."""

import gc
import os
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from resource import RUSAGE_SELF, getrusage

import pytest

from lab.ike.child import ChildSa
from lab.ike.path import Path
from lab.ipsec.ah import AhOut
from lab.ipsec.dataplane import Acquire, AhPacket, Dataplane, Deliver, EspPacket, Expired, Moved
from lab.ipsec.drops import Reason
from lab.trace import Record, Trace
from lab.wire.packets import IPv4, IPv6, decode_ip
from lab.wire.payloads_v2 import TrafficSelector
from tests.ipsec.children import LEFT, PROPOSALS, RIGHT, ah_child, child, mirror, predictable


def packet(src: str = "10.1.0.5", dst: str = "10.2.0.7", payload: bytes = bytes(64), tos: int = 0) -> bytes:
    return IPv4(ip_address(src), ip_address(dst), 17, payload, tos=tos).encode()


def plane(*children: ChildSa) -> Dataplane:
    made = Dataplane(Trace(), predictable)
    for each in children:
        made.install(each)
    return made


def pair(**changes: object) -> tuple[Dataplane, Dataplane]:
    sa = child(**changes)
    return plane(sa), plane(mirror(sa))


def send(sender: Dataplane, inner: bytes) -> bytes:
    (sealed,) = sender.outbound(inner, 0.0)
    assert isinstance(sealed, EspPacket)
    return sealed.data


@pytest.mark.parametrize("proposal", PROPOSALS)
@pytest.mark.parametrize("encap", [True, False])
def test_there_and_back(proposal: str, encap: bool) -> None:
    left, right = pair(proposal=proposal, encap=encap)
    (sealed,) = left.outbound(packet(tos=0xB8), 1.0)
    assert (sealed.path, sealed.encap, sealed.traffic_class) == (LEFT, encap, 0xB8)
    assert right.inbound(sealed.data, RIGHT, 1.0, 0xB8) == [Deliver(packet(tos=0xB8))]
    answer = packet("10.2.0.7", "10.1.0.5")
    assert left.inbound(send(right, answer), LEFT, 1.0) == [Deliver(answer)]
    assert left.usage()["c1000001"] == {"bytes_in": 84, "bytes_out": 84, "packets_in": 1, "packets_out": 1}
    assert not left.drops.counts and not right.drops.counts


def test_ipv6_inside() -> None:
    nets = {"ts_local": "2001:db8:1::/64", "ts_remote": "2001:db8:2::/64"}
    left, right = pair(**{side: (TrafficSelector.of_network(net),) for side, net in nets.items()})
    inner = IPv6(ip_address("2001:db8:1::5"), ip_address("2001:db8:2::7"), 17, bytes(8)).encode()
    assert right.inbound(send(left, inner), RIGHT, 0.0) == [Deliver(inner)]


def test_inner_packets_outside_the_selectors_are_dropped() -> None:
    wide = child(ts_local=(TrafficSelector.of_network("0.0.0.0/0"),))
    left, right = plane(wide), plane(mirror(child()))
    assert right.inbound(send(left, packet(src="10.1.1.5")), RIGHT, 0.0) == []
    assert right.drops.counts == {Reason.INNER_SELECTORS: 1}
    assert right.usage()["c2000002"]["packets_in"] == 0


def test_what_nobody_protects_is_dropped() -> None:
    left, _ = pair()
    assert left.outbound(packet(dst="10.3.0.1"), 0.0) == []
    left.policies.discard("none", child().ts_local, child().ts_remote)
    assert left.outbound(packet(), 0.0) == []
    assert left.outbound(b"", 0.0) == [] and left.outbound(b"\x45\x00", 0.0) == []
    assert left.drops.counts == {Reason.NO_POLICY: 1, Reason.DISCARD: 1, Reason.INNER_HEADER: 2}


def test_an_acquire_is_said_once_until_it_is_answered() -> None:
    left, sa = plane(), child()
    left.trap("net", sa.ts_local, sa.ts_remote)
    (acquire,) = left.outbound(packet(), 0.0)
    assert isinstance(acquire, Acquire) and acquire.child == "net" and acquire.flow.dst == bytes([10, 2, 0, 7])
    assert left.outbound(packet(), 0.1) == []
    left.give_up("net")
    assert len(left.outbound(packet(), 0.2)) == 1
    left.install(sa)
    assert isinstance(left.outbound(packet(), 0.3)[0], EspPacket)
    left.remove(sa.spi_in)
    assert isinstance(left.outbound(packet(), 0.4)[0], Acquire), "the trap is still there"
    left.untrap("net")
    assert left.outbound(packet(), 0.5) == []
    assert left.drops.counts == {Reason.NO_SA: 4, Reason.NO_POLICY: 1}


def test_a_new_path_is_told_once_and_only_by_the_newest_packet() -> None:
    left, right = pair()
    elsewhere = Path("198.51.100.1", 4500, "192.0.2.99", 31337)
    first, second, third = (send(left, packet()) for _ in range(3))
    assert right.inbound(second, elsewhere, 0.0) == [Moved(b"\xc2\x00\x00\x02", elsewhere), Deliver(packet())]
    assert right.inbound(first, Path("198.51.100.1", 4500, "192.0.2.5", 1), 0.0) == [Deliver(packet())], "came late"
    assert right.inbound(third, elsewhere, 0.0) == [Deliver(packet())]
    right.move(b"\xc2\x00\x00\x02", elsewhere, encap=True)
    assert right.outbound(packet("10.2.0.7", "10.1.0.5"), 0.0)[0].path == elsewhere
    assert right.inbound(send(left, packet()), RIGHT, 0.0)[0] == Moved(b"\xc2\x00\x00\x02", RIGHT)


def test_a_child_that_moves_goes_into_udp_and_out_again() -> None:
    left, right = pair()
    spi = right.children()[0].spi_in
    for encap in (False, True):
        right.move(spi, RIGHT, encap=encap)
        (sent,) = right.outbound(packet("10.2.0.7", "10.1.0.5"), 0.0)
        assert (sent.encap, right.child(spi).encap) == (encap, encap)
        assert right.child(spi).path == RIGHT
        moved = right.inbound(send(left, packet()), Path("198.51.100.1", 4500, "192.0.2.99", 31337), 0.0)
        assert isinstance(moved[0], Moved) is encap, "bare ESP has no ports that a NAT could have changed"


def test_only_packets_between_the_right_addresses_show_that_the_peer_lives() -> None:
    left, right = pair()
    spi = right.children()[0].spi_in
    elsewhere = Path(RIGHT.local_host, 4500, "192.0.2.99", 4500)
    assert Deliver(packet()) in right.inbound(send(left, packet()), elsewhere, 7.0)
    assert right.carried()[spi] == (0.0, 0.0)
    right.inbound(send(left, packet()), RIGHT, 8.0)
    assert right.carried()[spi] == (8.0, 0.0)


def test_a_forged_packet_moves_nothing() -> None:
    left, right = pair()
    damaged = send(left, packet())[:-1] + b"\0"
    assert right.inbound(damaged, Path("198.51.100.1", 4500, "203.0.113.66", 1), 0.0) == []
    assert right.drops.counts == {Reason.INTEGRITY: 1}


def test_raw_esp_has_no_ports_to_follow() -> None:
    left, right = pair(encap=False)
    assert right.inbound(send(left, packet()), Path("198.51.100.1", 0, "192.0.2.1", 0), 0.0) == [Deliver(packet())]


def test_congestion_comes_in_and_is_counted_where_it_kills() -> None:
    left, right = pair()
    (delivered,) = right.inbound(send(left, packet(tos=2)), RIGHT, 0.0, 3)
    assert delivered.packet[1] == 3
    assert right.inbound(send(left, packet(tos=0)), RIGHT, 0.0, 3) == []
    assert right.drops.counts == {Reason.ECN: 1}


def test_used_up_sequence_numbers_are_told_once() -> None:
    sa = child()
    left = plane()
    left.install(sa).carrier.outgoing.sequence = 2**32 - 2
    assert isinstance(left.outbound(packet(), 0.0)[0], EspPacket)
    assert left.outbound(packet(), 0.0) == [Expired(sa.spi_in)]
    assert left.outbound(packet(), 0.0) == []
    assert left.drops.counts == {Reason.EXHAUSTED: 2}


def test_a_child_on_standby_sends_when_it_is_told_or_when_the_peer_does() -> None:
    old = child()
    new = replace(old, spi_in=b"\xc1\x00\x00\x03", spi_out=b"\xc2\x00\x00\x04")
    left, right = plane(old), plane(mirror(old))
    left.install(new, outbound=False)
    right.install(mirror(new), outbound=False)
    assert send(left, packet())[:4] == old.spi_out, "nothing is sent through it yet"
    left.use(new.spi_in)
    first = send(left, packet())
    assert first[:4] == new.spi_out
    assert right.outbound(packet("10.2.0.7", "10.1.0.5"), 0.0)[0].data[:4] == old.spi_in
    damaged = first[:-1] + bytes([first[-1] ^ 1])
    assert right.inbound(damaged, RIGHT, 0.0) == []
    assert right.outbound(packet("10.2.0.7", "10.1.0.5"), 0.0)[0].data[:4] == old.spi_in, (
        "forged packets change nothing"
    )
    assert right.inbound(first, RIGHT, 0.0) == [Deliver(packet())]
    assert right.outbound(packet("10.2.0.7", "10.1.0.5"), 0.0)[0].data[:4] == new.spi_in
    left.use(b"none")
    left.use(new.spi_in)
    assert send(left, packet())[:4] == new.spi_out


def test_a_rekeyed_child_sends_on_the_new_sa_and_receives_on_both() -> None:
    old = child()
    new = replace(old, spi_in=b"\xc1\x00\x00\x03", spi_out=b"\xc2\x00\x00\x04")
    left, right = plane(old), plane(mirror(old))
    late = send(left, packet())
    for side, sa in ((left, new), (right, mirror(new))):
        side.install(sa)
    assert send(left, packet())[:4] == new.spi_out
    assert right.inbound(late, RIGHT, 0.0) == [Deliver(packet())]
    assert left.remove(old.spi_in) == old and left.remove(old.spi_in) is None
    assert [sa.spi_in for sa in left.children()] == [new.spi_in]


def test_the_largest_inner_packet_is_what_the_path_leaves() -> None:
    left, spi, other = plane(), child().spi_in, b"\xc1\x00\x00\x07"
    left.install(child("aes128gcm16"))
    left.install(child("aes256-sha512", spi_in=other))
    assert (left.fit(spi, 1500, 28), left.fit(other, 1500, 28)) == (1438, 1406)
    assert left.child(other).spi_in == other and left.child(b"none") is None


def test_it_knows_when_packets_went_through() -> None:
    left, right = pair()
    (sealed,) = left.outbound(packet(), 3.5)
    right.inbound(sealed.data, RIGHT, 4.0)
    assert left.carried() == {child().spi_in: (0.0, 3.5)}
    assert right.carried() == {child().spi_out: (4.0, 0.0)}


def test_a_packet_too_big_for_udp() -> None:
    left, _ = pair()
    assert left.outbound(packet(payload=bytes(65535 - 20)), 0.0) == []
    assert left.drops.counts == {Reason.TOO_BIG: 1}


def test_drops_are_traced_but_a_flood_is_thinned() -> None:
    records: list[Record] = []
    side = Dataplane(Trace(records.append), predictable)
    for number in range(5000):
        side.inbound(bytes(4) + number.to_bytes(20, "big"), RIGHT, float(number))
    assert side.drops.counts == {Reason.UNKNOWN_SPI: 5000}
    counts = [record.fields["count"] for record in records]
    assert counts == [*range(1, 17), 32, 64, 128, 256, 512, 1024, 2048, 4096]
    assert records[0].text == "unknown SPI" and records[-1].now == 4095.0


def flooded(seed: int) -> tuple[Dataplane, Callable[[int], None]]:
    """A data plane with a child of ESP and one of AH, and what throws random packets at it, three at a time."""
    source, esp, ah = random.Random(seed), child(), ah_child(spi_in=b"\xc1\x00\x00\x03", name="ah")
    here = plane(esp, ah)
    fronts = [
        ah_front(version) + middle
        for version in (4, 6)
        for middle in (b"", b"\x04\x05\x00\x00" + ah.spi_in, b"\x11\x04\x00\x00" + ah.spi_in)
    ]

    def flood(count: int) -> None:
        for _ in range(count):
            here.inbound(source.choice((b"", esp.spi_in)) + source.randbytes(source.randrange(90)), LEFT, 0.0)
            here.inbound_ah(source.choice(fronts) + source.randbytes(source.randrange(90)), LEFT, 0.0)
            here.outbound(source.randbytes(source.randrange(60)), 0.0)

    return here, flood


def ah_front(version: int) -> bytes:
    """The header of a packet whose next one is AH."""
    if version == 4:
        return IPv4(ip_address(LEFT.remote_host), ip_address(LEFT.local_host), 51, b"").encode()
    return IPv6(ip_address("2001:db8::1"), ip_address("2001:db8::2"), 51, b"").encode()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.environ.get("IKELAB_SLOW") != "1", reason="takes minutes: IKELAB_SLOW=1")
def test_ten_million_random_packets_leave_memory_flat() -> None:
    here, flood = flooded(3)
    flood(100_000)
    before = getrusage(RUSAGE_SELF).ru_maxrss
    for _ in range(33):
        flood(101_000)
    grown = getrusage(RUSAGE_SELF).ru_maxrss - before
    assert sum(here.drops.counts.values()) == 3 * (100_000 + 33 * 101_000) > 10_000_000
    assert grown < 2048, f"{grown} KiB more after ten million packets"


def test_random_packets_leave_no_trace_in_memory() -> None:
    left, flood = flooded(2)
    flood(2000)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    flood(10_000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000, f"{grown} octets more after 30,000 packets"
    assert sum(left.drops.counts.values()) == 36_000
    wanted = {Reason.UNKNOWN_SPI, Reason.INTEGRITY, Reason.ICV_LENGTH, Reason.TOO_SHORT, Reason.INNER_HEADER}
    assert wanted <= set(left.drops.counts), left.drops.counts


# AH between two data planes.
def ah_pair(**changes: object) -> tuple[Dataplane, Dataplane]:
    sa = ah_child(**changes)
    return plane(sa), plane(mirror(sa))


HOSTS = {"ts_local": (TrafficSelector.of_network(LEFT.local_host),), "mode": "transport"}
HOSTS |= {"ts_remote": (TrafficSelector.of_network(LEFT.remote_host),)}


def ah_packet(sender: Dataplane, inner: bytes) -> bytes:
    (sealed,) = sender.outbound(inner, 0.0)
    assert isinstance(sealed, AhPacket)
    return sealed.data


@pytest.mark.parametrize("mode", ["tunnel", "transport"])
def test_ah_there_and_back(mode: str) -> None:
    left, right = ah_pair(**(HOSTS if mode == "transport" else {}))
    inner = packet(tos=0xB8) if mode == "tunnel" else packet(LEFT.local_host, LEFT.remote_host, tos=0xB8)
    sealed = ah_packet(left, inner)
    outer = decode_ip(sealed)
    assert (str(outer.src), str(outer.dst), outer.protocol, outer.tos) == (LEFT.local_host, LEFT.remote_host, 51, 0xB8)
    (delivered,) = right.inbound_ah(sealed, RIGHT, 0.0)
    got, sent = decode_ip(delivered.packet), decode_ip(inner)
    assert (got.src, got.dst, got.protocol, got.payload, got.tos) == (
        *(sent.src, sent.dst, sent.protocol, sent.payload, sent.tos),
    )
    assert right.inbound_ah(sealed, RIGHT, 0.0) == []
    assert right.drops.counts == {Reason.REPLAYED: 1} and not left.drops.counts
    assert right.usage()["c2000002"]["packets_in"] == left.usage()["c1000001"]["packets_out"] == 1


def test_congestion_on_the_way_comes_out_of_an_ah_tunnel() -> None:
    left, right = ah_pair()
    marked = replace(decode_ip(ah_packet(left, packet(tos=2))), tos=3).encode()
    (delivered,) = right.inbound_ah(marked, RIGHT, 0.0)
    assert decode_ip(delivered.packet).tos == 3


def test_each_protocol_has_spis_of_its_own() -> None:
    left, right = ah_pair()
    esp_left, esp_right = pair(encap=False)
    sealed = ah_packet(left, packet())
    assert esp_right.inbound_ah(sealed, RIGHT, 0.0) == []
    assert right.inbound(send(esp_left, packet()), RIGHT, 0.0) == []
    assert right.drops.counts == esp_right.drops.counts == {Reason.UNKNOWN_SPI: 1}


def test_what_ah_does_not_take() -> None:
    left, right = ah_pair()
    sealed = ah_packet(left, packet())
    for broken in (b"", sealed[:19], sealed[:25], bytes(40)):
        assert right.inbound_ah(broken, RIGHT, 0.0) == []
    assert right.drops.counts == {Reason.OUTER_HEADER: 3, Reason.TOO_SHORT: 1}
    elsewhere = plane(ah_child(ts_local=(TrafficSelector.of_network("0.0.0.0/0"),)))
    assert right.inbound_ah(ah_packet(elsewhere, packet(src="10.9.0.1")), RIGHT, 0.0) == []
    assert right.drops.counts[Reason.INNER_SELECTORS] == 1


def abused_ah(sa: ChildSa) -> Iterator[tuple[str, bytes, Reason | None]]:
    """What is wrong with a packet of AH in a tunnel, the packet, and the reason of its drop, in the order to send them.

    An insider has the key, so that what is wrong inside stands under a right ICV.
    """
    insider, inner = AhOut(sa), packet()
    sealed = [insider.encapsulate(inner, LEFT, 0) for _ in range(72)]
    newest, ip = sealed[-1], decode_ip(sealed[-1])
    assert isinstance(ip, IPv4)

    def of(ah: bytes, like: IPv4 = ip) -> bytes:
        return replace(like, payload=ah).encode()

    yield "the newest", newest, None
    yield "the same again", newest, Reason.REPLAYED
    yield "reordered by the window", sealed[-64], None
    yield "reordered by more", sealed[-65], Reason.TOO_OLD
    unused = iter(sealed[-60:-2])
    one = decode_ip(next(unused)).payload
    yield "cut by four octets", of(one[:-4]), Reason.INTEGRITY
    yield "cut within its ICV", of(one[:20]), Reason.TOO_SHORT
    yield "cut within its SPI", of(one[:6]), Reason.TOO_SHORT
    yield "of another SPI", of(one[:4] + b"\1\2\3\4" + one[8:]), Reason.UNKNOWN_SPI
    yield "with sequence number 0", of(one[:8] + bytes(4) + one[12:]), Reason.SEQUENCE_ZERO
    yield "far ahead, forged", of(one[:8] + b"\x7f" + one[9:]), Reason.INTEGRITY
    for words, octet in (("longer", 40), ("shorter", 1), ("empty", 0), ("endless", 255)):
        yield f"{words} by its length field", of(one[:1] + bytes((octet,)) + one[2:]), Reason.ICV_LENGTH
    yield "from another address", replace(ip, payload=one, src=ip_address("203.0.113.9")).encode(), Reason.INTEGRITY
    yield "and the true one after all", of(one, decode_ip(sealed[-60])), None  # type: ignore[arg-type]
    front = IPv4(ip.src, ip.dst, 51, b"").encode()
    for words, next_header, payload, why in (
        ("next header 59", 59, bytes(60), Reason.NEXT_HEADER),
        ("TCP in a tunnel", 6, inner[20:], Reason.NEXT_HEADER),
        ("cut inside", 4, inner[:30], Reason.INNER_HEADER),
        ("IPv6 that is none", 41, inner, Reason.INNER_HEADER),
        ("nothing inside", 4, b"", Reason.INNER_HEADER),
        ("from another network", 4, packet("10.9.9.9"), Reason.INNER_SELECTORS),
        ("to another network", 4, packet(dst="10.9.9.9"), Reason.INNER_SELECTORS),
        ("all right", 4, inner, None),
    ):
        yield words, insider.seal(front, next_header, payload), why


def test_hostile_packets_of_ah() -> None:
    """Each is one counted drop with its reason and none is delivered, and the SA goes on."""
    sa = ah_child(replay_window=64)
    receiver, before = plane(mirror(sa)), Counter[str]()
    for words, data, why in abused_ah(sa):
        found = receiver.inbound_ah(data, RIGHT, 1.0)
        counted = Counter(receiver.drops.counts) - before
        before = Counter(receiver.drops.counts)
        if why is None:
            assert found == [Deliver(packet())] and not counted, f"{words}: {dict(counted)}"
        else:
            assert found == [] and counted == {why: 1}, f"{words}: {dict(counted)}"


def test_a_fragment_does_not_go_into_transport_mode_of_ah() -> None:
    left, _ = ah_pair(**HOSTS)
    whole = decode_ip(packet(LEFT.local_host, LEFT.remote_host))
    assert left.outbound(replace(whole, fragment=0x2000).encode(), 0.0) == []
    assert left.drops.counts == {Reason.NOT_WHOLE: 1}


def test_the_room_for_inner_packets_is_what_ah_leaves() -> None:
    left, _ = ah_pair(proposal="sha512")
    assert left.fit(b"\xc1\0\0\1", 1500, 20) == 1480 - 48
