"""The shapes of the JSON files in a scenario's directory, for JSON Schemas and for the tests that hold files to them.

What is not a Struct where it is made (ladder and detail are built as dictionaries) has its shape here; `strict` reads a
file and takes no key that its shape does not have.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from lab.evidence.keys import Keys
from lab.evidence.results import Result, Run

Protocol = Literal["IKEv1", "IKEv2", "ESP", "AH", "GRE", "NAT-keepalive", "unknown"]


class Hop(Struct, kw_only=True, forbid_unknown_fields=True):
    """A datagram at one capture point, `node:interface`; `fragments` where it came in several IP packets."""

    point: str
    t: float
    src: str
    dst: str
    fragments: int | UnsetType = UNSET


class LadderEntry(Struct, kw_only=True, forbid_unknown_fields=True):
    """One datagram; times are seconds since 1970, `src` and `dst` those at the sender."""

    n: int
    t_sent: float
    t_received: float | None
    from_: str = field(name="from")
    to: str | None
    src: str
    dst: str
    protocol: Protocol
    exchange: str | None
    message_id: int | None
    response: bool | None
    payloads: list[str]
    encrypted: bool
    opened: bool | None
    retransmit_of: int | None
    lost: bool
    spi: str | None
    seq: int | None
    length: int
    udp: bool
    hops: list[Hop]
    step: int | UnsetType = UNSET
    inner: str | UnsetType = UNSET
    auth: str | UnsetType = UNSET
    cp: list[str] | UnsetType = UNSET
    duplicates: int | UnsetType = UNSET
    note: str | UnsetType = UNSET


class DetailNode(Struct, kw_only=True, forbid_unknown_fields=True):
    """One field: where it lies (offset and length) in the octets as captured (`raw`) or decrypted (`plain`)."""

    name: str
    value: str = ""
    at: tuple[int, int] | None = None
    of: Literal["raw", "plain"] = "raw"
    rfc: str = ""
    children: list["DetailNode"] = []


class Detail(Struct, kw_only=True, forbid_unknown_fields=True):
    """The octets of a ladder entry of the same `n` and what they mean. A retransmission says which entry it repeats;
    of the later packets of a CHILD SA the octets are `omitted`.
    """

    n: int
    raw: str = ""
    plain: str | None = None
    tree: list[DetailNode] = []
    same_as: int | UnsetType = UNSET
    omitted: bool = False


# file -> (type, what it is)
SCHEMAS: dict[str, tuple[Any, str]] = {
    "run.json": (Run, "A run and the verdicts of all its scenarios."),
    "result.json": (Result, "One scenario in one pairing: verdict, steps, evidence."),
    "ladder.json": (list[LadderEntry], "The messages of a scenario in the order in which they were sent."),
    "detail.json": (list[Detail], "The octets of those messages, field by field."),
    "keys.json": (Keys, "The keys that both sides derived. They are the lab's only."),
}


def export(name: str) -> dict[str, Any]:
    """The JSON Schema of one of these files."""
    kind, about = SCHEMAS[name]
    schema = msgspec.json.schema(kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, "description": about, **schema}


def strict(name: str, text: bytes) -> Any:
    """What a file holds; msgspec.ValidationError where it does not have its shape."""
    return msgspec.json.decode(text, type=SCHEMAS[name][0])
