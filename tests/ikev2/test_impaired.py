"""Every impairment, in requests and in responses: it changes what is sent, and an honest endpoint of ours does what the
row says, survives, and serves the next honest attempt.
"""

from dataclasses import dataclass

import pytest

from lab.ike.impair import fragments, sealing
from lab.ike.impair.row import Impairment, Outcome
from lab.ike.impair.table import TABLE
from lab.wire.header import SIZE
from lab.wire.ids import ExchangeType, PayloadType
from lab.wire.message import Message
from lab.wire.payloads import GENERIC_HEADER
from tests.pair import Datagram, Pair, Side, mirrored, net

INIT, AUTH = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH
INFO, CHILD = ExchangeType.INFORMATIONAL, ExchangeType.CREATE_CHILD_SA
# Rows whose point is a message beside the right one: that one is answered, and the other leaves a trace of its end.
BESIDE = ("response-doubled", "message-id-reused", "reflected", "early-", "fragments-doubled", "fragment-forged")
# Rows that repeat a request, which brings its answer once more (RFC 7296 2.1).
AGAIN = ("request-doubled", "request-replayed")
# Sealing by a cipher in blocks with a MAC of its own, beside the AEAD cipher of all others.
BLOCKS = "proposals = aes128-sha256-x25519"
REPEATS_AFTER = 4.0
# Long enough for whoever repeats a request to have given up.
LONG = 400.0

SIDES = [(row, response) for row in TABLE.values() for response in (False, True) if row.on(response=response)]
each = pytest.mark.parametrize(
    ("row", "response"), SIDES, ids=[f"{row.name}-{'response' if response else 'request'}" for row, response in SIDES]
)


@dataclass
class Scene:
    """An impaired pair after it acted, and its honest twin; `honest` is the side that meets the impairment."""

    pair: Pair
    twin: Pair
    impaired: Side
    honest: Side
    before: Side

    @property
    def first(self) -> int:
        """The number of the first datagram that differs from the twin's."""
        ours, theirs = ([d.data for d in pair.wire.sent] for pair in (self.pair, self.twin))
        same = zip(ours, theirs, strict=False)
        return next((n for n, (one, other) in enumerate(same) if one != other), min(len(ours), len(theirs)))

    @property
    def said(self) -> list[Datagram]:
        """What the honest side sent after the first wrong datagram."""
        return [d for d in self.pair.wire.sent[self.first :] if d.src[0] == self.honest.host]

    @property
    def answers(self) -> list[str]:
        """The responses that the honest side sealed, in words."""
        return [r.text for r in self.honest.records if r.text.startswith("sent ") and " response " in r.text]


def scene(row: Impairment, *, response: bool, connection: str = "") -> Scene:
    """Left acts until the exchange of the row is over; the impaired side is right where it is made in a response."""
    plain, bad = net(connection), net(connection, settings=f"impair = {row.name}")
    texts = (plain, mirrored(bad)) if response else (bad, mirrored(plain))
    pair, twin = Pair(*texts), Pair(plain, mirrored(plain))
    for one in (pair, twin):
        one.initiate()
        if row.exchange == INFO:
            one.left.do("terminate", child="net")
        elif row.exchange == CHILD:
            one.left.do("rekey", child="net")
        one.settle()
    if response:
        return Scene(pair, twin, pair.right, pair.left, twin.left)
    return Scene(pair, twin, pair.left, pair.right, twin.right)


def in_clear(datagram: Datagram) -> list[str]:
    """The payloads of a message that is not sealed."""
    return list(Message.decode(datagram.ike).names)


@each
def test_it_changes_what_is_sent(row: Impairment, response: bool) -> None:
    found = scene(row, response=response)
    ours, theirs = found.pair.wire.sent, found.twin.wire.sent
    assert found.first < len(ours), "the impairment does nothing"
    assert ours[found.first].src[0] == found.impaired.host, "somebody else's message changed first"
    assert [str(d) for d in ours[: found.first]] == [str(d) for d in theirs[: found.first]]
    made = [r for r in found.impaired.records if r.text == f"impaired: {row.name}"]
    assert len(made) == 1, "it is made once"
    assert not found.impaired.endpoint.host.impairments, "and is off the list"


@each
def test_our_endpoint_survives_and_serves_the_next(row: Impairment, response: bool) -> None:
    found = scene(row, response=response)
    found.pair.wait(LONG)
    stats = found.honest.endpoint.stats()
    assert max(stats.values()) < 100, stats
    assert stats["half_open"] == 0, stats
    assert set(found.honest.up) <= {"ESTABLISHED"}, "nothing leads out of this state"
    known = [len(side.told("child-up")) for side in found.pair.sides]
    found.pair.left.do("initiate", "net", anew=True)
    found.pair.wait(2)
    after = [len(side.told("child-up")) for side in found.pair.sides]
    assert after == [count + 1 for count in known], "the next honest attempt does not come up"


def of(outcome: Outcome, *, response: bool) -> pytest.MarkDecorator:
    """The rows with this outcome for a request or a response."""
    rows = [row for row in TABLE.values() if row.on(response=response) and row.expected(response=response) is outcome]
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


def dropped(found: Scene, row: Impairment) -> bool:
    """Whether the honest side traced a drop that its twin did not; an incomplete message is kept, not dropped."""
    return len(found.honest.drops) > len(found.before.drops) or row in fragments.ROWS


@of(Outcome.IGNORED, response=False)
def test_a_request_that_has_to_be_ignored(row: Impairment) -> None:
    found = scene(row, response=False)
    allowed = [[f"N({row.notify.name})"]] if row.notify else []
    assert all(in_clear(d) in allowed for d in found.said), [str(d) for d in found.said]
    assert dropped(found, row), "nothing says why it is ignored"
    assert found.honest.names == [], "something came of it"


