"""`ikelab.gre.NAME { }`: GRE tunnels that the user-space data plane makes (RFC 2784, RFC 2890).

NAME is the interface. `local` and `remote` are what GRE travels between; a child must protect protocol 47 between
them, or nothing leaves: `local_ts = dynamic[gre]`, `remote_ts = dynamic[gre]`.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface

from lab.ike import options
from lab.ike.swanctl import Section

# What Linux takes for an interface, without what would surprise a shell.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,14}")
LEAST_MTU, MOST_MTU = 576, 65000


@dataclass(frozen=True, slots=True)
class Gre:
    """One tunnel. `addresses` are the interface's own, with their prefix length; `key` None sends none."""

    name: str
    local: IPv4Address | IPv6Address
    remote: IPv4Address | IPv6Address
    addresses: tuple[str, ...] = ()
    mtu: int = 1400
    key: int | None = None
    checksum: bool = False
    sequence_numbers: bool = False
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


def _addresses(value: str) -> tuple[str, ...]:
    return tuple(str(ip_interface(part.strip())) for part in value.split(",") if part.strip())


_READERS: dict[str, options.Reader] = {
    "local": ip_address,
    "remote": ip_address,
    "addresses": _addresses,
    "mtu": options.within(options.number, LEAST_MTU, MOST_MTU),
    "key": options.within(options.number, 0, 2**32 - 1),
    "checksum": options.yes_no,
    "sequence_numbers": options.yes_no,
}


def tunnels(section: Section) -> tuple[Gre, ...]:
    """The tunnels of a section `gre`; ConfigError with file, line and key for what is wrong in it."""
    options.read(section, {}, (".*",))
    found: dict[tuple[object, ...], Gre] = {}
    for inner in section.sections.values():
        tunnel = _tunnel(inner)
        same = found.setdefault((tunnel.local, tunnel.remote, tunnel.key), tunnel)
        if same is not tunnel:
            raise inner.error(f"{same.name} has the same ends and the same key: give them different keys")
    return tuple(found.values())


def _tunnel(section: Section) -> Gre:
    if not _NAME.fullmatch(section.name):
        raise section.error("no name for an interface: up to 15 letters, digits, dots, dashes, a letter first")
    values = options.read(section, _READERS)
    for key in ("local", "remote"):
        if key not in values:
            raise section.error(f"{key} = ADDRESS is needed")
    tunnel = Gre(section.name, file=section.file, line=section.line, **values)  # type: ignore[arg-type]
    if tunnel.local.version != tunnel.remote.version:
        raise section.error("local and remote are of different IP versions", "remote")
    return tunnel
