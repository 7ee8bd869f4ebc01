"""The words and signs that every display uses for the same thing: one for each state, and never two alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from enum import Enum

import pytest

from zdd.display.words import MOMENTS, OUTCOMES, RESULTS, Sign, capacity_words, stage_words, traffic_words, wait_words
from zdd.events import Moment, Outcome
from zdd.model.plan import Direction
from zdd.model.verdict import Result
from zdd.status import Status


@pytest.mark.parametrize(
    ("signs", "states"),
    [(MOMENTS, Moment), (OUTCOMES, Outcome), (RESULTS, Result)],
    ids=["moment", "outcome", "result"],
)
def test_every_state_has_a_sign_of_one_character_and_a_word_of_its_own(
    signs: Mapping[Enum, Sign], states: type[Enum]
) -> None:
    assert set(signs) == set(states)
    assert len({sign.word for sign in signs.values()}) == len(states)
    assert {len(sign.glyph) for sign in signs.values()} == {1}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status(), ""),
        (Status(stage=3, stages=9), "stage 3/9"),
        (Status(stage=1, stages=2, direction=Direction.BACK), "going back, stage 1/2"),
        (Status(stage=3, stages=9, paused="by ann"), "stage 3/9, paused"),
    ],
)
def test_which_stage_it_is(status: Status, words: str) -> None:
    assert stage_words(status) == words


@pytest.mark.parametrize(
    ("reasons", "until_s", "most", "words"),
    [
        (["web.a to be ready"], 60.0, 1, "web.a to be ready, until 00:01:00"),
        (["a", "b", "c"], 60.0, 1, "a (and 2 more), until 00:01:00"),
        (["a", "b", "c"], 60.0, 2, "a; b (and 1 more), until 00:01:00"),
        (["a"], None, 1, "a, without a deadline"),
        (["a"], float("inf"), 1, "a, without a deadline"),
    ],
)
def test_what_is_awaited_is_said_with_until_when(
    reasons: list[str], until_s: float | None, most: int, words: str
) -> None:
    assert wait_words(reasons, until_s, UTC, most=most) == words


def test_capacity_that_was_not_measured_is_not_made_up() -> None:
    assert capacity_words(Status(floor=3)) == "not measured yet, floor 3"
    known = Status(floor=3, useful=4, existing=5, replicas=3)
    assert capacity_words(known) == "4 useful (3 wanted), 5 running, floor 3"


def test_traffic_is_said_by_version_and_who_has_none_is_left_out() -> None:
    assert traffic_words(Status(shares={"1.5.0": 250, "1.4.2": 750, "1.3.0": 0})) == "1.4.2 75 %, 1.5.0 25 %"
    assert traffic_words(Status()) == ""
