"""The names of Wireshark's decryption tables for our algorithms, as version 4.0 spells them.

One wrong letter makes Wireshark refuse the row.

    ikev2_decryption_table    encryption and integrity of an IKE SA
    esp_sa                    encryption and authentication of an ESP SA

None where Wireshark cannot decrypt: an IKE SA with ChaCha20-Poly1305 or Camellia, an ESP SA with these, CCM or GMAC.
"""

from lab.wire.ids import Encr, Integ, OpenEnum
from lab.wire.payloads_v2 import Transform

NO_INTEG_IKE = "NONE [RFC4306]"
NO_INTEG_ESP = "NULL"
# Decrypts without checking the ICV, for algorithms that Wireshark does not compute. Beside it the table for IKE wants
# SK_ai and SK_ar empty; the one for ESP does not mind a key.
ANY_96_IKE = "ANY 96-bits of Authentication [No Checking]"
ANY_96_ESP = "ANY 96 bit authentication [no checking]"

_GCM_IKE, _GCM_ESP = "AES-GCM-{} with %d octet ICV [RFC5282]", "AES-GCM with %d octet ICV [RFC4106]"
_CCM_IKE = "AES-CCM-{} with %d octet ICV [RFC5282]"

ENCR: dict[Encr, tuple[str | None, str | None]] = {
    # number: name for IKE ({} is the key length), name for ESP
    Encr.ENCR_AES_GCM_16: (_GCM_IKE % 16, _GCM_ESP % 16),
    Encr.ENCR_AES_GCM_12: (_GCM_IKE % 12, _GCM_ESP % 12),
    Encr.ENCR_AES_GCM_8: (_GCM_IKE % 8, _GCM_ESP % 8),
    Encr.ENCR_AES_CCM_16: (_CCM_IKE % 16, None),
    Encr.ENCR_AES_CCM_12: (_CCM_IKE % 12, None),
    Encr.ENCR_AES_CCM_8: (_CCM_IKE % 8, None),
    Encr.ENCR_CHACHA20_POLY1305: (None, None),
    Encr.ENCR_AES_CBC: ("AES-CBC-{} [RFC3602]", "AES-CBC [RFC3602]"),
    Encr.ENCR_AES_CTR: ("AES-CTR-{} [RFC5930]", "AES-CTR [RFC3686]"),
    Encr.ENCR_CAMELLIA_CBC: (None, None),
    Encr.ENCR_3DES: ("3DES [RFC2451]", "TripleDES-CBC [RFC2451]"),
    Encr.ENCR_NULL: ("NULL [RFC2410]", "NULL"),
    Encr.ENCR_NULL_AUTH_AES_GMAC: (None, None),
}

INTEG: dict[Integ, tuple[str, str]] = {
    Integ.NONE: (NO_INTEG_IKE, NO_INTEG_ESP),
    Integ.AUTH_HMAC_SHA2_256_128: ("HMAC_SHA2_256_128 [RFC4868]", "HMAC-SHA-256-128 [RFC4868]"),
    Integ.AUTH_HMAC_SHA2_384_192: ("HMAC_SHA2_384_192 [RFC4868]", "HMAC-SHA-384-192 [RFC4868]"),
    Integ.AUTH_HMAC_SHA2_512_256: ("HMAC_SHA2_512_256 [RFC4868]", "HMAC-SHA-512-256 [RFC4868]"),
    Integ.AUTH_HMAC_MD5_96: ("HMAC_MD5_96 [RFC2403]", "HMAC-MD5-96 [RFC2403]"),
    Integ.AUTH_HMAC_SHA1_96: ("HMAC_SHA1_96 [RFC2404]", "HMAC-SHA-1-96 [RFC2404]"),
    Integ.AUTH_AES_XCBC_96: (ANY_96_IKE, ANY_96_ESP),
    Integ.AUTH_AES_CMAC_96: (ANY_96_IKE, ANY_96_ESP),
}


def ike_encr(transform: Transform) -> str | None:
    """The name of an ENCR transform in `ikev2_decryption_table`, or None."""
    name = ENCR[transform.id][0] if isinstance(transform.id, Encr) and transform.id in ENCR else None
    return name.format(transform.key_length or 128) if name else None


def esp_encr(number: OpenEnum) -> str | None:
    """The name of an encryption algorithm in `esp_sa`, or None."""
    return ENCR[number][1] if isinstance(number, Encr) and number in ENCR else None


def ike_integ(number: OpenEnum | None) -> str:
    """The name of an integrity algorithm in `ikev2_decryption_table`; None stands for AEAD."""
    return INTEG[number][0] if isinstance(number, Integ) else NO_INTEG_IKE


def esp_integ(number: OpenEnum | None) -> str:
    """The name of an integrity algorithm in `esp_sa`; None stands for AEAD."""
    return INTEG[number][1] if isinstance(number, Integ) else NO_INTEG_ESP
