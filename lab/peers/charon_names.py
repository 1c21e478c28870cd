"""strongSwan's names of algorithms <-> the names of the IANA registry, as they stand in keys.json and sas.json.

Rule: a name that is not in the tables passes through unchanged, so that a new algorithm is visible and not an error.
"""

import re
from dataclasses import dataclass

_ENCR = {"3DES_CBC": "ENCR_3DES", "NULL_AES_GMAC": "ENCR_NULL_AUTH_AES_GMAC"}
_KE = {
    "CURVE_25519": "CURVE25519",
    "CURVE_448": "CURVE448",
    **{f"ECP_{bits}_BP": f"BRAINPOOL_P{bits}R1" for bits in (224, 256, 384, 512)},
}
_INTEG = re.compile(r"HMAC_(MD5|SHA1|SHA2)_.*|AES_(XCBC|CMAC)_96|HMAC_(MD5|SHA1)_96")
_KE_NAME = re.compile(r"(MODP|ECP|CURVE|BRAINPOOL|ML_KEM)[_0-9].*")
_ADDITIONAL = re.compile(r"KE[1-7]_.+")
_SIZED = re.compile(r"(AES_CBC|AES_CTR|AES_[GC]CM_\d+|NULL_AES_GMAC|CAMELLIA_CBC|CAMELLIA_CTR)_(\d+)")


@dataclass(frozen=True, slots=True)
class Suite:
    """The algorithms of one SA; empty strings and 0 where the SA has none."""

    encr: str = ""
    encr_key_length: int = 0
    prf: str = ""
    integ: str = ""
    ke: str = ""
    esn: bool = False


def encr(name: str) -> str:
    """`AES_GCM_16` -> `ENCR_AES_GCM_16`."""
    return _ENCR.get(name, f"ENCR_{name}") if name else ""


def integ(name: str) -> str:
    """`HMAC_SHA2_256_128` -> `AUTH_HMAC_SHA2_256_128`."""
    return f"AUTH_{name}" if name else ""


def ke(name: str) -> str:
    """`CURVE_25519` -> `CURVE25519`."""
    return _KE.get(name, name)


def suite(text: str) -> Suite:
    """Read a proposal as charon prints it: `IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/CURVE_25519`."""
    found: dict[str, str] = {}
    length = 0
    for part in text.partition(":")[2].split("/"):
        if sized := _SIZED.fullmatch(part):
            found["encr"], length = encr(sized.group(1)), int(sized.group(2))
        elif part.startswith("PRF_"):
            found["prf"] = part
        elif _INTEG.fullmatch(part):
            found["integ"] = integ(part)
        elif _ADDITIONAL.fullmatch(part):
            continue  # keys.json speaks of the first key exchange only
        elif _KE_NAME.fullmatch(part):
            found.setdefault("ke", ke(part))
        elif part not in ("NO_EXT_SEQ", "EXT_SEQ", ""):
            found["encr"] = encr(part)
            length = 256 if part == "CHACHA20_POLY1305" else 0
    return Suite(encr_key_length=length, esn="/EXT_SEQ" in text, **found)
