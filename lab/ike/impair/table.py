"""All impairments by name, read from the configuration and listed for `ikelab list impairments`."""

from difflib import get_close_matches
from typing import Any

from lab.ike.impair import chains, datagrams, fragments, headers, later, offers, proofs, sealing
from lab.ike.impair.row import Impairment

SUBJECTS = (headers, chains, offers, proofs, sealing, datagrams, fragments, later)
TABLE: dict[str, Impairment] = {row.name: row for module in SUBJECTS for row in module.ROWS}


def named(text: str) -> tuple[Impairment, ...]:
    """The impairments of a comma-separated list, in its order; ValueError with near matches for an unknown name."""
    return tuple(_row(name) for part in text.split(",") if (name := part.strip()))


def _row(name: str) -> Impairment:
    if name in TABLE:
        return TABLE[name]
    near = get_close_matches(name, TABLE, 3, 0.5)
    hint = f"near it are {', '.join(near)}" if near else "`ikelab list impairments` shows what there is"
    raise ValueError(f"there is no impairment {name!r}; {hint}")


def listing() -> list[dict[str, Any]]:
    """One row per impairment as plain data."""
    return [
        {
            "name": row.name,
            "about": row.about,
            "clause": f"rfc{row.clause.replace('#', ':')}",
            "exchange": row.exchange.name,
            "made_in": row.side.value,
            "outcome": row.receiver,
        }
        for row in TABLE.values()
    ]


def markdown(row: Impairment) -> str:
    """A row as docs/impairments.md has it."""
    clause = f"RFC {row.clause.replace('#', ', ')}"
    return f"| `{row.name}` | {row.about} | {row.exchange.name} {row.side.value} | {clause} | {row.receiver} |"
