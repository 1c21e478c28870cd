"""What the messages of one scenario show, in words: every figure is counted in its ladder or read from its result.

Rules of this file: a reader takes the messages and what was negotiated, and returns a sentence without a full stop, or
an empty string where they do not show the thing. A message that was sent again is counted once, and one in
fragments by its last.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from lab.report import facts, words
from lab.report.facts import Facts
from lab.report.ladder import Message

Reader = Callable[[Sequence[Message], Facts], str]

FRAGMENT = re.compile(r"SKF\((\d+)/(\d+)\)")
KEY_EXCHANGES = frozenset({"KE", "KEi", "KEr"})
DETECTORS = ("NAT_D", "N(NAT_DETECTION")
IDENTITIES = frozenset({"ID", "IDi", "IDr"})
SIDES = frozenset({"left", "right"})
FIRST = frozenset({"Main Mode", "Aggressive Mode", "IKE_SA_INIT"})
PHASE_1 = frozenset({"Main Mode", "Aggressive Mode", "IKE_AUTH"})


def once(messages: Sequence[Message], exchange: str = "") -> list[Message]:
    """The IKE messages (of this exchange), each once."""
    ike = [one for one in messages if one.exchange and one.retransmit_of is None and not _has_more(one)]
    return [one for one in ike if exchange in ("", one.exchange)]


def _has_more(one: Message) -> bool:
    """Whether it is a fragment, and not the last."""
    match = FRAGMENT.match(one.payloads[0]) if one.payloads else None
    return match is not None and match[1] != match[2]


def until_traffic(messages: Sequence[Message], _: Facts) -> str:
    """`6 Main Mode + 3 Quick Mode = 9 messages before the first ESP packet`."""
    first = next((at for at, one in enumerate(messages) if one.protocol in ("ESP", "AH")), None)
    if not first:
        return ""
    counts = Counter(one.exchange for one in once(messages[:first]))
    terms = " + ".join(f"{number} {exchange}" for exchange, number in counts.items())
    return f"{terms} = {words.count(counts.total(), 'message')} before the first {messages[first].protocol} packet"


def with_eap(messages: Sequence[Message], negotiated: Facts) -> str:
    """The same for EAP: how many more than the one pair of IKE_AUTH that there is without it."""
    said, auth = until_traffic(messages, negotiated), once(messages, "IKE_AUTH")
    carrying = f"{sum('EAP' in one.payloads for one in auth)} of them with EAP"
    return f"{said}, {len(auth) - 2} more than with one pair of IKE_AUTH; {carrying}" if said else ""


def exchanges(name: str) -> Reader:
    """`Quick Mode ran 2 times, with 3 messages each`."""

    def read(messages: Sequence[Message], _: Facts) -> str:
        sizes = list(Counter(_exchange_of(one) for one in once(messages, name)).values())
        if not sizes:
            return ""
        times = "once" if len(sizes) == 1 else f"{len(sizes)} times"
        number = " or ".join(map(str, sorted(set(sizes))))
        return f"{name} ran {times}, with {number} messages" + (" each" if len(sizes) > 1 else "")

    return read


def _exchange_of(one: Message) -> tuple[object, ...]:
    """What the messages of one exchange share. In IKEv2 both sides count from 0, in IKEv1 numbers are at random.

    The responder's SPI is not among it: the first request does not have it yet.
    """
    asker = "" if one.protocol == "IKEv1" else one.receiver if one.response else one.sender
    return one.spi.partition(":")[0], one.message_id, asker


def _role(name: str, messages: Sequence[Message]) -> str:
    """Who began is the initiator."""
    return "the initiator" if name == once(messages)[0].sender else "the responder"


def ports(messages: Sequence[Message], _: Facts) -> str:
    """`to UDP port 500, from message 5 (Main Mode) on to 4500`, as the initiator sends."""
    listed = once(messages)
    own = [(number, one) for number, one in enumerate(listed, 1) if one.sender == listed[0].sender and port(one.dst)]
    changes: dict[str, str] = {}
    for number, one in own:
        changes.setdefault(port(one.dst), f"message {number} ({one.exchange})")
    first, *later = changes or ("",)
    floats = "".join(f", from {changes[number]} on to {number}" for number in later)
    return f"the initiator sends to UDP port {first}{floats or ' throughout'}" if first else ""


def port(address: str) -> str:
    """The port of `192.0.2.1:500` or `[2001:db8::1]:500`; an address alone has none."""
    host, _, number = address.rpartition(":")
    return number if number.isdigit() and (":" not in host or host.endswith("]")) else ""


def traversal(messages: Sequence[Message], _: Facts) -> str:
    """`NAT detection in 2 messages, 6 of 6 ESP packets in UDP, 3 keepalives`."""
    asking = sum(any(name.startswith(DETECTORS) for name in one.payloads) for one in once(messages))
    esp = [one for one in messages if one.protocol == "ESP"]
    in_udp, keepalives = sum(bool(port(one.dst)) for one in esp), sum(m.protocol == "NAT-keepalive" for m in messages)
    if not asking and not keepalives:
        return ""
    said = [
        f"NAT detection in {words.count(asking, 'message')}",
        f"{in_udp} of {words.count(len(esp), 'ESP packet')} in UDP" if esp else "",
        words.count(keepalives, "keepalive") if keepalives else "",
    ]
    return ", ".join(filter(None, said))


def recovery(messages: Sequence[Message], _: Facts) -> str:
    """`1 message lost, 2 sent again, first by the initiator after 4.0 s`."""
    ike = [one for one in messages if one.exchange]
    again = [one for one in ike if one.retransmit_of is not None]
    if not again or not once(ike):
        return ""
    first = again[0]
    before = next((one.sent for one in ike if one.number == first.retransmit_of), None)
    after = f" after {first.sent - before:.1f} s" if before is not None and first.sent is not None else ""
    lost = words.count(sum(one.lost for one in ike), "message")
    by = "first by" if len(again) > 1 else "by"
    return f"{lost} lost, {len(again)} sent again, {by} {_role(first.sender, ike)}{after}"


def acknowledged(messages: Sequence[Message], _: Facts) -> str:
    """`5 of 5 requests have their response`, in IKEv2."""
    listed = [one for one in once(messages) if one.protocol == "IKEv2"]
    asked = {_exchange_of(one) for one in listed if not one.response}
    answered = {_exchange_of(one) for one in listed if one.response}
    return f"{len(asked & answered)} of {words.count(len(asked), 'request')} have their response" if asked else ""


def one_way(messages: Sequence[Message], _: Facts) -> str:
    """`1 Informational message by the initiator, 0 by the responder`: IKEv1 acknowledges none of them."""
    listed = once(messages, "Informational")
    if not listed:
        return ""
    sender, receiver = listed[0].sender, listed[0].receiver
    sent = Counter(one.sender for one in listed)
    own = words.count(sent[sender], "Informational message")
    return f"{own} by {_role(sender, messages)}, {sent[receiver]} by {_role(receiver, messages)}"


def identities(messages: Sequence[Message], _: Facts) -> str:
    """`2 of 2 messages with an identity are readable without keys`."""
    holding = [one for one in once(messages) if one.exchange in PHASE_1 and IDENTITIES & set(one.payloads)]
    clear, held = sum(not one.encrypted for one in holding), words.count(len(holding), "message")
    return f"{clear} of {held} with an identity readable without keys" if holding else ""


def attacked(messages: Sequence[Message], _: Facts) -> str:
    """`IDi told in IKE_AUTH to somebody else than the responder, who had answered IKE_SA_INIT`."""
    answered = {one.sender for one in once(messages, "IKE_SA_INIT") if one.response} - {"right"}
    told = [one for one in once(messages, "IKE_AUTH") if "IDi" in one.payloads and one.receiver in answered]
    return "IDi told in IKE_AUTH to somebody else than the responder, who had answered IKE_SA_INIT" if told else ""


def cookies(messages: Sequence[Message], _: Facts) -> str:
    """`COOKIE demanded in 1 response and brought back in 1 request`."""
    holding = [one for one in once(messages, "IKE_SA_INIT") if "N(COOKIE)" in one.payloads]
    asked, back = (sum(one.response is way for one in holding) for way in (True, False))
    said = f"COOKIE demanded in {words.count(asked, 'response')} and brought back in {words.count(back, 'request')}"
    return said if holding else ""


def flooded(messages: Sequence[Message], _: Facts) -> str:
    """`60 first messages of strangers: 10 answered in full, 50 with COOKIE alone`."""
    flood = {one.src for one in once(messages) if one.exchange in FIRST and one.sender not in SIDES}
    answers = [one for one in once(messages) if one.dst in flood]
    alone = sum(one.payloads == ("N(COOKIE)",) for one in answers)
    said = f"{words.count(len(flood), 'first message')} of strangers: {len(answers) - alone} answered in full"
    return f"{said}, {alone} with COOKIE alone" if flood else ""


def key_exchange(name: str) -> Reader:
    """`KE in 2 of 3 messages of Quick Mode`."""

    def read(messages: Sequence[Message], _: Facts) -> str:
        listed = once(messages, name)
        holding = sum(bool(KEY_EXCHANGES & set(one.payloads)) for one in listed)
        return f"KE in {holding} of {words.count(len(listed), 'message')} of {name}" if listed else ""

    return read


def refusal(messages: Sequence[Message], negotiated: Facts) -> str:
    """`NO_PROPOSAL_CHOSEN in message 2, no SA`."""
    for number, one in enumerate(once(messages), 1):
        if "N(NO_PROPOSAL_CHOSEN)" in one.payloads:
            return f"NO_PROPOSAL_CHOSEN in message {number}, " + ("an SA all the same" if negotiated else "no SA")
    return ""


def suite(_: Sequence[Message], negotiated: Facts) -> str:
    """The algorithms of the IKE SA."""
    ike = facts.table(negotiated, "ike")
    encr, bits = facts.text(ike, "encr"), facts.text(ike, "encr_key_length")
    if bits and "CHACHA20" not in encr:  # which has one length, and peers differ in whether they say it
        encr += f" with {bits} bits"
    said = [encr, *(facts.text(ike, key) for key in ("integ", "prf", "ke"))]
    return f"IKE SA of {', '.join(filter(None, said))}" if encr else ""