@of(Outcome.IGNORED, response=True)
def test_a_response_that_has_to_be_ignored(row: Impairment) -> None:
    """The request is still waiting for the right answer: it is repeated, bit for bit."""
    found = scene(row, response=True)
    assert dropped(found, row), "nothing says why it is ignored"
    assert not found.said and found.honest.names == [], found.honest.records
    sent = [d.data for d in found.pair.wire.sent if d.src[0] == found.honest.host]
    found.pair.wait(REPEATS_AFTER + 0.1)
    assert [d.data for d in found.said][:1] == sent[-1:], "the request is not repeated as it was"


@of(Outcome.REFUSED, response=False)
def test_a_request_that_has_to_be_refused(row: Impairment) -> None:
    found = scene(row, response=False)
    assert row.notify is not None, "refused with what?"
    word = f"N({row.notify.name})"
    if row.exchange == INIT:
        (answer,) = found.said
        assert in_clear(answer) == [word]
        assert found.honest.endpoint.stats()["ike_sas"] == 0, "a stranger has left state"
    else:
        assert [text for text in found.answers if word in text], (found.answers, found.honest.drops)
    assert len(found.honest.told("child-up")) == (0 if row.exchange in (INIT, AUTH) else 1 + (word in REMADE))


# We bring up anew a child that the peer lacks (2.25.1).
REMADE = ("N(CHILD_SA_NOT_FOUND)",)


@of(Outcome.REFUSED, response=True)
def test_a_response_that_has_to_be_refused(row: Impairment) -> None:
    """The exchange ends at once with words about what is wrong, and no child comes up by it."""
    found = scene(row, response=True)
    assert found.honest.told("failed"), found.honest.records
    assert not found.honest.told("child-up") and not found.honest.installed
    request = next(d.data for d in reversed(found.pair.wire.sent[: found.first]) if d.src[0] == found.honest.host)
    found.pair.wait(LONG)
    assert request not in [d.data for d in found.said], "the request is still waiting"


@of(Outcome.TOLERATED, response=False)
def test_a_request_that_has_to_be_tolerated(row: Impairment) -> None:
    found = scene(row, response=False)
    tolerated(found, row)
    assert not [text for text in found.answers if error(text)], found.answers


@of(Outcome.TOLERATED, response=True)
def test_a_response_that_has_to_be_tolerated(row: Impairment) -> None:
    tolerated(scene(row, response=True), row)


def tolerated(found: Scene, row: Impairment) -> None:
    """All goes on as with the honest twin; only a Delete of nobody's child lets the child live on."""
    gone = [] if row.name == "delete-unknown" else ["child-down"]
    expected = [name for name in found.before.names if name != "child-down" or gone]
    assert found.honest.names == expected, (found.honest.drops, found.honest.events)
    if row.name.startswith(BESIDE):
        assert len(found.honest.drops) > len(found.before.drops), "the message beside the right one left no trace"
    if row.name in AGAIN:
        sent = [d.data for d in found.pair.wire.sent if d.src[0] == found.honest.host]
        assert len(sent) == len(set(sent)) + 1, "a request that came again did not bring the same answer again"
    if row.name == "fragments-doubled":
        assert any("came before" in reason for reason in found.honest.drops), found.honest.drops


def error(text: str) -> bool:
    """Whether a message that is traced holds an error notify."""
    names = ("INVALID", "UNSUPPORTED", "FAILED", "FAILURE", "NO_PROPOSAL", "UNACCEPTABLE", "NOT_FOUND")
    return any(f"N({name}" in text or f"_{name}" in text for name in names)


@pytest.mark.parametrize("row", sealing.ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("response", [False, True], ids=["request", "response"])
def test_sealing_in_blocks_is_refused_or_ignored_the_same_way(row: Impairment, response: bool) -> None:
    aead, blocks = scene(row, response=response), scene(row, response=response, connection=BLOCKS)
    assert blocks.honest.names == aead.honest.names
    # The one that opens too short bodies may name another reason.
    assert len(blocks.honest.drops) == len(aead.honest.drops)
    assert [str(d) for d in blocks.pair.wire.sent] == [str(d) for d in aead.pair.wire.sent]


@pytest.mark.parametrize("connection", ["", BLOCKS], ids=["aead", "blocks"])
def test_a_reused_iv_is_that_of_the_message_before(connection: str) -> None:
    found = scene(TABLE["iv-reused"], response=False, connection=connection)
    sealed = [d.ike for d in found.pair.wire.sent if d.src[0] == found.impaired.host and d.ike[16] == PayloadType.SK]
    at, size = SIZE + GENERIC_HEADER, 16 if connection else 8
    auth, informational = (data[at : at + size] for data in sealed[:2])
    assert auth == informational


def test_a_list_is_worked_off_one_message_at_a_time() -> None:
    """What is sent when the list is empty is honest."""
    pair = Pair(net(settings="impair = auth-wrong, icv-wrong, nonce-short"), mirrored(net()))
    for _ in range(4):
        pair.left.do("initiate", "net", anew=True)
        pair.wait(LONG)
    made = [r.text for r in pair.left.records if r.text.startswith("impaired: ")]
    assert made == ["impaired: nonce-short", "impaired: auth-wrong", "impaired: icv-wrong"]
    assert pair.left.names[-2:] == ["ike-up", "child-up"]


def test_without_the_setting_nothing_is_impaired() -> None:
    plain, listed = Pair(), Pair(net(settings="impair ="), mirrored(net()))
    plain.initiate()
    listed.initiate()
    assert [d.data for d in plain.wire.sent] == [d.data for d in listed.wire.sent]
