"""The shapes of what commands print with `--json`, for JSON Schemas and for the tests that hold commands to them.

Every object has the key `schema`, whose value is the name here. `strict` takes no key that a shape does not have; what
a daemon tells of an SA beyond the keys here is let through, since daemons differ.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lab.evidence.schemas import LadderEntry
from lab.history.differences import RunDiff
from lab.history.trend import Flaky, Moment


class Output(Struct, kw_only=True, forbid_unknown_fields=True):
    """What they have in common."""

    schema: str


class _Named(Struct):
    schema: str


class Version(Output):
    """`ikelab version --json`."""

    ikelab: str
    python: str


class Written(Output):
    """`ikelab report build --json`: where the first page is."""

    index: str


class Layer(Struct, kw_only=True, forbid_unknown_fields=True):
    """A layer of the guest image: octets on disk, where the guest mounts it, why it is missing, older ones."""

    layer: str
    path: str
    present: bool
    bytes: int
    needed: bool
    mount: str
    reason: str
    versions: dict[str, Any]
    older: list[str]


class Image(Output):
    """`ikelab image status --json`."""

    layers: list[Layer]


class Check(Struct, kw_only=True, forbid_unknown_fields=True):
    """One question to this machine; `needed_by` is a mode of the lab, `scenarios` which of its scenarios, in words.

    `fix` is empty where nothing need be done.
    """

    id: str
    what: str
    found: str
    ok: bool
    needed_by: str
    fix: str
    scenarios: str


class Doctor(Output):
    """`ikelab doctor --json`."""

    checks: list[Check]


class Row(Struct, kw_only=True):
    """One thing of a list; more keys depend on what is listed."""

    name: str
    about: str


class ScenarioRow(Row, kw_only=True, forbid_unknown_fields=True):
    """A scenario with the clauses it checks and its pairings."""

    clauses: list[str]
    pairings: list[str]


class ClauseRow(Row, kw_only=True, forbid_unknown_fields=True):
    """A clause, how much it asks, and the scenarios that check it."""

    level: Literal["MUST", "SHOULD", "MAY", "-"]
    scenarios: list[str]


class PeerRow(Row, kw_only=True, forbid_unknown_fields=True):
    """A peer and what it can do."""

    abilities: list[str]


class Listed(Output):
    """`ikelab list KIND --json`: one key, named after the kind."""

    scenarios: list[ScenarioRow] | UnsetType = UNSET
    topologies: list[Row] | UnsetType = UNSET
    peers: list[PeerRow] | UnsetType = UNSET
    clauses: list[ClauseRow] | UnsetType = UNSET
    algorithms: list[Row] | UnsetType = UNSET
    impairments: list[Row] | UnsetType = UNSET


class Decoded(Output):
    """`ikelab decode --json`."""

    messages: list[LadderEntry]


class Found(Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing that bears on why a scenario went as it did; `t` in seconds since 1970."""

    t: float
    node: str
    words: str
    proof: str
    refusal: bool
    reason: bool
    offered: bool
    silent: str
    unanswered: bool | UnsetType = UNSET


class Explained(Output):
    """`ikelab explain --json`, a line for each pairing."""

    id: str
    pairing: str
    verdict: str
    conclusion: list[str]
    findings: list[Found]


class Strip(Struct, kw_only=True, forbid_unknown_fields=True):
    """The verdicts on a scenario, the oldest run first."""

    id: str
    pairing: str
    verdicts: list[str]


class Runs(Output):
    """`ikelab history --json`, and history.json of a run."""

    runs: list[Moment]
    flaky: list[Flaky]
    scenarios: list[Strip] | UnsetType = UNSET


class Tried(Struct, kw_only=True, forbid_unknown_fields=True):
    """One step of a peer's check."""

    role: str
    step: str
    verdict: str
    reason: str


class PeerCheck(Output):
    """`ikelab peer check --json`."""

    peer: str
    counts: dict[str, int]
    steps: list[Tried]


class Up(Output):
    """`ikelab up --json`."""

    name: str
    socket: str


class ChildSa(Struct, kw_only=True):
    """A CHILD SA as a daemon tells it; SPIs in hex."""

    name: str
    state: str
    mode: str
    protocol: str
    encap: bool
    spi_in: str
    spi_out: str
    local_ts: list[str]
    remote_ts: list[str]
    bytes_in: int
    bytes_out: int
    packets_in: int
    packets_out: int


class IkeSa(Struct, kw_only=True):
    """An IKE SA as a daemon tells it."""

    name: str
    version: int
    state: str
    role: str
    spi_i: str
    spi_r: str
    local_id: str
    remote_id: str
    local_host: str
    local_port: int
    remote_host: str
    remote_port: int
    children: list[ChildSa]


