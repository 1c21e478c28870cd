"""NAT boxes as nftables rules.

Mapping and filtering in the words of RFC 4787. Plain `masquerade` is endpoint-independent and keeps the source port
until two clients collide; with `random` every destination gets its own mapping. Filtering is address- and
port-dependent, since conntrack lets in only what answers. The input filter matters for the mapping too: without it a
packet from outside that nobody asked for creates a connection entry and so takes the port away from the client
(4500 -> 59334 was seen).
"""

from lab.emulation.model import Nat
from lab.emulation.topology import Topology

_FILTER = """\
table inet filter {{
  chain in {{
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname != "{outside}" accept
    icmp type echo-request accept
    icmpv6 type {{ echo-request, nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }} accept
  }}
  chain through {{
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname != "{outside}" accept
    ct status dnat accept
  }}
}}
"""

# Before new rules, in the same transaction: away with the old ones, and with nothing of others in the namespace.
AWAY = "delete table ip nat\ndelete table inet filter\n"


def rules(topology: Topology, name: str) -> str:
    """The ruleset of a NAT box."""
    nat = topology.nodes[name].nat
    assert nat is not None
    lines = ["table ip nat {", "  chain before {", "    type nat hook prerouting priority dstnat;"]
    lines += [f"    {rule}" for rule in _forwards(topology, name, nat)]
    lines += ["  }", "  chain after {", "    type nat hook postrouting priority srcnat;"]
    lines += [f"    {rule}" for rule in _masquerade(nat)]
    return "\n".join([*lines, "  }", "}", ""]) + _FILTER.format(outside=nat.outside)


def _forwards(topology: Topology, name: str, nat: Nat) -> list[str]:
    rules = []
    for forward in nat.forwards:
        inside = next(end for end in topology.at(forward.to) if end.peer == name)
        target = inside.address() or ""
        if forward.to_port:
            target += f":{forward.to_port}"
        ports = ", ".join(map(str, forward.ports))
        rules.append(f'iifname "{nat.outside}" {forward.protocol} dport {{ {ports} }} dnat to {target}')
    return rules


def _masquerade(nat: Nat) -> list[str]:
    """Fixed ports first, then the behaviour of all others."""
    out = f'oifname "{nat.outside}"'
    rules = [f"{out} udp sport {inside} masquerade to :{outside}" for inside, outside in nat.remap.items()]
    if nat.ports == "random":
        return [*rules, f"{out} masquerade random,fully-random"]
    if nat.ports != "preserve":
        rules.append(f"{out} meta l4proto {{ tcp, udp }} masquerade to :{nat.ports} random,fully-random")
    return [*rules, f"{out} masquerade"]
