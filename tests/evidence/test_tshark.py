"""tshark as a witness is only worth something if it also says no: each kind of wrongness must be found."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.l2 import Ether

from lab.crypto import registry
from lab.crypto import wireshark as names
from lab.errors import BrokenError, UnfitError
from lab.evidence import capture, finish, keys, tshark, wireshark, witness
from lab.evidence.datagram import Sighting, sightings
from lab.evidence.keyring import Keyring
from lab.evidence.reading import Reader, Reading
from lab.wire.ids import IdType, Integ, PayloadType, TransformType
from lab.wire.payloads import encode_chain
from lab.wire.payloads_v2 import ID, Transform
from lab.wire.pcapng import Packet, PcapngWriter
from tests.evidence.recorded import CAPTURES, told_to_misbehave

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason=f"needs tshark: {tshark.FIX}")

# The ports that a NAT chose in the recording `nat-gcm`, and those of BOOTP.
BOOTP = {20500: 67, 24500: 68}


def finished(tmp_path: Path, name: str) -> Path:
    directory = Path(shutil.copytree(CAPTURES / name, tmp_path / name))
    finish.finish(directory)
    return directory


def spoil(directory: Path, table: str, value: str) -> None:
    """Change the first digit of a key in a table of the profile."""
    file = directory / "wireshark" / table
    text = file.read_text()
    assert value in text
    file.write_text(text.replace(value, ("1" if value[0] == "0" else "0") + value[1:]))


@needs_tshark
@pytest.mark.parametrize(
    ("name", "key", "packets"),
    [("nat-gcm", "SK_ei", 8), ("nat-gcm", "SK_er", 8), ("direct-cbc", "SK_ai", 6), ("direct-cbc", "SK_er", 6)],
)
def test_wrong_ike_key_is_found(tmp_path: Path, name: str, key: str, packets: int) -> None:
    directory = finished(tmp_path, name)
    entry = keys.read(directory / "keys.json").ike[0]
    spoil(directory, "ikev2_decryption_table", getattr(entry, key))
    said = finish.check(directory)
    assert not said.ok
    assert said.ike_total - said.ike_decrypted == len(said.problems) == packets
    assert said.esp_decrypted == said.esp_total


@needs_tshark
@pytest.mark.parametrize("impaired", ["left", "right"])
def test_what_is_wrong_on_purpose_is_counted_and_no_problem(tmp_path: Path, impaired: str) -> None:
    """Only the initiator's messages are wrong to tshark, whoever was told to misbehave."""
    directory = finished(tmp_path, "direct-cbc")
    spoil(directory, "ikev2_decryption_table", keys.read(directory / "keys.json").ike[0].SK_ai)
    told_to_misbehave(directory, impaired)
    said = finish.check(directory)
    assert (said.impaired, len(said.problems)) == ((6, 0) if impaired == "left" else (0, 6))
    assert said.ike_total - said.ike_decrypted == 6 and said.esp_decrypted == said.esp_total
    assert ("6 are wrong on purpose" in said.sentence()) is (impaired == "left")


@needs_tshark
@pytest.mark.parametrize(
    ("name", "key"),
    [("nat-gcm", "encr_key"), ("nat-gcm", "salt"), ("direct-cbc", "encr_key"), ("direct-cbc", "integ_key")],
)
def test_wrong_esp_key_is_found(tmp_path: Path, name: str, key: str) -> None:
    directory = finished(tmp_path, name)
    entry = keys.read(directory / "keys.json").child[0]
    spoil(directory, "esp_sa", getattr(entry, key))
    said = finish.check(directory)
    assert {problem.text.split()[1] for problem in said.problems} == {entry.spi}
    assert said.esp_total - said.esp_decrypted == len(said.problems) > 0
    assert said.ike_decrypted == said.ike_total


@needs_tshark
def test_missing_row_is_found(tmp_path: Path) -> None:
    directory = finished(tmp_path, "nat-gcm")
    (directory / "wireshark" / "ikev2_decryption_table").write_text("")
    said = finish.check(directory)
    assert said.ike_decrypted == 0
    assert "was not decrypted" in said.problems[0].text


@needs_tshark
def test_refused_row_is_a_problem_of_the_whole(tmp_path: Path) -> None:
    directory = finished(tmp_path, "psk-bad")
    with (directory / "wireshark" / "esp_sa").open("a") as table:
        table.write('"IPv4","*","*","0x1","ROT13","0x00","NULL",""\n')
    said = finish.check(directory)
    assert [problem.frame for problem in said.problems] == [0]
    assert "ROT13" in said.problems[0].text


@needs_tshark
def test_octet_changed_on_the_wire_is_found_in_its_frame(tmp_path: Path) -> None:
    directory = finished(tmp_path, "ipv6-gcm")
    wire = directory / "wire.pcapng"
    frames = capture.read(wire)
    last = max(n for n, frame in enumerate(frames) if b"\x11\x94" in frame.data[54:58])
    with wire.open("wb") as file:
        writer = PcapngWriter(file.write)
        points = list(dict.fromkeys(frame.point for frame in frames))
        for point in points:
            writer.interface(point)
        for n, frame in enumerate(frames):
            data = frame.data[:-1] + bytes([frame.data[-1] ^ 1]) if n == last else frame.data
            writer.packet(Packet(frame.time_ns, points.index(frame.point), data))
    said = finish.check(directory)
    assert [problem.frame for problem in said.problems] == [last + 1]


