"""Messages: an error arrives as the kind of error that it was."""

import pytest

from lab.errors import BrokenError, ConfigError, LabError, UnfitError
from lab.life import wire


@pytest.mark.parametrize("cls", [ConfigError, UnfitError, BrokenError, LabError])
def test_an_error_arrives_as_what_it_was(cls: type[LabError]) -> None:
    arrived = wire.error(wire.kind(cls("in words"), otherwise="failed"), "in words")
    assert type(arrived) is cls
    assert str(arrived) == "in words"


def test_an_error_of_no_kind_is_what_the_sender_takes_it_for() -> None:
    assert wire.kind(OSError(), otherwise="broken") == "broken"
    assert type(wire.error("nobody knows", "in words")) is BrokenError
