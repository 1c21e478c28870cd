"""RFC 7383: messages in fragments, both ways, lost, doubled, late, forged, cut anew; what is kept stays bounded."""

from dataclasses import replace

import pytest

from lab.errors import ConfigError, ProtocolError
from lab.ike.config import load
from lab.ikev2.fragments import MOST_FRAGMENTS, MOST_SETS, Reassembly
from lab.wire.fragments import split
from lab.wire.header import Header
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads_v2 import VendorId
from lab.wire.sealed import EncryptedFragment
from tests.pair import LEFT, RIGHT, Datagram, Pair, Predicate, engine_of, mirrored, net

AUTH = ExchangeType.IKE_AUTH
SMALL = "fragment_size = 256"
ROOM = 256 - 20 - 8  # what IP and UDP leave, the non-ESP marker included
BOTH = pytest.mark.parametrize("by", ["left", "right"])


# So many selectors that the request of IKE_AUTH needs three fragments of this size, and the response two.
LONG = "10.1.0.0/24, " + ", ".join(f"10.1.{n}.0/24" for n in (2, 4, 6, 8))


def small(connection: str = "", settings: str = SMALL) -> str:
    return net(connection, settings=settings).replace("local_ts = 10.1.0.0/24", f"local_ts = {LONG}")


def skf(datagram: Datagram) -> EncryptedFragment | None:
    if datagram.keepalive or datagram.header.next_payload != PayloadType.SKF:
        return None
    sealed = Message.decode(datagram.ike).sealed
    assert isinstance(sealed, EncryptedFragment)
    return sealed


def fragment(number: int, *, response: bool = False, exchange: ExchangeType = AUTH) -> Predicate:
    """A fragment of a request or of a response."""

    def predicate(datagram: Datagram) -> bool:
        found = skf(datagram)
        header = datagram.header
        return found is not None and (found.number, header.response, header.exchange) == (number, response, exchange)

    return predicate


def pieces(pair: Pair) -> list[tuple[bool, int, int]]:
    return [(d.header.response, f.number, f.total) for d in pair.wire.sent if (f := skf(d)) is not None]


@BOTH
def test_what_is_too_long_goes_in_fragments(by: str) -> None:
    # HDR, SKF {..., 1/3} --> ... HDR, SKF {..., 3/3} -->    <-- HDR, SKF {..., 1/2}  <-- HDR, SKF {..., 2/2}
    pair = Pair(small()).initiate(by)
    pair.check()
    assert pieces(pair) == [(False, 1, 3), (False, 2, 3), (False, 3, 3), (True, 1, 2), (True, 2, 2)]
    assert all(len(d.data) <= ROOM for d in pair.wire.sent if d.header.exchange != ExchangeType.IKE_SA_INIT)
    first = [found.first for d in pair.wire.sent if (found := skf(d)) is not None]
    assert first == [PayloadType.IDi, PayloadType.NONE, PayloadType.NONE, PayloadType.IDr, PayloadType.NONE]


def test_rekeyed_ike_sas_go_on_in_fragments() -> None:
    pair = Pair(small("proposals = aes128-sha256-modp2048")).initiate()
    for _ in range(2):
        pair.left.do("rekey")
        pair.wait(10)
    pair.left.do("rekey", child="net")
    pair.wait(10)
    pair.check()
    rekeyed = [d for d in pair.wire.sent if skf(d) and d.header.exchange == ExchangeType.CREATE_CHILD_SA]
    assert len({d.header.spi_i for d in rekeyed}) >= 2
    assert pair.left.up == pair.right.up == ["ESTABLISHED"]


