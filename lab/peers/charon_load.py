"""The vici commands that give a charon what a swanctl.conf says, as `swanctl --load-all` would.

Rules: files travel as data inside the commands, and secrets as the octets that `0x` and `0s` stand for, so that the
daemon reads none and decodes none; CAs, their CRLs and pools of addresses stand in front of the connections that refer
to them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.errors import ConfigError
from lab.ike.credentials import secret_octets
from lab.ike.swanctl import Section

Command = tuple[str, dict[str, Any]]
_FILES = ("certs", "cacerts")
_SHARED = ("ike", "eap", "xauth", "ppk")


def loads(tree: Section, files: Mapping[str, bytes]) -> Iterator[Command]:
    """The commands in the order to send them."""
    for name, section in _sections(tree, "secrets"):
        yield _secret(name, section, files)
    for _name, section in _sections(tree, "authorities"):
        yield from _authority(section, files)
    for name, section in _sections(tree, "pools"):
        yield "load-pool", {name: section.plain()}
    for name, section in _sections(tree, "connections"):
        yield "load-conn", {name: _connection(section, files)}


def _sections(tree: Section, name: str) -> list[tuple[str, Section]]:
    return list(tree.sections.get(name, Section()).sections.items())


def _file(name: str, section: Section, files: Mapping[str, bytes]) -> bytes:
    if name not in files:
        raise ConfigError(f"the scenario gives no file {name!r}", line=section.line, key=section.name)
    return files[name]


def _secret(name: str, section: Section, files: Mapping[str, bytes]) -> Command:
    kind = name.partition("-")[0]
    if not kind.startswith(_SHARED):
        return "load-key", {"type": "any", "data": _file(section.get("file"), section, files)}
    owners = [value.text for key, value in section.values.items() if key.startswith("id")]
    return "load-shared", {
        "id": name,
        "type": kind.upper(),
        "data": secret_octets(section.get("secret")),
        "owners": owners,
    }


def _authority(section: Section, files: Mapping[str, bytes]) -> Iterator[Command]:
    authority = _file(section.get("cacert"), section, files)
    yield "load-cert", {"type": "X509", "flag": "CA", "data": authority}
    crls = section.values.get("crl_uris")
    for name in crls.items if crls else ():
        yield "load-cert", {"type": "X509_CRL", "flag": "NONE", "data": _file(name, section, files)}


def _connection(section: Section, files: Mapping[str, bytes]) -> dict[str, Any]:
    plain = section.plain()
    for name, side in section.sections.items():
        inner: Any = plain[name]
        for key in _FILES:
            if name.startswith(("local", "remote")) and key in side.values:
                inner[key] = [_file(item, side, files) for item in side.values[key].items]
    return plain
