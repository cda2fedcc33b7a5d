"""The palette's helpers: text that is safe and visible, labels moved apart."""

import pytest

from lunsedu.looks import counted, percent, printable, safe, spread, visible


@pytest.mark.parametrize("wanted", [[100, 100, 100], [50, 0, 0, 0], [100, 60, 59, 3]])
def test_spread_keeps_order_and_distance(wanted):
    downwards = [-place for place in wanted]  # from the top, where 100 is, to the floor at 0
    found = [-place for place in spread(downwards, gap=9, high=0)]
    assert all(a - b >= 9 for a, b in zip(found, found[1:], strict=False))
    assert 0 <= min(found) and max(found) <= 100


def test_spread_moves_nothing_that_has_room():
    assert spread([1, 20, 40], gap=9) == [1, 20, 40]
    assert spread([], gap=9) == []


def test_spread_keeps_above_low_and_lets_high_win():
    assert spread([-5, 2], gap=4, low=0) == [0, 4]
    assert spread([0, 1, 2], gap=4, low=0, high=6) == [-2, 2, 6]


def test_safe_leaves_no_character_that_acts_or_hides():
    text = "<a href='x'>\u202e\x1b\ud800\n&\""
    shown = safe(text)
    assert not set("<>'\"\u202e\x1b\ud800") & set(shown)
    assert shown.count("\n") == 1 and "\\u202e" in shown and "\\ud800" in shown


def test_visible_names_what_cannot_be_seen():
    assert visible(" \n\t") == "·↵⇥"
    assert visible("") == "∅"
    assert printable("é") == "é"


def test_percent_never_rounds_a_chance_to_nothing():
    assert [percent(p) for p in (0.0, 1e-9, 0.005, 0.995, 1.0)] == [
        "0%",
        "<1%",
        "0%",
        "100%",
        "100%",
    ]


def test_counted():
    assert [counted(n, "step") for n in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]
