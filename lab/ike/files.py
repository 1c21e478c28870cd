"""Readers for the values of swanctl.conf that name files: certificates, CRLs, private keys.

Nothing below floor 5 opens a file: whoever loads a configuration hands in a callable that turns a name into octets and
raises ValueError in words where it cannot.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lab.crypto.certificates import Certificate, Crl, load_certificates, load_crl
from lab.crypto.signatures import PrivateKey, load_private

FileReader = Callable[[str], bytes]


def no_files(name: str) -> bytes:
    """For configurations that come without files."""
    raise ValueError(f"file {name!r} cannot be read here: this configuration was loaded without files")


@dataclass(frozen=True, slots=True)
class Files:
    """Typed readers over one source of files."""

    read: FileReader = no_files

    def certificates(self, value: str) -> tuple[Certificate, ...]:
        """The certificates of a list of files."""
        return tuple(found for name in _names(value) for found in load_certificates(self.read(name)))

    def crls(self, value: str) -> tuple[Crl, ...]:
        """The CRLs of a list of files, each with or without `file://` in front."""
        return tuple(load_crl(self.read(name.removeprefix("file://"))) for name in _names(value))

    def private_key(self, value: str) -> PrivateKey:
        """The private key in a file."""
        return load_private(self.read(value))


def _names(value: str) -> list[str]:
    names = [part.strip() for part in value.split(",") if part.strip()]
    if not names:
        raise ValueError("at least one file is needed")
    return names
