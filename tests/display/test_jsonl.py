"""What a program reads, one line an event."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from zdd.display.jsonl import JsonLines, event_data, event_line
from zdd.events import Event, GateJudged, Waited
from zdd.model.verdict import Result


@pytest.mark.parametrize("name", ["success", "rollback", "stuck"])
def test_a_deployment_is_written_as_expected(
    name: str, stories: dict[str, tuple[Event, ...]], golden: Callable[[str, str], None]
) -> None:
    stream = io.StringIO()
    write = JsonLines(stream)
    for event in stories[name]:
        write(event)
    golden(f"{name}.jsonl", stream.getvalue())


def test_each_line_is_strict_json_with_a_schema_a_kind_and_a_time(stories: dict[str, tuple[Event, ...]]) -> None:
    for event in stories["success"]:
        data = json.loads(event_line(event))
        assert list(data)[:5] == ["schema", "event", "at", "service", "deployment"]
        assert data["schema"] == 1
        assert data["at"].endswith("Z")


def test_what_is_to_be_run_and_its_secrets_stay_out(stories: dict[str, tuple[Event, ...]]) -> None:
    text = "\n".join(event_line(event) for event in stories["success"])
    assert "hunter2" not in text
    assert "PASSWORD" not in text


def test_numbers_that_json_does_not_know_are_null() -> None:
    waited = Waited(at_s=0, service="web", deployment="d", reasons=("x",), until_s=float("inf"))
    assert event_data(waited)["until"] is None
    figures = {"nan": float("nan"), "inf": float("inf"), "one": 1.0}
    judged = GateJudged(
        at_s=0, service="web", deployment="d", gate="g", target="t", result=Result.PASSED, figures=figures
    )
    assert event_data(judged)["figures"] == {"nan": None, "inf": None, "one": 1.0}
    assert json.loads(event_line(judged))["result"] == "passed"


def test_hostile_text_is_escaped_and_comes_back_unchanged(hostile: tuple[Event, ...]) -> None:
    for event in hostile:
        line = event_line(event)
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line) == event_data(event)
