"""PEAP version 0 with MSCHAPv2 inside: both TLS versions, who is refused by what, the Result TLV, hostile packets."""

import random

import pytest

from lab.crypto.tls import Session
from lab.errors import ProtocolError
from lab.ikev2.eap.session import Peer
from lab.wire import peap
from lab.wire.eap import EapCode, EapType, Packet, TlsFrame
from tests.ikev2.eap.test_session import converse, mutations, tolerate
from tests.ikev2.eap.test_ttls import VERSIONS, at, sides

WORD = "eap-peap"
GOOD = peap.result(EapCode.REQUEST, 9, success=True)


@pytest.fixture
def inside(monkeypatch) -> list[bytes]:
    """What both sides say inside TLS, in order."""
    said: list[bytes] = []
    send = Session.send

    def tap(tls: Session, data: bytes) -> None:
        said.append(data)
        send(tls, data)

    monkeypatch.setattr(Session, "send", tap)
    return said


@VERSIONS
def test_success(version: str, inside: list[bytes]) -> None:
    peer, authenticator = sides(version, word=WORD)
    packets = converse(peer, authenticator)
    assert peer.succeeded and authenticator.succeeded
    assert peer.run.msk == authenticator.run.msk and len(peer.run.msk) == 64
    outside = b"".join(packet.data for packet in packets if packet.type == EapType.PEAP)
    assert b"carol" not in outside, "the inner identity travels inside TLS"
    # {Identity}, {Identity: carol}, MSCHAPv2 without EAP headers, {Extensions: Result} with one, and its answer.
    assert inside[:2] == [b"\x01", b"\x01carol"]
    assert [data[0] for data in inside[2:-2]] == [EapType.MSCHAPV2] * 4
    asked, agreed = inside[-2:]
    assert asked[:1] == b"\x01" and asked[2:] == bytes.fromhex("000b21800300020001")
    assert agreed == b"\x02" + asked[1:]


@VERSIONS
def test_the_handshake_of_tls_1_2_is_acknowledged_before_anything_is_said_inside(version: str) -> None:
    packets = converse(*sides(version, word=WORD))
    empty = [
        p for p in packets if p.code == EapCode.RESPONSE and p.type == EapType.PEAP and not TlsFrame.decode(p.data).data
    ]
    acknowledged = [TlsFrame.decode(packets[packets.index(p) - 1].data).more for p in empty]
    assert acknowledged.count(False) == (1 if version == "1.2" else 0)


@VERSIONS
def test_every_frame_is_of_version_0(version: str) -> None:
    packets = converse(*sides(version, word=WORD))
    frames = [TlsFrame.decode(p.data) for p in packets if p.type == EapType.PEAP]
    assert {frame.version for frame in frames} == {0}
    assert [frame.start for frame in frames].count(True) == 1


@VERSIONS
def test_a_wrong_password(version: str, inside: list[bytes]) -> None:
    peer, authenticator = sides(version, word=WORD, password=b"guess")
    with pytest.raises(ProtocolError, match=r"peer refuses carol by eap-peap: authentication failure \(691\)"):
        converse(peer, authenticator)
    assert authenticator.run.reason == "EAP-MSCHAPv2 of carol does not verify: its password is not ours"
    assert [data[-2:] for data in inside[-2:]] == [b"\0\2", b"\0\2"], "both say Failure in their Result TLV"
    assert not peer.run.complete


@VERSIONS
@pytest.mark.parametrize("wrong", [{"gateway": "mallory"}, {"by": "other"}])
def test_a_false_authenticator_never_hears_of_the_password(version: str, wrong: dict[str, str], inside) -> None:
    peer, authenticator = sides(version, word=WORD, **wrong)
    packet = authenticator.begin()
    while (answer := peer.receive(packet)) is not None:
        packet = authenticator.receive(answer)
    assert "mallory" in peer.run.reason or "other" in peer.run.reason
    assert not peer.run.complete and not authenticator.succeeded
    assert not any(b"carol" in data for data in inside)


@VERSIONS
def test_a_result_that_comes_early_is_not_agreed_to(version: str, monkeypatch) -> None:
    """An authenticator that knows no password would skip the inner method; the peer says Failure and believes none."""
    peer, authenticator = sides(version, word=WORD)
    genuine, told = peap.wrap, []

    def early(packet: Packet) -> bytes:
        if packet.code == EapCode.REQUEST and packet.type == EapType.MSCHAPV2:
            packet = GOOD
        if packet.type == EapType.EXTENSIONS:
            told.append((packet.code, peap.succeeded(packet)))
        return genuine(packet)

    monkeypatch.setattr(peap, "wrap", early)
    with pytest.raises(ProtocolError):
        converse(peer, authenticator)
    assert told == [(EapCode.REQUEST, True), (EapCode.RESPONSE, False)]
    assert not peer.run.complete and not peer.succeeded
    with pytest.raises(ProtocolError, match="before the method was at its end"):
        peer.receive(Packet(EapCode.SUCCESS, 9))


@VERSIONS
def test_a_peer_that_does_not_agree_to_the_result_is_refused(version: str, monkeypatch) -> None:
    peer, authenticator = sides(version, word=WORD)
    genuine = peap.result
    monkeypatch.setattr(peap, "result", lambda code, n, *, success: genuine(code, n, success=code == EapCode.REQUEST))
    with pytest.raises(ProtocolError, match="peer refuses carol"):
        converse(peer, authenticator)
    assert authenticator.run.reason == "peer does not agree to the Result of PEAP"
    assert authenticator.failed


@VERSIONS
def test_a_success_that_comes_early(version: str) -> None:
    for step in range(2, len(converse(*sides(version, word=WORD))) - 2, 2):
        peer, _ = at(version, step, WORD)
        assert isinstance(peer, Peer)
        with pytest.raises(ProtocolError, match="before the method was at its end"):
            peer.receive(Packet(EapCode.SUCCESS, 9))


@VERSIONS
def test_cut_and_mutated_packets(version: str) -> None:
    rng = random.Random(version)
    refused, last = 0, len(converse(*sides(version, word=WORD))) - 2
    for step in range(2, last + 1):
        whole = at(version, step, WORD)[1]
        cuts = [whole.data[:length] for length in rng.sample(range(len(whole.data)), min(8, len(whole.data)))]
        for data in [*cuts, *mutations(whole.data, rng, 12)]:
            if data[1:] == whole.data[1:]:
                continue  # only flags have changed, some of which are reserved
            side, _ = at(version, step, WORD)
            refused += tolerate(side.receive, Packet(whole.code, whole.identifier, whole.type, data))
            refused += bool(side.run.reason or side.run.told)
            assert not side.succeeded
    assert refused > 20


@VERSIONS
def test_mutations_inside_tls(version: str, monkeypatch) -> None:
    """Whatever is said inside, nobody without the password gets in, and nothing but ProtocolError is raised."""
    rng, genuine, refused = random.Random(version), peap.wrap, 0
    for target in range(8):
        for _ in range(12):
            count = iter(range(100))

            def broken(packet: Packet, target: int = target, count=count) -> bytes:
                octets = genuine(packet)
                if next(count) != target:
                    return octets
                return rng.choice([*mutations(octets, rng, 3), octets[: rng.randrange(len(octets))] or b"\x21"])

            monkeypatch.setattr(peap, "wrap", broken)
            peer, authenticator = sides(version, word=WORD, password=b"guess")
            refused += tolerate(lambda _, p=peer, a=authenticator: converse(p, a), None)
            assert not authenticator.succeeded
    assert refused > 50
