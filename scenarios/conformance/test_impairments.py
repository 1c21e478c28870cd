"""Our stack misbehaves, by every row of the table of impairments; a strongSwan meets it, lives, and serves on, and so
does our own endpoint.

A daemon works its list off one message at a time, so one scenario holds the rows of an exchange: an attempt for each,
then an honest one whose tunnel has to carry a ping. What the peer made of each row is read from the capture, and has to
be what the RFC wants, or what `DIFFERS` says of strongSwan.
"""

import time
from dataclasses import dataclass
from itertools import pairwise

import pytest

from lab.ike.impair.row import Outcome
from lab.ike.impair.table import TABLE
from lab.matrix import OUR_PEERS, WE_INITIATE, WE_RESPOND
from lab.peers.ours import LOG
from lab.plugin import proofs
from lab.plugin.sight import Ladder
from lab.plugin.tunnel import CHILD, Tunnel
from lab.wire.ids import ExchangeType, NotifyType

INITIAL = (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH)
LATER = (ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL)
# Nobody repeats anything: an attempt that meets silence is over soon.
SETTINGS = {"retransmit_timeout": "0.05", "retransmit_tries": "0"}
# Attempts that end half-open are no attack.
OURS, THEIRS = {"block_threshold": "0", "cookie_threshold": "1000"}, {"dos_protection": "no"}
PINGS = 3
MOST = 22
# The ladder rounds times to a microsecond.
GRAIN_S = 1e-6

# What strongSwan 6.0.1 and 6.1.0 make of a request, where the table says something else.
DIFFERS = {
    "attribute-unknown": "tolerated",
    "child-spi-zero": "tolerated",
    "length-too-long": "tolerated",
    "length-too-short": "tolerated",
    "child-spi-long": "refused with INVALID_SYNTAX",
    "ke-short": "refused with NO_PROPOSAL_CHOSEN",
    "rekey-doubled": "refused with NO_PROPOSAL_CHOSEN",
    "selectors-missing": "refused with TS_UNACCEPTABLE",
    "header-alone": "refused with INVALID_SYNTAX",
    # It gives the IKE SA up without a word.
    "encrypted-in-encrypted": "ignored",
    "identity-in-clear": "ignored",
    "identity-missing": "ignored",
    # It answers the one that came too early, and nothing else under that message ID.
    "early-create-child-sa": "ignored",
    "early-delete": "ignored",
}
# Whether a tunnel comes up by a response, where the table says something else.
DIFFERS_IN_RESPONSES = {
    "attribute-unknown": True,
    "child-spi-zero": True,
    "length-too-long": True,
    "length-too-short": True,
    "early-create-child-sa-of-responder": False,
}


@dataclass(frozen=True)
class Attempt:
    """What was tried for a row, and when."""

    row: object
    began: float
    up: bool = False


def lists(*exchanges, response):
    """The rows that are made in requests or responses of these exchanges, not too many for one scenario."""
    for exchange in exchanges:
        rows = [row for row in TABLE.values() if row.exchange is exchange and row.on(response=response)]
        parts = [rows[begin : begin + MOST] for begin in range(0, len(rows), MOST)]
        for number, part in enumerate(parts, 1):
            yield pytest.param(part, id=exchange.name if len(parts) == 1 else f"{exchange.name}-{number}")


def tunnel(peer, settings) -> Tunnel:
    """One side; fragments are announced, but nothing honest is so long."""
    return Tunnel(
        connection={"fragmentation": "yes"},
        settings={**SETTINGS, **(OURS if peer in OUR_PEERS else THEIRS), **settings},
    )


def impaired(rows) -> Tunnel:
    """Our side and its list."""
    return tunnel("ours", {"impair": ", ".join(row.name for row in rows)})


def worked_off(lab, ours, rows):
    """An attempt for each row, then an honest one; `ours` is the side that is told to misbehave."""
    theirs = lab.left if ours is lab.right else lab.right
    lab.up("direct", **{ours.name: impaired(rows), theirs.name: tunnel(theirs.peer.name, {})})
    attempts = []
    for row in rows:
        attempts.append(attempt(lab, ours if row.exchange in LATER else lab.left, row))
        assert last_made(ours) == row.name, f"{row.name} was not made in its turn, so the others will not be either"
    attempts.append(Attempt(None, time.time()))
    honest(lab)
    return attempts


def attempt(lab, actor, row):
    """A tunnel, which `actor` rekeys if the row is about that, and takes down again."""
    lab.step(row.name, f"{row.about}; {row.receiver}")
    began = time.time()
    outcome = lab.left.initiate(timeout=10)
    if row.exchange is ExchangeType.CREATE_CHILD_SA:
        actor.rekey(child=CHILD)
    for gateway in (actor, lab.left):  # what was said wrongly, the other one may not have understood
        if gateway.established():
            gateway.terminate(timeout=10)
    lab.until(lambda: not lab.left.established(), "the initiator has no IKE SA", 5)
    return Attempt(row, began, outcome.up)


