"""Messages in fragments (RFC 7383): every piece is an entry, and the last one shows what they hold together."""

import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import msgspec
import pytest

from lab.evidence import capture, clear, detail, keys, tshark, wireshark, witness
from lab.evidence.capture import Frame
from lab.evidence.keys import Keys
from lab.evidence.scene import Scene
from lab.wire.fragments import split
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads import decode_chain
from lab.wire.pcapng import Packet, PcapngWriter
from tests.evidence import made
from tests.pair import LEFT, Pair, engine_of, net

REQUEST = ["IDi", "N(INITIAL_CONTACT)", "IDr", "AUTH", "SAi2", "TSi", "TSr"]
RESPONSE = ["IDr", "AUTH", "SAr2", "TSi", "TSr"]
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason=f"needs tshark: {tshark.FIX}")


@dataclass(frozen=True)
class Sent:
    """One datagram of the handshake; `left` says that the initiator sent it."""

    left: bool
    data: bytes


@cache
def pair_of_fragments() -> Pair:
    """Two endpoints of ours whose IKE_AUTH was too long for the size at which they cut."""
    long = net(settings="fragment_size = 256").replace("right.example.org", "right." + "example." * 30 + "org")
    return Pair(long).initiate()


@cache
def handshake() -> tuple[tuple[Sent, ...], Keys]:
    """IKE_SA_INIT and IKE_AUTH, and the keys that one side logged."""
    pair = pair_of_fragments()
    lines = [msgspec.json.encode(entry).decode() for entry in pair.left.keys]
    sent = tuple(Sent(d.src[0] == LEFT, d.ike) for d in pair.wire.sent)
    return sent, keys.merge([keys.of_log(lines, "left")])


def frames(sent: list[Sent]) -> list[Frame]:
    """What the taps of both ends saw, a millisecond apart."""
    found = []
    for n, datagram in enumerate(sent):
        src, dst = (made.LEFT, made.RIGHT) if datagram.left else (made.RIGHT, made.LEFT)
        ends = ("left:wan", "right:wan") if datagram.left else ("right:wan", "left:wan")
        found += [made.frame(2 * n + at, end, src, dst, datagram.data, port=500) for at, end in enumerate(ends)]
    return found


def scene(sent: list[Sent], known: Keys | None = None) -> Scene:
    return Scene(frames(sent), known or handshake()[1], made.PLACES)


def parts() -> tuple[list[Sent], list[Sent], list[Sent]]:
    """IKE_SA_INIT, the fragments of the request of IKE_AUTH, those of the response."""
    init, auth = [], []
    for datagram in handshake()[0]:
        first = Message.decode(datagram.data).header.exchange == ExchangeType.IKE_SA_INIT
        (init if first else auth).append(datagram)
    request, response = ([d for d in auth if d.left is left] for left in (True, False))
    assert len(request) >= 2 and len(response) >= 2, "nothing to test: IKE_AUTH fits into one datagram"
    return init, request, response


def shown(of: Scene) -> list[list[str]]:
    return [entry["payloads"] for entry in of.ladder if entry["exchange"] == "IKE_AUTH"]


def labels(sent: list[Sent]) -> list[list[str]]:
    return [[f"SKF({n}/{len(sent)})"] for n in range(1, len(sent) + 1)]


def test_the_last_fragment_shows_the_payloads() -> None:
    init, request, response = parts()
    found = scene([*init, *request, *response])
    wanted = [*labels(request), *labels(response)]
    wanted[len(request) - 1] += REQUEST
    wanted[-1] += RESPONSE
    assert shown(found) == wanted
    assert all(entry["opened"] for entry in found.ladder if entry["encrypted"])
    assert [e.get("auth") for e in found.ladder if len(e["payloads"]) > 1][2:] == ["SHARED_KEY", "SHARED_KEY"]
    assert not [entry for entry in found.ladder if "note" in entry]


@pytest.mark.parametrize("order", ["backwards", "again"])
def test_order_and_repeats_do_not_matter(order: str) -> None:
    init, request, _ = parts()
    sent = request[::-1] if order == "backwards" else [*request, *request]
    found = [names for names in shown(scene([*init, *sent])) if len(names) > 1]
    assert found == [[f"SKF({len(request)}/{len(request)})", *REQUEST]] * (2 if order == "again" else 1)


