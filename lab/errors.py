"""The error tree.

    LabError                      base of everything the lab raises on purpose
    +-- ConfigError               the user's mistake, with file, line and key          -> exit code 2
    +-- UnfitError                this machine lacks something; says what mends it     -> exit code 3
    +-- BrokenError               the lab itself broke, not the peer                   -> exit code 5
    +-- ProtocolError             the remote side violated a protocol; carries the notify type to answer with
        +-- Truncated             a length field points past the end of the data

A dropped packet is no exception: it is `trace.drop(reason)`. Only ProtocolError is caught in the packet path, at one
place.
"""


class LabError(Exception):
    """Base of all errors that the lab raises on purpose."""


class ConfigError(LabError):
    """The user's mistake: one sentence with file, line, key and what to do."""

    def __init__(self, text: str, *, file: str = "", line: int = 0, key: str = "") -> None:
        self.text, self.file, self.line, self.key = text, file, line, key
        place = ":".join(part for part in (file, str(line) if line else "") if part)
        super().__init__(": ".join(part for part in (place, key, text) if part))


class UnfitError(LabError):
    """This machine lacks something the lab needs: what, and the command that mends it."""

    def __init__(self, text: str, *, fix: str = "") -> None:
        self.text, self.fix = text, fix
        super().__init__(f"{text}; {fix}" if fix else text)


class BrokenError(LabError):
    """The lab broke, not the peer: a scenario that meets it is `unresolved`, never `failed`."""


class ProtocolError(LabError):
    """The remote side violated a protocol.

    `notify` is the IKE notify message type to answer with, or 0 where the RFC wants silence.
    """

    def __init__(self, reason: str, notify: int = 0, data: bytes = b"") -> None:
        self.reason, self.notify, self.data = reason, notify, data
        super().__init__(reason)


class Truncated(ProtocolError):
    """A length points past the end of the data (answered with INVALID_SYNTAX where an answer is due)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, notify=7)
