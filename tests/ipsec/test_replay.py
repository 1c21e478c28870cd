"""RFC 4303 3.4.3 and appendix A, against a model that remembers everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.ipsec.drops import Dropped, Reason
from lab.ipsec.replay import ReplayWindow


def refusal(window: ReplayWindow, number: int) -> Reason | None:
    try:
        window.check(number)
    except Dropped as drop:
        return drop.why
    return None


@pytest.mark.parametrize("size", [64, 128, 1024, 4096])
def test_edges_of_the_window(size: int) -> None:
    window = ReplayWindow(size)
    assert refusal(window, 0) is Reason.SEQUENCE_ZERO
    assert window.commit(size + 5)
    assert refusal(window, size + 5) is Reason.REPLAYED
    assert refusal(window, 6) is None, "the last number inside"
    assert refusal(window, 5) is Reason.TOO_OLD, "the first number outside"
    assert not window.commit(6)
    assert refusal(window, 6) is Reason.REPLAYED
    assert refusal(window, size + 6) is None


def test_a_small_window_is_made_as_large_as_the_rfc_wants() -> None:
    assert ReplayWindow(32).size == 64


def test_a_check_moves_nothing() -> None:
    window = ReplayWindow(64)
    window.commit(10)
    for number in (11, 500, 2**32 - 1):
        assert refusal(window, number) is None
    assert window.top == 10 and refusal(window, 9) is None


def test_a_huge_jump_costs_nothing_and_forgets_all() -> None:
    window = ReplayWindow(64, esn=True)
    window.commit(1)
    window.commit(2**62)
    assert refusal(window, 2**62 - 63) is None
    assert refusal(window, 2**62 - 64) is Reason.TOO_OLD


def test_size_zero_checks_nothing_but_the_number_zero() -> None:
    window = ReplayWindow(0)
    window.commit(7)
    assert refusal(window, 7) is None and refusal(window, 1) is None
    window.commit(7)
    window.commit(3)
    assert window.top == 7
    assert refusal(window, 0) is Reason.SEQUENCE_ZERO
    with pytest.raises(ValueError, match="replay window"):
        ReplayWindow(0, esn=True)


@given(st.lists(st.integers(0, 400), max_size=200), st.sampled_from([64, 128]))
def test_the_window_agrees_with_a_set(numbers: list[int], size: int) -> None:
    window, seen = ReplayWindow(size), set[int]()
    for number in numbers:
        top = max(seen, default=0)
        fresh = number > 0 and number not in seen and number > top - size
        assert (refusal(window, number) is None) == fresh
        if fresh:
            assert window.commit(number) == (number > top)
            seen.add(number)


@given(st.integers(1, 2**40), st.integers(-2000, 2000))
def test_esn_infers_what_lies_near_the_top(top: int, offset: int) -> None:
    window = ReplayWindow(4096, esn=True)
    window.commit(top)
    number = top + offset
    if number > 0:
        assert window.whole(number & 0xFFFFFFFF) == number


def test_esn_at_the_turn_of_the_low_half() -> None:
    window = ReplayWindow(64, esn=True)
    window.commit(2**32 - 10)
    assert window.whole(0) == 2**32 and refusal(window, 2**32) is None
    window.commit(2**32 + 5)
    assert window.whole(0xFFFFFFFF) == 2**32 - 1, "left of the turn, still inside"
    assert window.whole(5) == 2**32 + 5
    young = ReplayWindow(64, esn=True)
    young.commit(3)
    assert young.whole(0xFFFFFFF0) < 0, "nothing came before the first number"


@pytest.mark.parametrize("top_low", [0, 1, 62, 63, 64, 2**31, 2**32 - 64, 2**32 - 1])
def test_esn_around_every_edge_of_the_window(top_low: int) -> None:
    window = ReplayWindow(64, esn=True)
    window.commit(5 * 2**32 + top_low)
    for number in range(window.top - 63, window.top + 200):
        assert window.whole(number & 0xFFFFFFFF) == number


def test_without_esn_the_number_is_what_the_packet_says() -> None:
    window = ReplayWindow(64)
    window.commit(2**32 - 1)
    assert window.whole(1) == 1 and refusal(window, 1) is Reason.TOO_OLD


def test_without_a_window_a_replay_of_any_age_costs_no_memory() -> None:
    window = ReplayWindow(0)
    window.commit(2**32 - 1)
    assert refusal(window, 1) is None
    assert not window.commit(1)
    assert window._bits.bit_length() <= 1
