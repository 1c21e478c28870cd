"""EAP conversations: both roles of every method against each other, negotiation, hostile packets."""

import random
from collections.abc import Callable, Iterator

import pytest

from lab.errors import ProtocolError
from lab.ike.means import EAP_WORDS
from lab.ikev2.eap.method import Run
from lab.ikev2.eap.methods import METHODS, allowed
from lab.ikev2.eap.session import MOST_ROUNDS, Authenticator, Peer
from lab.wire.eap import Chap, ChapCode, EapCode, EapType, Packet
from tests.pair import seeded

BY_PASSWORD = ("eap-mschapv2", "eap-md5")
EACH = pytest.mark.parametrize("word", BY_PASSWORD)
PASSWORDS = {b"carol": b"Ar3etTnp", b"LAB\\dave": "gr\u00fcn".encode(), b"odd": b"\xff\xfe"}


def run(user: bytes = b"carol", seed: str = "peer", **passwords: bytes) -> Run:
    known = PASSWORDS | {name.encode(): secret for name, secret in passwords.items()}
    return Run(user, b"gateway", known.get, seeded(seed))


def sides(word: str, *, user: bytes = b"carol", ask: bool = True, server: str = "") -> tuple[Peer, Authenticator]:
    methods = [method for method in allowed(server or word) if method.word in BY_PASSWORD]
    authenticator = Authenticator(methods, run(b"?" if ask else user, "server"), ask_identity=ask)
    return Peer(allowed(word), run(user)), authenticator


def converse(peer: Peer, authenticator: Authenticator) -> list[Packet]:
    """Every packet, in order, to the end."""
    packets = [authenticator.begin()]
    while (answer := peer.receive(Packet.decode(packets[-1].encode()))) is not None:
        packets += [answer, authenticator.receive(Packet.decode(answer.encode()))]
    return packets


def test_the_words_of_the_configuration_are_those_of_the_table() -> None:
    assert set(EAP_WORDS) == {"eap", "eap-dynamic", *METHODS}


@EACH
@pytest.mark.parametrize("user", PASSWORDS)
@pytest.mark.parametrize("ask", [True, False])
def test_success(word: str, user: bytes, ask: bool) -> None:
    peer, authenticator = sides(word, user=user, ask=ask)
    packets = converse(peer, authenticator)
    assert peer.succeeded and authenticator.succeeded and not authenticator.failed
    assert peer.run.msk == authenticator.run.msk
    assert authenticator.run.user == user
    assert packets[-1].code == EapCode.SUCCESS
    assert packets[-1].identifier == packets[-2].identifier
    requests = [p.identifier for p in packets if p.code == EapCode.REQUEST]
    assert len(set(requests)) == len(requests), "every request has an identifier of its own"


def test_which_methods_make_a_key() -> None:
    keys = {}
    for word in BY_PASSWORD:
        peer, authenticator = sides(word)
        converse(peer, authenticator)
        keys[word] = len(peer.run.msk)
    assert keys == {"eap-mschapv2": 64, "eap-md5": 0}


@EACH
def test_a_wrong_password(word: str) -> None:
    _, authenticator = sides(word)
    peer = Peer(allowed(word), run(carol=b"guess"))
    with pytest.raises(ProtocolError, match=f"peer refuses carol by {word}"):
        converse(peer, authenticator)
    assert authenticator.failed and not peer.succeeded
    assert authenticator.run.reason.endswith("of carol does not verify: its password is not ours")


@EACH
def test_a_user_whom_nobody_knows(word: str) -> None:
    _, authenticator = sides(word)
    with pytest.raises(ProtocolError, match="peer refuses"):
        converse(Peer(allowed(word), run(b"eve", eve=b"x")), authenticator)
    assert authenticator.run.reason == "we hold no EAP secret for eve"


@EACH
def test_a_peer_without_a_password(word: str) -> None:
    _, authenticator = sides(word)
    with pytest.raises(ProtocolError, match="we hold no EAP secret for eve"):
        converse(Peer(allowed(word), run(b"eve")), authenticator)


