"""`ip xfrm state` and `ip xfrm monitor SA` -> SAs with the names of the IANA registry. Both print them alike."""

import re

# Name in the kernel -> name, octets of the salt at the end of the key; by bits of the ICV where the name is several.
AEAD = {
    "rfc4106(gcm(aes))": ("ENCR_AES_GCM_{octets}", 4),
    "rfc4309(ccm(aes))": ("ENCR_AES_CCM_{octets}", 3),
    "rfc7539esp(chacha20,poly1305)": ("ENCR_CHACHA20_POLY1305", 4),
}
CRYPT = {"cbc(aes)": "ENCR_AES_CBC", "cbc(des3_ede)": "ENCR_3DES", "ecb(cipher_null)": "ENCR_NULL"}
AUTH = {
    "hmac(sha1)": "AUTH_HMAC_SHA1_96", "hmac(sha256)": "AUTH_HMAC_SHA2_256_128",
    "hmac(sha384)": "AUTH_HMAC_SHA2_384_192", "hmac(sha512)": "AUTH_HMAC_SHA2_512_256",
}  # fmt: skip
_BEGIN = re.compile(r"(Updated |Deleted |Expired )?src (\S+) dst (\S+)")
_CURRENT = re.compile(r"\s*(\d+)\(bytes\), (\d+)\(packets\)")


def states(text: str) -> list:
    """Every SA that has a key, in the order of the text: what keys.json wants, and `mode`, `bytes` and `packets`."""
    found: list = []
    counting = False
    for line in text.splitlines():
        if begin := _BEGIN.match(line):
            found.append({"src": begin[2], "dst": begin[3], "gone": begin[1] == "Deleted "})
        elif found:
            counting = _take(found[-1], line, counting)
    # pluto asks the kernel for what it can with an SA between no addresses.
    return [one for one in found if one.get("encr_key") is not None and not one["gone"] and one["src"] != "0.0.0.0"]


def _take(state: dict, line: str, counting: bool) -> bool:
    """Take over one line; whether the next one holds the counters."""
    words = line.split()
    match words:
        case ["proto", "esp", "spi", spi, *rest]:
            # With -s the number follows in brackets.
            state |= {"protocol": "ESP", "spi": f"{int(spi.partition('(')[0], 16):08x}"}
            state["mode"] = rest[rest.index("mode") + 1].upper() if "mode" in rest else ""
        case ["aead", name, key, *rest]:
            state |= _aead(name, key.removeprefix("0x"), int(next(word for word in rest if word.isdigit())))
        case ["enc", name, *rest]:
            key = rest[0].removeprefix("0x") if rest and rest[0].startswith("0x") else ""
            state |= {"encr": CRYPT.get(name, name), "encr_key": key, "encr_key_length": len(key) * 4 or None}
        case ["auth-trunc" | "auth", name, key, *_]:
            state |= {"integ": AUTH.get(name, name), "integ_key": key.removeprefix("0x")}
        case ["encap", *_]:
            state["encap"] = True
        case ["replay-window", *rest]:
            state["esn"] = "esn" in rest
        case ["lifetime", "current:"]:
            return True
    if counting and (current := _CURRENT.match(line)):
        state |= {"bytes": int(current[1]), "packets": int(current[2])}
    return False


def _aead(name: str, key: str, icv: int) -> dict:
    """An AEAD's key ends with its salt."""
    form, salt = AEAD.get(name, (name, 0))
    cut = len(key) - 2 * salt
    length = None if "CHACHA" in form else cut * 4
    encr = form.format(octets=icv // 8)
    return {"encr": encr, "encr_key": key[:cut], "salt": key[cut:], "encr_key_length": length}
