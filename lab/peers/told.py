"""What a command of a template prints as JSON, filled up and checked: SAs, keys, events, counters.

Rule: whoever writes a template names what it knows, and the rest has the value of a thing not known; a name that is no
name of ours is a mistake and is said to be one.
"""

import json
from collections.abc import Mapping
from typing import Any

from lab.errors import BrokenError
from lab.peers.base import Event

Facts = dict[str, Any]

# sas.json, with what stands there where the peer does not say. `...` must be said.
SA: Mapping[str, Any] = {
    "name": "", "number": 0, "version": 2, "state": ..., "role": "", "spi_i": ..., "spi_r": ...,
    "local_host": "", "local_port": 0, "remote_host": "", "remote_port": 0, "local_id": "", "remote_id": "",
    "encr": "", "encr_key_length": 0, "integ": None, "prf": "", "ke": "",
    "nat_local": False, "nat_remote": False, "local_vips": [], "remote_vips": [], "established_s": 0, "children": [],
}  # fmt: skip
CHILD: Mapping[str, Any] = {
    "name": "", "state": ..., "mode": "", "protocol": "ESP", "encap": False, "spi_in": ..., "spi_out": ...,
    "encr": None, "encr_key_length": 0, "integ": None, "ke": None, "esn": False, "local_ts": [], "remote_ts": [],
    "bytes_in": 0, "bytes_out": 0, "packets_in": 0, "packets_out": 0,
}  # fmt: skip
# keys.json; the source is ours to say.
IKE_KEYS = ("spi_i", "spi_r", "encr")
CHILD_KEYS = ("spi", "encr", "encr_key")


def sas(text: str, who: str) -> list[Facts]:
    """The SAs, in the shape of sas.json."""
    found = [_filled(one, SA, f"{who} an IKE SA") for one in _list(_json(text, who), who)]
    for sa in found:
        sa["children"] = [_filled(one, CHILD, f"{who} a CHILD SA") for one in _list(sa["children"], who)]
    return found


def keys(text: str, who: str, source: str) -> dict[str, list[Facts]]:
    """The keys, in the shape of keys.json."""
    told = _json(text, who)
    if not isinstance(told, dict) or not set(told) <= {"ike", "child"}:
        raise BrokenError(f'{who} something other than {{"ike": [...], "child": [...]}}')
    out: dict[str, list[Facts]] = {}
    for kind, needed in (("ike", IKE_KEYS), ("child", CHILD_KEYS)):
        out[kind] = _list(told.get(kind, []), who)
        for entry in out[kind]:
            missing = [name for name in needed if name not in entry]
            if missing:
                raise BrokenError(f"{who} {kind} keys without {missing[0]!r}")
            entry["source"] = source
    return out


def events(text: str, who: str) -> list[Event]:
    """Every event so far, one JSON object a line with its name under `event`."""
    lines = _list([_json(line, who) for line in text.splitlines() if line.strip()], who)
    if nameless := next((line for line in lines if not isinstance(line.get("event"), str)), None):
        raise BrokenError(f"{who} an event without a name: {nameless}")
    return [Event(str(fields.pop("event")), fields) for fields in lines]


def counters(text: str, who: str) -> dict[str, int]:
    """Counters by name."""
    told = _json(text, who)
    if not isinstance(told, dict) or not all(isinstance(value, int) for value in told.values()):
        raise BrokenError(f"{who} counters that are not {{name: number}}")
    return told


def _json(text: str, who: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BrokenError(f"{who} what is not JSON ({error}): {text[:80]!r}") from error


def _list(value: Any, who: str) -> list[Facts]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BrokenError(f"{who} something other than a list of objects: {str(value)[:80]!r}")
    return value


def _filled(told: Facts, shape: Mapping[str, Any], what: str) -> Facts:
    """The facts, with the shape's values where there are none."""
    for name, value in told.items():
        if name not in shape:
            raise BrokenError(f"{what} with {name!r}, which is no name of sas.json")
        if not (_like(value, shape[name]) or value is shape[name] is None):
            raise BrokenError(f"{what} whose {name} is {value!r}")
    if missing := next((name for name, usual in shape.items() if usual is ... and name not in told), None):
        raise BrokenError(f"{what} without {missing!r}")
    return {name: told.get(name, list(usual) if isinstance(usual, list) else usual) for name, usual in shape.items()}


def _like(value: Any, usual: Any) -> bool:
    """Whether a value is of the kind of the usual one; text where there is no usual one."""
    if usual is None or usual is ...:
        return isinstance(value, str)
    if type(usual) is int:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, type(usual))