def test_mschapv2_failure_is_told_in_words() -> None:
    peer, authenticator = Peer(allowed("eap-mschapv2"), run(carol=b"guess")), sides("eap-mschapv2")[1]
    with pytest.raises(ProtocolError, match=r"authentication failure \(691\)"):
        converse(peer, authenticator)


def test_mschapv2_an_authenticator_that_does_not_know_the_password() -> None:
    peer, authenticator = sides("eap-mschapv2")
    answer = peer.receive(authenticator.begin())
    answer = peer.receive(authenticator.receive(answer))
    success = Chap(ChapCode.SUCCESS, 1, b"S=" + b"0" * 40 + b" M=trust me").encode()
    assert peer.receive(Packet(EapCode.REQUEST, 99, EapType.MSCHAPV2, success)) is None
    assert peer.run.reason == "EAP-MSCHAPv2: the authenticator does not know the password of carol"
    assert not peer.succeeded
    with pytest.raises(ProtocolError, match="before the method was at its end"):
        peer.receive(Packet(EapCode.SUCCESS, 99))


def test_mschapv2_another_name_than_the_identity() -> None:
    # Dave knows his own password and says he is carol: the password of one must not open the door of another.
    authenticator = Authenticator(allowed("eap-mschapv2"), run(b"carol", dave=b"x"), ask_identity=False)
    with pytest.raises(ProtocolError, match="peer refuses dave"):
        converse(Peer(allowed("eap-mschapv2"), run(b"dave", dave=b"x")), authenticator)
    assert authenticator.run.reason == "EAP-MSCHAPv2 is run as dave, but the identity is carol"


def test_nak_brings_another_method() -> None:
    peer, authenticator = sides("eap-md5", server="eap-dynamic")
    packets = converse(peer, authenticator)
    kinds = [p.type for p in packets if p.type is not None]
    assert kinds == [EapType.IDENTITY] * 2 + [EapType.MSCHAPV2, EapType.NAK] + [EapType.MD5] * 2
    assert authenticator.succeeded


def test_nak_for_what_we_do_not_allow() -> None:
    peer, authenticator = sides("eap-md5", server="eap-mschapv2")
    with pytest.raises(ProtocolError, match="peer refuses carol"):
        converse(peer, authenticator)
    assert authenticator.run.reason == "peer does not take eap-mschapv2; it wants MD5; we allow eap-mschapv2"


def test_nak_once_a_method_runs() -> None:
    peer, authenticator = sides("eap-mschapv2", server="eap-dynamic", ask=False)
    request = authenticator.receive(peer.receive(authenticator.begin()))
    with pytest.raises(ProtocolError, match="Nak in the middle"):
        authenticator.receive(Packet(EapCode.RESPONSE, request.identifier, EapType.NAK, b"\x04"))


def test_another_method_while_one_runs() -> None:
    peer, authenticator = sides("eap", server="eap-mschapv2", ask=False)
    peer.receive(authenticator.begin())
    for kind in (EapType.MD5, EapType.IDENTITY):
        with pytest.raises(ProtocolError, match=r"while eap-mschapv2 runs|middle of a method"):
            peer.receive(Packet(EapCode.REQUEST, 77, kind, b"\x01x"))


@EACH
def test_a_success_that_comes_early(word: str) -> None:
    peer, authenticator = sides(word)
    peer.receive(authenticator.begin())
    with pytest.raises(ProtocolError, match="before the method was at its end"):
        peer.receive(Packet(EapCode.SUCCESS, 1))


def test_notifications_are_answered() -> None:
    answer = Peer(allowed("eap"), run()).receive(Packet(EapCode.REQUEST, 3, EapType.NOTIFICATION, b"mind the gap"))
    assert answer == Packet(EapCode.RESPONSE, 3, EapType.NOTIFICATION)


