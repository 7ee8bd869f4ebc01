"""A run that goes on where another one has ended, and what of it is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from attrs import evolve

sys.path.append(str(Path(__file__).parent))
from figures import SWARM, Case, Figures, Result, Unusable, verdict

ASKED = {"commit": "1" * 40, "requests": 10}
CASE = Case("haproxy", "rolling", "exit")
RESULT = Result(CASE, 12, 1, ["1.00 a GET"], 0, [], 0.0, 1, 6, 5, 1.5, 20.04)


def test_what_was_kept_is_there_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "figures"
    first = Figures.open(path, ASKED)
    assert first.of(CASE) is None
    first.add(RESULT)
    again = Figures.open(path, ASKED)
    assert again.of(CASE) == RESULT
    assert again.of(evolve(CASE, deployer=SWARM)) is None
    assert Figures.open(None, ASKED).results == []


@pytest.mark.parametrize("asked", [{**ASKED, "commit": "2" * 40}, {**ASKED, "requests": 11}])
def test_figures_of_another_commit_or_of_other_options_are_refused(tmp_path: Path, asked: dict[str, object]) -> None:
    path = tmp_path / "figures"
    Figures.open(path, ASKED).add(RESULT)
    before = path.read_text()
    with pytest.raises(Unusable, match="name another file"):
        Figures.open(path, asked)
    assert path.read_text() == before


def test_figures_of_a_working_tree_with_changes_are_not_gone_on_with(tmp_path: Path) -> None:
    path, asked = tmp_path / "figures", {"commit": "1-dirty"}
    Figures.open(path, asked).add(RESULT)
    with pytest.raises(Unusable, match="a working tree with changes"):
        Figures.open(path, asked)


@pytest.mark.parametrize("text", ["", "{", '{"commit": "1"}\n{"case": 3}', "[]\n[]"])
def test_a_file_of_something_else_is_refused_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "figures"
    path.write_text(text)
    with pytest.raises(Unusable, match="name another file"):
        Figures.open(path, ASKED)
    assert path.read_text() == text


def test_the_last_line_tells_zdds_figures_and_the_peers_apart() -> None:
    swarm = evolve(RESULT, case=evolve(CASE, deployer=SWARM), lost=2, requests=30)
    told = json.loads(json.dumps(verdict([RESULT, swarm])))
    assert (told["requests"], told["lost"], told["removals"]) == (12, 1, 5)
    assert told["cases"] == [
        {
            "edge": "haproxy",
            "strategy": "rolling",
            "application": "exit",
            "requests": 12,
            "lost": 1,
            "cut_websockets": 1,
            "seconds": 20.0,
        }
    ]
    assert (told["peer"]["requests"], told["peer"]["lost"]) == (30, 2)
    assert "peer" not in verdict([RESULT])
