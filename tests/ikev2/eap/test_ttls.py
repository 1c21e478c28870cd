"""EAP-TTLS with MSCHAPv2 inside: both TLS versions, who is refused by what, hostile packets."""

import random

import pytest

from lab.errors import ProtocolError
from lab.ikev2.eap.method import Run
from lab.ikev2.eap.methods import allowed
from lab.ikev2.eap.session import Authenticator, Peer
from lab.wire.eap import EAP_MESSAGE, Avp, EapCode, EapType, Packet
from tests.ikev2.eap.test_session import converse, mutations, tolerate
from tests.ikev2.eap.tls_terms import terms
from tests.pair import seeded

VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])
PASSWORDS = {b"carol": b"Ar3etTnp"}


def sides(
    version: str, *, word: str = "eap-ttls", gateway: str = "gateway", by: str = "root", password: bytes = b"Ar3etTnp"
):
    known = {b"carol": password}
    peer = Run(b"carol", b"gateway", known.get, seeded("peer"), tls=terms(None, version))
    server = Run(b"?", b"gateway", PASSWORDS.get, seeded("server"), tls=terms(gateway, by=by))
    methods = allowed(word)
    return Peer(methods, peer), Authenticator(methods, server, ask_identity=True)


@VERSIONS
def test_success(version: str) -> None:
    peer, authenticator = sides(version)
    packets = converse(peer, authenticator)
    assert peer.succeeded and authenticator.succeeded
    assert peer.run.msk == authenticator.run.msk and len(peer.run.msk) == 64
    inside = b"".join(packet.data for packet in packets if packet.type == EapType.TTLS)
    assert b"carol" not in inside, "the inner identity travels inside TLS"


@VERSIONS
def test_a_wrong_password(version: str) -> None:
    peer, authenticator = sides(version, password=b"guess")
    with pytest.raises(ProtocolError, match=r"peer refuses carol by eap-ttls: authentication failure \(691\)"):
        converse(peer, authenticator)
    assert authenticator.run.reason == "EAP-MSCHAPv2 of carol does not verify: its password is not ours"


@VERSIONS
@pytest.mark.parametrize("wrong", [{"gateway": "mallory"}, {"by": "other"}])
def test_a_false_authenticator_never_hears_of_the_password(version: str, wrong: dict[str, str]) -> None:
    peer, authenticator = sides(version, **wrong)
    packet = authenticator.begin()
    while (answer := peer.receive(packet)) is not None:
        packet = authenticator.receive(answer)
    assert "mallory" in peer.run.reason or "other" in peer.run.reason
    assert not peer.run.complete and not authenticator.succeeded


def at(version: str, steps: int, word: str = "eap-ttls"):
    peer, authenticator = sides(version, word=word)
    packet = authenticator.begin()
    for number in range(steps):
        packet = peer.receive(packet) if number % 2 == 0 else authenticator.receive(packet)
        assert packet is not None
    return (peer if steps % 2 == 0 else authenticator), packet


@VERSIONS
def test_a_success_that_comes_early(version: str) -> None:
    # The peer's last response acknowledges the Success of the inner method: before it, no outer one is believed.
    for step in range(2, len(converse(*sides(version))) - 2, 2):
        peer, _ = at(version, step)
        with pytest.raises(ProtocolError, match="before the method was at its end"):
            peer.receive(Packet(EapCode.SUCCESS, 9))


@VERSIONS
def test_cut_and_mutated_packets(version: str) -> None:
    rng = random.Random(version)
    refused, last = 0, len(converse(*sides(version))) - 2
    for step in range(2, last + 1):
        whole = at(version, step)[1]
        cuts = [whole.data[:length] for length in rng.sample(range(len(whole.data)), min(8, len(whole.data)))]
        for data in [*cuts, *mutations(whole.data, rng, 12)]:
            if data[1:] == whole.data[1:]:
                continue  # only flags have changed, some of which are reserved
            side, _ = at(version, step)
            refused += tolerate(side.receive, Packet(whole.code, whole.identifier, whole.type, data))
            refused += bool(side.run.reason or side.run.told)
            assert not side.succeeded
    assert refused > 20


def test_attributes() -> None:
    # RFC 5281 10.1, by hand: EAP-Message, mandatory, 13 octets, padded to 16.
    octets = bytes.fromhex("0000004f" + "4000000d" + "0207000501" + "000000")
    (avp,) = Avp.decode_all(octets)
    assert avp == Avp(EAP_MESSAGE, bytes.fromhex("0207000501"))
    assert avp.encode() == octets
    vendor = Avp(11, b"abcd", vendor=311, mandatory=False)
    assert Avp.decode_all(avp.encode() + vendor.encode()) == (avp, vendor)
    for length in range(1, 13):
        with pytest.raises(ProtocolError):
            Avp.decode_all(octets[:length])
    with pytest.raises(ProtocolError):
        Avp.decode_all(bytes.fromhex("0000004f" + "40000003" + "00000000"))


def test_random_attributes_raise_nothing_else() -> None:
    rng = random.Random(1)
    for _ in range(5000):
        octets = bytearray(rng.randbytes(rng.randrange(40)))
        octets[5:7] = bytes(len(octets[5:7]))
        try:
            found = Avp.decode_all(bytes(octets))
        except ProtocolError:
            continue
        assert Avp.decode_all(b"".join(avp.encode() for avp in found)) == found
