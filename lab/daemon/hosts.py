"""Names of hosts by the hosts file, for gateways that a redirection names (RFC 5685).

The daemon asks no name server: it would have to wait for one, for a name that a stranger chose.
"""

from ipaddress import ip_address
from pathlib import Path

FILE = Path("/etc/hosts")


def lookup(name: str, file: Path = FILE) -> tuple[str, ...]:
    """The addresses of a name in the order of the file, none where it has none; lines that are wrong are skipped."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    wanted, found = name.rstrip(".").lower(), []
    for address, *names in (words for line in lines if (words := line.partition("#")[0].split())):
        if wanted in (one.rstrip(".").lower() for one in names) and _valid(address):
            found.append(address)
    return tuple(found)


def _valid(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
