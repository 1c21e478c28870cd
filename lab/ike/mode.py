"""Transport or tunnel mode of a child, as far as both versions of IKE share it: which selectors it can carry, and what
becomes of them behind a NAT (RFC 7296 1.3.1, 2.23.1).

In transport mode the addresses of a packet are those of the IKE SA, so selectors that name others cannot go with it.
Behind a NAT each side sees another address than the other side wrote. Whoever receives selectors puts the end of the
IKE SA as it sees it in the place of the one that was translated, before anything else is done with them.
"""

from dataclasses import replace
from ipaddress import ip_address

from lab.ike.nat import NatSituation
from lab.ike.path import Path
from lab.wire.payloads_v2 import TrafficSelector

Selectors = tuple[TrafficSelector, ...]
TRANSPORT, TUNNEL = "transport", "tunnel"


def misfit(path: Path, local: Selectors, remote: Selectors) -> str:
    """Why a child of these selectors cannot use transport mode, in words; empty where it can."""
    for whose, host, selectors in (("our", path.local_host, local), ("the peer's", path.remote_host, remote)):
        strange = [s for s in selectors if not s.start == s.end == ip_address(host)]
        if strange:
            return f"{strange[0]} is not {whose} address {host}"
    return ""


def as_seen(nat: NatSituation, path: Path, local: Selectors, remote: Selectors) -> tuple[Selectors, Selectors]:
    """Selectors of the peer's, ours first, with addresses that a NAT translates as we see them (2.23.1)."""
    return _at(path.local_host, local) if nat.local else local, _at(path.remote_host, remote) if nat.remote else remote


def _at(host: str, selectors: Selectors) -> Selectors:
    address = ip_address(host)
    return tuple(
        replace(s, start=address, end=address) if s.start == s.end and s.start.version == address.version else s
        for s in selectors
    )
