"""What the kernel calls the algorithms. To add one: a row here, in the same words as in /proc/crypto.

The length of the ICV is written out for integrity: by default the kernel cuts HMAC-SHA2-256 to 96 bits, an old draft's
length, where RFC 4868 has 128.
"""

from lab.backends.xfrm.structs import Authentic, Crypt
from lab.ike.child import ChildSa
from lab.wire.ids import Encr, Integ, OpenEnum

# fmt: off
AEAD: dict[OpenEnum, tuple[str, int]] = {
    # number                      name in the kernel                bits of the ICV; the salt is part of the key
    Encr.ENCR_AES_GCM_16:         ("rfc4106(gcm(aes))",             128),
    Encr.ENCR_AES_GCM_12:         ("rfc4106(gcm(aes))",              96),
    Encr.ENCR_AES_GCM_8:          ("rfc4106(gcm(aes))",              64),
    Encr.ENCR_AES_CCM_16:         ("rfc4309(ccm(aes))",             128),
    Encr.ENCR_AES_CCM_12:         ("rfc4309(ccm(aes))",              96),
    Encr.ENCR_AES_CCM_8:          ("rfc4309(ccm(aes))",              64),
    Encr.ENCR_CHACHA20_POLY1305:  ("rfc7539esp(chacha20,poly1305)", 128),
    Encr.ENCR_NULL_AUTH_AES_GMAC: ("rfc4543(gcm(aes))",             128),
}
CRYPT: dict[OpenEnum, str] = {
    Encr.ENCR_AES_CBC:            "cbc(aes)",
    Encr.ENCR_AES_CTR:            "rfc3686(ctr(aes))",
    Encr.ENCR_CAMELLIA_CBC:       "cbc(camellia)",
    Encr.ENCR_3DES:               "cbc(des3_ede)",
    Encr.ENCR_NULL:               "ecb(cipher_null)",
}
AUTH: dict[OpenEnum, tuple[str, int]] = {
    Integ.AUTH_HMAC_MD5_96:       ("hmac(md5)",    96),
    Integ.AUTH_HMAC_SHA1_96:      ("hmac(sha1)",   96),
    Integ.AUTH_HMAC_SHA2_256_128: ("hmac(sha256)", 128),
    Integ.AUTH_HMAC_SHA2_384_192: ("hmac(sha384)", 192),
    Integ.AUTH_HMAC_SHA2_512_256: ("hmac(sha512)", 256),
    Integ.AUTH_AES_XCBC_96:       ("xcbc(aes)",    96),
    Integ.AUTH_AES_CMAC_96:       ("cmac(aes)",    96),
}
# fmt: on


class Unknown(ValueError):
    """The kernel has no name for an algorithm."""


def attributes(child: ChildSa, key_encr: bytes, key_integ: bytes) -> list[tuple[str, bytes]]:
    """The attributes that name the algorithms of a child and hold the keys of one direction."""
    found = []
    if child.encr is not None:
        encr = child.encr.id
        if encr in AEAD:
            return [("XFRMA_ALG_AEAD", _keyed(*AEAD[encr], key_encr))]
        if encr not in CRYPT:
            raise Unknown(f"the kernel has no {encr.name} for ESP")
        name = CRYPT[encr].encode()
        found.append(("XFRMA_ALG_CRYPT", Crypt.pack({"alg_name": name, "alg_key_len": len(key_encr) * 8}) + key_encr))
    if child.integ is not None:
        if child.integ.id not in AUTH:
            raise Unknown(f"the kernel has no {child.integ.id.name} for {child.protocol.name}")
        found.append(("XFRMA_ALG_AUTH_TRUNC", _keyed(*AUTH[child.integ.id], key_integ)))
    return found


def _keyed(name: str, icv: int, key: bytes) -> bytes:
    return Authentic.pack({"alg_name": name.encode(), "alg_key_len": len(key) * 8, "icv_len": icv}) + key
