"""The state of a session to resume: round trips, truncation, noise."""

import random
from dataclasses import replace

import pytest

from lab.errors import ProtocolError
from lab.ike.config import ike_proposals
from lab.ike.credentials import NOBODY, Identity
from lab.ikev2.session import Session

LEFT, RIGHT = Identity.parse("left.example.org"), Identity.parse("2001:db8::7")
assert LEFT and RIGHT
SESSION = Session(
    "gw",
    "psk",
    LEFT,
    RIGHT,
    b"initiato",
    b"responde",
    ike_proposals("aes256gcm16-prfsha384-x25519")[0],
    bytes(48),
    1800000000,
)


@pytest.mark.parametrize(
    "session",
    [
        SESSION,
        replace(SESSION, idi=NOBODY, connection="größer", sk_d=b"x"),
        replace(SESSION, proposal=ike_proposals("aes128-sha256-modp3072")[0]),
    ],
)
def test_round_trip(session: Session) -> None:
    assert Session.decode(session.encode()) == session
    assert session.identity(initiator=True) == session.idi
    assert session.identity(initiator=False) == session.idr


def test_no_secret_is_shown() -> None:
    assert "sk_d" not in repr(SESSION)


def test_truncation_at_each_octet() -> None:
    data = SESSION.encode()
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            Session.decode(data[:size])


def test_noise() -> None:
    data, draw = SESSION.encode(), random.Random(5723)
    for _ in range(3000):
        at = draw.randrange(len(data))
        changed = data[:at] + draw.randbytes(draw.randrange(4)) + data[at + draw.randrange(4) :]
        try:
            Session.decode(changed)
        except ProtocolError:
            continue
