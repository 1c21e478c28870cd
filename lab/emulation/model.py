"""What a topology file may say: one struct per YAML mapping.

`topologies/schema.json` is generated from here (`python -m lab.emulation.model`), and so is every complaint about a
wrong type or an unknown key. What a schema cannot say (unknown names, overlapping subnets) is in checks.py; the sizes
of mappings too, because msgspec would complain of a size before it names the entry that is wrong.
"""

import json
import sys
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from lab.emulation import units

Duration = Annotated[str, Meta(pattern=units.DURATION, examples=["20ms", "1.5s", "250us"])]
Percent = Annotated[str, Meta(pattern=units.PERCENT, examples=["1%", "0.5%"])]
Rate = Annotated[str, Meta(pattern=units.RATE, examples=["10mbit", "512kbit"])]
Port = Annotated[int, Meta(ge=1, le=65535)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,30}$", examples=["left", "right-nat"])]
InterfaceName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,14}$", examples=["wan", "lan"])]
Address = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f.:]+/[0-9]+$", examples=["192.0.2.1/24", "2001:db8::1/64"])]
Prefix = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f.:]+/[0-9]+$", examples=["10.0.0.0/8", "2001:db8::/32"])]
Ports = Annotated[
    str,
    Meta(pattern=r"^(preserve|random|[0-9]{1,5}-[0-9]{1,5})$", examples=["preserve", "random", "20000-29999"]),
]

PacketFilter = Annotated[
    str, Meta(min_length=1, max_length=400, examples=["2nd IKE_AUTH response", "CREATE_CHILD_SA request from left"])
]
IPv4 = Annotated[str, Meta(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$", examples=["203.0.113.3"])]

NodeKind = Literal["gateway", "host", "nat", "firewall", "router"]
Dependence = Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]


class Bursts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Losses that come in bursts (the model of Gilbert and Elliott), decided packet by packet.

    `begin` is the chance that a burst begins, `end` that it is over: it lasts 1 / `end` packets on average. `loss` is
    the chance of a packet within a burst to be lost, `between` that of one between bursts.
    """

    begin: Percent
    end: Percent
    loss: Percent = "100%"
    between: Percent = "0%"


class Impairment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one direction of a link does to the packets on it.

    `delay` varies evenly by `jitter` to both sides, and packets overtake one another. `reorder` is how many packets do
    not wait for the delay, and so overtake those that do; `duplicate` how many arrive twice; `corrupt` how many have
    one bit turned over. All is drawn from the seed of the run.
    """

    delay: Duration | None = None
    jitter: Duration | None = None
    loss: Percent | None = None
    bursts: Bursts | None = None
    reorder: Percent | None = None
    duplicate: Percent | None = None
    corrupt: Percent | None = None
    rate: Rate | None = None
    mtu: Annotated[int, Meta(ge=576, le=65535)] | None = None

    @property
    def queued(self) -> bool:
        """Whether packets have to pass netem for it."""
        return self != Impairment(mtu=self.mtu)


class Forward(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A port forward: what arrives from outside on one of `ports` goes to the node `to`."""

    to: Name
    ports: Annotated[tuple[Port, ...], Meta(min_length=1)]
    protocol: Literal["udp", "tcp"] = "udp"
    to_port: Port | None = None


class Nat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a NAT box behaves (RFC 4787 words).

    `ports`: `preserve` keeps the source port until two clients collide, `random` draws another, `20000-29999` draws one
    of that range. `mapping` says for which destinations a mapping is used again; without it a NAT that keeps ports maps
    endpoint-independent, and one that draws them address- and port-dependent (a "symmetric" NAT). `filtering` says who
    outside may use a mapping: `endpoint-independent` is a full cone, `address-dependent` an address-restricted one,
    `address-and-port-dependent` a port-restricted one. `remap` gives UDP source ports a fixed outside port
    (endpoint-independent, not preserved). `ipsec_helper` keeps source port 500 whatever becomes of the others.
    `address` is the outside address in use where the outside interface has several.
    """

    outside: InterfaceName = "wan"
    address: IPv4 | None = None
    ports: Ports = "preserve"
    mapping: Dependence | None = None
    filtering: Dependence = "address-and-port-dependent"
    hairpin: bool = False
    ipsec_helper: bool = False
    drop_fragments: bool = False
    remap: dict[Port, Port] = {}
    forwards: tuple[Forward, ...] = ()
    udp_timeout: Duration | None = None
    udp_timeout_stream: Duration | None = None

    @property
    def maps(self) -> Dependence:
        """The mapping behaviour, said or not."""
        return self.mapping or ("endpoint-independent" if self.ports == "preserve" else "address-and-port-dependent")


class Firewall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A firewall with state that translates nothing: in comes what answers, by the same rules as at a NAT box."""

    outside: InterfaceName = "wan"
    drop_fragments: bool = False
    udp_timeout: Duration | None = None
    udp_timeout_stream: Duration | None = None


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A static route to a prefix through a neighbour."""

    to: Prefix
    via: Name


class NodeSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A node. `default_route` names the neighbour that everything else goes to."""

    kind: NodeKind
    default_route: Name | None = None
    routes: tuple[Route, ...] = ()
    nat: Nat | None = None
    firewall: Firewall | None = None


class End(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One end of a link: the interface it is in its node, and its addresses."""

    interface: InterfaceName
    addresses: Annotated[tuple[Address, ...], Meta(min_length=1)]


class LinkSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A link between two nodes. `impair` is keyed by the node whose packets suffer."""

    ends: Annotated[dict[Name, End], Meta(extra_json_schema={"minProperties": 2, "maxProperties": 2})]
    impair: dict[Name, Impairment] = {}


class Clients(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Many gateways alike, `client1` and on; each has a link to the node `behind` and a piece of `subnet`."""

    count: Annotated[int, Meta(ge=1, le=200)]
    behind: Name
    subnet: Prefix


class GateRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule of the packet gate: one action with its filter (docs/gate.md), and what this action wants to know."""

    drop: PacketFilter | None = None
    hold: PacketFilter | None = None
    delay: PacketFilter | None = None
    duplicate: PacketFilter | None = None
    swap: PacketFilter | None = None
    corrupt: PacketFilter | None = None
    record: PacketFilter | None = None
    order: Annotated[tuple[PacketFilter, ...], Meta(min_length=2, max_length=16)] | None = None
    until: PacketFilter | None = None
    lasting: Duration | None = msgspec.field(name="for", default=None)
    octet: Annotated[int, Meta(ge=0, le=65535)] | None = None
    mask: Annotated[int, Meta(ge=1, le=255)] | None = None
    gather: Annotated[int, Meta(ge=0, le=16)] | None = None


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A topology file."""

    description: str
    nodes: Annotated[dict[Name, NodeSpec], Meta(extra_json_schema={"minProperties": 2})]
    links: Annotated[dict[Name, LinkSpec], Meta(extra_json_schema={"minProperties": 1})]
    gates: dict[Name, tuple[GateRule, ...]] = {}
    clients: Clients | None = None


def schema() -> dict[str, Any]:
    """The JSON Schema of a topology file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ikelab topology",
        **msgspec.json.schema(Document),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
