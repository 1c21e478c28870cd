"""What each command of a lab does; arguments are checked here, and a wrong one is an error in words.

A command gives its result at once, or a job that goes on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lab.errors import ConfigError
from lab.life import faults, job, logs, tasks, wire
from lab.life.bench import Bench, table, word, words
from lab.life.job import Job
from lab.life.server import size

Args = Mapping[str, Any]


class Commands:
    """Carries out the commands of one lab. `stop` ends its server."""

    def __init__(self, bench: Bench, stop: Callable[[], None]) -> None:
        self._bench, self._stop = bench, stop

    def carry(self, request: Args, leave: Callable[[], None]) -> Any:
        """The result of a command, or its job; ConfigError where it cannot be done."""
        name = request.get("command")
        if name == "down":
            self._stop()
            return {}
        if name in JOBS:
            return JOBS[name](self._bench, request, leave)
        if name in AT_ONCE:
            return AT_ONCE[name](self._bench, request)
        raise ConfigError(f"this lab knows no command `{name}`; it was started by another version of ikelab?")


# -- jobs


def _exec(bench: Bench, args: Args, _leave: Callable[[], None]) -> Job:
    """Run a program in a node, at a terminal if the client has one."""
    node, argv = bench.network.node(word(args, "node")), words(args, "argv")
    if not argv:
        raise ConfigError("exec wants a command: ikelab exec NODE -- COMMAND")
    try:
        terminal = size(args["size"]) if "size" in args else None
        return job.program(node, argv, size=terminal, term=word(args, "term") or "dumb")
    except wire.Garbled as error:
        raise ConfigError(str(error)) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"`{argv[0]}` cannot be run in `{node.name}`: {why}") from error


def _logs(bench: Bench, args: Args, leave: Callable[[], None]) -> Job:
    node, follow = word(args, "node"), args.get("follow") is True
    tasks.logs(bench, node)
    return job.child(lambda: logs.write(lambda: tasks.logs(bench, node), follow=follow), leave)


def _capture(bench: Bench, args: Args, leave: Callable[[], None]) -> Job:
    link, node = bench.link(word(args, "link")), word(args, "at")
    _ends(bench, link, node)
    return job.child(lambda: tasks.capture(bench.network, link, node), leave)


def _daemons(bench: Bench, _args: Args, leave: Callable[[], None]) -> Job:
    return job.child(lambda: tasks.daemons(bench), leave)


def _ctl(bench: Bench, args: Args, leave: Callable[[], None]) -> Job:
    gateway, command, arguments = bench.gateway(word(args, "node")), word(args, "call"), table(args, "arguments")
    return job.child(lambda: tasks.ctl(gateway, command, arguments), leave)


# -- at once


def _describe(bench: Bench, _args: Args) -> dict[str, Any]:
    """The network as it stands: topology.json."""
    return bench.network.describe()


def _link_set(bench: Bench, args: Args) -> dict[str, Any]:
    """Change what a link does to packets, from one of its ends or from both."""
    link, sender, changes = bench.link(word(args, "link")), word(args, "from"), table(args, "changes")
    for end in _ends(bench, link, sender):
        bench.network.set_link(link, end, **changes)
    found: dict[str, Any] = bench.network.describe()["links"][link]["impair"]
    return found


def _ends(bench: Bench, link: str, node: str) -> list[str]:
    """The end of a link in a node, or both without one; ConfigError where it has none there."""
    ends = list(bench.network.topology.links[link].ends)
    if node and node not in ends:
        raise ConfigError(f"`{node}` is no end of the link `{link}`; it joins {' and '.join(ends)}")
    return [node] if node else ends


JOBS: dict[str, Callable[[Bench, Args, Callable[[], None]], Job]] = {
    "exec": _exec,
    "logs": _logs,
    "capture": _capture,
    "daemons": _daemons,
    "ctl": _ctl,
}
AT_ONCE: dict[str, Callable[[Bench, Args], Any]] = {"describe": _describe, "link-set": _link_set, **faults.AT_ONCE}
