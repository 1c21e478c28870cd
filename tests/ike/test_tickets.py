"""The mint: what it seals only it opens, each ticket once, and none for longer than its keys."""

import random

import pytest

from lab.errors import ProtocolError
from lab.ike import tickets
from lab.ike.tickets import FRONT_OCTETS, MOST_SPENT, Mint
from tests.pair import seeded

STATE = b"the state of a session" * 5
LIFE = 100.0


def mint(seed: str = "0") -> Mint:
    return Mint(seeded(seed), LIFE)


def refused(made: Mint, ticket: bytes, now: float = 0.0) -> str:
    with pytest.raises(ProtocolError) as caught:
        made.open(ticket, now=now)
    return caught.value.reason


def test_a_ticket_is_what_the_rfc_s_example_says() -> None:
    """RFC 5723 A.1: version 1, three reserved octets, the ID of the key, and no word of the state in clear."""
    made = mint()
    one, two = made.seal(STATE, now=0.0), made.seal(STATE, now=0.0)
    assert one[:4] == bytes([1, 0, 0, 0]) and one[:FRONT_OCTETS] == two[:FRONT_OCTETS]
    assert one != two and STATE[:16] not in one
    assert made.open(one, now=0.0) == made.open(two, now=0.0) == STATE


def test_a_changed_ticket_is_none() -> None:
    made = mint()
    ticket = made.seal(STATE, now=0.0)
    for at in range(len(ticket)):
        changed = ticket[:at] + bytes([ticket[at] ^ 1]) + ticket[at + 1 :]
        assert refused(made, changed), f"octet {at} may be anything"
    for size in range(len(ticket)):
        assert refused(made, ticket[:size]), f"{size} octets are enough"
    assert refused(made, ticket + b"\0").startswith("ticket is not authentic")


def test_noise() -> None:
    made, draw = mint(), random.Random(5723)
    front = made.seal(STATE, now=0.0)[:FRONT_OCTETS]
    for _ in range(2000):
        noise = draw.randbytes(draw.randrange(80))
        assert refused(made, noise) and refused(made, front + noise)


def test_the_words() -> None:
    made = mint()
    ticket = made.seal(STATE, now=0.0)
    assert refused(made, b"\1\0") == "ticket of 2 octets is too short to be ours"
    assert refused(made, b"\2" + ticket[1:]) == "ticket of version 2; ours have 1"
    unknown = "ticket under a key that we do not have, or have no longer"
    assert refused(mint("1"), ticket) == refused(mint(), ticket) == unknown
    assert made.spend(ticket, until=10.0, now=0.0)
    assert refused(made, ticket) == "ticket was used before"


@pytest.mark.parametrize(("sealed", "opened"), [(0.0, LIFE), (99.0, 199.0), (0.0, 150.0)])
def test_a_ticket_lives_as_long_as_it_may_however_late_in_the_life_of_its_key(sealed: float, opened: float) -> None:
    made = mint()
    made.seal(b"", now=0.0)
    ticket = made.seal(STATE, now=sealed)
    if opened > LIFE:
        made.seal(b"", now=opened - 1)  # the key is replaced meanwhile
    assert made.open(ticket, now=opened) == STATE


def test_the_last_but_one_key_goes() -> None:
    made = mint()
    ticket = made.seal(STATE, now=0.0)
    made.seal(b"", now=LIFE)
    assert made.sizes["ticket_keys"] == 2
    made.seal(b"", now=2 * LIFE)
    assert made.sizes["ticket_keys"] == 2
    assert "under a key" in refused(made, ticket, now=2 * LIFE)


def test_without_a_new_ticket_an_old_key_goes_as_well() -> None:
    made = mint()
    ticket = made.seal(STATE, now=0.0)
    assert "under a key" in refused(made, ticket, now=2 * LIFE)
    made.seal(b"", now=5 * LIFE)
    assert made.sizes["ticket_keys"] == 1


def test_what_was_used_is_kept_no_longer_than_it_would_be_good() -> None:
    made = mint()
    for number in range(50):
        assert made.spend(made.seal(STATE, now=0.0), until=float(number), now=0.0)
    made.spend(made.seal(STATE, now=40.0), until=90.0, now=40.0)
    assert made.sizes["tickets_spent"] == 10


def test_no_more_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_SPENT == 10000
    monkeypatch.setattr(tickets, "MOST_SPENT", 3)
    made = mint()
    kept = [made.spend(made.seal(STATE, now=0.0), until=9.0, now=0.0) for _ in range(5)]
    assert kept == [True, True, True, False, False]
    assert made.sizes["tickets_spent"] == 3
