from lab.plugin.stranger import ike_sa_init
from lab.wire import rules
from lab.wire.ids import ExchangeType
from lab.wire.message import Message
from lab.wire.payloads_v2 import KE, SA, Nonce


def test_a_stranger_speaks_correctly():
    message = Message.decode(ike_sa_init("x", "aes256gcm16-prfsha384-x25519"))
    rules.check(message)
    assert message.header.exchange == ExchangeType.IKE_SA_INIT and message.header.spi_r == bytes(8)
    assert message.get(SA) and message.get(KE) and message.get(Nonce)


def test_strangers_differ_but_repeat_themselves():
    one, again, other = (ike_sa_init(name, "aes256gcm16-prfsha384-x25519") for name in "xxy")
    assert one == again and one[:8] != other[:8]
