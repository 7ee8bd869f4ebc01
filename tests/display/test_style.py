"""The style sheet has the looks of everything that is drawn, in colours for light and for dark."""

from __future__ import annotations

import re

import pytest

from zdd.display.drawing import VERSION_STYLES, version_kinds
from zdd.display.html import report_html
from zdd.display.style import STYLE, patterns_svg
from zdd.events import Event
from zdd.report import Report

PLAIN = {"name"}
"""What looks like all text of a timeline."""


def styled() -> set[str]:
    return set(re.findall(r"\.([a-z][\w-]*)", STYLE))


@pytest.mark.parametrize("name", ["success", "rollback", "stuck"])
def test_whatever_is_on_a_page_has_its_looks(name: str, stories: dict[str, tuple[Event, ...]]) -> None:
    page = report_html([Report.of(stories[name])], title="web")
    used = {kind for kinds in re.findall(r'class="([^"]*)"', page) for kind in kinds.split()}
    assert used - styled() == PLAIN


def test_every_version_has_a_colour_and_a_pattern() -> None:
    for number in range(VERSION_STYLES):
        assert set(version_kinds(number).split()) <= styled()


def test_every_pattern_that_is_used_is_on_the_page() -> None:
    drawn = set(re.findall(r'<pattern id="([\w-]+)"', patterns_svg()))
    assert set(re.findall(r"url\(#([\w-]+)\)", STYLE)) <= drawn


def test_every_colour_that_is_used_is_there_for_light_and_for_dark() -> None:
    """What stands beside the drawing, such as a pattern, uses them too."""
    light, dark = (set(re.findall(r"(--[\w-]+):", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL))
    used = set(re.findall(r"var\((--[\w-]+)\)", STYLE + patterns_svg()))
    assert used == light == dark
