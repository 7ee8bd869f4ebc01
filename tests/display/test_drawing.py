"""The pieces of a drawing: its scale, round steps, and text that stays text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from zdd.display.drawing import LEFT, RIGHT, VERSION_STYLES, WIDTH, Scale, box, label, nice, short, text_of, ticks
from zdd.display.drawing import version_kinds as kinds

EVIL = '<img src=x onerror="alert(1)">\n\x1b[2J'


def test_times_are_to_scale() -> None:
    scale = Scale(100.0, 200.0)
    assert scale.x(100.0) == LEFT
    assert scale.x(200.0) == WIDTH - RIGHT
    assert scale.x(150.0) == pytest.approx((LEFT + WIDTH - RIGHT) / 2)
    assert scale.x(-1e9) == LEFT
    assert scale.x(float("inf")) == WIDTH - RIGHT


@pytest.mark.parametrize(
    ("least", "step"), [(0.03, 0.05), (0.11, 0.2), (1, 1), (1.01, 2), (3, 5), (7, 10), (60, 100), (1e-12, 1e-9)]
)
def test_steps_of_an_axis_are_round(least: float, step: float) -> None:
    assert nice(least) == pytest.approx(step)


def test_instances_are_whole() -> None:
    assert nice(0.2, whole=True) == 1.0


@pytest.mark.parametrize("drawn", [text_of(EVIL), short(EVIL, 20)])
def test_text_from_outside_is_one_line_and_no_markup(drawn: str) -> None:
    assert "\n" not in drawn
    assert "\x1b" not in drawn
    assert not {"<", ">", '"'} & set(drawn)


def test_text_that_is_cut_is_cut_before_it_is_escaped() -> None:
    """Cut afterwards, half an entity could be left."""
    assert ET.fromstring(f"<text>{short('a' * 8 + '&' * 8, 12)}</text>").text  # noqa: S314
    assert len(ET.fromstring(f"<text>{short('&' * 40, 12)}</text>").text or "") <= 12  # noqa: S314


def test_of_a_box_the_title_goes_to_what_lies_on_top() -> None:
    under, over = ET.fromstring(f"<g>{box(1, 2, 3, 4, 'colour pattern', 'says it')}</g>")  # noqa: S314
    assert (under.get("class"), over.get("class")) == ("colour", "pattern")
    assert over.findtext("title") == "says it"
    assert under.find("title") is None


def test_a_box_of_no_time_can_still_be_seen() -> None:
    (only,) = ET.fromstring(f"<g>{box(1, 2, 0, -5, 'colour')}</g>")  # noqa: S314
    assert (only.get("width"), only.get("height")) == ("0.1", "0.1")


def test_an_axis_has_a_line_and_a_number_at_each_step_from_the_bottom_to_the_top() -> None:
    drawn = ET.fromstring(f"<g>{''.join(ticks(10.0, 6, 2))}</g>")  # noqa: S314
    assert [one.text for one in drawn.iter("text")] == ["0", "2", "4", "6"]
    heights = [float(one.get("y1", "")) for one in drawn.iter("line")]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == 10.0


def test_versions_have_looks_of_their_own_as_long_as_there_are_some() -> None:
    assert len({kinds(number) for number in range(VERSION_STYLES)}) == VERSION_STYLES
    assert kinds(VERSION_STYLES) == kinds(0)


def test_a_label_is_where_it_is_said_to_be() -> None:
    one = ET.fromstring(label(1.26, 2, "web", "tick", "end"))  # noqa: S314
    assert one.attrib == {"x": "1.3", "y": "2.0", "class": "tick", "text-anchor": "end"}
