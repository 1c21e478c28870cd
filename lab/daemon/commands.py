"""What each command of the control socket does; arguments are checked here, and a wrong one is an error in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lab.daemon.control import Connection
from lab.daemon.waits import Wait, child_up, gone, moved, rekeyed
from lab.errors import ConfigError
from lab.wire.gateway import Gateway

if TYPE_CHECKING:
    from lab.daemon.server import Server

LONGEST_TIMEOUT = 10**9
MOST_DIGITS = 18  # of the number of an IKE SA; Python refuses to read some thousand

Args = Mapping[str, object]
Command = Callable[["Server", Connection, Args, float], None]


def run(server: Server, client: Connection, request: Mapping[str, object], now: float) -> None:
    """Carry out a request; a mistake of whoever asked becomes the error of the answer."""
    name, args = str(request["command"]), {key: value for key, value in request.items() if key != "command"}
    try:
        if name not in COMMANDS:
            raise ConfigError(f"no command {name!r}; there are: {', '.join(COMMANDS)}")
        command, allowed = COMMANDS[name]
        if unknown := set(args) - set(allowed):
            raise ConfigError(f"{name} takes {', '.join(allowed) or 'no arguments'}; not {', '.join(sorted(unknown))}")
        command(server, client, args, now)
    except ConfigError as error:
        client.refuse(str(error))


def _word(args: Args, key: str) -> str | None:
    value = args.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{key} is a name")
    return value


def _which(args: Args) -> str | int | None:
    """An IKE SA: the name of its connection or its number; None for all."""
    value = args.get("ike")
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise ConfigError("ike is the name of a connection or the number of an IKE SA")
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= MOST_DIGITS:
        return int(value)
    return value


def _until(args: Args, now: float) -> float | None:
    value = args.get("timeout")
    if value is None:
        return None
    # A comparison takes any number, NaN and whole numbers beyond every float included.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_TIMEOUT:
        raise ConfigError(f"timeout is a number of seconds, at most {LONGEST_TIMEOUT}")
    return now + value


def initiate(server: Server, client: Connection, args: Args, now: float) -> None:
    """Bring a child up; the answer comes when it is up or has failed."""
    child, deadline = _word(args, "child"), _until(args, now)
    if child is None:
        raise ConfigError("initiate wants a child")
    found = server.config.child(child)
    judge = child_up(found[0].name if found else "", child)
    late = f"child {child!r} was not up after {args.get('timeout')} s"
    _wait(server, Wait(client, judge, deadline, late), lambda: server.initiate(child, now))


def terminate(server: Server, client: Connection, args: Args, now: float) -> None:
    """Delete IKE SAs or children; the answer comes when they are gone."""
    ike, child, deadline = _which(args), _word(args, "child"), _until(args, now)
    targets = server.targets(ike, child)

    def left() -> int:
        return len(targets & server.targets(None, child))

    late = f"not gone after {args.get('timeout')} s; still deleting"
    _wait(server, Wait(client, gone(left), deadline, late), lambda: server.terminate(now, ike, child))


def _wait(server: Server, wait: Wait, begin: Callable[[], None]) -> None:
    """Wait first: the outcome may come with the first actions."""
    server.waits.add(wait)
    try:
        begin()
    except ConfigError:
        server.waits.drop(wait.client)
        raise


def liveness(server: Server, client: Connection, args: Args, now: float) -> None:
    """Ask peers whether they live; the answer says only that they were asked."""
    server.liveness(now, _which(args))
    client.answer({})


def redirect(server: Server, client: Connection, args: Args, now: float) -> None:
    """Send peers to another gateway; the answer says only that they are told so."""
    word = _word(args, "gateway")
    if word is None:
        raise ConfigError("redirect wants a gateway")
    try:
        gateway = Gateway.parse(word)
    except ValueError as error:
        raise ConfigError(f"gateway: {error}") from error
    server.redirect(gateway, now, _which(args))
    client.answer({})


def rekey(server: Server, client: Connection, args: Args, now: float) -> None:
    """Replace the keys of IKE SAs, or with `child` of children; the answer comes when the first is replaced."""
    ike, child, deadline = _which(args), _word(args, "child"), _until(args, now)
    late = f"not rekeyed after {args.get('timeout')} s; still trying"
    _wait(server, Wait(client, rekeyed(ike, child), deadline, late), lambda: server.rekey(now, ike, child))


def move(server: Server, client: Connection, args: Args, now: float) -> None:
    """Go on from another address (or the same) with MOBIKE; the answer comes when the first IKE SA has moved."""
    ike, local, deadline = _which(args), _word(args, "local"), _until(args, now)
    late = f"not moved after {args.get('timeout')} s; still trying"
    _wait(server, Wait(client, moved(ike), deadline, late), lambda: server.move(now, ike, local))


def list_sas(server: Server, client: Connection, args: Args, now: float) -> None:
    """All IKE SAs with their children and what these carried."""
    client.answer(server.sas())


def stats(server: Server, client: Connection, args: Args, now: float) -> None:
    """Counters: tables of the endpoint, dropped packets by reason, turns of the loop."""
    client.answer(server.stats())


def events(server: Server, client: Connection, args: Args, now: float) -> None:
    """Every event from now on; the answer never ends."""
    client.streaming = True
    client.event({"event": "listening"})


def stop(server: Server, client: Connection, args: Args, now: float) -> None:
    """End the daemon as SIGTERM does; the connection ends when it has."""
    client.answer({})
    server.stop(now)


COMMANDS: dict[str, tuple[Command, tuple[str, ...]]] = {
    "initiate": (initiate, ("child", "timeout")),
    "terminate": (terminate, ("ike", "child", "timeout")),
    "rekey": (rekey, ("ike", "child", "timeout")),
    "liveness": (liveness, ("ike",)),
    "move": (move, ("ike", "local", "timeout")),
    "redirect": (redirect, ("gateway", "ike")),
    "list-sas": (list_sas, ()),
    "stats": (stats, ()),
    "events": (events, ()),
    "stop": (stop, ()),
}
