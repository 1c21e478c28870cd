"""The commands for NAT boxes and gates of a lab, as `network.nat` and `network.gate` offer them."""

import contextlib
from collections.abc import Mapping
from typing import Any

from lab.emulation.gate.rule import read as read_rule
from lab.errors import ConfigError
from lab.life.bench import Bench, table, word

Args = Mapping[str, Any]


def nat_show(bench: Bench, args: Args) -> dict[str, Any]:
    """What one box holds, or all: nat.json."""
    node, facts = word(args, "node"), bench.network.nat_facts()
    if not node:
        return facts
    bench.network.nat(node)
    kept = {key: [one for one in facts[key] if one["node"] == node] for key in ("mappings", "timeline")}
    return {"boxes": {node: facts["boxes"][node]}, **kept}


def nat_rebind(bench: Bench, args: Args) -> dict[str, Any]:
    """Have a box forget, and map otherwise from now on."""
    changes = table(args, "changes")
    with contextlib.suppress(KeyError, ValueError, AttributeError):  # JSON has no keys that are numbers
        changes |= {"remap": {int(port): outside for port, outside in changes["remap"].items()}}
    bench.network.nat(word(args, "node")).rebind(**changes)
    return nat_show(bench, args)


def nat_reboot(bench: Bench, args: Args) -> dict[str, Any]:
    """Have a box forget all it has learnt."""
    bench.network.nat(word(args, "node")).reboot()
    return nat_show(bench, args)


def nat_timeout(bench: Bench, args: Args) -> dict[str, Any]:
    """Have a box forget UDP mappings after so long."""
    bench.network.nat(word(args, "node")).set_timeout(word(args, "udp") or None, word(args, "stream") or None)
    return nat_show(bench, args)


# -- gates


def gate_place(bench: Bench, args: Args) -> dict[str, Any]:
    """Put a rule in force; its number, and where it runs."""
    request = table(args, "rule")
    read_rule(request)
    gate = bench.gate(word(args, "at"))
    action, what = request["action"], request.get("filter", "")
    placed = gate.drop(what) if action == "drop" else gate.place(**request)
    number = max(bench.rules, default=0) + 1
    bench.rules[number] = (gate.node, f"{action} {what or ' | '.join(request.get('filters', []))}", placed)
    return {"rule": number, "node": gate.node, "ran": placed.ran}


def gate_show(bench: Bench, _args: Args) -> list[dict[str, Any]]:
    """Every rule that was placed by a command, with its counts."""
    return [
        {
            "rule": number, "node": node, "words": words, "ran": placed.ran, "seen": placed.seen(),
            "acted": placed.acted(), "held": placed.held(),
        }
        for number, (node, words, placed) in bench.rules.items()
    ]  # fmt: skip


def gate_release(bench: Bench, args: Args) -> dict[str, int]:
    """Let go what waits: of one rule, or everywhere."""
    chosen = [_rule(bench, args)] if args.get("rule") is not None else [rule for _, _, rule in bench.rules.values()]
    return {"released": sum(rule.release() for rule in chosen)}


def gate_remove(bench: Bench, args: Args) -> dict[str, int]:
    """Take a rule away; what it holds goes on."""
    _rule(bench, args).remove()
    del bench.rules[args["rule"]]
    return {"removed": args["rule"]}


def gate_events(bench: Bench, args: Args) -> list[dict[str, Any]]:
    """What a gate in user space has recorded until now."""
    return bench.gate(word(args, "at")).events()


def _rule(bench: Bench, args: Args) -> Any:
    number = args.get("rule")
    if number not in bench.rules:
        known = ", ".join(map(str, bench.rules)) or "none"
        raise ConfigError(f"no rule of a gate has the number {number}; there are {known}")
    return bench.rules[number][2]


AT_ONCE = {
    "nat-show": nat_show,
    "nat-rebind": nat_rebind,
    "nat-reboot": nat_reboot,
    "nat-set-timeout": nat_timeout,
    "gate-place": gate_place,
    "gate-show": gate_show,
    "gate-release": gate_release,
    "gate-remove": gate_remove,
    "gate-events": gate_events,
}
