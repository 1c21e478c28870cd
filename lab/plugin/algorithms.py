"""The scenarios that the registry of algorithms asks for: every row in at least one IKE proposal and one ESP proposal.

Rules:
- Suites are derived from `lab.crypto.registry` and never listed: a new row there is in a scenario at once, or it stands
  in ELSEWHERE with the scenario that negotiates it.
- One scenario negotiates an IKE SA and a CHILD SA, so its two proposals share the cost of one handshake. The i-th has
  the i-th cipher and, in turn, the other rows; key exchange methods come once each, since long MODP groups are slow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from lab.crypto import proposal, registry
from lab.crypto.registry import EncrRow
from lab.wire.ids import ProtocolId, TransformType
from lab.wire.payloads_v2 import Transform

# Negotiated by scenarios of their own; ML-KEM needs fragments or a key exchange in front of it, and strongSwan 6.1.
ELSEWHERE = {
    "esn": "ikev2/extended-sequence-numbers",
    "noesn": "ikev2/algorithm",
    "md5": "ikev1/algorithms",
    "prfmd5": "ikev1/algorithms",
    "mlkem768": "ikev2/additional-key-exchange",
    "mlkem1024": "ikev2/additional-key-exchange",
}
_USUAL_KE = "x25519"


@dataclass(frozen=True, slots=True)
class Suite:
    """The two proposals of one scenario."""

    ike: str
    esp: str

    @property
    def words(self) -> tuple[str, ...]:
        """The registry's words for all transforms."""
        return tuple(dict.fromkeys([*self.ike.split("-"), *self.esp.split("-")]))

    def transform(self, protocol: ProtocolId, kind: TransformType) -> Transform | None:
        """What the peers must have chosen of this type, or None where the protocol needs none."""
        text = self.ike if protocol == ProtocolId.IKE else self.esp
        return next(iter(proposal.parse(text, protocol).of(kind)), None)

    def __str__(self) -> str:
        return f"{self.ike}+{self.esp}"


def suites() -> list[Suite]:
    """As few suites as there are ciphers for ESP; together they hold every word that is not in ELSEWHERE."""
    ike, esp = list(_ike()), list(_esp())
    number = max(len(ike), len(esp))
    # The ciphers of IKE go the other way round, so that no scenario tries one cipher twice.
    return [Suite(ike[-1 - at % len(ike)], esp[at % len(esp)]) for at in range(number)]


def _ciphers(protocol: ProtocolId) -> Iterator[tuple[EncrRow, str]]:
    for row in registry.ENCR:
        for bits in row.bits:
            if protocol in row.where and (word := row.keyword.format(bits)) not in ELSEWHERE:
                yield row, word


def _known(table: Sequence[tuple[str, object]]) -> list[str]:
    return [word for word, _ in table if word not in ELSEWHERE]


def _ike() -> Iterator[str]:
    integs, prfs, groups = cycle(_known(registry.INTEG)), cycle(_known(registry.PRF)), iter(_known(registry.GROUP))
    for row, word in _ciphers(ProtocolId.IKE):
        parts = [word, *([] if row.aead else [next(integs)]), next(prfs), next(groups, _USUAL_KE)]
        yield "-".join(parts)


def _esp() -> Iterator[str]:
    integs = cycle(_known(registry.INTEG))
    for row, word in _ciphers(ProtocolId.ESP):
        yield word if row.aead else f"{word}-{next(integs)}"
