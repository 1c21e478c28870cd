"""Security associations and keys as tables: sas.json and keys.json, with the names a reader expects.

Rules of this file: both peers' views stand side by side; a value that a peer did not report is left out.
"""

from dataclasses import dataclass

from lab.report import facts, words
from lab.report.facts import Facts

Material = tuple[tuple[str, str], ...]
Listed = dict[tuple[str, Material], tuple[str, list[str]]]
IKE_FIELDS = (
    ("state", "State"),
    ("role", "Role"),
    ("local", "Local"),
    ("remote", "Remote"),
    ("spis", "SPIs (init : resp)"),
    ("suite", "Algorithms"),
    ("nat", "NAT"),
    ("virtual", "Virtual addresses"),
    ("established", "Established for"),
)
CHILD_FIELDS = (
    ("state", "State"),
    ("mode", "Mode"),
    ("spis", "SPIs (in / out)"),
    ("suite", "Algorithms"),
    ("selectors", "Traffic selectors"),
    ("traffic", "Traffic (in / out)"),
)


@dataclass(frozen=True, slots=True)
class Side:
    """What one peer says: its IKE SAs, each with its CHILD SAs."""

    name: str
    sas: list[tuple[str, list[tuple[str, str]], list[tuple[str, list[tuple[str, str]]]]]]


def sides(found: object) -> list[Side]:
    """The views in a sas.json: `{"left": [...], "right": [...]}`, or a plain list."""
    if isinstance(found, list):
        return [Side("", [_ike(sa) for sa in facts.rows(found)])] if found else []
    views = facts.table(found, "sas") or facts.table(found)
    return [Side(name, [_ike(sa) for sa in facts.rows(view)]) for name, view in views.items() if isinstance(view, list)]


def _ike(sa: Facts) -> tuple[str, list[tuple[str, str]], list[tuple[str, list[tuple[str, str]]]]]:
    told = sa | {
        "local": _end(sa, "local"),
        "remote": _end(sa, "remote"),
        "spis": " : ".join(filter(None, (facts.text(sa, "spi_i"), facts.text(sa, "spi_r")))),
        "suite": suite(sa),
        "nat": _nat(sa),
        "virtual": _virtual(sa),
        "established": words.seconds(facts.number(sa, "established_s")),
    }
    version = facts.text(sa, "version")
    name = f"{facts.text(sa, 'name', 'unnamed')} (IKEv{version})" if version else facts.text(sa, "name", "unnamed")
    return name, _told(told, IKE_FIELDS), [_child(child) for child in facts.rows(sa, "children")]


def _child(child: Facts) -> tuple[str, list[tuple[str, str]]]:
    local, remote = (", ".join(facts.texts(child, key)) for key in ("local_ts", "remote_ts"))
    mode = " ".join(filter(None, (facts.text(child, "protocol"), facts.text(child, "mode").lower())))
    told = child | {
        "mode": mode + (", in UDP" if facts.flag(child, "encap") else ""),
        "spis": " / ".join(filter(None, (facts.text(child, "spi_in"), facts.text(child, "spi_out")))),
        "suite": suite(child) + (", ESN" if facts.flag(child, "esn") else ""),
        "selectors": f"{local} \u2194 {remote}" if local or remote else "",
        "traffic": _traffic(child),
    }
    return facts.text(child, "name", "unnamed"), _told(told, CHILD_FIELDS)


def suite(sa: Facts) -> str:
    """`ENCR_AES_GCM_16 256, PRF_HMAC_SHA2_256, CURVE25519`."""
    length = facts.text(sa, "encr_key_length")  # 0 where there is no choice of it, as in AH
    encr = " ".join(filter(None, (facts.text(sa, "encr"), length if length != "0" else "")))
    return ", ".join(filter(None, (encr, *(facts.text(sa, key) for key in ("integ", "prf", "ke")))))


def _end(sa: Facts, side: str) -> str:
    host, port, name = (facts.text(sa, f"{side}_{part}") for part in ("host", "port", "id"))
    place = f"[{host}]:{port}" if ":" in host and port else f"{host}:{port}" if port else host
    return f"{name} at {place}" if name and place else name or place


def _nat(sa: Facts) -> str:
    local, remote = facts.flag(sa, "nat_local"), facts.flag(sa, "nat_remote")
    if local and remote:
        return "before both ends"
    if "nat_local" not in sa and "nat_remote" not in sa:
        return ""
    return "before this end" if local else "before the other end" if remote else "none seen"


def _virtual(sa: Facts) -> str:
    """`10.3.0.1 given to this end`, or lent to the other one."""
    ways = (("local_vips", "given to this end"), ("remote_vips", "lent to the other end"))
    return "; ".join(f"{', '.join(found)} {words}" for key, words in ways if (found := facts.texts(sa, key)))


def _traffic(child: Facts) -> str:
    counts = [facts.whole(child, key) for key in ("packets_in", "bytes_in", "packets_out", "bytes_out")]
    if any(count is None for count in counts):
        return ""
    return "{} packets, {} B / {} packets, {} B".format(*counts)


def _told(sa: Facts, fields: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [(label, value) for key, label in fields if (value := facts.text(sa, key))]


def keys(found: object) -> list[tuple[str, list[tuple[str, str]]]]:
    """(caption, [(name, hex)]) for each SA in a keys.json; SAs for which both sides logged the same are one entry."""
    listed: Listed = {}
    for sa in facts.rows(found, "ike"):
        spis = " : ".join((facts.text(sa, "spi_i"), facts.text(sa, "spi_r")))
        material = tuple((name, value) for name in sa if name.startswith("SK") and (value := facts.text(sa, name)))
        _enter(listed, sa, f"IKE SA {spis}", f", {suite(sa)}", material)
    for sa in facts.rows(found, "child"):
        name = f"{facts.text(sa, 'protocol', 'ESP')} SA {facts.text(sa, 'spi')}"
        parts = ("encr_key", "salt", "integ_key")
        material = tuple((part, value) for part in parts if (value := facts.text(sa, part)))
        way = f", {facts.text(sa, 'src')} \u2192 {facts.text(sa, 'dst')}, {suite(sa)}"
        _enter(listed, sa, name, way, material)
    return [
        (f"{caption}, from {' and '.join(sources)}", list(material))
        for (_, material), (caption, sources) in listed.items()
    ]


def _enter(
    listed: Listed,
    sa: Facts,
    name: str,
    more: str,
    material: Material,
) -> None:
    _, sources = listed.setdefault((name, material), (name + more, []))
    sources.append(facts.text(sa, "source", "an unknown source"))