@pytest.mark.parametrize("missing", [0, 1, -1])
def test_what_is_incomplete_shows_no_payloads(missing: int) -> None:
    init, request, _ = parts()
    left = [datagram for datagram in request if datagram is not request[missing]]
    found = scene([*init, *left])
    assert all(len(names) == 1 for names in shown(found))
    assert all(entry["opened"] for entry in found.ladder if entry["encrypted"])


def test_a_forged_fragment_is_no_piece() -> None:
    init, request, _ = parts()
    forged = replace(request[0], data=request[0].data[:-1] + bytes([request[0].data[-1] ^ 1]))
    found = scene([*init, forged, *request[1:]])
    assert all(len(names) == 1 for names in shown(found))
    assert [entry["n"] for entry in found.ladder if entry["opened"] is False] == [2]


def test_sets_of_different_totals_do_not_mix() -> None:
    # The first fragment of a first try, then the message cut anew (2.5.2): only the second set is complete.
    init, request, _ = parts()
    whole = scene([*init, *request])
    reading = whole.reader.read_all(flight.first for flight in whole.flights)[-1]
    assert reading.header is not None and reading.chain is not None
    message = Message(reading.header, decode_chain(reading.first_inside, reading.chain))
    sealer = engine_of(pair_of_fragments().left).sa.sealer
    assert sealer is not None
    again = [Sent(left=True, data=data) for data in split(message, sealer, 150)]
    found = scene([*init, request[0], *again])
    assert shown(found)[0] == [f"SKF(1/{len(request)})"]
    assert shown(found)[-1] == [f"SKF({len(again)}/{len(again)})", *REQUEST]
    assert not [entry for entry in found.ladder if "note" in entry]


def test_details_show_pieces_and_the_whole() -> None:
    init, request, _ = parts()
    *pieces, whole = detail.build(scene([*init, *request]))[2:]
    for piece in pieces:
        (skf,) = piece["tree"][1:]
        assert skf["name"] == "SKF" and skf["children"][-1]["name"] == "Piece of the payload chain"
    inside = [node["name"] for node in whole["tree"][-1]["children"] if node.get("of") == "plain"]
    assert inside == ["IDi", "N", "IDr", "AUTH", "SA", "TSi", "TSr"]
    assert whole["plain"].startswith(pieces[0]["plain"])


def test_the_clear_capture_has_the_message_whole(tmp_path: Path) -> None:
    init, request, _ = parts()
    file = tmp_path / "clear.pcapng"
    file.write_bytes(clear.encode(scene([*init, *request])))
    found = Scene(capture.read(file), Keys(), made.PLACES)
    names = [entry["payloads"] for entry in found.ladder if entry["exchange"] == "IKE_AUTH"]
    assert REQUEST in names and [f"SKF({len(request)}/{len(request)})"] not in names


def write(tmp_path: Path, sent: list[Sent]) -> tuple[Path, Path]:
    """A capture and a profile."""
    known = handshake()[1]
    seen = scene(sent)
    wireshark.write_profile(wireshark.tables(known, seen.sightings), tmp_path / "profile")
    with (tmp_path / "wire.pcapng").open("wb") as file:
        writer = PcapngWriter(file.write)
        points = {point: writer.interface(point, 1) for point in ("left:wan", "right:wan")}
        for frame in seen.frames:
            writer.packet(Packet(frame.time_ns, points[frame.point], frame.data))
    return tmp_path / "wire.pcapng", tmp_path / "profile"


@needs_tshark
def test_tshark_puts_the_fragments_together_as_we_do(tmp_path: Path) -> None:
    init, request, response = parts()
    pcap, profile = write(tmp_path, [*init, *request, *response])
    report = witness.verify(pcap, profile, handshake()[1])
    assert report.ok, report.sentence()
    assert report.ike_decrypted == report.ike_total == 2 * (len(request) + len(response))


@needs_tshark
def test_a_message_that_tshark_never_shows_whole_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init, request, response = parts()
    pcap, profile = write(tmp_path, [*init, *request, *response])
    dissect = tshark.dissect

    def pieces_only(*args: Path) -> tuple[dict, list[str]]:
        rows, complaints = dissect(*args)
        skf = (int(PayloadType.SKF),)
        cut = {n: replace(r, payloads=skf) if r.payloads[:1] == skf else r for n, r in rows.items()}
        return cut, complaints

    monkeypatch.setattr(tshark, "dissect", pieces_only)
    report = witness.verify(pcap, profile, handshake()[1])
    assert len(report.problems) == 2
    assert "in fragments shows SKF IDi" in report.problems[0].text
