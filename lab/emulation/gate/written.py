"""Rules as a topology file has them, checked before anything is started.

gates:
  internet:                                          a router, a NAT box, or a link next to one
    - drop: 2nd IKE_AUTH response
    - {hold: CREATE_CHILD_SA request from left, until: CREATE_CHILD_SA request from right}
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lab.emulation.gate import filter as filters
from lab.emulation.gate import place
from lab.emulation.gate import rule as rules
from lab.emulation.gate.gate import Gate
from lab.emulation.gate.nftables import sayable
from lab.emulation.model import GateRule, LinkSpec, NodeSpec
from lab.emulation.source import KeyPath, Source
from lab.errors import ConfigError


def fields(written: GateRule) -> dict[str, Any]:
    """The fields of rule.py; ConfigError if there is not exactly one action."""
    said: dict[str, Any] = msgspec.to_builtins(written)
    actions = [name for name in said if name in rules.ACTIONS]
    if len(actions) != 1:
        found = f"not {' and '.join(actions)}" if actions else "and this one has none"
        raise ConfigError(f"a rule has one action of {', '.join(rules.ACTIONS)}, {found}")
    action = actions[0]
    what = said.pop(action)
    return {
        "action": action,
        ("filters" if action == "order" else "filter"): list(what) if action == "order" else what,
    } | said


def check(
    nodes: Mapping[str, NodeSpec],
    links: Mapping[str, LinkSpec],
    gates: Mapping[str, tuple[GateRule, ...]],
    source: Source,
) -> None:
    """Raise a ConfigError with file, line and key for the first rule that cannot be."""
    for where, written in gates.items():
        if where not in nodes and where not in links:
            known = ", ".join([*nodes, *links])
            raise source.error(("gates", where), f"there is no node or link `{where}`; there are {known}")
        try:
            node = place.keeper(nodes, links, where)
        except ConfigError as error:
            raise source.error(("gates", where), error.text) from error
        for number, one in enumerate(written):
            _check(one, [name for name in nodes if name != node], source, ("gates", where, number))


def _check(written: GateRule, nodes: list[str], source: Source, path: KeyPath) -> None:
    try:
        said = fields(written)
        rule = rules.read(said)
    except ConfigError as error:
        raise source.error(_guilty(written, path), error.text) from error
    for one in rule.every_filter:
        for name in one.nodes:
            if name not in nodes:
                text = f"`{one.text}` names a node `{name}` that is not beside this gate; there are {', '.join(nodes)}"
                key = "until" if one is rule.until else rule.action
                raise source.error((*path, key), text)


def _guilty(written: GateRule, path: KeyPath) -> KeyPath:
    """The key path of what is wrong in a rule: the one field whose absence changes the complaint, else the rule."""
    said: dict[str, Any] = msgspec.to_builtins(written)
    for key in ("until", "for", "octet", "mask", "gather"):
        if key in said and _complaint(written) != _complaint(msgspec.convert({**said, key: None}, GateRule)):
            return (*path, key)
    return (*path, next((key for key in said if key in rules.ACTIONS), ""))[: len(path) + bool(said)]


def _complaint(written: GateRule) -> str:
    try:
        rules.read(fields(written))
    except ConfigError as error:
        return error.text
    return ""


def put(written: Sequence[GateRule], gate: Gate) -> None:
    """Put the rules of a place in force: plain drops alone in nftables, else all in user space, where one count is."""
    requests = [fields(one) for one in written]
    if all(one["action"] == "drop" and sayable(filters.parse(one["filter"])) for one in requests):
        for one in requests:
            gate.drop(one["filter"])
    else:
        for one in requests:
            gate.place(**one)
