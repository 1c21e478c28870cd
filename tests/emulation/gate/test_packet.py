"""Frames at the gate: what the headers say; garbage is nothing, and never an exception."""

from random import Random

from lab.emulation.gate.engine import Engine
from lab.emulation.gate.filter import parse
from lab.emulation.gate.packet import corrupted, decode, described
from lab.emulation.gate.rule import read
from lab.wire.ids import ExchangeType
from tests.emulation.gate.frames import ETHERNET, SIDES, esp, ike, packet, udp_frame


def means(text: str, frame: bytes) -> bool:
    return described(parse(text), packet(frame), SIDES)


def test_kinds() -> None:
    auth = ike(1, ExchangeType.IKE_AUTH, response=True).frame
    assert [means(text, auth) for text in ("any", "IKE", "IKE_AUTH", "IKE request", "IKE_AUTH response 2", "ESP")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    assert means("ESP", esp(1).frame) and not means("IKE", esp(1).frame)
    assert means("keepalive", udp_frame(b"\xff", 4500)) and not means("ESP", udp_frame(b"\xff", 4500))
    main_mode = bytearray(packet(auth).content)
    main_mode[17:20] = 0x10, 2, 0
    assert means("MAIN_MODE message", udp_frame(bytes(main_mode))), "an exchange of IKEv1"
    assert not means("IKE_AUTH", udp_frame(bytes(main_mode)))
    assert not means("IKE request", udp_frame(bytes(main_mode))), "IKEv1 has neither requests nor responses"


def test_sides() -> None:
    assert means("ESP from left to right", esp(1).frame) and not means("ESP from right", esp(1).frame)
    assert described(parse("ESP to left"), esp(1, back=True), SIDES)


def test_what_is_no_ipsec_is_other_and_passes() -> None:
    """Truncated at every octet, with bits flipped, and random: only `any` means it, and it goes on as it was."""
    draw = Random(7)
    whole = ike(1, ExchangeType.IKE_AUTH).frame
    frames = [whole[:size] for size in range(len(whole))]
    frames += [ETHERNET + draw.randbytes(draw.randrange(120)) for _ in range(500)]
    for _ in range(500):
        flipped = bytearray(whole)
        flipped[draw.randrange(14, len(whole))] ^= 1 << draw.randrange(8)
        frames.append(bytes(flipped))
    frames += [udp_frame(draw.randbytes(draw.randrange(60)), port) for port in (500, 4500) for _ in range(300)]
    engine = Engine(SIDES, lambda _packet: None)
    engine.add(read({"action": "drop", "filter": "IKE_SA_INIT with SA"}))
    for frame in frames:
        found = decode(frame, "west", "east")
        assert engine.take(found, 1.0) == [frame]
        assert found.facts()["kind"] in ("other", "IKE", "ESP", "AH", "keepalive")
        corrupted(found, 3, 0xFF)
    assert not any(means("IKE", whole[:size]) for size in range(len(whole)))
