"""The life of a process that the nursery forked: it is our daemon in one node, and later in another.

Rules: between two daemons it is as it was before the first - at home in its namespaces, with the same descriptors open,
and nothing of the last daemon in memory that can be collected. A process that cannot say so ends, and so does one whose
daemon ended by itself, with its exit code, because that is what the lab watches for.

    -> {"config": PATH, "backend": NAME, "control": PATH, "run_dir": PATH, "seed": TEXT or null}
       with descriptors: network namespace, mount namespace, root directory
    -> END while the daemon runs
    <- ENDED when everything of it is closed
"""

import gc
import json
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lab.emulation import linux
from lab.emulation.namespace import enter

STDERR = "stderr"
END, ENDED = b"end", b"ended"
_MESSAGE, _DESCRIPTORS = 1 << 16, 3
_LOST = 70


def tell(control: socket.socket, request: Mapping[str, object], descriptors: Sequence[int]) -> None:
    """Send a request to a worker; raises OSError if it is gone."""
    socket.send_fds(control, [json.dumps(request).encode()], list(descriptors))


def live(serve: Callable[..., int], control: socket.socket) -> NoReturn:
    """In a forked child: be one daemon after the other, and never come back."""
    status = _LOST
    try:
        linux.die_with_parent()
        os.setsid()
        for number in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        home = _home()
        gc.collect()  # what the lab had left lying is no daemon's
        opened = _descriptors()
        while True:
            data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, _DESCRIPTORS)
            if not data:
                status = 0
                break
            status = _be(serve, json.loads(data), descriptors, control)
            enter(*home)
            gc.collect()  # what is left over may hold a socket, and that the whole network of the node
            if not _asked(control) or status or _descriptors() != opened:
                break
            control.send(ENDED)
    except BaseException:  # noqa: BLE001  (a forked child must end here, whatever happened; the lab reads why)
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _be(serve: Callable[..., int], request: dict[str, Any], descriptors: Sequence[int], control: socket.socket) -> int:
    """Enter the node, redirect output, and be its daemon until it ends or the lab asks; its exit code."""
    run_dir = Path(request["run_dir"])
    output = os.open(run_dir / STDERR, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for target in (1, 2):
        os.dup2(output, target)
    enter(*descriptors)
    for descriptor in (output, *descriptors):
        os.close(descriptor)
    return serve(
        request["config"],
        backend=request["backend"],
        control=request["control"],
        run_dir=run_dir,
        keylog=run_dir,
        seed=request["seed"],
        until=control.fileno(),
    )


def _asked(control: socket.socket) -> bool:
    """Whether the lab wanted the daemon to end, and is still there."""
    return bool(select.select([control], [], [], 0)[0]) and control.recv(_MESSAGE) == END


def _home() -> tuple[int, int, int]:
    """Descriptors of today's namespaces and root, in the order of `enter`."""
    net, mounts = (os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("net", "mnt"))
    return net, mounts, os.open("/", os.O_PATH)


def _descriptors() -> list[str]:
    """The open descriptors."""
    return sorted(os.listdir("/proc/self/fd"))
