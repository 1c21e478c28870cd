"""A Wireshark profile with the keys of a run: `preferences`, `decode_as_entries`, `ikev1_decryption_table`,
`ikev2_decryption_table`, `esp_sa`.

Rules of this file:
- Rows have the columns of Wireshark 4.0; later versions fill in the rest.
- An ESP row needs the addresses of the wire, which NAT makes different at each capture point: one row per pair seen.
- In `ikev2_decryption_table` SPIs and keys are bare hex and only names are quoted; quoting an SPI is an error there.
- `ikev1_decryption_table` has the initiator's cookie and the key of the cipher; Wireshark follows the IVs itself, which
  it can at one capture point only, and until a message is repeated. Of sides with different pre-shared keys it opens
  what the first one seals.
- One set of keys has room for a pair of SPIs: the last, so IKE_INTERMEDIATE (RFC 9370), which is sealed with earlier
  ones, stays closed in Wireshark; clear.pcapng has it open.
- A NAT may map port 500 to one that Wireshark knows as another protocol's, 67 (BOOTP) for one, and the lower of the
  two ports decides: every port that NATs chose is named in `decode_as_entries`.
- An SA whose algorithm Wireshark 4.0 does not know has no row (one such row and the whole table is refused);
  `unsupported` names it.
- The same rows, with two more columns, are what an ESP decryption-secrets block of pcapng holds
  (draft-ietf-opsawg-pcapng, type ESPS); its readers are newer and know ChaCha20-Poly1305 too.
"""

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from lab.crypto import wireshark as names
from lab.evidence.datagram import Sighting
from lab.evidence.files import write_atomically
from lab.evidence.keyring import Keyring
from lab.evidence.keys import ChildKeys, IkeKeys, Keys, latest
from lab.wire.ids import Encr, Integ, TransformType
from lab.wire.packets import IKE_PORT, NAT_PORT
from lab.wire.payloads_v2 import Transform

PROFILE = "ikelab"
SECRETS_TYPE = 0x45535053
# What only readers of the secrets block know.
_NEWER = {"ENCR_CHACHA20_POLY1305": "ChaCha20 with Poly1305 [RFC7634]"}
_DISSECTORS = {IKE_PORT: "ISAKMP", NAT_PORT: "UDPENCAP"}
_PREFERENCES = """\
# Written by ikelab. LAB ONLY: the keys beside this file belong to a test run.
esp.enable_encryption_decode: TRUE
esp.enable_authentication_check: TRUE
# Every packet is captured at several points, so its sequence number comes several times.
esp.do_esp_sequence_analysis: FALSE
gui.column.format:
\t"No.", "%m",
\t"Time", "%t",
\t"Capture point", "%Cus:frame.interface_name:0:R",
\t"Source", "%s",
\t"Destination", "%d",
\t"Protocol", "%p",
\t"Length", "%L",
\t"Comment", "%Cus:frame.comment:0:R",
\t"Info", "%i"
"""


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows of the tables and of the secrets block; `unsupported` has (ike|esp, SPI, algorithm).

    `ports` has (UDP port, dissector) for the ports that NATs chose.
    """

    ike: tuple[str, ...]
    esp: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    isakmp: tuple[str, ...] = ()
    unsupported: tuple[tuple[str, str, str], ...] = ()
    ports: tuple[tuple[int, str], ...] = ()


def tables(keys: Keys, sightings: Sequence[Sighting]) -> Tables:
    """The rows for these keys; ESP rows for the addresses that were seen."""
    ike: dict[tuple[str, str], str] = {}
    unsupported: dict[tuple[str, str, str], None] = {}
    isakmp: dict[str, None] = {}
    for entry in latest(keys).ike:
        if entry.version == 1:
            isakmp[f"{entry.spi_i},{entry.Ka}"] = None
            continue
        row = ike_row(entry)
        if row is None:
            unsupported["ike", f"{entry.spi_i}:{entry.spi_r}", entry.encr] = None
        else:
            ike.setdefault((entry.spi_i, entry.spi_r), row)
    esp, secrets = [], []
    for sighting, child in _matched(keys, sightings):
        name = esp_name(child)
        if name is None:
            unsupported["esp", child.spi, child.encr] = None
        else:
            esp.append(_esp_row(child, sighting, name))
        if newer := name or _NEWER.get(child.encr):
            esn = ("64-bit" if child.esn else "32-bit", "0x00000000")
            secrets.append(_esp_row(child, sighting, newer, *esn))
    ports = tuple(_ports(sightings).items())
    return Tables(tuple(ike.values()), tuple(esp), tuple(secrets), tuple(isakmp), tuple(unsupported), ports)


def _ports(sightings: Iterable[Sighting]) -> dict[int, str]:
    """What travels at the ports that are neither 500 nor 4500: what the other port of their datagrams says.

    A port that NATs chose for both, one after the other, is left out: 500 and 4500 then decide for each datagram.
    """
    found: dict[int, set[str]] = {}
    for sighting in sightings:
        for here, there in ((sighting.sport, sighting.dport), (sighting.dport, sighting.sport)):
            if here and here not in _DISSECTORS and there in _DISSECTORS:
                found.setdefault(here, set()).add(_DISSECTORS[there])
    return {port: min(names) for port, names in found.items() if len(names) == 1}


def _encr(name: str, length: int | None) -> Transform | None:
    return Transform(TransformType.ENCR, Encr[name], length) if name in Encr.__members__ else None


def _integ(name: str | None) -> Integ | None:
    return Integ[name] if name and name in Integ.__members__ else None


def ike_row(entry: IkeKeys) -> str | None:
    """The row of an IKE SA, or None where Wireshark 4.0 cannot decrypt it."""
    transform = _encr(entry.encr, entry.encr_key_length)
    encr = names.ike_encr(transform) if transform else None
    if encr is None or (entry.integ and _integ(entry.integ) is None):
        return None
    integ = names.ike_integ(_integ(entry.integ))
    # Where the ICV is only skipped and not computed, a key for it is refused.
    sk_a = ["", ""] if not checked(entry.integ) else [entry.SK_ai, entry.SK_ar]
    return ",".join([entry.spi_i, entry.spi_r, entry.SK_ei, entry.SK_er, f'"{encr}"', *sk_a, f'"{integ}"'])


def checked(integ: str | None) -> bool:
    """Whether Wireshark 4.0 computes the ICV of this algorithm, or only decrypts (None stands for AEAD)."""
    return names.ike_integ(_integ(integ)) != names.ANY_96_IKE


def esp_name(child: ChildKeys) -> str | None:
    """The encryption's name in `esp_sa`, or None where Wireshark 4.0 cannot decrypt this SA."""
    transform = _encr(child.encr, child.encr_key_length)
    known = child.integ is None or _integ(child.integ) is not None
    return names.esp_encr(transform.id) if transform and known else None