BOOTP_ENTRIES = ["decode_as_entry: udp.port,67,(none),ISAKMP", "decode_as_entry: udp.port,68,(none),UDPENCAP"]


@needs_tshark
@pytest.mark.parametrize(("high", "named"), [((67, 68), BOOTP_ENTRIES), ((25073, 25073), [])])
def test_ports_that_belong_to_other_protocols(tmp_path: Path, high: tuple[int, int], named: list[str]) -> None:
    """A NAT may map 500 and 4500 to the ports of BOOTP, or both to one port, one after the other."""
    mapped = dict(zip(BOOTP, high, strict=True))
    directory = Path(shutil.copytree(CAPTURES / "nat-gcm", tmp_path / "bootp"))
    frames = capture.read(directory / "raw.pcapng")
    with (directory / "raw.pcapng").open("wb") as file:
        writer = PcapngWriter(file.write)
        points = list(dict.fromkeys(frame.point for frame in frames))
        for point in points:
            writer.interface(point)
        for frame in frames:
            packet = Ether(frame.data)
            if UDP in packet:
                packet[UDP].sport, packet[UDP].dport = (
                    mapped.get(n, n) for n in (packet[UDP].sport, packet[UDP].dport)
                )
                del packet[UDP].chksum
            writer.packet(Packet(frame.time_ns, points.index(frame.point), bytes(packet)))
    finish.finish(directory)
    entries = (directory / "wireshark" / "decode_as_entries").read_text().splitlines()[1:]
    assert entries == named
    said = finish.check(directory)
    assert said.problems == []
    assert said.ike_decrypted == said.ike_total > 0


@needs_tshark
@pytest.mark.parametrize("lost", [0, 1])
def test_fragments_that_two_points_saw_are_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """Each point is looked at alone, but not one that saw just what another saw."""
    looks: list[Path] = []
    dissect = tshark.dissect
    monkeypatch.setattr(tshark, "dissect", lambda pcap, profile: looks.append(pcap) or dissect(pcap, profile))
    directory = Path(shutil.copytree(CAPTURES / "direct-cbc", tmp_path / "fragments"))
    pieces = []
    for frame in capture.read(directory / "raw.pcapng"):
        packet = Ether(frame.data)
        if len(frame.data) > 250:
            packet[IP].flags, packet[IP].id, packet[IP].chksum = 0, len(frame.data), None
        cut = fragment(packet, fragsize=120) if len(frame.data) > 250 else [packet]
        pieces += [(frame.time_ns + n * 100_000, frame.point, bytes(piece)) for n, piece in enumerate(cut)]
    points = ["left:wan", "right:wan"]
    with (directory / "raw.pcapng").open("wb") as file:
        writer = PcapngWriter(file.write)
        for point in points:
            writer.interface(point)
        for time_ns, point, data in sorted(pieces)[: len(pieces) - lost]:
            writer.packet(Packet(time_ns, points.index(point), data))
    report = finish.finish(directory)
    assert max(hop.get("fragments", 1) for entry in report.ladder for hop in entry["hops"]) > 2
    said = finish.check(directory)
    assert said.problems == []
    assert said.ike_decrypted == said.ike_total == 16 - lost
    assert len(looks) == 1 + lost


def test_without_tshark_the_machine_is_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnfitError, match="apt-get install"):
        tshark.find()


@needs_tshark
@pytest.mark.parametrize("name", ["nat-gcm", "ipv6-gcm", "direct-chapoly", "direct-cbc", "psk-bad"])
def test_clear_capture_needs_no_keys(tmp_path: Path, name: str) -> None:
    directory = finished(tmp_path, name)
    empty = tmp_path / "empty"
    empty.mkdir()
    rows, complaints = tshark.dissect(directory / "clear.pcapng", empty)
    assert complaints == []
    assert all(46 not in row.payloads and not row.complaint for row in rows.values())
    sealed, _ = tshark.dissect(directory / "wire.pcapng", directory / "wireshark")
    if name != "direct-chapoly":
        # The same payloads as when tshark itself decrypts, SK left out; ESP packets are no ESP any more.
        opened = {n: tuple(t for t in row.payloads if t != 46) for n, row in sealed.items() if row.payloads}
        assert {n: row.payloads for n, row in rows.items()} == opened


