"""Proposals: strongSwan's strings into wire form and back, and what is sent when nothing is configured.

    aes256gcm16-prfsha384-x25519-ke1_mlkem768        IKE; a missing PRF is that of the integrity algorithms' family
    aes128-sha256-x25519-noesn                       ESP; a missing `esn`/`noesn` is `noesn`, because ESN is mandatory

Several words of one type are alternatives in order of preference. AEAD and other ciphers exclude each other within one
proposal (RFC 7296 3.3), since only the others go with an integrity algorithm.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from lab.crypto import registry
from lab.crypto.choice import Mismatch, Selected, accept, select
from lab.crypto.registry import ADDITIONAL, ORDER
from lab.errors import ConfigError
from lab.wire.ids import Encr, Esn, Integ, KeMethod, ProtocolId, TransformType
from lab.wire.payloads_v2 import Proposal, Transform

# Choosing is told apart from reading and writing, but callers find both here.
__all__ = [
    "DEFAULTS",
    "Mismatch",
    "Selected",
    "accept",
    "parse",
    "parse_all",
    "render",
    "select",
    "without_ke",
]

DEFAULTS: dict[ProtocolId, tuple[str, ...]] = {
    ProtocolId.IKE: (
        "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-modp3072-modp2048",
        "aes256-aes128-sha256-sha384-sha512-x25519-ecp256-ecp384-modp3072-modp2048",
    ),
    ProtocolId.ESP: ("aes256gcm16-aes128gcm16-chacha20poly1305-noesn", "aes256-aes128-sha256-sha384-sha512-noesn"),
}

_T = TransformType


def parse(text: str, protocol: ProtocolId, *, number: int = 1) -> Proposal:
    """One proposal string; raises ConfigError naming the word that is wrong and what comes close."""
    transforms = list(dict.fromkeys(_transform(word) for word in text.strip().split("-")))
    if protocol == ProtocolId.IKE:
        transforms = _complete_ike(transforms)
    else:
        transforms = [t for t in transforms if t.type != _T.PRF]
        if protocol == ProtocolId.AH:
            transforms = [converted for t in transforms if (converted := _for_ah(t))]
        if not _of(transforms, _T.ESN):
            transforms.append(Transform(_T.ESN, Esn.NO_ESN))
    transforms = _check(transforms, protocol, text)
    return Proposal(number, protocol, b"", tuple(sorted(transforms, key=lambda t: ORDER.index(t.type))))


def parse_all(texts: Sequence[str], protocol: ProtocolId) -> tuple[Proposal, ...]:
    """The proposals of a configuration, numbered from 1; `default` stands for our defaults, as does an empty list."""
    words: list[str] = []
    for text in texts or ["default"]:
        words += DEFAULTS[protocol] if text == "default" else [text]
    return tuple(parse(text, protocol, number=number) for number, text in enumerate(words, 1))


def render(proposal: Proposal) -> str:
    """The string of a proposal; `noesn` goes without saying."""
    silent = proposal.of(_T.ESN) == (Transform(_T.ESN, Esn.NO_ESN),)
    words = [registry.keyword(t) for t in proposal.transforms if not (silent and t.type == _T.ESN)]
    return "-".join(words)


def without_ke(proposal: Proposal) -> Proposal:
    """For the CHILD SA of IKE_AUTH, which exchanges no keys of its own (RFC 7296 1.2)."""
    return replace(proposal, transforms=tuple(t for t in proposal.transforms if t.type not in (_T.KE, *ADDITIONAL)))


def aead(transforms: Iterable[Transform]) -> bool:
    """Whether any ENCR transform among these is an AEAD cipher."""
    return any(t.type == _T.ENCR and registry.known(t) and registry.encr(t).aead for t in transforms)


def _transform(word: str) -> Transform:
    word = word.strip().lower()
    transform = registry.KEYWORDS.get(registry.ALIASES.get(word, word))
    if transform is None:
        close = get_close_matches(word, [*registry.KEYWORDS, *registry.ALIASES], n=4)
        hint = f"did you mean {', '.join(close)}?" if close else "`ikelab list algorithms` shows what there is"
        raise ConfigError(f"unknown algorithm '{word}'; {hint}")
    return transform


def _of(transforms: Iterable[Transform], kind: TransformType) -> list[Transform]:
    return [t for t in transforms if t.type == kind]


def _complete_ike(transforms: list[Transform]) -> list[Transform]:
    transforms = [t for t in transforms if t != Transform(_T.KE, KeMethod.NONE) and t.type != _T.ESN]
    if not _of(transforms, _T.PRF):
        families = (registry.PRF_OF[t.id] for t in _of(transforms, _T.INTEG) if isinstance(t.id, Integ))
        transforms += [Transform(_T.PRF, number) for number in families]
    return transforms


def _for_ah(transform: Transform) -> Transform | None:
    """AH has no cipher: `aes128gmac` there names the integrity algorithm; other ciphers drop out, as in strongSwan."""
    if transform.type != _T.ENCR:
        return transform
    if transform.id != Encr.ENCR_NULL_AUTH_AES_GMAC:
        return None
    return Transform(_T.INTEG, registry.AH_GMAC[transform.key_length or 128].id)


def _check(transforms: list[Transform], protocol: ProtocolId, text: str) -> list[Transform]:
    """The mandatory types (RFC 7296 3.3.3), and AEAD or integrity but not both."""
    name = protocol.name
    needed = {"IKE": (_T.ENCR, _T.PRF, _T.KE), "ESP": (_T.ENCR,), "AH": (_T.INTEG,)}[name]
    for kind in needed:
        if not _of(transforms, kind):
            raise ConfigError(f"the {name} proposal '{text}' names no {kind.name} algorithm")
    if not _of(transforms, _T.KE) and (extra := [t for t in transforms if t.type in ADDITIONAL]):
        # RFC 9370 2.2.1: Additional Key Exchange transforms go along with one of Transform Type 4.
        reason = f"names {registry.keyword(extra[0])} but no key exchange that it could be additional to"
        raise ConfigError(f"the {name} proposal '{text}' {reason}")
    for encr in _of(transforms, _T.ENCR):
        if not registry.allowed(encr, protocol):
            raise ConfigError(f"the {name} proposal '{text}' names {registry.keyword(encr)}, which is not for {name}")
    if protocol == ProtocolId.AH:
        return transforms
    if not aead(transforms):
        if not _of(transforms, _T.INTEG):
            raise ConfigError(f"the {name} proposal '{text}' names no INTEG algorithm, and its cipher is not AEAD")
        return transforms
    if not all(aead([encr]) for encr in _of(transforms, _T.ENCR)):
        raise ConfigError(f"the {name} proposal '{text}' mixes AEAD with other ciphers: write two proposals")
    # A word like sha256 then only said which PRF was meant, as strongSwan reads it.
    return [t for t in transforms if t.type != _T.INTEG]
