"""The scripts in examples/ are run as a reader would run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

LAST_LINES = {
    "custom_strategy.py": "unproven    nothing",
    "rehearsal.py": "instances that lost requests: 0",
    "rolling_update.py": "0 requests failed",
}


@pytest.mark.parametrize("name", LAST_LINES)
def test_a_script_does_what_it_says_and_leaves_nothing_running(name: str, run: Any, root: Path) -> None:
    done = run.program(root / "examples" / name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == LAST_LINES[name]
    assert run.await_end() == []


def test_every_script_is_run(root: Path) -> None:
    assert {path.name for path in (root / "examples").glob("*.py")} == set(LAST_LINES)


def test_both_versions_answer_during_the_rolling_update(run: Any, root: Path) -> None:
    lines = run.program(root / "examples" / "rolling_update.py").stdout.splitlines()
    assert {line.rpartition(" ")[2] for line in lines if " answers from " in line} == {
        "1.0",
        "2.0",
    }


def test_the_rehearsal_tells_what_becomes_of_each_release(run: Any, root: Path) -> None:
    printed = run.program(root / "examples" / "rehearsal.py").stdout
    assert [printed.count(word) for word in ("succeeded in", "rolled back in")] == [1, 2]
    assert printed.count("never below 4 of 4") == 3


def test_the_strategy_of_the_example_is_the_one_of_the_page(pages: Any, root: Path) -> None:
    example = (root / "examples" / "custom_strategy.py").read_text(encoding="utf-8")
    page = next(block.text for block in pages["strategies.md"].blocks if "class PilotFirst" in block.text)
    classes = page[page.index("@frozen") :]
    assert classes in example
