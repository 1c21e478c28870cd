"""EAP-TLS: both versions, certificates that are refused, fragments, hostile packets."""

import random

import pytest

from lab.errors import ProtocolError
from lab.ikev2.eap import tls_link
from lab.ikev2.eap.method import Run
from lab.ikev2.eap.methods import allowed
from lab.ikev2.eap.session import Authenticator, Peer
from lab.wire.eap import EapCode, EapType, Packet, TlsFrame
from tests.ikev2.eap.test_session import converse, mutations, tolerate
from tests.ikev2.eap.tls_terms import terms
from tests.pair import seeded

VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])


def sides(
    *versions: str, carol: str | None = "carol", gateway: str = "gateway", carol_by: str = "root", by: str = "root"
) -> tuple[Peer, Authenticator]:
    peer = Run(b"carol", b"gateway", lambda _: None, seeded("peer"), tls=terms(carol, *versions, by=carol_by))
    server = Run(b"?", b"gateway", lambda _: None, seeded("server"), tls=terms(gateway, by=by))
    methods = allowed("eap-tls")
    return Peer(methods, peer), Authenticator(methods, server, ask_identity=True)


@VERSIONS
def test_success(version: str) -> None:
    peer, authenticator = sides(version)
    packets = converse(peer, authenticator)
    assert peer.succeeded and authenticator.succeeded
    assert peer.run.msk == authenticator.run.msk and len(peer.run.msk) == 64
    assert packets[-1].code == EapCode.SUCCESS


def test_the_highest_common_version_is_taken() -> None:
    peer, authenticator = sides()
    converse(peer, authenticator)
    assert peer.run.msk == authenticator.run.msk


@VERSIONS
def test_fragments(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_link, "FRAGMENT", 100)
    peer, authenticator = sides(version)
    packets = converse(peer, authenticator)
    frames = [TlsFrame.decode(p.data) for p in packets if p.type == EapType.TLS]
    assert max(len(frame.data) for frame in frames) == 100
    assert any(f.more and f.length for f in frames) and any(f.more and f.length is None for f in frames)
    assert peer.run.msk == authenticator.run.msk != b""


@VERSIONS
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param({"gateway": "mallory"}, "is not gateway", id="another name"),
        pytest.param({"by": "other"}, "root", id="another CA"),
    ],
)
def test_the_peer_refuses_the_authenticator(version: str, wrong: dict[str, str], reason: str) -> None:
    peer, authenticator = sides(version, **wrong)
    packet: Packet | None = authenticator.begin()
    while packet is not None and (answer := peer.receive(packet)) is not None:
        packet = authenticator.receive(answer)
    assert not peer.succeeded and not peer.run.complete and not peer.run.msk
    assert not authenticator.succeeded
    assert "mallory" in peer.run.reason or "other" in peer.run.reason, peer.run.reason


@VERSIONS
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param({"carol": "mallory"}, '"C=CH, O=ikelab, CN=mallory" is not carol', id="another name"),
        pytest.param({"carol_by": "other"}, "other", id="another CA"),
        pytest.param({"carol": None}, "TLS handshake failed: ", id="no certificate"),
    ],
)
def test_the_authenticator_refuses_the_peer(version: str, wrong: dict[str, str], reason: str) -> None:
    peer, authenticator = sides(version, **wrong)
    with pytest.raises(ProtocolError, match="peer refuses carol by eap-tls"):
        converse(peer, authenticator)
    assert not peer.succeeded and authenticator.failed
    assert reason in authenticator.run.reason
    assert not authenticator.run.msk


def test_versions_that_have_nothing_in_common() -> None:
    peer, authenticator = sides("1.2")
    authenticator.run.tls = terms("gateway", "1.3")
    with pytest.raises(ProtocolError, match=r"peer refuses carol by eap-tls: TLS handshake failed: .*version"):
        converse(peer, authenticator)
    assert "unsupported protocol" in authenticator.run.reason


def test_an_authenticator_without_a_certificate() -> None:
    peer, authenticator = sides()
    authenticator.run.tls = terms(None)
    with pytest.raises(ProtocolError, match="we hold no certificate"):
        converse(peer, authenticator)


def packets_of(version: str) -> int:
    return len(converse(*sides(version)))


def at(version: str, steps: int):
    peer, authenticator = sides(version)
    packet = authenticator.begin()
    for number in range(steps):
        packet = peer.receive(packet) if number % 2 == 0 else authenticator.receive(packet)
        assert packet is not None
    return (peer if steps % 2 == 0 else authenticator), packet


@VERSIONS
def test_a_success_that_comes_early(version: str) -> None:
    for step in range(2, packets_of(version) - 2, 2):
        peer, _ = at(version, step)
        with pytest.raises(ProtocolError, match="before the method was at its end"):
            peer.receive(Packet(EapCode.SUCCESS, 9))


@VERSIONS
def test_cut_and_mutated_packets(version: str) -> None:
    rng = random.Random(version)
    refused = 0
    last = packets_of(version) - 2
    for step in range(2, last + 1):
        whole = at(version, step)[1]
        cuts = [whole.data[:length] for length in rng.sample(range(len(whole.data)), min(12, len(whole.data)))]
        for data in [*cuts, *mutations(whole.data, rng, 20)]:
            side, _ = at(version, step)
            refused += tolerate(side.receive, Packet(whole.code, whole.identifier, whole.type, data))
            refused += bool(side.run.reason or side.run.told)
            # The last acknowledgement of a peer that has been judged already says nothing.
            assert not side.succeeded or step == last
    assert refused > 20


def test_frames() -> None:
    for octets, frame in {
        "20": TlsFrame(start=True),
        "00": TlsFrame(),
        "c000000400aabb": TlsFrame(b"\xaa\xbb", more=True, length=1024),
        "01": TlsFrame(version=1),
    }.items():
        assert TlsFrame.decode(bytes.fromhex(octets)) == frame
        assert frame.encode().hex() == octets
    for cut in ("", "80", "80000004"):
        with pytest.raises(ProtocolError):
            TlsFrame.decode(bytes.fromhex(cut))


def test_a_message_without_end() -> None:
    walk = tls_link.exchange(b"hello")
    next(walk)
    with pytest.raises(ProtocolError, match="more than 65536 octets"):
        for _ in range(1000):
            walk.send(TlsFrame(bytes(1000), more=True, length=4_000_000_000).encode())


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([TlsFrame(b"", more=True)], "without octets"),
        ([TlsFrame(b"x" * 9, length=10)], "announced as 10"),
        ([TlsFrame(start=True)], "announced"),
    ],
)
def test_frames_that_do_not_fit(frames: list[TlsFrame], reason: str) -> None:
    walk = tls_link.exchange(b"hello")
    next(walk)
    with pytest.raises(ProtocolError, match=reason):
        for frame in frames:
            walk.send(frame.encode())


def test_a_fragment_that_is_not_acknowledged() -> None:
    walk = tls_link.exchange(bytes(5000))
    next(walk)
    with pytest.raises(ProtocolError, match="acknowledgement"):
        walk.send(TlsFrame(b"data").encode())


def test_no_start() -> None:
    with pytest.raises(ProtocolError, match="without a Start"):
        sides()[0].receive(Packet(EapCode.REQUEST, 1, EapType.TLS, b"\0"))
