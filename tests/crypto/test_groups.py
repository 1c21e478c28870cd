"""Key exchange methods: agreement, replay, and every kind of invalid value."""

from random import Random

import pytest

from lab.crypto import modp, registry
from lab.crypto.groups import GroupSpec
from lab.errors import ProtocolError
from lab.wire.ids import KeMethod, NotifyType

ALL = [pytest.param(spec, id=word) for word, spec in registry.GROUP]
MODP = [pytest.param(spec, id=word) for word, spec in registry.GROUP if word.startswith("modp")]
ECP = [pytest.param(spec, id=word) for word, spec in registry.GROUP if word.startswith("ecp")]
KEM = (KeMethod.ML_KEM_768, KeMethod.ML_KEM_1024)


@pytest.mark.parametrize("group", ALL)
def test_both_sides_agree(group: GroupSpec) -> None:
    pair = group.generate(Random(1).randbytes)
    public, secret = group.respond(Random(2).randbytes, pair.public)
    assert (len(pair.public), len(public)) == (group.initiator_octets, group.responder_octets)
    assert pair.shared(public) == secret
    assert len(secret) == group.secret_octets
    assert any(secret)


@pytest.mark.parametrize("group", ALL)
def test_runs_replay(group: GroupSpec) -> None:
    first, second = (group.generate(Random(7).randbytes).public for _ in range(2))
    assert first == second
    assert first != group.generate(Random(8).randbytes).public
    if group.id not in KEM:
        assert group.respond(Random(9).randbytes, first) == group.respond(Random(9).randbytes, first)


@pytest.mark.parametrize("group", ALL)
def test_wrong_length(group: GroupSpec) -> None:
    pair = group.generate(Random(1).randbytes)
    public, _ = group.respond(Random(2).randbytes, pair.public)
    for wrong in (b"", public[:-1], public + b"\0", b"\4" + public):
        with pytest.raises(ProtocolError, match="KE data has") as caught:
            pair.shared(wrong)
        assert caught.value.notify == NotifyType.INVALID_SYNTAX
    for wrong in (b"", pair.public[1:], pair.public + b"\0"):
        with pytest.raises(ProtocolError, match="KE data has"):
            group.respond(Random(2).randbytes, wrong)


@pytest.mark.parametrize("group", MODP)
def test_modp_range(group: GroupSpec) -> None:
    """RFC 6989 2.1: 1 < r < p - 1."""
    pair = group.generate(Random(1).randbytes)
    p = pair.modulus
    for value in (0, 1, p - 1, p, p + 1, (1 << 8 * group.initiator_octets) - 1):
        with pytest.raises(ProtocolError, match="out of range"):
            pair.shared(value.to_bytes(group.initiator_octets, "big"))
    for value in (2, p - 2):
        assert len(pair.shared(value.to_bytes(group.initiator_octets, "big"))) == group.secret_octets


def test_modp_secret_keeps_leading_zeros() -> None:
    """The 1-in-256 failure: the secret is as long as the prime even where it starts with zeros."""
    group = registry.group(KeMethod.MODP_1024)
    p = modp.prime(1024, 129093)
    peer = pow(2, 12345, p)
    exponent = next(e for e in range(2, 5000) if pow(peer, e, p) >> 1016 == 0)
    secret = modp.from_exponent(p, exponent).shared(peer.to_bytes(128, "big"))
    assert (len(secret), secret[0]) == (group.secret_octets, 0)
    public = next(pair.public for e in range(2, 5000) if not (pair := modp.from_exponent(p, e)).public[0])
    assert len(public) == 128


@pytest.mark.parametrize("group", ECP)
def test_points_off_the_curve(group: GroupSpec) -> None:
    pair = group.generate(Random(1).randbytes)
    other = bytearray(group.generate(Random(2).randbytes).public)
    other[-1] ^= 1
    for point in (bytes(other), bytes(len(other)), b"\xff" * len(other)):
        with pytest.raises(ProtocolError, match="not on the curve") as caught:
            pair.shared(point)
        assert caught.value.notify == NotifyType.INVALID_SYNTAX


def test_ecp_secret_keeps_leading_zeros() -> None:
    group = registry.group(KeMethod.ECP_256)
    mine = group.generate(Random(0).randbytes)
    secrets = (mine.shared(group.generate(Random(seed).randbytes).public) for seed in range(1, 5000))
    short = next(secret for secret in secrets if secret[0] == 0)
    assert len(short) == 32


@pytest.mark.parametrize("word", ["x25519", "x448"])
def test_values_of_small_order(word: str) -> None:
    """RFC 8031 3.1 leaves the check to the implementer; a zero secret would let anyone read."""
    group = dict(registry.GROUP)[word]
    for value in (0, 1):
        point = value.to_bytes(group.initiator_octets, "little")
        with pytest.raises(ProtocolError, match="small order"):
            group.generate(Random(1).randbytes).shared(point)
        with pytest.raises(ProtocolError, match="small order"):
            group.respond(Random(1).randbytes, point)


@pytest.mark.parametrize("word", ["mlkem768", "mlkem1024"])
def test_ml_kem(word: str) -> None:
    group = dict(registry.GROUP)[word]
    pair = group.generate(Random(1).randbytes)
    ciphertext, secret = group.respond(Random(2).randbytes, pair.public)
    forged = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert pair.shared(forged) != secret, "implicit rejection: another secret, not an error (FIPS 203 6.3)"
    with pytest.raises(ProtocolError, match="modulus check"):
        group.respond(Random(2).randbytes, b"\xff" * group.initiator_octets)