@BOTH
@pytest.mark.parametrize("response", [False, True])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("fault", ["drop", "duplicate", "delay", "spoil"])
def test_each_fragment_once(fault: str, number: int, response: bool, by: str) -> None:
    pair = Pair(small())
    which = fragment(number, response=response)
    if fault == "delay":
        pair.wire.delay(which, 0.5)
    elif fault == "spoil":
        pair.wire.change(which, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    else:
        getattr(pair.wire, fault)(which)
    pair.initiate(by)
    pair.wait(30)
    pair.check()
    assert pair.left.names == pair.right.names == ["ike-up", "child-up"]
    if fault in ("drop", "spoil"):
        assert len(pieces(pair)) > 5, "nothing was sent again"


@pytest.mark.parametrize(("ours", "theirs"), [("no", "yes"), ("yes", "no")])
def test_never_to_a_peer_that_did_not_announce_it(ours: str, theirs: str) -> None:
    pair = Pair(small(f"fragmentation = {ours}"), mirrored(small(f"fragmentation = {theirs}")))
    pair.initiate()
    pair.check()
    assert pieces(pair) == []


def test_accept_takes_fragments_and_sends_none() -> None:
    right = mirrored(small("fragmentation = accept"))
    pair = Pair(small(), right).initiate()
    pair.check()
    assert pieces(pair) == [(False, 1, 3), (False, 2, 3), (False, 3, 3)]


@pytest.mark.parametrize("number", [1, 2])
def test_only_the_first_fragment_brings_the_answer_again(number: int) -> None:
    pair = Pair(small()).initiate()
    (again,) = pair.wire.seen(fragment(number))
    before = len(pair.wire.sent)
    pair.inject(again.data, (LEFT, 500), (RIGHT, 500))
    sent = [skf(d) for d in pair.wire.sent[before:]]
    assert [(f.number, f.total) for f in sent if f] == ([(1, 2), (2, 2)] if number == 1 else [])


def test_fragments_where_none_were_agreed() -> None:
    pair = Pair(net("fragmentation = no"))
    pair.initiate()
    sa = engine_of(pair.left).sa
    header = Header(sa.spi_i, sa.spi_r, PayloadType.NONE, ExchangeType.INFORMATIONAL, 8, 2)
    assert sa.sealer is not None
    for data in split(Message(header, (VendorId(bytes(300)),)), sa.sealer, 200):
        pair.inject(data, (LEFT, 500), (RIGHT, 500))
    assert "fragment, although not both sides announced fragmentation" in pair.right.drops
    pair.check()


def test_a_fragment_cut_at_every_octet() -> None:
    pair = Pair(small()).initiate()
    sa = engine_of(pair.left).sa
    header = Header(sa.spi_i, sa.spi_r, PayloadType.NONE, ExchangeType.INFORMATIONAL, 8, 2)
    assert sa.sealer is not None
    whole = split(Message(header, (VendorId(bytes(300)),)), sa.sealer, 200)
    for data in whole:
        for length in range(len(data)):
            pair.inject(data[:length], (LEFT, 500), (RIGHT, 500))
    assert engine_of(pair.right)._incoming.octets == 0
    before = len(pair.wire.sent)
    for data in whole:
        pair.inject(data, (LEFT, 500), (RIGHT, 500))
    assert len(pair.wire.sent) == before + 1, "the whole message was not answered"
    pair.check()


class Plain:
    """An opener that lets everything through."""

    def open(self, aad: bytes, body: bytes) -> bytes:
        return body


def piece(number: int, total: int, message_id: int = 1, body: bytes = b"12345678") -> Message:
    header = Header(b"i" * 8, b"r" * 8, PayloadType.SKF, AUTH, 8, message_id)
    first = PayloadType.V if number == 1 else PayloadType.NONE
    return Message.decode(Message(header, (EncryptedFragment(first, number, total, body),)).encode())


def test_a_larger_total_replaces_the_set_and_a_smaller_one_is_dropped() -> None:
    kept = Reassembly()
    assert kept.take(piece(1, 2), Plain()) is None
    assert kept.take(piece(3, 3), Plain()) is None
    with pytest.raises(ProtocolError, match="by now"):
        kept.take(piece(2, 2), Plain())
    assert kept.octets == 8, "the old set is still there"
    with pytest.raises(ProtocolError, match="came before"):
        kept.take(piece(3, 3), Plain())
    assert kept.take(piece(1, 3, body=b"\x00\x00\x00\x0c1234"), Plain()) is None
    whole = kept.take(piece(2, 3, body=b"5678"), Plain())
    assert whole is not None and whole.chain == b"\x00\x00\x00\x0c1234567812345678"
    assert len(kept) == 0


def test_incomplete_sets_stay_bounded() -> None:
    kept = Reassembly()
    for message_id in range(1000):
        kept.take(piece(2, MOST_FRAGMENTS, message_id, bytes(1000)), Plain())
    assert len(kept) == MOST_SETS
    with pytest.raises(ProtocolError, match="at most"):
        kept.take(piece(1, MOST_FRAGMENTS + 1), Plain())
    for number in range(3, MOST_FRAGMENTS):
        try:
            kept.take(piece(number, MOST_FRAGMENTS, 999, bytes(2000)), Plain())
        except ProtocolError as error:
            assert "more than 65535 octets" in error.reason
    assert kept.octets <= 65535 + MOST_SETS * 1000


def test_a_later_fragment_that_tells_of_payloads() -> None:
    told = replace(piece(2, 2), payloads=(EncryptedFragment(PayloadType.V, 2, 2, b"x"),))
    with pytest.raises(ProtocolError, match="only the first"):
        Reassembly().take(told, Plain())


@pytest.mark.parametrize("value", ["100", "70000", "many"])
def test_sizes_that_cannot_be(value: str) -> None:
    with pytest.raises(ConfigError, match="fragment_size"):
        load(net(settings=f"fragment_size = {value}"), "x.conf")
