"""The process in which a lab stands: in the guest, or in the host's namespaces.

    python -m lab.life.inside --request FILE [--socket PATH --scratch DIR]

Rules: it tells its keeper what happens by lines of JSON on standard output (`ready`, `failed`); without `--socket` it
is in a guest, and a porter joins the guest's line to its socket.
"""

import argparse
import gc
import importlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from lab.emulation import linux
from lab.errors import LabError
from lab.life import records, wire
from lab.life.clock import Clock
from lab.life.porter import carry_in_guest
from lab.peers.nursery import Nursery

GUEST_SOCKET = Path("/run/lab-server")
HEAVY = ("lab.life.commands", "lab.peers.ours", "lab.peers.strongswan")


def main(arguments: list[str] | None = None) -> int:
    """Have the lab up until somebody ends it; the exit code is 0 then."""
    parser = argparse.ArgumentParser(prog="lab.life.inside")
    parser.add_argument("--request", type=Path, required=True)
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--scratch", type=Path)
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    Nursery.shared()  # first, so that it gets ready while this process imports
    for module in HEAVY:
        importlib.import_module(module)
    gc.freeze()
    scratch = given.scratch or records.scratch()
    try:
        _stand(json.loads(given.request.read_text()), given.socket, scratch)
    except LabError as error:
        tell(event="failed", kind=wire.kind(error, otherwise="broken"), text=str(error))
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _stand(request: dict[str, Any], path: Path | None, scratch: Path) -> None:
    # Imported here: these take long, and the nursery gets ready meanwhile.
    from lab.emulation import topology  # noqa: PLC0415
    from lab.life import bench  # noqa: PLC0415

    stands = bench.build(topology.parse(request["topology"], request["file"]), request["peers"], scratch)
    try:
        versions = {name: gateway.driver.version for name, gateway in stands.gateways.items()}
        serve(stands, path or GUEST_SOCKET, lambda: tell(event="ready", versions=versions), in_guest=path is None)
    finally:
        stands.close()


def serve(stands: Any, path: Path, ready: Any, *, in_guest: bool) -> None:
    """Serve commands on a socket until the command `down`; in a guest also join the line to it."""
    from lab.life.commands import Commands  # noqa: PLC0415
    from lab.life.server import Server  # noqa: PLC0415

    if in_guest:
        _join_line(path)
    listener = records.listen(path)
    clock = Clock(virtual=os.environ.get("IKELAB_CLOCK") == "virtual")
    try:
        server = Server(listener, lambda request, leave: commands.carry(request, leave), clock.hold)
        commands = Commands(stands, server.stop)
        ready()
        server.serve()
    finally:
        clock.close()
        listener.close()
        path.unlink(missing_ok=True)


_JOINED: list[int] = []


def _join_line(path: Path) -> None:
    """Have a porter at the guest's end of the line; it stays for the next server, since a line begins only once."""
    if _JOINED:
        return
    pid = os.fork()
    if pid:
        _JOINED.append(pid)
        return
    try:
        linux.die_with_parent()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # namespaces among them, which end with their last holder
        carry_in_guest(path)
    finally:
        os._exit(0)


def tell(**event: Any) -> None:
    """Tell the keeper something."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