def rows_for_every_algorithm() -> tuple[list[str], list[str]]:
    """A row of both tables for every pair of algorithms that the names in lab.crypto.wireshark claim to be known."""
    ike, esp = [], []
    for row in registry.ENCR:
        for bits in row.bits:
            transform = Transform(TransformType.ENCR, row.id, bits)
            spec = registry.encr(transform)
            for integ in [Integ.NONE] if spec.aead else [number for number in names.INTEG if number != Integ.NONE]:
                secret = "00" * registry.integ(integ).key_octets if integ else ""
                key, spi = "11" * spec.keymat_octets, f"{len(ike):08x}"
                entry = keys.IkeKeys(
                    source="test", spi_i=spi * 2, spi_r=spi * 2, encr=row.id.name, encr_key_length=bits, SK_ei=key,
                    SK_er=key, integ=integ.name if integ else None, SK_ai=secret, SK_ar=secret,
                )  # fmt: skip
                ike += [found] if (found := wireshark.ike_row(entry)) else []
                if name := names.esp_encr(row.id):
                    fields = f'"IPv4","*","*","0x{spi}","{name}","0x{key}"'
                    esp.append(f'{fields},"{names.esp_integ(integ)}","{"0x" + secret if secret else ""}"')
    return ike, esp


@needs_tshark
def test_every_name_that_we_write_is_one_that_tshark_reads(tmp_path: Path) -> None:
    ike, esp = rows_for_every_algorithm()
    assert len(ike) > 20 < len(esp)
    (tmp_path / "ikev2_decryption_table").write_text("".join(f"{row}\n" for row in ike))
    (tmp_path / "esp_sa").write_text("".join(f"{row}\n" for row in esp))
    _, complaints = tshark.dissect(CAPTURES / "psk-bad" / "raw.pcapng", tmp_path)
    assert complaints == []


def test_a_tshark_that_a_signal_ended_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C reaches tshark, too; the scenario under its eyes must become unresolved, not failed."""
    program = tmp_path / "tshark"
    program.write_text("#!/bin/sh\nkill -INT $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(tshark, "find", lambda: str(program))
    with pytest.raises(BrokenError, match="signal 2"):
        tshark.dissect(tmp_path / "wire.pcapng", tmp_path)


@needs_tshark
def test_what_tshark_cannot_check_is_named_and_no_problem(tmp_path: Path) -> None:
    directory = finished(tmp_path, "direct-cbc")
    held = keys.read(directory / "keys.json")
    wider = structs.replace(held, child=[structs.replace(child, esn=True) for child in held.child])
    report = witness.verify(directory / "wire.pcapng", directory / "wireshark", wider)
    assert set(report.unsupported) >= {"ESN"} and report.esp_decrypted == 0


@needs_tshark
def test_messages_under_renewed_keys_are_named_and_no_proof(tmp_path: Path) -> None:
    """tshark takes one set of keys for a pair of SPIs: the last; what earlier ones sealed is neither good nor bad."""
    directory = Path(shutil.copytree(CAPTURES / "nat-gcm", tmp_path / "nat-gcm"))
    known = keys.read(directory / "keys.json")
    first = known.ike[0]
    renewed = structs.replace(first, generation=1, SK_ei="11" * 36, SK_er="22" * 36)
    keys.write(keys.Keys(ike=[*known.ike, renewed], child=known.child), directory / "keys.json")
    finish.finish(directory)
    table = (directory / "wireshark" / "ikev2_decryption_table").read_text()
    assert renewed.SK_ei in table
    assert first.SK_ei not in table
    said = finish.check(directory)
    assert said.ok
    assert said.ike_decrypted == 0 < said.ike_total == said.unsupported[witness.EARLIER]
    assert said.esp_decrypted == said.esp_total


@pytest.mark.parametrize(
    ("identity", "decrypted", "forged", "excused"),
    [
        (ID(PayloadType.IDi, IdType.ID_NULL, b""), True, False, True),
        (ID(PayloadType.IDi, IdType.ID_NULL, b""), False, False, False),
        (ID(PayloadType.IDi, IdType.ID_NULL, b""), True, True, False),
        (ID(PayloadType.IDi, IdType.ID_FQDN, b""), True, False, False),
    ],
)
def test_only_an_authentic_message_with_id_null_may_be_malformed_to_tshark(
    identity: ID, decrypted: bool, forged: bool, excused: bool
) -> None:
    chain = encode_chain((identity,))
    reading = Reading("IKEv2", spi="aa:bb", exchange="IKE_AUTH", chain=chain, first_inside=PayloadType.IDi)
    row = tshark.Row((35,), decrypted, forged, False, False, (), "malformed")
    report = witness.TsharkReport()
    seen = Sighting("ike", "left.wan", 0, 0, "192.0.2.1", "198.51.100.1", 500, 500, b"", b"", (0,))
    witness._judge(report, seen, reading, row, {}, False)
    assert (report.ok, report.unsupported) == ((True, {"ID_NULL": 1}) if excused else (False, {}))


def test_what_is_malformed_inside_sk_names_nobody(tmp_path: Path) -> None:
    """Nobody's ID_NULL is looked for in a chain that cannot be read."""
    directory = finished(tmp_path, "direct-cbc")
    known = Reader(Keyring(keys.read(directory / "keys.json")))
    readings = (known.read(one) for one in sightings(capture.read(directory / "wire.pcapng")))
    opened = next(reading for reading in readings if reading.opened and reading.protocol == "IKEv2")
    malformed = replace(opened, chain=bytes(4), first_inside=PayloadType.IDi, note="malformed inside SK")
    row = tshark.Row((), True, False, False, False, (), "")
    assert not witness._nameless(malformed, row)
