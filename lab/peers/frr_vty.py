"""Asking an FRR daemon over its vty socket, as vtysh does and a hundred times faster than starting vtysh.

-> the command and an octet 0
<- the answer in words, three octets 0, and one octet that says how it went (0: well)
"""

import socket
from pathlib import Path

from lab.errors import BrokenError
from lab.peers.base import PeerFault

ANSWER_S = 10.0
_MARK, _WELL = bytes(3), 0


def answers(path: Path) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def ask(path: Path, command: str) -> str:
    """What the daemon answers; PeerFault where it is silent or gone, BrokenError where it refuses the command."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(ANSWER_S)
        try:
            link.connect(str(path))
            link.sendall(command.encode() + b"\0")
            data = _whole(link)
        except OSError as error:
            raise PeerFault(f"{path.stem} does not answer {command!r}: {error}") from error
    text, code = data[:-4].decode(errors="replace"), data[-1]
    if code != _WELL:
        raise BrokenError(f"{path.stem} refuses {command!r}: {text.strip()}")
    return text


def _whole(link: socket.socket) -> bytes:
    data = b""
    while data[-4:-1] != _MARK or len(data) < 4:
        more = link.recv(1 << 16)
        if not more:
            raise ConnectionResetError("it hung up in the middle")
        data += more
    return data
