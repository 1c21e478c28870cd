"""Where a connection begins when we are the one who begins it."""

from collections.abc import Sequence
from ipaddress import ip_address

from lab.errors import ConfigError
from lab.ike.config import Connection
from lab.ike.path import Path


def path_to(connection: Connection, ours: Sequence[str]) -> Path:
    """The first addresses of a connection, ours from those of this host where none is written; ConfigError."""
    remotes = [a for a in connection.remote_addrs if "/" not in a]
    if not remotes:
        raise ConfigError(f"connection {connection.name} names no remote address: it can only respond")
    family = ip_address(remotes[0]).version
    written = [a for a in connection.local_addrs if "/" not in a]
    fitting = [a for a in (*written, *ours) if ip_address(a).version == family]
    if not fitting:
        raise ConfigError(f"connection {connection.name}: no local address of the family of {remotes[0]}")
    return Path(fitting[0], connection.local_port, remotes[0], connection.remote_port)
