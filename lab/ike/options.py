"""Typed readers for the values of swanctl.conf, and the table reader that makes an unknown key an error.

A reader takes the text of a value and returns what it means, or raises ValueError in words; `read` adds file,
line and key.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from lab.errors import ConfigError
from lab.ike.credentials import Identity
from lab.ike.swanctl import Section
from lab.wire.payloads_v2 import TrafficSelector

Reader = Callable[[str], object]

LONGEST = 1e9  # seconds, some 30 years: far from where a float loses the seconds
MOST_SELECTORS = 255  # the count of a TS payload is one octet
MOST_VALUES = 16  # of one kind in a Configuration payload

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_YES, _NO = frozenset({"yes", "true", "1", "enabled"}), frozenset({"no", "false", "0", "disabled"})
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "ipv6-icmp": 58, "icmpv6": 58, "ospf": 89, "sctp": 132}
_SELECTOR = re.compile(r"(?P<net>[^\[]+)(?:\[(?P<protocol>[^/\]]*)(?:/(?P<port>[^\]]*))?\])?")


def read(section: Section, readers: Mapping[str, Reader], sections: tuple[str, ...] = ()) -> dict[str, object]:
    """The values of a section by key; a key or sub-section that is in neither list is an error."""
    out: dict[str, object] = {}
    for key, value in section.values.items():
        if key not in readers:
            raise section.error(f"unknown key; section {section.name!r} knows {', '.join(sorted(readers))}", key)
        try:
            out[key] = readers[key](value.text)
        except (ValueError, ConfigError) as error:
            raise section.error(str(error), key) from error
    for name, inner in section.sections.items():
        if not any(re.fullmatch(pattern, name) for pattern in sections):
            raise inner.error("unknown section")
    return out


def text(value: str) -> str:
    """The text itself."""
    return value


def yes_no(value: str) -> bool:
    """`yes` or `no`, as swanctl spells them."""
    if value.lower() in _YES:
        return True
    if value.lower() in _NO:
        return False
    raise ValueError(f"{value!r} is neither yes nor no")


def seconds(value: str) -> float:
    """A time such as `90`, `30s`, `5m`, `4h`, `1d`, in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", value)
    if match is None:
        raise ValueError(f"{value!r} is no time (write 30s, 5m, 4h, 1d)")
    found = float(match.group(1)) * _UNITS[match.group(2)]
    if found > LONGEST:
        raise ValueError(f"{value!r} is longer than {LONGEST:g} seconds")
    return found


def number(value: str) -> int:
    """A whole number that is not negative."""
    if not value.isascii() or not value.isdecimal():
        raise ValueError(f"{value!r} is no number")
    return int(value)


def interface_id(value: str) -> int:
    """The ID of an XFRM interface, in digits of 10 or, behind 0x, of 16; 0 is none."""
    try:
        found = int(value, 16) if value[:2].lower() == "0x" else number(value)
    except ValueError:
        raise ValueError(
            f"{value!r} is no number of an interface (%unique and %unique-dir are not supported)"
        ) from None
    if not 0 <= found < 2**32:
        raise ValueError(f"{value!r} is not between 0 and 4294967295")
    return found


def real(value: str) -> float:
    """A number that is not negative."""
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def within(reader: Callable[[str], float], least: float, most: float) -> Reader:
    """A reader that takes what another one reads, between two bounds."""

    def bounded(value: str) -> float:
        found = reader(value)
        if not least <= found <= most:
            raise ValueError(f"{value!r} is not between {least:.10g} and {most:.10g}")
        return found

    return bounded


def one_of(*words: str) -> Reader:
    """A reader that takes one of these words."""

    def reader(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is not supported (write {' or '.join(words)})")
        return value

    return reader


def some_of(*words: str) -> Reader:
    """A reader that takes a list of these words, in the order of the reader's own."""

    def reader(value: str) -> tuple[str, ...]:
        named = _listed(value)
        if wrong := next((word for word in named if word not in words), None):
            raise ValueError(f"{wrong!r} is not supported (write some of {', '.join(words)})")
        return tuple(word for word in words if word in named)

    return reader


def addresses(value: str) -> tuple[str, ...]:
    """A list of addresses, networks or `%any`; empty where any address will do."""
    out = []
    for part in (part.strip() for part in value.split(",")):
        if part in ("", "%any", "%any4", "%any6"):
            return ()
        out.append(str(ip_network(part)) if "/" in part else str(ip_address(part)))
    return tuple(out)


def _listed(value: str) -> list[str]:
    """The parts of a list whose values go into a Configuration payload."""
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if len(parts) > MOST_VALUES:
        raise ValueError(f"{len(parts)} values, at most {MOST_VALUES} are given to a peer")
    return parts


def hosts(value: str) -> tuple[IPv4Address | IPv6Address, ...]:
    """A list of addresses."""
    return tuple(ip_address(part) for part in _listed(value))


def networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """A list of networks."""
    return tuple(ip_network(part) for part in _listed(value))


def identity(value: str) -> Identity | None:
    """An identity; None for `%any`."""
    return Identity.parse(value)


@dataclass(frozen=True, slots=True)
class Selector:
    """A traffic selector of the configuration; `network` None stands for `dynamic`, the address of that side."""

    network: str | None
    protocol: int = 0
    start_port: int = 0
    end_port: int = 65535

    def at(self, host: str) -> TrafficSelector:
        """The selector on the wire, `dynamic` replaced by an address."""
        network = self.network or host
        if "-" not in network:
            return TrafficSelector.of_network(network, self.protocol, self.start_port, self.end_port)
        first, last = (ip_address(part.strip()) for part in network.split("-"))
        return TrafficSelector(self.protocol, self.start_port, self.end_port, first, last)


def selectors(value: str) -> tuple[Selector, ...]:
    """A list such as `10.1.0.0/24, dynamic[tcp/80], 10.1.0.5-10.1.0.9`."""
    found = tuple(_selector(part.strip()) for part in value.split(",") if part.strip())
    if not found:
        raise ValueError("at least one traffic selector is needed")
    if len(found) > MOST_SELECTORS:
        raise ValueError(f"{len(found)} traffic selectors, one side of a child has at most {MOST_SELECTORS}")
    return found


def _selector(value: str) -> Selector:
    match = _SELECTOR.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no traffic selector (write 10.1.0.0/24 or 10.1.0.0/24[tcp/80])")
    network = match["net"].strip()
    start, end = _ports(match["port"] or "any")
    selector = Selector(None if network == "dynamic" else network, _protocol(match["protocol"] or "any"), start, end)
    first = selector.at("0.0.0.0")
    if first.start.version != first.end.version or int(first.start) > int(first.end):
        raise ValueError(f"{network!r} is no range of addresses")
    return selector


def _protocol(value: str) -> int:
    if value in ("any", "0"):
        return 0
    return _PROTOCOLS[value] if value in _PROTOCOLS else _bounded(value, 255)


def _ports(value: str) -> tuple[int, int]:
    if value == "any":
        return 0, 65535
    if value == "opaque":
        return 65535, 0
    first, dash, last = value.partition("-")
    start = _bounded(first, 65535)
    return start, _bounded(last, 65535) if dash else start


def _bounded(value: str, most: int) -> int:
    if number(value) > most:
        raise ValueError(f"{value} is larger than {most}")
    return number(value)
