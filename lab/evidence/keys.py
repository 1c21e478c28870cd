"""keys.json (schema ikelab.keys/1): the secrets of both sides, and whether the two sides agree on them.

An IKE SA has one entry per side that logged it; a CHILD SA has one entry per side and direction. Equal keys on both
sides, from two programs that share no code, are evidence in themselves; `compare` says so for every SA. Where the sides
were given different pre-shared keys it is the other way round: SKEYID comes of that key (RFC 2409 5), so all that comes
of SKEYID must differ.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from lab.errors import BrokenError
from lab.evidence.files import write_atomically

SCHEMA = "ikelab.keys/1"


class IkeKeys(Struct, kw_only=True, frozen=True):
    """The keys of one IKE SA as one side logged them; with AEAD, SK_e* is key | salt and SK_a* is empty.

    A `partial` entry has only the keys that seal its messages, as its side shows no others.

    IKE_INTERMEDIATE renews them: `generation` is 0 after IKE_SA_INIT, and one more after each such exchange.

    An ISAKMP SA of IKEv1 (`version` 1, `spi_i` and `spi_r` its cookies) has the SKEYID family, the key of its cipher
    and the IV that its encrypted messages begin with instead of the SK_*.
    """

    source: str
    spi_i: str
    spi_r: str
    encr: str
    encr_key_length: int | None = None
    prf: str = ""
    integ: str | None = None
    ke: str | None = None
    version: int = 2
    generation: int = 0
    partial: bool = False
    SK_d: str = ""
    SK_ai: str = ""
    SK_ar: str = ""
    SK_ei: str = ""
    SK_er: str = ""
    SK_pi: str = ""
    SK_pr: str = ""
    SKEYID: str = ""
    SKEYID_d: str = ""
    SKEYID_a: str = ""
    SKEYID_e: str = ""
    Ka: str = ""
    IV: str = ""


class ChildKeys(Struct, kw_only=True, frozen=True):
    """The keys of one direction of a CHILD SA as one side logged them; `src` and `dst` as that side saw them."""

    source: str
    spi: str
    encr: str
    encr_key: str
    protocol: str = "ESP"
    src: str = ""
    dst: str = ""
    encap: bool = False
    encr_key_length: int | None = None
    salt: str = ""
    integ: str | None = None
    integ_key: str = ""
    esn: bool = False
    ike_spi_i: str = ""


class Keys(Struct, kw_only=True, frozen=True):
    """All that keys.json holds; `apart` where the sides were given different pre-shared keys."""

    schema: str = SCHEMA
    apart: bool = False
    ike: list[IkeKeys] = []
    child: list[ChildKeys] = []


# What must be equal on both sides, in the order in which a difference is reported.
_IKE_FIELDS = (
    "version", "encr", "integ", "prf",
    "SK_d", "SK_ai", "SK_ar", "SK_ei", "SK_er", "SK_pi", "SK_pr",
    "SKEYID", "SKEYID_d", "SKEYID_a", "SKEYID_e", "Ka", "IV",
)  # fmt: skip
# Not compared where a side says that it shows the keys of its messages only: what others come from.
_DERIVING = ("SK_d", "SK_pi", "SK_pr")
# What comes of the pre-shared key in IKEv1; the first IV comes of the public values alone.
_OF_SECRET = ("SKEYID", "SKEYID_d", "SKEYID_a", "SKEYID_e", "Ka")
_CHILD_FIELDS = ("protocol", "encr", "encr_key", "salt", "integ", "integ_key", "esn")


class Agreement(Struct, frozen=True):
    """Whether the sides that logged one SA hold the same keys; `differs` names the first field that does not match.

    `same` names the first field that matches although it comes of pre-shared keys that differ.
    """

    kind: Literal["ike", "child"]
    spi: str
    sources: list[str]
    equal: bool
    differs: str = ""
    same: str = ""
    apart: bool = False

    @property
    def wrong(self) -> str:
        """What is wrong with it, in words; empty is good."""
        sides = " and ".join(self.sources)
        if self.differs:
            return f"{sides} differ in {self.differs}"
        return f"{sides} have the same {self.same}, of different pre-shared keys" if self.same else ""


def merge(parts: Iterable[Mapping[str, Any]], *, apart: bool = False) -> Keys:
    """One Keys from the dicts that each side gives (`{"ike": [...], "child": [...]}`); equal entries are kept once."""
    ike: dict[Any, IkeKeys] = {}
    child: dict[Any, ChildKeys] = {}
    for part in parts:
        keys = msgspec.convert({"ike": part.get("ike", []), "child": part.get("child", [])}, Keys)
        ike |= {msgspec.json.encode(entry): entry for entry in keys.ike}
        child |= {msgspec.json.encode(entry): entry for entry in keys.child}
    return Keys(apart=apart, ike=list(ike.values()), child=list(child.values()))


def of_log(lines: Iterable[str], source: str) -> dict[str, list[dict[str, Any]]]:
    """The part of one side from its `keys.jsonl`; a line torn by a killed process is left out."""
    part: dict[str, list[dict[str, Any]]] = {"ike": [], "child": []}
    for line in lines:
        try:
            entry = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(entry, dict) and entry.get("kind") in part:
            part[entry["kind"]].append({"source": source, **entry})
    return part


def latest(keys: Keys) -> Keys:
    """Of each IKE SA only the last generation of keys: for readers that know one set per pair of SPIs.

    Where the sides' keys are `apart`, of an ISAKMP SA only those of the side that is named first.
    """
    last: dict[tuple[str, str], int] = {}
    side: dict[tuple[str, str], str] = {}
    for entry in keys.ike:
        spis = (entry.spi_i, entry.spi_r)
        last[spis] = max(entry.generation, last.get(spis, 0))
        if keys.apart and entry.version == 1:
            side.setdefault(spis, entry.source)
    kept = [
        entry
        for entry in keys.ike
        if (spis := (entry.spi_i, entry.spi_r))
        and (entry.generation, entry.source) == (last[spis], side.get(spis, entry.source))
    ]
    return Keys(apart=keys.apart, ike=kept, child=keys.child)


def compare(keys: Keys) -> list[Agreement]:
    """One line per SA that was logged: by whom, and whether all hold the same keys."""
    found: list[Agreement] = []
    ike: dict[tuple[str, int], list[IkeKeys]] = {}
    for entry in keys.ike:
        ike.setdefault((f"{entry.spi_i}:{entry.spi_r}", entry.generation), []).append(entry)
    child: dict[str, list[ChildKeys]] = {}
    for direction in keys.child:
        child.setdefault(direction.spi, []).append(direction)
    for (spi, _), entries in ike.items():
        partial = any(entry.partial for entry in entries)
        apart = keys.apart and entries[0].version == 1
        passed_over = (*(_DERIVING if partial else ()), *(_OF_SECRET if apart else ()))
        differs = _difference(entries, [name for name in _IKE_FIELDS if name not in passed_over])
        same = _shared(entries, _OF_SECRET) if apart else ""
        equal = not differs and not apart
        found.append(Agreement("ike", spi, [e.source for e in entries], equal, differs, same, apart))
    for spi, directions in child.items():
        differs = _difference(directions, _CHILD_FIELDS)
        found.append(Agreement("child", spi, [d.source for d in directions], not differs, differs))
    return found


def _difference(entries: Sequence[Struct], fields: Sequence[str]) -> str:
    """The first field in which the entries are not all equal, case of hex digits aside."""
    return next((name for name in fields if len(_values(entries, name)) > 1), "")


def _shared(entries: Sequence[IkeKeys], fields: Sequence[str]) -> str:
    """The first field of which two sides have the same value."""
    return next((name for name in fields if len(_values(entries, name)) < len({e.source for e in entries})), "")


def _values(entries: Sequence[Struct], name: str) -> set[str]:
    return {str(getattr(entry, name) or "").lower() for entry in entries}


def disagreements(keys: Keys) -> list[str]:
    """A sentence for every SA on which the sides do not agree; empty is good."""
    return [
        f"{'IKE' if one.kind == 'ike' else 'CHILD'} SA {one.spi}: {one.wrong}" for one in compare(keys) if one.wrong
    ]


def write(keys: Keys, path: Path) -> None:
    """Write keys.json."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(keys), indent=1))


def read(path: Path) -> Keys:
    """Read keys.json; no keys if there is no such file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Keys)
    except FileNotFoundError:
        return Keys()
    except msgspec.DecodeError as error:
        raise BrokenError(f"{path.name}: {error}") from error
