"""The names in `wireshark` are those of the installed tshark, and what we seal is what it decrypts."""

import shutil
import struct
import subprocess
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import pytest

from lab.crypto import registry, wireshark
from lab.crypto.sk import IkeCipher
from lab.wire.header import Header
from lab.wire.ids import Encr, ExchangeType, Integ, PayloadType, ProtocolId, TransformType
from lab.wire.message import Message
from lab.wire.packets import UDP, IPv4
from lab.wire.payloads_v2 import Notify, Transform

TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
LEFT, RIGHT = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
SUITES = [
    (registry.KEYWORDS[row.keyword.format(bits)], integ)
    for row in registry.ENCR
    for bits in row.bits
    for integ in ([None] if row.aead else [spec.id for _, spec in registry.INTEG])
]


def pcap(path: Path, packets: list[bytes]) -> None:
    """A capture of bare IP packets (link type 101)."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    records = (struct.pack("<IIII", number, 0, len(p), len(p)) + p for number, p in enumerate(packets))
    path.write_bytes(head + b"".join(records))


def tshark(directory: Path, *fields: str) -> list[list[str]]:
    """What tshark reads from `directory`/capture.pcap, with the decryption tables beside it."""
    argv = [str(TSHARK), "-r", str(directory / "capture.pcap"), "-T", "fields"]
    argv += ["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    argv += [word for field in fields for word in ("-e", field)]
    env = {"WIRESHARK_CONFIG_DIR": str(directory), "HOME": str(directory), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr and "error" not in done.stderr, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_every_row_has_an_entry() -> None:
    assert set(wireshark.ENCR) == {row.id for row in registry.ENCR}
    assert set(wireshark.INTEG) == {spec.id for _, spec in registry.INTEG} | {Integ.NONE}


def test_names_by_transform() -> None:
    gcm = registry.KEYWORDS["aes256gcm16"]
    assert wireshark.ike_encr(gcm) == "AES-GCM-256 with 16 octet ICV [RFC5282]"
    assert wireshark.esp_encr(gcm.id) == "AES-GCM with 16 octet ICV [RFC4106]"
    assert wireshark.ike_integ(None) == wireshark.ike_integ(Integ.NONE) == "NONE [RFC4306]"
    assert wireshark.esp_integ(None) == "NULL"
    assert wireshark.ike_encr(registry.KEYWORDS["chacha20poly1305"]) is None
    assert wireshark.ike_encr(Transform(gcm.type, Encr(4242))) is None


@needs_tshark
def test_tshark_decrypts_ike(tmp_path: Path) -> None:
    draw = Random(1)
    rows, packets = [], []
    for number, (encr, integ) in enumerate(SUITES):
        name = wireshark.ike_encr(encr)
        if name is None or not registry.allowed(encr, ProtocolId.IKE):
            continue
        spec = registry.encr(encr)
        sk_e = draw.randbytes(spec.keymat_octets)
        sk_a = draw.randbytes(registry.integ(integ).key_octets) if integ else b""
        cipher = IkeCipher(encr, Transform(TransformType.INTEG, integ) if integ else None, sk_e, sk_a, draw.randbytes)
        spi_i, spi_r = struct.pack(">II", 0xAA, number), struct.pack(">II", 0xBB, number)
        header = Header(spi_i, spi_r, PayloadType.NONE, ExchangeType.INFORMATIONAL, 0x08, 2)
        data = Message(header, (Notify(16384 + number % 40, b"x" * number),)).encode(cipher)
        packets.append(IPv4(LEFT, RIGHT, 17, UDP(500, 500, data).encode()).encode())
        integ_name = wireshark.ike_integ(integ)
        shown = "" if "No Checking" in integ_name else sk_a.hex()
        keys = f'{sk_e.hex()},{sk_e.hex()},"{name}",{shown},{shown},"{integ_name}"'
        rows.append(f"{spi_i.hex()},{spi_r.hex()},{keys}\n")
    (tmp_path / "ikev2_decryption_table").write_text("".join(rows))
    pcap(tmp_path / "capture.pcap", packets)
    read = tshark(tmp_path, "isakmp.notify.msgtype", "isakmp.enc.decrypted", "_ws.expert.message")
    assert len(read) == len(packets)
    for line, row in zip(read, rows, strict=True):
        assert line[0].startswith("16"), f"not decrypted: {row}"


@needs_tshark
def test_tshark_decrypts_esp(tmp_path: Path) -> None:
    draw = Random(2)
    inner = IPv4(LEFT, RIGHT, 1, bytes.fromhex("0800f7ff00000000")).encode()
    rows, packets = [], []
    for number, (encr, integ) in enumerate(SUITES):
        name = wireshark.esp_encr(encr.id)
        if name is None:
            continue
        spec = registry.encr(encr)
        key, iv = draw.randbytes(spec.keymat_octets), draw.randbytes(spec.iv_octets)
        auth_key = draw.randbytes(registry.integ(integ).key_octets) if integ else b""
        front = struct.pack(">II", 0x1000 + number, 1)
        padding = -(len(inner) + 2) % max(spec.block, 4)
        padded = inner + bytes(range(1, padding + 1)) + bytes([padding, 4])
        packet = front + iv + spec.new(key).encrypt(iv, padded, front)
        if integ:
            packet += registry.integ(integ).sign(auth_key, packet)
        packets.append(IPv4(LEFT, RIGHT, 50, packet).encode())
        auth = f'"{wireshark.esp_integ(integ)}","{"0x" + auth_key.hex() if auth_key else ""}"'
        cipher_key = "0x" + key.hex() if key else ""
        rows.append(f'"IPv4","192.0.2.1","192.0.2.2","0x{0x1000 + number:08x}","{name}","{cipher_key}",{auth}\n')
    (tmp_path / "esp_sa").write_text("".join(rows))
    pcap(tmp_path / "capture.pcap", packets)
    read = tshark(tmp_path, "icmp.type", "esp.icv_good")
    assert len(read) == len(packets)
    for line, row in zip(read, rows, strict=True):
        assert line[0] == "8", f"not decrypted: {row}"
        assert line[1] == "1" or "no checking" in row, f"ICV not accepted: {row}"
