"""A daemon in a node of a running lab, asked as one with a control socket of ours would be."""

import json
from collections.abc import Callable, Iterator
from typing import Protocol

from lab.cli.live import collect
from lab.daemon.client import Refused
from lab.errors import ConfigError
from lab.life import records


class Talk(Protocol):
    """What takes commands for a daemon; see lab.daemon.client."""

    def call(
        self, command: str, /, *, on_event: Callable[[dict[str, object]], None] | None = None, **args: object
    ) -> object:
        """Give a command and wait for its result; Refused says why there is none."""
        ...

    def events(self) -> Iterator[dict[str, object]]:
        """Events from now on, as they arise."""
        ...


class InLab:
    """The daemon in a node: ours over its control socket, strongSwan through its driver, both by the lab's server."""

    def __init__(self, name: str, node: str) -> None:
        self._record, self._node = records.choose(name), node

    def call(
        self, command: str, /, *, on_event: Callable[[dict[str, object]], None] | None = None, **args: object
    ) -> object:
        """See Talk; what happens meanwhile is not told."""
        code, out, err = collect(self._record, "ctl", node=self._node, call=command, arguments=args)
        if code:
            raise Refused(err.decode(errors="replace").strip().removeprefix("ikelab: "))
        return json.loads(out)

    def events(self) -> Iterator[dict[str, object]]:
        """See Talk."""
        raise ConfigError("events of a daemon in a lab are in its log: ikelab logs -f NODE")
