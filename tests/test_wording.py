"""How values are put in words."""

from __future__ import annotations

from datetime import UTC

import pytest

from zdd.wording import clock, count, date_and_time, duration, figures, iso, percent, printable, span


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1.5.0 → ✔ ü", "1.5.0 → ✔ ü"),
        ("a\x1b[31mred", r"a\x1b[31mred"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\x9b2J", r"\x9b2J"),
        ("\ud800", r"\ud800"),
    ],
)
def test_only_what_is_printable_reaches_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()


def test_a_long_text_is_cut_and_says_so() -> None:
    assert printable("x" * 11, length_max=10) == "x" * 9 + "…"
    assert printable("x" * 10, length_max=10) == "x" * 10
    assert len(printable("\x1b" * 1000, length_max=100)) == 100


def test_a_reason_of_two_causes_with_long_paths_is_whole() -> None:
    path = "/srv/" + "x" * 150
    reason = f"gate command test -e {path} failed; then taking it back: restore {path} failed: {path}: no space left"
    assert printable(reason) == reason


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (41.24, "41.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (86399.9, "1 d 00 h"),
        (273_600, "3 d 04 h"),
        (-1.5, "-1.5 s"),
        (float("inf"), "without end"),
    ],
)
def test_a_length_of_time_reads_as_a_person_says_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(30, "30 s"), (0.5, "0.5 s"), (600, "10 min"), (90, "1 min 30 s")])
def test_an_agreed_length_of_time_has_no_zeros(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_times_are_told_by_clock_by_date_and_by_iso() -> None:
    assert clock(1_764_000_271.4, UTC) == "16:04:31"
    assert date_and_time(1_764_000_271.4) == "2025-11-24 16:04:31 UTC"
    assert iso(1_764_000_271.4) == "2025-11-24T16:04:31.400Z"


@pytest.mark.parametrize("never", [float("inf"), float("nan"), 1e300])
def test_a_time_that_no_calendar_has_is_never(never: float) -> None:
    assert (clock(never), date_and_time(never), iso(never)) == ("never", "never", None)


def test_small_words() -> None:
    assert (percent(1, 4), percent(1, 3), percent(0, 0)) == ("25 %", "33.3 %", "0 %")
    assert (count(1, "error"), count(2, "error")) == ("1 error", "2 errors")
    assert figures({"b": 2.0, "a": 0.25}) == "a 0.25, b 2"
