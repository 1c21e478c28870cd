"""Refusals and silences on the wire: error notifies with what they mean, and requests that nobody answered."""

import re
from collections.abc import Iterator, Sequence

from lab.report import facts
from lab.report.facts import Facts
from lab.report.why import first_version
from lab.report.why.finding import Finding
from lab.report.why.repeated import Repeated, proof, sent

NOTIFY = re.compile(r"N\((\w+)\)")
# What an error notify says of the message before it (RFC 7296 3.10.1), and the clause that asks for it.
MEANINGS = {
    "UNSUPPORTED_CRITICAL_PAYLOAD": "it does not know a payload that was marked critical (RFC 7296 2.5)",
    "INVALID_IKE_SPI": "it knows no such IKE SA (RFC 7296 2.21.4)",
    "INVALID_MAJOR_VERSION": "it does not speak this version of IKE (RFC 7296 2.5)",
    "INVALID_SYNTAX": "it cannot make sense of the message (RFC 7296 2.21)",
    "INVALID_MESSAGE_ID": "the message ID is outside its window (RFC 7296 2.3)",
    "NO_PROPOSAL_CHOSEN": "none of the proposals is acceptable to it (RFC 7296 2.7)",
    "INVALID_KE_PAYLOAD": "it wants another key exchange method (RFC 7296 1.2)",
    "AUTHENTICATION_FAILED": "it does not accept the identity or the proof of it (RFC 7296 2.21.2)",
    "SINGLE_PAIR_REQUIRED": "it takes a single pair of addresses only (RFC 7296 2.9)",
    "NO_ADDITIONAL_SAS": "it allows no further CHILD SAs (RFC 7296 1.3)",
    "INTERNAL_ADDRESS_FAILURE": "it has no address to assign (RFC 7296 2.19)",
    "FAILED_CP_REQUIRED": "it expected to be asked for an address (RFC 7296 2.19)",
    "TS_UNACCEPTABLE": "none of the traffic selectors is acceptable to it (RFC 7296 2.9)",
    "INVALID_SELECTORS": "a packet did not fit the selectors of its SA (RFC 7296 1.4)",
    "UNACCEPTABLE_ADDRESSES": "it does not want these addresses (RFC 4555 3.5)",
    "UNEXPECTED_NAT_DETECTED": "a NAT is in the way, and none is allowed (RFC 4555 3.9)",
    "TEMPORARY_FAILURE": "it is busy with another exchange on the same SA (RFC 7296 2.25)",
    "CHILD_SA_NOT_FOUND": "it has no such CHILD SA (RFC 7296 2.25)",
    "STATE_NOT_FOUND": "it waits for no further key exchange (RFC 9370 2.2.4)",
}
# These ask for another try; they end nothing by themselves.
AGAIN = frozenset({"INVALID_KE_PAYLOAD", "TEMPORARY_FAILURE"})


def findings(directory_ladder: Sequence[Facts]) -> list[Finding]:
    """Refusals and silences in the order of the ladder."""
    return [*refusals(directory_ladder), *_silences(directory_ladder), *first_version.silences(directory_ladder)]


def refusals(ladder: Sequence[Facts]) -> Iterator[Finding]:
    """Error notifies with what they mean, in the order of the ladder."""
    for entry in ladder:
        if facts.whole(entry, "retransmit_of") is not None:
            continue
        for payload in facts.texts(entry, "payloads"):
            named = NOTIFY.fullmatch(payload)
            if named and facts.text(entry, "protocol") == "IKEv1":
                if named[1] in first_version.NOTIFIES:
                    yield _refusal_v1(ladder, entry, named[1])
            elif named and named[1] in MEANINGS:
                yield _refusal(entry, named[1])


def _refusal(entry: Facts, notify: str) -> Finding:
    to = facts.text(entry, "to") or "the other side"
    answer = facts.flag(entry, "response")
    what = f"{to}'s {_message(entry)}" if answer else f"what {to} sent before, by {_message(entry)}"
    words = f"refuses {what}: {notify}, {MEANINGS[notify]}"
    return Finding(sent(entry), facts.text(entry, "from"), words, proof(entry), refusal=notify not in AGAIN)


def _refusal_v1(ladder: Sequence[Facts], entry: Facts, notify: str) -> Finding:
    meaning = f"{first_version.NOTIFIES[notify]} (RFC 2408 3.14.1)"
    words = f"refuses {first_version.refused(ladder, entry)}: {notify}, {meaning}"
    return Finding(sent(entry), facts.text(entry, "from"), words, proof(entry), refusal=True)


def _silences(ladder: Sequence[Facts]) -> Iterator[Finding]:
    """Requests of IKEv2 that were repeated and never answered."""
    asked: dict[tuple[str, str, str], Repeated] = {}
    for entry in ladder:
        number, spi = facts.text(entry, "message_id"), facts.text(entry, "spi").partition(":")[0]
        if facts.text(entry, "protocol") != "IKEv2" or not number:
            continue
        if facts.flag(entry, "response"):
            request = asked.get((spi, number, facts.text(entry, "to")))
            if request is not None and not facts.flag(entry, "lost"):
                request.answered = True
            continue
        key = (spi, number, facts.text(entry, "from"))
        asked.setdefault(key, Repeated(entry)).again(entry)
    yield from (_silence(one) for one in asked.values() if one.times > 1 and not one.answered)


def _silence(asked: Repeated) -> Finding:
    to = facts.text(asked.entry, "to") or "its peer"
    words = f"sent {_message(asked.entry)} {asked.times} times in {asked.over_s:.0f} s and had no answer: "
    if asked.arrived == 0:
        words += f"none of them arrived at {to}, the network lost them"
    elif asked.arrived < asked.times:
        words += f"{asked.arrived} arrived at {to}, whose answers were lost or never sent"
    else:
        words += f"all of them arrived at {to}, which did not answer or whose answers were lost"
    return asked.finding(words)


def _message(entry: Facts) -> str:
    return f"{facts.text(entry, 'exchange')} request {facts.text(entry, 'message_id')}"
