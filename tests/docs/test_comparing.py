"""How what a page shows is compared with what is printed: the tests of the pages rest on it."""

from __future__ import annotations

from typing import Any

import pytest

PRINTED = ["a", "b", "c", "b", "d"]


@pytest.mark.parametrize(
    ("expected", "same"),
    [
        ("a b c b d", True),
        ("a b c b", False),
        ("…", True),
        ("a …", True),
        ("… d", True),
        ("a … d", True),
        ("a … c … d", True),
        ("… b … b …", True),
        ("… b … b … b …", False),
        ("… c … c …", False),
        ("… d c …", False),
        ("… b c …", True),
        ("b …", False),
        ("… c", False),
        ("a b c b d …", True),
        ("a b c … b d", True),
        ("a b c b … b d", False),
    ],
)
def test_an_ellipsis_stands_for_any_number_of_lines(printed_like: Any, expected: str, same: bool) -> None:
    assert printed_like(expected.split(), PRINTED) is same


def test_what_differs_from_run_to_run_is_not_compared(settled: Any) -> None:
    first = settled("07:12:40 web.0003.1 at 127.0.0.1:23105 took 1.4 s, started by user@host:4711 on 2026-03-02")
    second = settled("19:00:01 web.0003.4 at 127.0.0.1:29999 took 31.0 s, started by other@machine:1 on 2027-01-01")
    assert first == second


def test_everything_else_is_compared(settled: Any) -> None:
    assert settled("2 of 2 instances, within 30 s") != settled("1 of 2 instances, within 30 s")
    assert settled("2 of 2 instances, within 30 s") != settled("2 of 2 instances, within 60 s")