def last_made(ours):
    """The impairment that our own side made last, by its log."""
    (log,) = (path for path in ours.driver.logs() if path.name == LOG)
    return next(
        (words[3] for line in reversed(log.read_text().splitlines()) if "impaired:" in (words := line.split())), ""
    )


def by_attempt(lab, attempts):
    """Each attempt with what was on the wire during it."""
    entries = lab.ladder().entries
    for one, following in pairwise(attempts):
        yield one, Ladder([e for e in entries if one.began <= e["t_sent"] + GRAIN_S < following.began])


def honest(lab):
    """Afterwards an attempt without any impairment comes up, and ESP carries a ping both ways."""
    lab.establish()
    lab.ping(PINGS)
    proofs.carries_ping(lab.ladder(), (lab.inner("left"), lab.inner("right")), [PINGS])


def answer(ladder, row, sender):
    """What `sender` answered to a request, in a word, and the error notify where there is one."""
    answers = [e["payloads"] for e in ladder.ike(row.exchange.name, response=True, sender=sender)]
    names = [name[2:-1] for payloads in answers for name in payloads if name.startswith("N(")]
    errors = [name for name in names if name in NotifyType.__members__ and NotifyType[name].is_error]
    if errors:
        return f"refused with {errors[0]}"
    served = row.exchange in LATER or ladder.ike("IKE_AUTH", response=True, sender=sender, payload="AUTH")
    return "tolerated" if answers and served else "ignored"


def wanted(row):
    """What the RFC allows a responder to answer."""
    if row.outcome is Outcome.TOLERATED:
        return ("tolerated",)
    refused = (f"refused with {row.notify.name}",) if row.notify else ()
    return refused if row.outcome is Outcome.REFUSED else ("ignored", *refused)


def answered_right(lab, met, ours, rows):
    """Our side works its list off by requests; every answer of who meets it is one that the RFC allows, or known."""
    attempts = worked_off(lab, ours, rows)
    wrong = []
    for one, ladder in by_attempt(lab, attempts):
        found = answer(ladder, one.row, met.name)
        known = {} if met.peer.name in OUR_PEERS else DIFFERS
        allowed = (known[one.row.name],) if one.row.name in known else wanted(one.row)
        if found not in allowed:
            wrong.append(f"{one.row.name} is {found}, not {' or '.join(allowed)}")
    assert not wrong, f"{len(wrong)} of {len(attempts) - 1} rows: {'; '.join(wrong)}"


@pytest.mark.rfc("7296#2.21", "7296#2.5", "7296#3.2", "7296#1.3.3", "7296#1.4.1")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*map(str, WE_INITIATE), "ours>ours")
@pytest.mark.parametrize("rows", lists(*INITIAL, *LATER, response=False))
def test_wrong_requests(lab, left, right, rows):
    """Our initiator sends requests that are wrong in one way each; strongSwan answers as it must, and serves on."""
    answered_right(lab, right, left, rows)


@pytest.mark.rfc("7296#2.25", "7296#1.3.3", "7296#1.4.1", "7296#3.11")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*map(str, WE_RESPOND), "ours>ours")
@pytest.mark.parametrize("rows", lists(*LATER, response=False))
def test_wrong_requests_of_the_responder(lab, left, right, rows):
    """Our side, which did not initiate the IKE SA, rekeys and deletes wrongly; strongSwan answers and serves on."""
    answered_right(lab, left, right, rows)


@pytest.mark.rfc("7296#2.21", "7296#2.5", "7296#3.2")
@pytest.mark.clock("virtual")
@pytest.mark.pairings(*map(str, WE_RESPOND), "ours>ours")
@pytest.mark.parametrize("rows", lists(*INITIAL, response=True))
def test_wrong_responses(lab, left, right, rows):
    """Our responder sends responses that are wrong in one way each; strongSwan takes none it must not, and lives."""
    attempts = worked_off(lab, right, rows)
    wrong = []
    for one, ladder in by_attempt(lab, attempts):
        tolerated = one.row.expected(response=True) is Outcome.TOLERATED
        deleted = ladder.ike("INFORMATIONAL", response=False, sender="left", payload="D")
        known = {} if left.peer.name in OUR_PEERS else DIFFERS_IN_RESPONSES
        if one.up is not known.get(one.row.name, tolerated) or (one.up and not deleted):
            wrong.append(f"{'a tunnel' if one.up else 'no tunnel'} came up by {one.row.name}")
    assert not wrong, f"{len(wrong)} of {len(attempts) - 1} rows: {'; '.join(wrong)}"
