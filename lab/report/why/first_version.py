"""Refusals and silences of IKEv1, which has neither responses nor acknowledgements.

Rules of this file: a message waits for the next one of its mode, so it is unanswered where it was sent again and no
later message of its exchange came from the other side. The last message of a mode waits for nothing. What a notify
refuses is the last message of a mode that reached its sender, since a notify names none (RFC 2408 3.14).
"""

from collections.abc import Iterator, Sequence

from lab.report import facts
from lab.report.facts import Facts
from lab.report.why.finding import Finding
from lab.report.why.repeated import Repeated, arrived

# What an error notify says of the message before it (RFC 2408 3.14.1).
NOTIFIES = {
    "INVALID_PAYLOAD_TYPE": "it does not know a payload",
    "DOI_NOT_SUPPORTED": "it does not know this domain of interpretation",
    "SITUATION_NOT_SUPPORTED": "it does not know this situation",
    "INVALID_COOKIE": "it knows no such ISAKMP SA",
    "INVALID_MAJOR_VERSION": "it does not speak this version of IKE",
    "INVALID_MINOR_VERSION": "it does not speak this version of IKE",
    "INVALID_EXCHANGE_TYPE": "it does not take this exchange here",
    "INVALID_FLAGS": "the flags in the header make no sense to it",
    "INVALID_MESSAGE_ID": "the message ID belongs to no exchange that it knows",
    "INVALID_PROTOCOL_ID": "it does not know the protocol of a proposal",
    "INVALID_SPI": "the SPI is none that it can take",
    "INVALID_TRANSFORM_ID": "it does not know a transform",
    "ATTRIBUTES_NOT_SUPPORTED": "it does not know an attribute of a transform",
    "NO_PROPOSAL_CHOSEN": "none of the proposals is acceptable to it",
    "BAD_PROPOSAL_SYNTAX": "it cannot read a proposal",
    "PAYLOAD_MALFORMED": "it cannot read a payload, as where it decrypts with another pre-shared key",
    "INVALID_KEY_INFORMATION": "it wants another key exchange",
    "INVALID_ID_INFORMATION": "the identity or the selectors are not acceptable to it",
    "INVALID_CERT_ENCODING": "it does not take certificates in this form",
    "INVALID_CERTIFICATE": "it does not accept the certificate",
    "CERT_TYPE_UNSUPPORTED": "it does not take certificates of this kind",
    "INVALID_CERT_AUTHORITY": "it does not trust the issuer of the certificate",
    "INVALID_HASH_INFORMATION": "the hash does not verify: another key, or another message",
    "AUTHENTICATION_FAILED": "it does not accept the identity or the proof of it",
    "INVALID_SIGNATURE": "the signature does not verify",
    "CERTIFICATE_UNAVAILABLE": "it has no such certificate",
    "UNSUPPORTED_EXCHANGE_TYPE": "it does not know this exchange",
    "UNEQUAL_PAYLOAD_LENGTHS": "the lengths of payloads do not add up for it",
}
# The number of the last message of each mode, which waits for none.
LAST = {"Main Mode": 6, "Aggressive Mode": 3, "Quick Mode": 3, "Transaction": 2}
# What it points to when nothing follows a message that arrived.
LIKELY = {
    ("Main Mode", 1): "as where it has no connection for these addresses, no proposal in common or no IKEv1",
    ("Main Mode", 2): "as where the choice is none of what was proposed, or the initiator's address was spoofed",
    ("Main Mode", 3): "as where it cannot use the key exchange, or has no pre-shared key for this address",
    ("Main Mode", 4): "as where it has no pre-shared key for this address, or cannot send on port 4500",
    ("Main Mode", 5): "as where the pre-shared keys differ, so that it cannot decrypt it, or port 4500 is closed",
    ("Aggressive Mode", 1): "as where it has no connection or no key for this identity, or allows Main Mode only",
    ("Aggressive Mode", 2): "as where the pre-shared keys differ, so that the hash does not verify",
    ("Quick Mode", 1): "as where phase 1 or XAUTH is not over for it, or it takes neither proposal nor selectors",
    ("Quick Mode", 2): "as where the answer is none of what was proposed, or the ISAKMP SA is gone there",
    ("Transaction", 1): "as where it does not know XAUTH or Mode Config, or waits for its user",
}  # fmt: skip
ASKS, ANSWERS = "N(R_U_THERE)", "N(R_U_THERE_ACK)"


def refused(ladder: Sequence[Facts], entry: Facts) -> str:
    """What a notify refuses: `left's Main Mode message 5`, or that nothing came before."""
    sender, spi = facts.text(entry, "from"), _initiator(entry)
    before: Facts | None = None
    for other in ladder:
        if other is entry:
            break
        if facts.whole(other, "step") is not None and facts.text(other, "to") == sender and arrived(other):
            before = other if _initiator(other) == spi else before
    if before is None:
        return f"what {facts.text(entry, 'to') or 'the other side'} sent"
    return f"{facts.text(before, 'from')}'s {title(before)}"


def title(entry: Facts) -> str:
    """`Main Mode message 5`, `Informational message`."""
    step = facts.whole(entry, "step")
    return f"{facts.text(entry, 'exchange')} message" + ("" if step is None else f" {step}")


def silences(ladder: Sequence[Facts]) -> Iterator[Finding]:
    """Messages that were repeated and that nothing followed, and questions whether the peer lives without an answer."""
    waiting: dict[tuple[str, str, str, int], Repeated] = {}
    for entry in ladder:
        exchange, step = facts.text(entry, "exchange"), facts.whole(entry, "step")
        if step is None:
            continue
        place = (_initiator(entry), exchange, facts.text(entry, "message_id"))
        if (before := waiting.get((*place, step - 1))) is not None and arrived(entry):
            before.answered = True
        if step < LAST.get(exchange, 0):
            waiting.setdefault((*place, step), Repeated(entry)).again(entry)
    for one in waiting.values():
        if one.times > 1 and not one.answered:
            step = facts.whole(one.entry, "step") or 0
            yield _silence(one, title(one.entry), LIKELY.get((facts.text(one.entry, "exchange"), step), ""))
    yield from _dead(ladder)


def _dead(ladder: Sequence[Facts]) -> Iterator[Finding]:
    """R-U-THERE several times in a row (RFC 3706); each has a message ID of its own."""
    asking: dict[tuple[str, str], Repeated] = {}
    for entry in ladder:
        said, spi = facts.texts(entry, "payloads"), facts.text(entry, "spi")
        if ASKS in said:
            asking.setdefault((spi, facts.text(entry, "from")), Repeated(entry)).again(entry)
        elif ANSWERS in said and arrived(entry):
            asking.pop((spi, facts.text(entry, "to")), None)
    for one in asking.values():
        if one.times > 1:
            yield _silence(one, "R-U-THERE", "as where it has gone or has lost the ISAKMP SA")


def _silence(one: Repeated, what: str, likely: str) -> Finding:
    to = facts.text(one.entry, "to") or "its peer"
    words = f"sent {what} {one.times} times in {one.over_s:.0f} s and nothing followed: "
    if one.arrived == 0:
        words += f"none of them arrived at {to}, the network lost them"
    else:
        count = "all of them" if one.arrived == one.times else f"{one.arrived}"
        words += f"{count} arrived at {to}, which did not go on" + (f", {likely}" if likely else "")
    return one.finding(words)


def _initiator(entry: Facts) -> str:
    return facts.text(entry, "spi").partition(":")[0]
