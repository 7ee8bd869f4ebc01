"""Results go to standard output, everything else beside it."""

from __future__ import annotations

import json

import pytest

from zdd.command_line.printing import note, say, tell


def test_a_result_is_text_or_one_json_value(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"zeta": "grün", "alpha": [1, None]}
    tell("in words", data, as_json=False)
    tell("in words", data, as_json=True)
    text, value = capsys.readouterr().out.splitlines()
    assert text == "in words"
    assert json.loads(value) == data
    assert value.startswith('{"zeta": "grün"')  # in the order in which it was made, readable


def test_a_note_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    say("a result")
    note("a note")
    assert tuple(capsys.readouterr()) == ("a result\n", "zdd: a note\n")