@EACH
def test_wrong_identifiers(word: str) -> None:
    peer, authenticator = sides(word)
    request = authenticator.begin()
    while request.code == EapCode.REQUEST:
        answer = peer.receive(request)
        for wrong in {(answer.identifier + by) % 256 for by in (1, 128, 255)}:
            with pytest.raises(ProtocolError, match="to request"):
                authenticator.receive(Packet(answer.code, wrong, answer.type, answer.data))
        request = authenticator.receive(answer)
    assert authenticator.succeeded, "what was wrong has changed nothing"


@EACH
def test_codes_that_are_not_due(word: str) -> None:
    peer, authenticator = sides(word)
    request = authenticator.begin()
    with pytest.raises(ProtocolError, match="where a response is due"):
        authenticator.receive(request)
    with pytest.raises(ProtocolError, match="where a request is due"):
        peer.receive(peer.receive(request))


def test_endless_rounds() -> None:
    peer = Peer(allowed("eap"), run())
    for number in range(MOST_ROUNDS):
        peer.receive(Packet(EapCode.REQUEST, number, EapType.IDENTITY))
    with pytest.raises(ProtocolError, match="does not end within"):
        peer.receive(Packet(EapCode.REQUEST, 99, EapType.IDENTITY))
    authenticator = sides("eap-md5")[1]
    request = authenticator.begin()
    for _ in range(MOST_ROUNDS):
        with pytest.raises(ProtocolError, match="where the identity is due"):
            authenticator.receive(Packet(EapCode.RESPONSE, request.identifier, EapType.MD5, b""))
    with pytest.raises(ProtocolError, match="does not end within"):
        authenticator.receive(Packet(EapCode.RESPONSE, request.identifier, EapType.IDENTITY, b"carol"))


@pytest.mark.parametrize("identity", [b"", bytes(5000)])
def test_identities_of_no_sense(identity: bytes) -> None:
    authenticator = sides("eap-md5")[1]
    request = authenticator.begin()
    with pytest.raises(ProtocolError, match="EAP identity of"):
        authenticator.receive(Packet(EapCode.RESPONSE, request.identifier, EapType.IDENTITY, identity))


# -- every packet of every method, cut and changed


def at(word: str, steps: int) -> tuple[Callable[[Packet], object], Packet]:
    """The side that is about to receive packet number `steps`, and that packet."""
    peer, authenticator = sides(word)
    packet = authenticator.begin()
    for number in range(steps):
        packet = peer.receive(packet) if number % 2 == 0 else authenticator.receive(packet)
        assert packet is not None
    return (peer.receive if steps % 2 == 0 else authenticator.receive), packet


def mutations(data: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        out = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4))):
            where = rng.randrange(len(out) + 1)
            kind = rng.randrange(4)
            if kind == 0 and where < len(out):
                out[where] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            elif kind == 1:
                del out[where:]
            elif kind == 2:
                out[where:where] = rng.randbytes(rng.randrange(1, 9))
            else:
                del out[where : where + rng.randrange(1, 9)]
        yield bytes(out)


def tolerate(receive: Callable[[Packet], object], packet: Packet) -> bool:
    """Whether it was refused; anything but a ProtocolError or an answer fails the test."""
    try:
        answer = receive(packet)
    except ProtocolError as error:
        assert error.reason
        return True
    assert answer is None or isinstance(answer, Packet)
    return False


@EACH
def test_every_cut_of_every_packet(word: str) -> None:
    for step in range(len(converse(*sides(word)))):
        whole = at(word, step)[1]
        for length in range(len(whole.data)):
            receive, _ = at(word, step)
            tolerate(receive, Packet(whole.code, whole.identifier, whole.type, whole.data[:length]))


@EACH
def test_mutated_packets(word: str) -> None:
    rng = random.Random(word)
    refused = 0
    for step in range(len(converse(*sides(word)))):
        _, whole = at(word, step)
        for octets in mutations(whole.encode(), rng, 60):
            receive, _ = at(word, step)
            fixed = octets[:2] + len(octets).to_bytes(2, "big") + octets[4:]
            try:
                refused += tolerate(receive, Packet.decode(fixed if len(octets) >= 4 else octets))
            except ProtocolError:
                refused += 1
    assert refused > 50