class Sas(Output):
    """`ikelab ctl ... list-sas --json`."""

    sas: list[IkeSa]


class Stats(Output):
    """`ikelab ctl ... stats --json`; `backend` and `offload` only of our own daemon."""

    endpoint: dict[str, int]
    drops: dict[str, int]
    loop: dict[str, Any]
    backend: str | UnsetType = UNSET
    offload: dict[str, Any] | UnsetType = UNSET


class Node(Struct, kw_only=True, forbid_unknown_fields=True):
    """A node of a lab."""

    kind: str
    addresses: str


class Daemon(Struct, kw_only=True, forbid_unknown_fields=True):
    """A daemon in a lab; `error` where it could not be asked."""

    peer: str
    version: str
    sas: list[IkeSa]
    error: str | UnsetType = UNSET


class Lab(Struct, kw_only=True, forbid_unknown_fields=True):
    """A lab that is up; nodes, impairments and daemons only of the one that was asked for."""

    name: str
    topology: str
    kernel: str
    clock: Literal["real", "virtual"]
    owner: str
    started: str
    state: str
    peers: dict[str, str]
    nodes: dict[str, Node] | UnsetType = UNSET
    impaired: dict[str, Any] | UnsetType = UNSET
    daemons: dict[str, Daemon] | UnsetType = UNSET


class Status(Output):
    """`ikelab status --json`."""

    labs: list[Lab]


class Mapping(Struct, kw_only=True):
    """A mapping of a NAT box; each end is `address:port`."""

    node: str
    protocol: str
    inside: str
    outside: str
    remote: str


class Change(Struct, kw_only=True):
    """What became of a mapping or a box; `t` in seconds since 1970."""

    t: float
    node: str
    event: str


class Nat(Output):
    """`ikelab nat ... --json`, and nat.json of a scenario."""

    boxes: dict[str, dict[str, Any]]
    mappings: list[Mapping]
    timeline: list[Change]
    probe: list[dict[str, Any]] | UnsetType = UNSET


class GateRule(Struct, kw_only=True):
    """A rule in force, and what it has seen and done."""

    rule: int
    node: str
    words: str
    ran: Literal["nftables", "user space"]
    seen: int
    acted: int
    held: int


class GateRules(Output):
    """`ikelab gate show --json`."""

    rules: list[GateRule]


# name -> (type, the command)
SCHEMAS: dict[str, tuple[Any, str]] = {
    "ikelab.version/1": (Version, "ikelab version --json"),
    "ikelab.list/1": (Listed, "ikelab list KIND --json"),
    "ikelab.doctor/1": (Doctor, "ikelab doctor --json"),
    "ikelab.image/1": (Image, "ikelab image status --json"),
    "ikelab.ladder/1": (Decoded, "ikelab decode FILE --json"),
    "ikelab.report/1": (Written, "ikelab report build DIR --json"),
    "ikelab.diff/1": (RunDiff, "ikelab report diff A B --json"),
    "ikelab.explain/1": (Explained, "ikelab explain RUN/SCENARIO --json"),
    "ikelab.history/1": (Runs, "ikelab history --json"),
    "ikelab.peer-check/1": (PeerCheck, "ikelab peer check NAME --json"),
    "ikelab.lab/1": (Up, "ikelab up TOPOLOGY --json"),
    "ikelab.status/1": (Status, "ikelab status --json"),
    "ikelab.nat/1": (Nat, "ikelab nat show --json"),
    "ikelab.gate-rules/1": (GateRules, "ikelab gate show --json"),
    "ikelab.sas/1": (Sas, "ikelab ctl NODE list-sas --json"),
    "ikelab.stats/1": (Stats, "ikelab ctl NODE stats --json"),
}


def export(name: str) -> dict[str, Any]:
    """The JSON Schema of an output; its `schema` key has to have this name."""
    kind, command = SCHEMAS[name]
    schema = msgspec.json.schema(kind)
    root = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    root["properties"]["schema"] = {"const": name}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, "description": command, **schema}


def file_name(name: str) -> str:
    """`ikelab.status-1.schema.json` for `ikelab.status/1`."""
    return f"{name.replace('/', '-')}.schema.json"


def strict(text: bytes | str) -> Any:
    """One object that a command printed; msgspec.ValidationError where it has not the shape that it names."""
    name = msgspec.json.decode(text, type=_Named).schema
    if name not in SCHEMAS:
        raise msgspec.ValidationError(f"no command prints {name!r}")
    return msgspec.json.decode(text, type=SCHEMAS[name][0])
