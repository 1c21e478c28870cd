"""What a closed node of the payload tree says: the one or two fields of it that a reader would open it for.

Rules of this file: a gist is made of the values of fields inside, never of anything else; a name that is not in the
table has none.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class Part(Protocol):
    """A node, as far as its gist is concerned."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def value(self) -> str:
        """What it says."""


Fields = Mapping[str, str]
NUMBER = re.compile(r" \(\d+\)$")


def of(name: str, parts: Sequence[Part]) -> str:
    """The gist of the node `name` with these parts, or an empty string."""
    if name in INSIDE:
        inner, between = INSIDE[name]
        return between.join(part.value for part in parts if part.name == inner and part.value)
    fields = {part.name: part.value for part in parts}
    return OWN[name](fields).strip() if name in OWN else ""


def _word(fields: Fields, key: str) -> str:
    """A number of a registry by its name alone: `ESP (3)` -> `ESP`."""
    return NUMBER.sub("", fields.get(key, ""))


def _transform(fields: Fields) -> str:
    cipher = _word(fields, "ENCRYPTION") or _word(fields, "ID")  # IKEv1 has the cipher of phase 1 in an attribute
    return f"{cipher} {fields.get('KEY_LENGTH', '')}"


def _selector(fields: Fields) -> str:
    said = "-".join(dict.fromkeys((fields.get("Start address", ""), fields.get("End address", ""))))
    ports = (fields.get("Start port", "0"), fields.get("End port", "65535"))
    protocol = fields.get("IP protocol", "0")
    said += f" protocol {protocol}" if protocol != "0" else ""
    return said + (f" ports {ports[0]}-{ports[1]}" if ports != ("0", "65535") else "")


OWN: Mapping[str, Callable[[Fields], str]] = {
    "IKE header": lambda fields: f"{_word(fields, 'Exchange type')} {fields.get('Message ID', '')}",
    "Transform": _transform,
    "Traffic selector": _selector,
    "KE": lambda fields: _word(fields, "Method"),
    "IDi": lambda fields: fields.get("Identification", ""),
    "IDr": lambda fields: fields.get("Identification", ""),
    "AUTH": lambda fields: _word(fields, "Method"),
    "CERT": lambda fields: _word(fields, "Encoding"),
    "CERTREQ": lambda fields: _word(fields, "Encoding"),
    "N": lambda fields: _word(fields, "Type"),
    "D": lambda fields: f"{_word(fields, 'Protocol')} {fields.get('SPI', '')}",
    "CP": lambda fields: _word(fields, "Type"),
    "EAP": lambda fields: _word(fields, "Code"),
    "ESP header": lambda fields: f"sequence number {fields.get('Sequence number', '')}",
}
# A node that says what the nodes of this name inside it say.
INSIDE: Mapping[str, tuple[str, str]] = {
    "SA": ("Proposal", "; "),
    "Proposal": ("Transform", ", "),
    "TSi": ("Traffic selector", ", "),
    "TSr": ("Traffic selector", ", "),
}
