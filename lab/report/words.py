"""Numbers and names as a reader wants them. Pure text to text; no markup here."""

import re

CLAUSE = re.compile(r"^(?:rfc)?\s*-?(\d{3,5})[:#\s]*(?:section[- ])?([0-9A-Za-z][0-9A-Za-z.]*)?$", re.IGNORECASE)


def seconds(value: float | None) -> str:
    """A duration: `0.61 s`, `12.4 s`, `3 min 05 s`."""
    if value is None:
        return ""
    if value == 0:
        return "0 s"
    if value < 0.0995:
        return f"{value * 1000:.1f} ms"
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 99.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(value: float, digits: int = 4) -> str:
    """A time on the ladder, in seconds: `4.0210`."""
    return f"{value:.{digits}f}"


def octets(value: int) -> str:
    """A file size: `812 B`, `14.2 kB`, `3.1 MB`."""
    if value < 1000:
        return f"{value} B"
    if value < 1_000_000:
        return f"{value / 1000:.1f} kB"
    return f"{value / 1_000_000:.1f} MB"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 result`, `2 results`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def pairing(name: str) -> str:
    """`ours>strongswan` with a typographic arrow; what is no pairing stays as it is."""
    left, arrow, right = name.partition(">")
    return f"{left} \u2192 {right}" if arrow else name


def clause(name: str) -> str:
    """`rfc7296:2.8` as `RFC 7296, 2.8`; unknown forms stay as they are."""
    match = CLAUSE.match(name.strip())
    if not match:
        return name
    return f"RFC {match[1]}, {match[2]}" if match[2] else f"RFC {match[1]}"


def clause_address(name: str) -> str:
    """Where the clause can be read on the network, or an empty string."""
    match = CLAUSE.match(name.strip())
    if not match:
        return ""
    kind = "appendix" if match[2] and match[2][0].isalpha() else "section"
    return f"https://www.rfc-editor.org/rfc/rfc{match[1]}" + (f"#{kind}-{match[2]}" if match[2] else "")


def clause_order(name: str) -> tuple[object, ...]:
    """Sort key: by RFC, then by section numbers; unknown forms come last."""
    match = CLAUSE.match(name.strip())
    if not match:
        return 1, 0, (), name
    parts = (match[2] or "").split(".")
    return 0, int(match[1]), tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)


def label(key: str) -> str:
    """A JSON key as a label: `encr_key_length` -> `encr key length`."""
    return key.replace("_", " ")


def plain(value: object) -> str:
    """Any JSON value on one line, for tables of facts."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{label(str(key))} {plain(item)}" for key, item in value.items())
    return str(value)
