"""The tables of a page: a line for each deployment, and all of its evidence, or how much is left out."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.display.tables import ROWS_MAX, details_html, outcome_kind, outcome_words, summary_table
from zdd.events import Event, Outcome
from zdd.report import Report


@pytest.fixture
def success(stories: dict[str, tuple[Event, ...]]) -> Report:
    return Report.of(stories["success"])


@pytest.mark.parametrize(
    ("outcome", "words", "kind"),
    [
        (Outcome.SUCCEEDED, "✔ succeeded", "good"),
        (Outcome.UNCHANGED, "= unchanged", "good"),
        (Outcome.ROLLED_BACK, "↩ rolled back", "warn"),
        (Outcome.STUCK, "✖ stuck", "bad"),
        (None, "? no end on record", "bad"),
    ],
)
def test_how_it_ended_has_a_sign_a_word_and_a_colour(
    success: Report, outcome: Outcome | None, words: str, kind: str
) -> None:
    report = evolve(success, outcome=outcome)
    assert (outcome_words(report), outcome_kind(report)) == (words, kind)


def test_each_deployment_is_a_line_that_leads_to_its_section(success: Report) -> None:
    table = summary_table([success, success])
    assert table.count("<tr>") == 3
    assert 'href="#deployment-1"' in table
    assert 'href="#deployment-2"' in table


def test_the_floor_is_claimed_only_where_capacity_was_measured(success: Report) -> None:
    assert "3 of 3, floor 3" in summary_table([success])
    assert "not measured" in summary_table([evolve(success, capacity_floor=None)])


def test_a_long_table_is_cut_and_counted(stories: dict[str, tuple[Event, ...]]) -> None:
    events = stories["success"]
    moved = next(event for event in events if type(event).__name__ == "InstanceMoved")
    known = len(Report.of(events).instances)
    crowd = [evolve(moved, instance=f"i{n}") for n in range(300)]
    text = details_html(Report.of([*events[:-1], *crowd, events[-1]]))
    assert f"and {300 + known - ROWS_MAX} more, which are in the report's data" in text
    assert len(text) < 400_000


def test_text_from_outside_stays_text(hostile: tuple[Event, ...]) -> None:
    report = Report.of(hostile)
    for text in (summary_table([report]), details_html(report)):
        assert "<img" not in text
        assert "\x1b" not in text
