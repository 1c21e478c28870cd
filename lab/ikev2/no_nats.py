"""No NATs: where one side knows no NAT traversal, addresses must arrive as they were sent (RFC 4555 3.9).

    HDR, SK {..., N(NO_NATS_ALLOWED)}  -->    <--  HDR, SK {N(UNEXPECTED_NAT_DETECTED), [N(COOKIE2)]}

The notify goes with whatever may change addresses: the first IKE_AUTH request and INFORMATIONAL requests of MOBIKE.
"""

from ipaddress import ip_address

from lab.ikev2.exchange import Payloads
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify


def whereabouts(source: tuple[str, int], target: tuple[str, int]) -> bytes:
    """The data of NO_NATS_ALLOWED: both addresses, then both ports (RFC 4555 4.2.6)."""
    hosts = b"".join(ip_address(host).packed for host, _ in (source, target))
    return hosts + b"".join(port.to_bytes(2, "big") for _, port in (source, target))


def prohibition(sa: Sa) -> Payloads:
    """3.9: where one side knows no NAT traversal, whoever moves says which addresses must arrive."""
    if sa.nat.spoken:
        return ()
    path = sa.path
    data = whereabouts((path.local_host, path.local_port), (path.remote_host, path.remote_port))
    return (Notify(NotifyType.NO_NATS_ALLOWED, data),)


def nat_between(sa: Sa, request: Message) -> str:
    """Where the addresses of a request are not those that it was sent with, both in words; else an empty text."""
    told, path = request.notify(NotifyType.NO_NATS_ALLOWED), sa.arrived
    if told is None or told.data == whereabouts(
        (path.remote_host, path.remote_port), (path.local_host, path.local_port)
    ):
        return ""
    return f"peer allows no NAT, and its message came along {path}, not {_shown(told.data)}"


def _shown(data: bytes) -> str:
    size = {12: 4, 36: 16}.get(len(data))
    if size is None:
        return f"{len(data)} octets that are no addresses"
    ends = [ip_address(data[:size]), ip_address(data[size : 2 * size])]
    ports = [int.from_bytes(data[at : at + 2], "big") for at in (2 * size, 2 * size + 2)]
    return f"{ends[1]}[{ports[1]}]-{ends[0]}[{ports[0]}]"
