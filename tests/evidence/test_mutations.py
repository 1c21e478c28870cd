"""Whatever a capture holds, there is a ladder and there are files: cut, changed and shuffled octets raise nothing."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import BrokenError, ProtocolError
from lab.evidence import annotate, clear, detail, finish, keys, wireshark
from lab.evidence.capture import Frame
from lab.evidence.scene import Scene
from lab.wire import pcapng
from tests.evidence.made import LEFT, RIGHT, RIGHT_OUT, frame
from tests.evidence.recorded import CAPTURES, frames, keys_of, places_of


def everything(name: str, changed: list[Frame]) -> Scene:
    """Make all that is made from a capture."""
    scene = Scene(changed, keys_of(name), places_of(name))
    assert len(detail.build(scene)) == len(scene.ladder)
    for made in (annotate.encode(scene, wireshark.tables(scene.keys, scene.sightings).secrets), clear.encode(scene)):
        assert pcapng.decode(made).packets
    return scene


@pytest.mark.parametrize("name", ["nat-gcm", "direct-cbc", "ipv6-gcm"])
def test_frames_cut_at_every_octet(name: str) -> None:
    whole = frames(name)
    longest = max(len(one.data) for one in whole)
    for length in range(0, longest, 7):
        everything(name, [replace(one, data=one.data[:length]) for one in whole])


@pytest.mark.parametrize("name", ["nat-gcm", "direct-cbc", "ipv6-gcm", "psk-bad"])
def test_octets_changed_at_random(name: str) -> None:
    whole, source = frames(name), random.Random(name)
    for _ in range(60):
        changed = []
        for one in whole:
            data = bytearray(one.data)
            for _ in range(source.randrange(4)):
                data[source.randrange(len(data))] = source.randrange(256)
            changed.append(replace(one, data=bytes(data)))
        source.shuffle(changed)
        everything(name, changed)


def test_inside_of_messages_changed_under_the_right_keys() -> None:
    """Authentic but malformed content: the reader is told, and nothing breaks."""
    name, source = "nat-gcm", random.Random(1)
    scene = Scene(frames(name), keys_of(name), places_of(name))
    readings = [scene.reader.read(s) for s in scene.sightings if scene.reader.read(s).chain]
    for reading in readings:
        for _ in range(50):
            chain = bytearray(reading.chain or b"")
            if chain:
                chain[source.randrange(len(chain))] = source.randrange(256)
            changed = replace(reading, chain=bytes(chain[: source.randrange(len(chain) + 1)]))
            assert changed.message is not None
            assert detail.of_datagram(changed.message.raw, changed)["tree"]
            assert clear.clear_message(changed.message, changed.chain or b"")


@pytest.mark.parametrize("payload", [b"", b"\0", b"\xfe", b"\xff\xff", bytes(4), bytes(8), bytes(32), b"\xff" * 40])
@pytest.mark.parametrize("port", [500, 4500])
def test_datagrams_that_are_nothing_are_in_the_ladder(payload: bytes, port: int) -> None:
    scene = everything("psk-bad", [frame(0, "left:wan", LEFT, RIGHT_OUT, payload, port)])
    (entry,) = scene.ladder
    assert entry["protocol"] in ("unknown", "ESP")
    assert entry["protocol"] == "ESP" or entry["note"]


def test_message_whose_length_field_lies_has_a_note() -> None:
    broken = bytes(4) + bytes(range(16)) + bytes([33, 0x20, 34, 8]) + bytes(4) + (999).to_bytes(4, "big")
    (entry,) = everything("psk-bad", [frame(0, "right:wan", RIGHT, LEFT, broken)]).ladder
    assert "999" in entry["note"]


def test_file_cut_anywhere_gives_what_was_before(tmp_path: Path) -> None:
    directory = Path(shutil.copytree(CAPTURES / "psk-bad", tmp_path / "cut"))
    whole = (directory / "raw.pcapng").read_bytes()
    counts = set()
    for length in range(0, len(whole), 37):
        (directory / "raw.pcapng").write_bytes(whole[:length])
        try:
            counts.add(len(finish.finish(directory).ladder))
        except BrokenError as error:
            assert length < 300, error
    assert counts >= {0, 1, 2, 3}


def test_keys_of_any_shape_open_nothing_and_are_named() -> None:
    odd = keys.Keys(
        ike=[
            keys.IkeKeys(source="x", spi_i="00" * 8, spi_r="11" * 8, encr="ENCR_ROT13"),
            keys.IkeKeys(source="x", spi_i="00" * 8, spi_r="11" * 8, encr="ENCR_AES_CBC", SK_ei="zz"),
            keys.IkeKeys(source="x", spi_i="00" * 8, spi_r="11" * 8, encr="ENCR_AES_GCM_16", SK_ei="00" * 3),
        ],
        child=[
            keys.ChildKeys(source="x", spi="00000001", encr="ENCR_AES_CBC", encr_key="00" * 16, integ="AUTH_ROT13"),
            keys.ChildKeys(source="x", spi="00000001", encr="ENCR_AES_CBC", encr_key="00"),
        ],
    )
    scene = Scene(frames("nat-gcm"), odd, places_of("nat-gcm"))
    assert len(scene.ladder) == 19
    assert len(scene.reader.refused) == 5
    tables = wireshark.tables(odd, scene.sightings)
    assert tables.esp == ()


def test_not_a_capture_is_said(tmp_path: Path) -> None:
    (tmp_path / "raw.pcapng").write_bytes(b"MZ" * 100)
    with pytest.raises(BrokenError, match=r"raw\.pcapng"):
        finish.finish(tmp_path)
    with pytest.raises(ProtocolError):
        pcapng.decode(b"MZ" * 100)
