"""What goes out together, and what becomes of it where the system refuses."""

import errno

from lab.backends.outbox import Outbox
from lab.ipsec.batch import LONGEST, MOST, EspTrain
from lab.ipsec.dataplane import AhPacket, EspPacket
from lab.ipsec.drops import Drops
from lab.trace import Trace
from tests.ipsec.children import LEFT, RIGHT


def esp(octets: int = 100, number: int = 0, path: object = LEFT, **fields: object) -> EspPacket:
    return EspPacket(bytes([number]) * octets, path, **{"encap": True} | fields)


class System:
    """Takes packets, or refuses those for which there is an error."""

    def __init__(self, *, segments: bool = True, refuses: dict[type, int] | None = None) -> None:
        self.sent: list[object] = []
        self.refuses, self.drops = refuses or {}, Drops(Trace())
        self.outbox = Outbox(self.take, self.drops, segments=segments)

    def take(self, packet: object) -> None:
        if error := self.refuses.get(type(packet)):
            raise OSError(error, "no")
        self.sent.append(packet)

    def put(self, *packets: object) -> list[tuple[type, int]]:
        for packet in packets:
            self.outbox.put(packet)
        self.outbox.flush()
        return [(type(one), len(one.data)) for one in self.sent]

    def packets(self) -> list[object]:
        return [p for one in self.sent for p in (one.packets() if isinstance(one, EspTrain) else [one])]


def test_packets_of_one_length_leave_together_in_their_order() -> None:
    system = System()
    packets = [esp(number=number) for number in range(5)]
    assert system.put(*packets) == [(EspTrain, 500)]
    assert system.packets() == packets
    assert system.outbox.counts == {"batches out": 1, "packets in batches out": 5}


def test_a_shorter_packet_is_the_last_one() -> None:
    system = System()
    assert system.put(esp(), esp(), esp(60), esp(60), esp(100)) == [(EspTrain, 260), (EspPacket, 60), (EspPacket, 100)]


def test_only_what_leaves_alike_leaves_together() -> None:
    for other in ({"path": RIGHT}, {"traffic_class": 2}, {"dont_fragment": True}, {"encap": False}, {"mtu": 1280}):
        system = System()
        packets = [esp(number=1), esp(number=2, **other)]
        assert system.put(*packets) == [(EspPacket, 100)] * 2, other
        assert system.packets() == packets


def test_a_send_has_a_most_of_packets_and_octets() -> None:
    system = System()
    assert [octets for _kind, octets in system.put(*[esp(10)] * (MOST + 1))] == [10 * MOST, 10]
    system = System()
    assert all(octets <= LONGEST for _kind, octets in system.put(*[esp(1400)] * 100))
    assert len(system.packets()) == 100 and len(system.sent) == 3


def test_nothing_is_overtaken() -> None:
    system = System()
    packets = [esp(number=1), AhPacket(b"ah", LEFT), esp(number=2), esp(number=3, encap=False), esp(number=4)]
    system.put(*packets)
    assert system.packets() == packets


def test_without_segments_each_packet_leaves_for_itself() -> None:
    system = System(segments=False)
    packets = [esp(), EspTrain(bytes(250), 100, LEFT, encap=True, traffic_class=3, dont_fragment=True)]
    assert system.put(*packets) == [(EspPacket, 100), (EspPacket, 100), (EspPacket, 100), (EspPacket, 50)]
    assert {(p.traffic_class, p.dont_fragment) for p in system.sent[1:]} == {(3, True)}


def test_raw_esp_never_leaves_as_a_train() -> None:
    system = System()
    assert system.put(EspTrain(bytes(200), 100, LEFT, encap=False, traffic_class=0)) == [(EspPacket, 100)] * 2


def test_a_refused_batch_goes_packet_by_packet() -> None:
    for error in (errno.EIO, errno.EINVAL, errno.EMSGSIZE):
        system = System(refuses={EspTrain: error})
        assert system.put(esp(), esp()) == [(EspPacket, 100)] * 2
        assert system.outbox.counts == {"batches refused by the system": 1} and not system.drops.counts


def test_what_cannot_be_sent_is_a_drop_for_each_packet() -> None:
    system = System(refuses={EspTrain: errno.ENOBUFS, EspPacket: errno.ENETUNREACH})
    assert system.put(esp(), esp(), esp(30), esp(100)) == []
    assert sum(system.drops.counts.values()) == 4
