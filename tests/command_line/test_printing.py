"""Results go to standard output, everything else beside it."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from zdd.command_line.main import main
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


def test_what_the_encoding_does_not_have_is_escaped(played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert main(["deploy", "web", "--version", "grün→", *played.parts, "--", "server"]) == 0
    assert written.getvalue().startswith(b"web: 1.0 \\u2192 gr\\xfcn\\u2192 succeeded")
    written.truncate(0)
    written.seek(0)
    assert main(["status", "--json", *played.parts]) == 0
    assert json.loads(written.getvalue())[0]["to_version"] == "grün→"


@pytest.mark.parametrize("closed", ["full", "pipe", "none"])
def test_a_deployment_that_succeeded_has_succeeded_also_if_nobody_hears_of_it(
    closed: str, played: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"full": "zdd: standard output can't be written: No space left on device\n", "pipe": ""}
    with _closed(closed) as stream:
        monkeypatch.setattr(sys, "stdout", None if closed == "none" else stream)
        assert main(["deploy", "web", "--version", "2.0", *played.parts, "--", "server"]) == 0
        assert capsys.readouterr().err == said.get(closed, "zdd: standard output is closed\n")
    with _closed(closed) as stream:
        monkeypatch.setattr(sys, "stdout", None if closed == "none" else stream)
        assert main(["status", *played.parts]) == 1
    assert played.deployer.report("web").to_version == "2.0"


def _closed(how: str) -> io.TextIOWrapper:
    if how == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
        return open(writer, "w", encoding="utf-8")  # noqa: PTH123 - a descriptor
    return Path("/dev/full").open("w", encoding="utf-8")
