"""Opening IKEv1 in the evidence: the IV is found, also where messages are missing, doubled or out of order."""

import pytest

from lab.evidence import clear, detail_v1, fields_v1, forward_secrecy, identities
from lab.evidence.capture import Frame
from lab.evidence.datagram import Sighting, sightings
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys, compare, merge
from lab.evidence.reading import Reader, Reading
from lab.wire.header import SIZE
from lab.wire.ids import CfgAttribute
from lab.wire.ids_v1 import Attribute1, CfgType1, Xauth1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import Attribute, Attributes1
from tests.evidence.made import LEFT, RIGHT_OUT, frame
from tests.ikev1.v1 import first
from tests.pair import Pair


@pytest.fixture(scope="module")
def pair() -> Pair:
    pair = Pair(first()).initiate()
    pair.left.do("rekey", child="net")
    pair.wait(5)
    pair.left.do("terminate")
    pair.settle()
    return pair


def keys_of(pair: Pair) -> Keys:
    parts = [
        {
            "ike": [{"source": side.name, **key} for key in side.keys if key["kind"] == "ike"],
            "child": [{"source": side.name, **key} for key in side.keys if key["kind"] == "child"],
        }
        for side in pair.sides
    ]
    return merge([{kind: [strip(e) for e in entries] for kind, entries in part.items()} for part in parts])


def strip(entry: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in entry.items() if name != "kind"}


def frames_of(pair: Pair) -> list[Frame]:
    return [
        frame(n * 10.0, "left:wan", *((LEFT, RIGHT_OUT) if d.src[0] == "192.0.2.1" else (RIGHT_OUT, LEFT)), d.data, 500)
        for n, d in enumerate(pair.wire.sent)
    ]


def seen(pair: Pair) -> list[Sighting]:
    return sightings(frames_of(pair))


def readings(pair: Pair, order: list[Sighting]) -> list[Reading]:
    reader = Reader(Keyring(keys_of(pair)))
    return [reader.read(sighting) for sighting in order]


def test_both_sides_log_the_same_keys(pair: Pair) -> None:
    agreed = compare(keys_of(pair))
    assert all(one.equal and len(one.sources) == 2 for one in agreed) and len(agreed) == 5


def test_every_message_opens(pair: Pair) -> None:
    found = readings(pair, seen(pair))
    assert [reading.opened for reading in found] == [None] * 4 + [True] * (len(found) - 4)
    assert [reading.exchange for reading in found[:9]] == ["Main Mode"] * 6 + ["Quick Mode"] * 3
    assert found[4].payloads == ("ID", "HASH", "N(INITIAL_CONTACT)")
    assert found[-1].payloads == ("HASH", "D") and not any(reading.note for reading in found)


def test_messages_that_are_doubled_or_late(pair: Pair) -> None:
    """What was seen twice, and exchanges of phase 2 mixed with each other."""
    order = seen(pair)
    mixed = [*order[:6], *order[9:12], *order[6:9], *order[12:]]
    assert all(reading.opened is not False for reading in readings(pair, [*mixed, *mixed]))


def test_without_the_last_message_of_phase_1_the_ones_behind_it_stay_closed(pair: Pair) -> None:
    """Their IV is made of it: nothing is guessed."""
    order = seen(pair)
    found = readings(pair, [*order[:5], *order[6:]])
    assert [reading.opened for reading in found[5:]] == [False] * len(found[5:])


def test_a_wrong_key_opens_nothing(pair: Pair) -> None:
    whole = keys_of(pair)
    wrong = Keys(ike=[type(whole.ike[0])(**{**as_dict(entry), "Ka": "00" * 32}) for entry in whole.ike])
    reader = Reader(Keyring(wrong))
    assert not any(reader.read(sighting).opened for sighting in seen(pair))


def as_dict(entry: object) -> dict[str, object]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__}  # type: ignore[attr-defined]


def test_a_key_that_is_none_is_refused_by_name() -> None:
    bad = {"source": "left", "version": 1, "spi_i": "11" * 8, "spi_r": "22" * 8, "encr": "ENCR_AES_CBC",
           "encr_key_length": 256, "Ka": "00", "IV": "00" * 16}  # fmt: skip
    assert "ISAKMP SA 1111111111111111 of left" in Keyring(merge([{"ike": [bad]}])).refused[0]


