"""What the numbers in a transform of IKEv1 are called: its ID, and the values of its attributes.

Rules of this file: the names are those that IKEv2 has for the same algorithm, so that both versions can be compared.
What is not in a table has no name and stays a number.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from lab.crypto import ikev1_numbers as numbers
from lab.wire.ids import KeMethod, OpenEnum
from lab.wire.ids_v1 import AuthMethod1, LifeType, Mode1, Phase1, Phase2, Protocol1, TransformId1

Names = Mapping[int, str]


def _turned(table: Mapping[Any, int]) -> Names:
    return {number: kind.name for kind, number in table.items()}


def _all(kind: type[IntEnum]) -> Names:
    return {one.value: one.name for one in kind}


# Attribute -> its values. Of a hash in phase 1 the prf is made as well, so it is no AUTH_HMAC_...
PHASE1: Mapping[int, Names] = {
    Phase1.ENCRYPTION: _turned(numbers.ENCRYPTION),
    Phase1.HASH: {1: "MD5", 2: "SHA1", 4: "SHA2_256", 5: "SHA2_384", 6: "SHA2_512"},
    Phase1.AUTHENTICATION: _all(AuthMethod1),
    Phase1.GROUP: _all(KeMethod),
    Phase1.LIFE_TYPE: _all(LifeType),
}
PHASE2: Mapping[int, Names] = {
    Phase2.LIFE_TYPE: _all(LifeType),
    Phase2.GROUP: _all(KeMethod),
    Phase2.MODE: _all(Mode1),
    Phase2.AUTHENTICATION: _turned(numbers.AUTHENTICATION),
    Phase2.ESN: {1: "ESN"},
}
# Protocol -> transform IDs.
TRANSFORMS: Mapping[int, Names] = {
    Protocol1.ISAKMP: {TransformId1.KEY_IKE.value: TransformId1.KEY_IKE.name},
    Protocol1.AH: _turned(numbers.AH),
    Protocol1.ESP: _turned(numbers.ESP),
}


def value(attribute: OpenEnum, number: int) -> str:
    """`ENCR_AES_CBC (7)`, or the number alone."""
    table = PHASE1 if isinstance(attribute, Phase1) else PHASE2 if isinstance(attribute, Phase2) else {}
    return _shown(number, table.get(attribute, {}))


def transform(protocol: int, number: int) -> str:
    """The same of a transform ID."""
    return _shown(number, TRANSFORMS.get(protocol, {}))


def _shown(number: int, names: Names) -> str:
    return f"{names[number]} ({number})" if number in names else str(number)
