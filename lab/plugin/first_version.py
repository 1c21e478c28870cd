"""What scenarios of IKEv1 share: its tunnel, and assertions on its exchanges.

IKEv1 has no requests and responses, so an exchange is told by its type, message ID and order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lab.evidence.capture import Frame
from lab.evidence.datagram import sightings
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys
from lab.evidence.reading import Reader
from lab.plugin.sight import Entry, Ladder
from lab.plugin.tunnel import Tunnel
from lab.wire.ids_v1 import AuthMethod1, Phase1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import SA1

IKE, ESP = "aes256-sha256-ecp256", "aes256-sha256"
MAIN, AGGRESSIVE, QUICK = "Main Mode", "Aggressive Mode", "Quick Mode"
TRANSACTION = "Transaction"


def tunnel(
    ike: str = IKE, esp: str | None = ESP, *, connection: Mapping[str, str] | None = None, **more: object
) -> Tunnel:
    """The usual tunnel under IKEv1."""
    made = Tunnel(ike=ike, esp=esp, connection={"version": "1", **(connection or {})})
    return replace(made, **more)  # type: ignore[arg-type]


def messages(ladder: Ladder, exchange: str) -> list[Entry]:
    """The messages of one kind of exchange, repetitions left out."""
    return ladder.ike(exchange, again=False)


def set_up(ladder: Ladder, mode: str = MAIN) -> None:
    """Phase 1 in six messages (Aggressive Mode: three) and phase 2 in three, initiator and responder by turns."""
    count = {MAIN: 6, AGGRESSIVE: 3}[mode]
    by_turns(ladder, mode, count)
    by_turns(ladder, QUICK, 3)
    other = {MAIN: AGGRESSIVE, AGGRESSIVE: MAIN}[mode]
    assert not messages(ladder, other), f"there are messages of {other}: {ladder.words()}"
    newer = [entry for entry in ladder.ike() if entry["protocol"] != "IKEv1"]
    assert not newer, f"not all messages are of IKEv1: {newer[0]}"


def method(frames: Sequence[Frame]) -> AuthMethod1:
    """How both sides prove themselves: what the responder chose, read from its first message without any key."""
    answer = next(m for m in (Message1.decode(s.body) for s in sightings(frames)) if any(m.header.spi_r))
    (proposal,) = answer.need(SA1).proposals
    (transform,) = proposal.transforms
    return AuthMethod1(transform.get(Phase1.AUTHENTICATION) or 0)


def inside(frames: Sequence[Frame], known: Keys, exchange: str) -> list[Message1]:
    """The messages of a kind of exchange as captured, each once, opened with these keys where they are sealed."""
    reader, found = Reader(Keyring(known)), {}
    for sighting in sightings(frames):
        reading = reader.read(sighting)
        if reading.exchange == exchange and reading.isakmp is not None and sighting.body not in found:
            message = reading.isakmp
            found[sighting.body] = message.opened(reading.chain) if reading.chain is not None else message
    return list(found.values())


def attributes(message: Message1, kind: int) -> set[int]:
    """The values of an attribute in all transforms of an SA payload."""
    return {value for p in message.need(SA1).proposals for t in p.transforms if (value := t.get(kind)) is not None}


def by_turns(ladder: Ladder, exchange: str, count: int) -> None:
    """The first exchange of a kind has so many messages, the first and every other one from the left."""
    found = messages(ladder, exchange)
    first = [entry for entry in found if entry["message_id"] == found[0]["message_id"]] if found else []
    senders = [entry["from"] for entry in first]
    wanted = [("left", "right")[number % 2] for number in range(count)]
    assert senders == wanted, f"{exchange} is not {count} messages by turns: {ladder.words()}"


def hidden(entries: Sequence[Entry], first: int) -> None:
    """Of one exchange, the messages from the `first` on (counted from 1) are encrypted, and those before are not."""
    for number, entry in enumerate(entries, 1):
        assert entry["encrypted"] == (number >= first), f"message {number} of {entry['exchange']}: {entry['payloads']}"


def floated(ladder: Ladder, mode: str, first: int) -> None:
    """The initiator is at port 4500 from the `first` message of phase 1 on (counted from 1), and ESP is in UDP."""
    before = [entry["n"] for entry in messages(ladder, mode)][: first - 1]
    for entry in ladder.ike(sender="left"):
        port = 500 if entry["n"] in before else 4500
        assert entry["dst"].endswith(f":{port}"), f"{entry['exchange']} went to {entry['dst']}, not to port {port}"
    bare = [entry for entry in ladder.esp() if not entry["udp"]]
    assert not bare, f"ESP was not encapsulated in UDP: {bare[0]['src']} -> {bare[0]['dst']}"
