"""The Attribute payload of a Transaction exchange, asked and answered (draft-ietf-ipsec-isakmp-mode-cfg-05 3)."""

from collections.abc import Generator, Sequence

from lab.ikev1 import phase2
from lab.ikev1.exchange import Step
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import Attribute1, CfgType1, ExchangeType1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import Attribute, Attributes1

TRANSACTION = ExchangeType1.TRANSACTION
# More is no answer to anything that we ask.
MOST = 64


def ask(
    sa: Sa, message_id: int, kind: CfgType1, attributes: Sequence[Attribute], *, also: Sequence[CfgType1] = ()
) -> Generator[Step, Message1, tuple[Attribute, ...]]:
    """Send CFG_REQUEST or CFG_SET; the attributes of the answer, which may be of other types `also`.

    Its identifier is not looked at: charon sends 0.
    """
    identifier = int.from_bytes(sa.host.random(2), "big")
    payload = Attributes1(kind, identifier, tuple(attributes))
    wanted = CfgType1.CFG_REPLY if kind == CfgType1.CFG_REQUEST else CfgType1.CFG_ACK

    def check(message: Message1) -> str:
        if reason := phase2.unauthentic(sa, message):
            return reason
        found = message.get(Attributes1)
        right = found is not None and found.cfg_type in (wanted, *also)
        return "" if right else f"the answer to {kind.name} has no {wanted.name}"

    answer = yield Step(TRANSACTION, phase2.hashed(sa, message_id, (payload,)), check=check)
    return answer.need(Attributes1).attributes[:MOST]


def reply(sa: Sa, message_id: int, asked: Attributes1, attributes: Sequence[Attribute]) -> Step:
    """CFG_REPLY to a CFG_REQUEST, CFG_ACK to a CFG_SET."""
    kind = CfgType1.CFG_REPLY if asked.cfg_type == CfgType1.CFG_REQUEST else CfgType1.CFG_ACK
    payload = Attributes1(kind, asked.identifier, tuple(attributes))
    return Step(TRANSACTION, phase2.hashed(sa, message_id, (payload,)), repeat=False)


def octets(attribute: Attribute) -> bytes:
    """The value of an attribute as octets; one of two octets may come in the basic form."""
    return attribute.value if isinstance(attribute.value, bytes) else attribute.value.to_bytes(2, "big")


def of_octets(kind: int, octets: bytes) -> Attribute:
    """An attribute in the variable form; empty where it only asks."""
    return Attribute(Attribute1(kind), octets)


def value(payload: Attributes1, kind: int) -> Attribute | None:
    """The first attribute of a kind."""
    return next((attribute for attribute in payload.attributes if attribute.type == kind), None)
