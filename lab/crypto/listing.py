"""The registry as plain data, for `ikelab list algorithms` and the documentation."""

from lab.crypto import registry, wireshark
from lab.crypto.proposal import DEFAULTS, parse
from lab.wire.ids import ProtocolId, TransformType
from lab.wire.payloads_v2 import Transform

_T = TransformType
_PROTOCOLS = (ProtocolId.IKE, ProtocolId.ESP, ProtocolId.AH)


def algorithms() -> list[dict[str, object]]:
    """One row per keyword: type, names, key length, protocols, where it is a default, and where tshark decrypts it."""
    offered = {
        protocol: {t for text in texts for t in parse(text, protocol).transforms}
        for protocol, texts in DEFAULTS.items()
    }
    rows: list[dict[str, object]] = []
    for word, transform in registry.KEYWORDS.items():
        if transform.type in registry.ADDITIONAL:
            continue
        rows.append(
            {
                "type": transform.type.name,
                "keyword": word,
                "name": transform.id.name,
                "key_length": transform.key_length,
                "protocols": [p.name for p in _PROTOCOLS if _usable(transform, p)],
                "default": [p.name for p in offered if transform in offered[p]],
                "tshark": _tshark(transform),
            }
        )
    return rows


def _usable(transform: Transform, protocol: ProtocolId) -> bool:
    if transform.type == _T.ENCR:
        return protocol != ProtocolId.AH and registry.allowed(transform, protocol)
    return transform.type in {
        ProtocolId.IKE: (_T.PRF, _T.INTEG, _T.KE),
        ProtocolId.ESP: (_T.INTEG, _T.KE, _T.ESN),
        ProtocolId.AH: (_T.INTEG, _T.KE, _T.ESN),
    }.get(protocol, ())


def _tshark(transform: Transform) -> list[str]:
    """The protocols whose packets tshark decrypts with this cipher; empty for what is no cipher."""
    if transform.type != _T.ENCR:
        return []
    names = {ProtocolId.IKE: wireshark.ike_encr(transform), ProtocolId.ESP: wireshark.esp_encr(transform.id)}
    return [protocol.name for protocol, name in names.items() if name and registry.allowed(transform, protocol)]
