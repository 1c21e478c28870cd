"""NAT boxes and firewalls as nftables rules.

Mapping and filtering in the words of RFC 4787. What the kernel does by itself:

* `masquerade` keeps the source port until two clients collide, and uses a source's mapping again for other
  destinations: endpoint-independent. So it does with a range of ports, where it draws the first one; with
  `fully-random` every destination gets a mapping of its own.
* Connection tracking lets in only what answers: address- and port-dependent filtering.

The rest is learnt by the box from its own packets: behind the translation (chain `learn`) both names of a client are
known, and they are kept in a map for as long as a UDP mapping lives:

* `cone`     outside port -> client: anybody may use the mapping (endpoint-independent filtering), or any other client
  of the box (hairpinning);
* `permits`  remote address, outside port -> client: only those it was used for (address-dependent filtering);
* `learned`  client, remote address -> outside port: used again for other ports there (address-dependent mapping).

The input filter matters for the mapping too: without it a packet from outside that nobody asked for creates a
connection entry and so takes the port away from the client (4500 -> 59334 was seen). So it does from inside,
where packets turn back.
"""

from lab.emulation.model import Firewall, Nat
from lab.emulation.topology import Topology

_FILTER = """\
table inet filter {{
  chain in {{
    type filter hook input priority filter; policy drop;
    ct mark {hairpin} meta l4proto udp drop
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
{fragments}}}
"""
# Ahead of connection tracking, which would put them together.
_NO_FRAGMENTS = """\
  chain whole {
    type filter hook prerouting priority -450;
    ip frag-off & 0x3fff != 0 drop
    exthdr frag exists drop
  }
"""
_CLIENT = "ipv4_addr . inet_service"
_MAPS = {
    "cone": ("inet_service", _CLIENT),
    "permits": (_CLIENT, _CLIENT),
    "learned": (f"{_CLIENT} . ipv4_addr", "inet_service"),
}
_HAIRPIN = "0x68"  # marks the connections that turn back
DRAWN, UDP_TIMEOUT = "1024-65535", "30s"

# Before new rules, in the same transaction: away with the old ones, and with nothing of others in the namespace.
AWAY = "delete table ip nat\ndelete table inet filter\n"
FIREWALL_AWAY = "delete table inet filter\n"


def rules(topology: Topology, name: str, nat: Nat | None = None) -> str:
    """The ruleset of a NAT box, with the behaviour of the file or another one."""
    nat = nat or topology.nodes[name].nat
    assert nat is not None
    chains = [
        _chain("before", "nat hook prerouting priority dstnat", _inward(topology, name, nat)),
        _chain("after", "nat hook postrouting priority srcnat", _translate(topology, name, nat)),
        _chain("learn", "filter hook postrouting priority srcnat + 50", _learn(nat)),
    ]
    maps = "".join(_map(kind, nat.udp_timeout or UDP_TIMEOUT) for kind in _kept(nat))
    return f"table ip nat {{\n{maps}{''.join(chains)}}}\n" + _filter(nat)


def firewall_rules(firewall: Firewall) -> str:
    """The ruleset of a firewall."""
    return _filter(firewall)


def _filter(box: Nat | Firewall) -> str:
    return _FILTER.format(outside=box.outside, hairpin=_HAIRPIN, fragments=_NO_FRAGMENTS if box.drop_fragments else "")


def _chain(name: str, kind: str, rules: list[str]) -> str:
    return "".join([f"  chain {name} {{\n    type {kind};\n", *(f"    {rule}\n" for rule in rules), "  }\n"])


def _map(kind: str, timeout: str) -> str:
    key, value = _MAPS[kind]
    return (
        f"  map {kind} {{\n    type {key} : {value}\n    size 4096\n    flags dynamic,timeout\n"
        f"    timeout {timeout}\n  }}\n"
    )


def _kept(nat: Nat) -> list[str]:
    """The maps that this behaviour needs."""
    wanted = {
        "cone": nat.filtering == "endpoint-independent" or nat.hairpin,
        "permits": nat.filtering == "address-dependent",
        "learned": nat.maps == "address-dependent",
    }
    return [kind for kind, needed in wanted.items() if needed]