def _esp_row(child: ChildKeys, sighting: Sighting, encr: str, *more: str) -> str:
    version = "IPv6" if ":" in sighting.src else "IPv4"
    key, integ_key = f"0x{child.encr_key}{child.salt}", f"0x{child.integ_key}" if child.integ_key else ""
    fields = [version, sighting.src, sighting.dst, f"0x{child.spi}", encr, key]
    return ",".join(f'"{field}"' for field in [*fields, names.esp_integ(_integ(child.integ)), integ_key, *more])


def _matched(keys: Keys, sightings: Iterable[Sighting]) -> Iterable[tuple[Sighting, ChildKeys]]:
    """One sighting per address pair and SPI, with the key that opens it (two SAs may share an SPI by chance)."""
    by_spi: dict[str, list[ChildKeys]] = {}
    for entry in keys.child:
        by_spi.setdefault(entry.spi.lower(), []).append(entry)
    done = set()
    for sighting in sightings:
        place = (sighting.src, sighting.dst, sighting.body[:4])
        if sighting.kind != "esp" or place in done:
            continue
        for entry in by_spi.get(sighting.body[:4].hex(), ()):
            if Keyring(Keys(child=[entry])).open_esp(sighting.body):
                done.add(place)
                yield sighting, entry
                break


def files(found: Tables) -> dict[str, str]:
    """The files of a profile by name."""
    head = "# Written by ikelab. LAB ONLY.\n"
    ports = (f"decode_as_entry: udp.port,{number},(none),{name}\n" for number, name in found.ports)
    return {
        "preferences": _PREFERENCES,
        "decode_as_entries": head + "".join(ports),
        "ikev1_decryption_table": head + "".join(f"{row}\n" for row in found.isakmp),
        "ikev2_decryption_table": head + "".join(f"{row}\n" for row in found.ike),
        "esp_sa": head + "".join(f"{row}\n" for row in found.esp),
    }


def write_profile(found: Tables, directory: Path) -> None:
    """Write the profile directory, and a zip of it beside it that Wireshark's profile dialog imports."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in files(found).items():
            write_atomically(directory / name, text.encode())
            # A fixed time: the same keys give the same zip.
            target.writestr(zipfile.ZipInfo(f"{PROFILE}/{name}", (1980, 1, 1, 0, 0, 0)), text)
    write_atomically(directory.with_name(f"{directory.name}-profile.zip"), archive.getvalue())
