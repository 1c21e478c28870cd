from ipaddress import ip_address

from lab.plugin.stranger import NOBODYS, Spoofer, ike_sa_init, main_mode
from lab.wire import rules
from lab.wire.ids import ExchangeType
from lab.wire.ids_v1 import AuthMethod1, ExchangeType1, Phase1
from lab.wire.message import Message
from lab.wire.message_v1 import Message1
from lab.wire.packets import UDP, IPv4
from lab.wire.payloads_v1 import SA1
from lab.wire.payloads_v2 import KE, SA, Nonce


def test_a_stranger_speaks_correctly():
    message = Message.decode(ike_sa_init("x", "aes256gcm16-prfsha384-x25519"))
    rules.check(message)
    assert message.header.exchange == ExchangeType.IKE_SA_INIT and message.header.spi_r == bytes(8)
    assert message.get(SA) and message.get(KE) and message.get(Nonce)


def test_strangers_differ_but_repeat_themselves():
    one, again, other = (ike_sa_init(name, "aes256gcm16-prfsha384-x25519") for name in "xxy")
    assert one == again and one[:8] != other[:8]


def test_a_stranger_speaks_the_first_version_correctly():
    message = Message1.decode(main_mode("x", "aes256-sha256-ecp256"))
    assert message.exchange == ExchangeType1.MAIN_MODE and message.header.spi_r == bytes(8) != message.header.spi_i
    (transform,) = message.need(SA1).proposals[0].transforms
    assert transform.get(Phase1.AUTHENTICATION) == AuthMethod1.PRE_SHARED_KEY
    assert main_mode("x", "aes256-sha256-ecp256")[:8] != main_mode("y", "aes256-sha256-ecp256")[:8]


class Sent:
    """A raw socket that keeps what is sent."""

    def __init__(self):
        self.packets = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def sendto(self, packet, address):
        self.packets.append((IPv4.decode(packet), address))

    def socket(self, *_):
        return self


def test_each_datagram_of_a_flood_has_an_address_of_its_own_that_nobody_has():
    sent = Sent()
    Spoofer(sent, "198.51.100.2").send([b"one", b"two"])
    Spoofer(sent, "198.51.100.2").send([b"three"], first=2)
    assert [UDP.decode(packet.payload).payload for packet, _ in sent.packets] == [b"one", b"two", b"three"]
    assert {UDP.decode(packet.payload).dport for packet, _ in sent.packets} == {500}
    assert {str(packet.dst) for packet, _ in sent.packets} == {"198.51.100.2"}
    sources = {packet.src for packet, _ in sent.packets}
    assert len(sources) == 3 and all(source in NOBODYS for source in sources)
    assert ip_address("198.18.0.0") not in sources
