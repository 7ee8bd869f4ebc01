"""The words that the command line understands, and its help."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from zdd.command_line.main import main
from zdd.command_line.parser import make_parser


def test_it_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["mirror", "--help"])
    assert ended.value.code == 0
    assert "every service that was ever deployed" in capsys.readouterr().out


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"zdd {version('zdd-deploy')}\n"


def test_a_command_that_is_missing_or_unknown_is_not_understood(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["marvel"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert "mirror" in capsys.readouterr().err


def test_every_command_is_in_the_documentation_and_understood(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    table = page.split("| command | what it does |")[1].split("\n\n")[0]
    documented = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
    usage = make_parser().format_help()
    assert documented == set(re.findall(r"^    (\w+)  ", usage, re.MULTILINE))
    for name in documented:
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert "--json" in capsys.readouterr().out


def test_a_command_that_does_not_stand_behind_two_dashes_is_refused_with_the_fix(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["deploy", "web", "--version", "1.0", "python3", "server.py"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "unrecognized arguments: python3 server.py (the command of a process goes after --)" in said
    with pytest.raises(SystemExit):
        main(["status", "--foo"])
    assert capsys.readouterr().err == (
        "zdd: unrecognized arguments: --foo; `python -m zdd --help` says what there is\n"
    )


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["deploy", "web", "--replicas", "x"], "argument --replicas: invalid int value: 'x'"),
        (["watch"], "the following arguments are required: SERVICE"),
        (["deploy", "web", "--steps", "5,x"], "argument --steps: '5,x': use numbers such as 5,25,100"),
    ],
)
def test_what_is_wrong_with_a_word_is_one_line_that_no_usage_hides(
    words: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"zdd: {wrong}; `python -m zdd {words[0]} --help` says what there is\n")
