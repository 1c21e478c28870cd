"""One SA has taken the place of another: what both sides list, compared."""

from types import SimpleNamespace
from typing import Any

import pytest

from lab.plugin.renewal import alike, one_new, spis


def side(*children: tuple[str, str], ike: tuple[tuple[str, str], ...] = (("a", "b"),)) -> Any:
    """A gateway that lists these."""
    return SimpleNamespace(
        children=lambda: [{"spi_in": one, "spi_out": other} for one, other in children],
        established=lambda: [{"spi_i": one, "spi_r": other} for one, other in ike],
    )


def test_a_child_sa_is_listed_the_other_way_round_by_the_other_side() -> None:
    left, right = side(("1", "2")), side(("2", "1"))
    assert spis(left, "child") == {("1", "2")} and spis(left, "ike") == {("a", "b")}
    assert alike(left, right, "child") and alike(left, right, "ike")
    assert not alike(left, left, "child") and not alike(left, side(ike=(("b", "a"),)), "ike")


@pytest.mark.parametrize(
    ("here", "there", "new"),
    [
        ([("3", "4")], [("4", "3")], True),
        ([("1", "2")], [("2", "1")], False),
        ([("1", "2"), ("3", "4")], [("2", "1"), ("4", "3")], False),
        ([("3", "4"), ("5", "6")], [("4", "3"), ("6", "5")], False),
        ([("3", "4")], [("2", "1")], False),
        ([("3", "4")], [("4", "3"), ("2", "1")], False),
        ([], [], False),
    ],
    ids=["new", "old", "both", "two", "not the same", "old there", "none"],
)
def test_one_new_child_sa(here: list[tuple[str, str]], there: list[tuple[str, str]], new: bool) -> None:
    assert one_new(side(*here), side(*there), "child", {("1", "2")}) == new
