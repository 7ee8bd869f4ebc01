"""The arithmetic that strategies share."""

from __future__ import annotations

from zdd.strategies.situation import split


def test_a_total_is_split_exactly_and_what_has_no_size_gets_nothing_of_it():
    assert split(10, [3, 3, 3]) == [4, 3, 3]
    assert split(700_000, [0, 1, 1, 1]) == [0, 233_334, 233_333, 233_333]
    assert split(5, [0, 0]) == [0, 0]
