"""SAs as people and drivers see them: plain dicts in the shape of ikelab.sas/1 and ikelab.keys/1."""

from lab.crypto import registry
from lab.ike.child import ChildSa
from lab.ike.nat import NatSituation
from lab.ike.path import Path
from lab.ike.virtual import Virtual
from lab.wire.payloads_v2 import Transform


def key_bits(encr: Transform) -> int:
    """The length of a cipher's key in bits, salt not counted; also where no Key Length attribute is sent."""
    return registry.encr(encr).key_octets * 8


def ike_view(named: dict[str, object], path: Path, nat: NatSituation, virtual: Virtual) -> dict[str, object]:
    """The part of an IKE SA's view that both versions share."""
    return {
        "name": named["connection"],
        **{key: named[key] for key in ("number", "role", "spi_i", "spi_r", "local_id", "remote_id")},
        "local_host": path.local_host,
        "local_port": path.local_port,
        "remote_host": path.remote_host,
        "remote_port": path.remote_port,
        "nat_local": nat.local,
        "nat_remote": nat.remote,
        "local_vips": [str(address) for address in virtual.local],
        "remote_vips": [str(address) for address in virtual.remote],
    }


def child_view(child: ChildSa) -> dict[str, object]:
    """A child; the counters are those of the data plane, which fills them in."""
    return {
        "name": child.name,
        "mode": child.mode.upper(),
        "protocol": child.protocol.name,
        "encap": child.encap,
        "spi_in": child.spi_in.hex(),
        "spi_out": child.spi_out.hex(),
        "encr": child.encr.id.name if child.encr else None,
        "encr_key_length": key_bits(child.encr) if child.encr else None,
        "integ": child.integ.id.name if child.integ else None,
        "ke": child.ke.name if child.ke else None,
        "esn": child.esn,
        "local_ts": [str(selector) for selector in child.ts_local],
        "remote_ts": [str(selector) for selector in child.ts_remote],
        "bytes_in": 0,
        "bytes_out": 0,
        "packets_in": 0,
        "packets_out": 0,
    }


def child_keys(child: ChildSa) -> list[dict[str, object]]:
    """Key-log entries of a child: what we receive, then what we send; addresses as we see them."""
    local, remote = child.path.local_host, child.path.remote_host
    return [
        _direction(child, child.spi_in, (remote, local), child.key_encr_in, child.key_integ_in),
        _direction(child, child.spi_out, (local, remote), child.key_encr_out, child.key_integ_out),
    ]


def _direction(
    child: ChildSa, spi: bytes, ends: tuple[str, str], encr_key: bytes, integ_key: bytes
) -> dict[str, object]:
    octets = registry.encr(child.encr).key_octets if child.encr else 0
    return {
        "kind": "child",
        "protocol": child.protocol.name,
        "spi": spi.hex(),
        "src": ends[0],
        "dst": ends[1],
        "encap": child.encap,
        "encr": child.encr.id.name if child.encr else "",
        "encr_key_length": key_bits(child.encr) if child.encr else None,
        "encr_key": encr_key[:octets].hex(),
        "salt": encr_key[octets:].hex(),
        "integ": child.integ.id.name if child.integ else None,
        "integ_key": integ_key.hex(),
        "esn": child.esn,
        "ike_spi_i": child.ike_spi_i.hex(),
    }
