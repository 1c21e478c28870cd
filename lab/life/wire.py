"""What goes over a connection to a server: one request, then answers, each a line of JSON.

client -> server   {"command": "exec", "node": "left", ...}, then for a job {"in": BASE64}, {"in_end": true},
                   {"size": [ROWS, COLUMNS]}
server -> client   {"ok": true, "result": ...} or {"ok": false, "error": "in words", "kind": "config"}: the end; or
                   {"out": BASE64}, {"err": BASE64} as they come, and {"exit": CODE}: the end of a job
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from lab.errors import BrokenError, ConfigError, LabError, UnfitError

LONGEST = 1 << 20
_KINDS = {"config": ConfigError, "unfit": UnfitError, "broken": BrokenError}


class Garbled(Exception):
    """A line that is none of ours; the text says why."""


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message).encode() + b"\n"


def kind(error: Exception, *, otherwise: str) -> str:
    """The word that says in a message what kind of error it was."""
    return next((word for word, cls in _KINDS.items() if isinstance(error, cls)), otherwise)


def error(kind: str, text: str) -> LabError:
    """The error that a message tells of."""
    return LabError(text) if kind == "failed" else _KINDS.get(kind, BrokenError)(text)


def octets(data: bytes) -> str:
    """Octets as they stand in a message."""
    return base64.b64encode(data).decode()


def plain(message: Mapping[str, Any], key: str) -> bytes:
    """The octets under a key of a message."""
    try:
        return base64.b64decode(message[key], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Garbled(f"`{key}` is no base64") from error


class Lines:
    """Cuts a stream into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that are complete now; Garbled where the stream holds something else."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, [*lines, self._rest])) > LONGEST:
            raise Garbled(f"a line is longer than {LONGEST} octets")
        return [_message(line) for line in lines]


def _message(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Garbled("a line is no JSON") from error
    if not isinstance(found, dict):
        raise Garbled("a line is no JSON object")
    return found
