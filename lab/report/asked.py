"""Requests with their responses: what was asked in one message, and the message that answers it.

Rules of this file: a retransmission asks nothing new. An answer comes from the other side, in the same exchange with
the same message ID, before the same is asked again; so a second IKE_SA_INIT after COOKIE has an answer of its own. In
IKEv1, which has no requests, the first message of an exchange asks and the second answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.report import opened
from lab.report.detail import Detail
from lab.report.ladder import Message


@dataclass(frozen=True, slots=True)
class Asked:
    """A message with a payload of one kind, and its answer, both opened up; `answer` is None if there was none."""

    message: Message
    opened: Detail
    answer: Message | None
    answered: Detail | None


def asked(messages: Sequence[Message], details: Mapping[int, Detail], payload: str) -> list[Asked]:
    """Every message that asks with this payload (`SA`, `TSi`, `ID`), in order."""
    once = [one for one in messages if one.exchange and one.retransmit_of is None]
    found, answers = [], set()
    for place, one in enumerate(once):
        detail = details.get(one.number)
        if detail is None or one.response or one.number in answers or not opened.payloads(detail, payload):
            continue
        answer = _answer(one, once[place + 1 :], details)
        if answer:
            answers.add(answer.number)
        found.append(Asked(one, detail, answer, details.get(answer.number) if answer else None))
    return found


def _answer(one: Message, later: Sequence[Message], details: Mapping[int, Detail]) -> Message | None:
    for other in later:
        if (other.exchange, other.message_id, _spi(other)) != (one.exchange, one.message_id, _spi(one)):
            continue
        if other.sender == one.sender and other.protocol != "IKEv1" and not other.response:
            return None
        # The fragments before the last are not opened.
        if other.sender != one.sender and opened.payloads(details.get(other.number)):
            return other
    return None


def _spi(one: Message) -> str:
    return one.spi.partition(":")[0]
