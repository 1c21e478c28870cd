"""charon's list-sas and events in the lab's common shape (sas.json, `base.Event`)."""

from typing import Any

from lab.peers import charon_names as names
from lab.peers.base import Event

Fields = dict[str, Any]


def sa_view(name: str, sa: Fields) -> Fields:
    """One IKE SA of list-sas (values are str) in the shape of sas.json."""
    return {
        "name": name,
        "version": int(sa.get("version", 2)),
        "state": sa.get("state", ""),
        "role": "initiator" if sa.get("initiator") == "yes" else "responder",
        "spi_i": sa.get("initiator-spi", ""),
        "spi_r": sa.get("responder-spi", ""),
        "local_host": sa.get("local-host", ""),
        "local_port": int(sa.get("local-port", 0)),
        "remote_host": sa.get("remote-host", ""),
        "remote_port": int(sa.get("remote-port", 0)),
        "local_id": sa.get("local-id", ""),
        "remote_id": sa.get("remote-id", ""),
        "encr": names.encr(sa.get("encr-alg", "")),
        "encr_key_length": int(sa.get("encr-keysize", 0)),
        "integ": names.integ(sa.get("integ-alg", "")) or None,
        "prf": sa.get("prf-alg", ""),
        "ke": names.ke(sa.get("dh-group", "")),
        "nat_local": sa.get("nat-local") == "yes",
        "nat_remote": sa.get("nat-remote") == "yes",
        "local_vips": list(sa.get("local-vips", [])),
        "remote_vips": list(sa.get("remote-vips", [])),
        "established_s": int(sa.get("established", 0)),
        "children": [child_view(child) for child in sa.get("child-sas", {}).values()],
    }


def child_view(child: Fields) -> Fields:
    """One CHILD SA of list-sas in the shape of sas.json."""
    return {
        "name": child.get("name", ""),
        "state": child.get("state", ""),
        "mode": child.get("mode", ""),
        "protocol": child.get("protocol", ""),
        "encap": child.get("encap") == "yes",
        "spi_in": child.get("spi-in", ""),
        "spi_out": child.get("spi-out", ""),
        "encr": names.encr(child.get("encr-alg", "")) or None,
        "encr_key_length": int(child.get("encr-keysize", 0)),
        "integ": names.integ(child.get("integ-alg", "")) or None,
        "ke": names.ke(child.get("dh-group", "")) or None,
        "esn": child.get("esn") == "1",
        "local_ts": list(child.get("local-ts", [])),
        "remote_ts": list(child.get("remote-ts", [])),
        **{key.replace("-", "_"): int(child.get(key, 0)) for key in COUNTERS},
    }


COUNTERS = ("bytes-in", "bytes-out", "packets-in", "packets-out")


def event(name: str, fields: Fields) -> list[Event]:
    """A vici event under the lab's names: one for each IKE SA that it speaks of."""
    kind, _, what = name.partition("-")
    way = ("up" if fields.get("up") == "yes" else "down") if what == "updown" else what
    subjects = {key: value for key, value in fields.items() if isinstance(value, dict)}
    return [Event(f"{kind}-{way}", {"ike": ike, **value}) for ike, value in subjects.items()]