def test_the_clear_message_is_one(pair: Pair) -> None:
    (reading,) = [r for r in readings(pair, seen(pair)) if r.payloads[:1] == ("ID",)][:1]
    assert reading.isakmp is not None and reading.chain is not None
    again = Message1.decode(clear.clear_isakmp(reading.isakmp, reading.chain))
    assert not again.sealed and again.names == reading.payloads


def test_the_tree_covers_every_octet(pair: Pair) -> None:
    for sighting, reading in zip(seen(pair), readings(pair, seen(pair)), strict=True):
        tree = detail_v1.message(sighting.body, reading)
        assert sum(node["at"][1] for node in tree) == len(sighting.body)
        assert tree[0]["at"] == [0, SIZE]
        text = str(tree)
        assert "malformed" not in text and "Octets left over" not in text
        if reading.opened:
            inside = tree[1]["children"]
            assert sum(node["at"][1] for node in inside) == len(reading.chain or b"")


def test_the_tree_names_algorithms_and_identities(pair: Pair) -> None:
    trees = [str(detail_v1.message(s.body, r)) for s, r in zip(seen(pair), readings(pair, seen(pair)), strict=True)]
    assert "LIFE_DURATION" in trees[0] and "MODE" in trees[6]
    assert "ENCR_AES_CBC (7)" in trees[0] and "PRE_SHARED_KEY (1)" in trees[0]
    assert "ENCR_AES_CBC (12)" in trees[6] and "TUNNEL (1)" in trees[6]
    assert "left.example.org" in trees[4] and "right.example.org" in trees[5]


# -- what phase 1 gives away


def differences(esp: str) -> list[bool]:
    """For each direction of the child, whether its logged key is what the secrets of phase 1 alone give."""
    pair = Pair(first(esp=esp)).initiate()
    known = keys_of(pair)
    logged = {child.spi: (child.encr_key, child.salt, child.integ_key) for child in known.child}
    found = list(forward_secrecy.derived(seen(pair), known))
    assert len(found) == 2 and {child.spi for child in found} == set(logged)
    return [logged[child.spi] == (child.encr_key, child.salt, child.integ_key) for child in found]


@pytest.mark.parametrize("esp", ["aes128-sha256", "aes256gcm16"])
def test_without_pfs_phase_1_gives_the_keys_of_children(esp: str) -> None:
    assert differences(esp) == [True, True]


def test_with_pfs_it_does_not() -> None:
    assert differences("aes128-sha256-ecp256") == [False, False]


# -- the auditor without keys


def test_main_mode_shows_no_identity(pair: Pair) -> None:
    frames = frames_of(pair)
    assert identities.readable(frames) == []
    assert identities.leaked(frames, {"left.example.org", "right.example.org"}) == set()


def test_the_keys_of_an_attacker_show_what_it_was_told(pair: Pair) -> None:
    """Under keys the identities of phase 1 are read, and not the selectors of phase 2 that look alike."""
    names = ["left.example.org", "right.example.org"]
    assert [one.identity for one in identities.readable(frames_of(pair), keys_of(pair))] == names
    newer = Pair().initiate()
    assert identities.readable(frames_of(newer)) == []
    shown = {one.identity for one in identities.readable(frames_of(newer), keys_of(newer))}
    assert shown == set(names)


def test_aggressive_mode_shows_both() -> None:
    frames = frames_of(Pair(first("aggressive = yes")).initiate())
    assert [one.identity for one in identities.readable(frames)] == ["left.example.org", "right.example.org"]
    assert identities.leaked(frames, {"left.example.org", "nobody"}) == {"left.example.org"}


def test_attributes_in_words() -> None:
    """Mode Config with its values, XAUTH without: a password has no place in a ladder."""
    given = (
        Attribute(Attribute1(CfgAttribute.INTERNAL_IP4_ADDRESS), bytes([10, 3, 0, 1])),
        Attribute(Attribute1(CfgAttribute.INTERNAL_IP4_DNS), b""),
        Attribute(Attribute1(Xauth1.XAUTH_USER_PASSWORD), b"Ar3etTnp"),
        Attribute(Attribute1(Xauth1.XAUTH_STATUS), 1),
    )
    words = fields_v1.in_words((Attributes1(CfgType1.CFG_REPLY, 0, given),))
    assert words == ("INTERNAL_IP4_ADDRESS 10.3.0.1", "INTERNAL_IP4_DNS", "XAUTH_USER_PASSWORD", "XAUTH_STATUS")