# -- from outside, and from inside to the outside address


def _inward(topology: Topology, name: str, nat: Nat) -> list[str]:
    """Which connections to an outside address go to which client."""
    turning = f'iifname != "{nat.outside}" fib daddr type local ct mark set {_HAIRPIN}'
    return [*([turning] if nat.hairpin else []), *_forwards(topology, name, nat), *_back(nat)]


def _forwards(topology: Topology, name: str, nat: Nat) -> list[str]:
    rules = []
    for forward in nat.forwards:
        inside = next(end for end in topology.at(forward.to) if end.peer == name)
        target = inside.address() or ""
        if forward.to_port:
            target += f":{forward.to_port}"
        ports = ", ".join(map(str, forward.ports))
        for way in (f'iifname "{nat.outside}"', *([f"ct mark {_HAIRPIN}"] if nat.hairpin else [])):
            rules.append(f"{way} {forward.protocol} dport {{ {ports} }} dnat to {target}")
    return rules


def _back(nat: Nat) -> list[str]:
    """Who may come in beside those who answer."""
    rules, udp = [], "meta l4proto udp"
    if nat.filtering == "endpoint-independent":
        rules.append(f'iifname "{nat.outside}" {udp} dnat to udp dport map @cone')
    if nat.filtering == "address-dependent":
        rules.append(f'iifname "{nat.outside}" {udp} dnat to ip saddr . udp dport map @permits')
    if nat.hairpin:
        rules.append(f"ct mark {_HAIRPIN} {udp} dnat to udp dport map @cone")
    return rules


# -- from inside


def _translate(topology: Topology, name: str, nat: Nat) -> list[str]:
    found = _sources(f'oifname "{nat.outside}"', nat, nat.address or "")
    if nat.hairpin:
        outside = topology.attachment(name, nat.outside).address() or ""
        found += _sources(f"ct mark {_HAIRPIN} ct status dnat", nat, nat.address or outside)
    return found


def _sources(match: str, nat: Nat, address: str) -> list[str]:
    """Fixed ports first, then the behaviour of all others; without an address the one of the interface."""

    def to(ports: str = "", how: str = "") -> str:
        translate = f"snat to {address}{ports and ':'}{ports}" if address else f"masquerade{ports and ' to :'}{ports}"
        return f"{translate} {how}".rstrip()

    fixed = ({500: 500} if nat.ipsec_helper else {}) | nat.remap
    rules = [f"{match} udp sport {inside} {to(str(outside))}" for inside, outside in fixed.items()]
    if nat.ports == "preserve":
        return [*rules, f"{match} {to()}"]
    drawn = DRAWN if nat.ports == "random" else nat.ports
    if nat.maps == "address-dependent":
        rules.append(f"{match} meta l4proto udp {to('ip saddr . udp sport . ip daddr map @learned')}")
    if nat.maps == "endpoint-independent":
        rules.append(f"{match} meta l4proto {{ tcp, udp }} {to(drawn)}")
    elif nat.ports != "random" or nat.maps == "address-dependent":
        rules.append(f"{match} meta l4proto {{ tcp, udp }} {to(drawn, 'random,fully-random')}")
    return [*rules, f"{match} {to('', 'random,fully-random' if nat.ports == 'random' else '')}"]


def _learn(nat: Nat) -> list[str]:
    """Every packet that goes out keeps what is known of its client alive."""
    keys = {
        "cone": "{{ udp sport : {client} }}",
        "permits": "{{ ip daddr . udp sport : {client} }}",
        "learned": "{{ {client} . ip daddr : udp sport }}",
    }
    found = []
    for kind in _kept(nat):
        for way in ("original", "reply"):  # in a reply the client is whom a stranger's connection was led to
            element = keys[kind].format(client=f"ct {way} ip saddr . ct {way} proto-src")
            found.append(f'oifname "{nat.outside}" meta l4proto udp ct direction {way} update @{kind} {element}')
    return found
