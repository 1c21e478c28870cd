import pytest

from lab.wire import ids

OPEN = [kind for kind in vars(ids).values() if isinstance(kind, type) and issubclass(kind, ids.OpenEnum)]
ENUMS = [kind for kind in OPEN if len(kind)]


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_unknown_numbers_are_kept_and_not_stored(kind: type[ids.OpenEnum]) -> None:
    before = len(kind)
    member = kind(60123)
    assert member == 60123 and member.name == "UNKNOWN_60123" and not member.known
    assert len(kind) == before
    assert all(member.known for member in kind)


def test_scapy_knows_the_same_numbers() -> None:
    """An independent table: scapy's names for the payload and exchange types it has."""
    from scapy.contrib import ikev2  # noqa: PLC0415 - scapy takes a second to import

    assert ikev2.IKEv2ExchangeTypes[ids.ExchangeType.CREATE_CHILD_SA] == "CREATE_CHILD_SA"
    names = ikev2.IKEv2NotifyMessageTypes
    for number in (1, 4, 5, 7, 9, 11, 14, 17, 24, 34, 35, 36, 37, 38, 39, *range(16384, 16394)):
        assert names[number] == ids.NotifyType(number).name
