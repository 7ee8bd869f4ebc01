"""The commands that only look, where nothing was deployed yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zdd.command_line.main import main


@pytest.mark.parametrize(
    ("words", "text", "data"),
    [
        (["status"], "nothing was ever deployed", []),
        (["doctor"], "nothing was found", []),
    ],
)
def test_that_there_is_nothing_is_said_in_words_or_as_an_empty_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str, data: object
) -> None:
    place = ["--state", str(tmp_path)]
    assert main([*words, *place]) == 0
    assert capsys.readouterr().out == f"{text}\n"
    assert main([*words, *place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == data


def test_a_deployment_whose_deployer_has_died_is_told_from_one_that_is_under_way(
    played: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    played.leave_half_done()
    assert main(["status", *played.parts]) == 0
    assert "its deployer has ended: `python -m zdd resume web` goes on" in capsys.readouterr().out
    played.leave_interrupted()
    assert main(["status", *played.parts]) == 0
    said = capsys.readouterr().out
    assert "; interrupted 1970-01-12 " in said
    assert "; `python -m zdd resume web` goes on; " in said
    played.leave_half_done()
    played.deployer._around.lease.acquire("web", "somebody", 15)
    assert main(["status", *played.parts]) == 0
    assert "has ended" not in capsys.readouterr().out
    main(["status", "--json", *played.parts])
    assert [one["under_way"] for one in json.loads(capsys.readouterr().out)] == [True]
