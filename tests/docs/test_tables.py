"""Tables of the documentation that say what the code says."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import zdd
from zdd import testing
from zdd.adapters.memory import Behaviour
from zdd.errors import DeploymentError
from zdd.reconciler.guards import GUARDS


def test_the_promises_name_every_guard_with_its_rule(pages: Any) -> None:
    rows = pages["promises.md"].table("guard")
    assert [(name, rule) for name, rule, _ in rows] == [(f"`{guard.name}`", guard.rule) for guard in GUARDS]


def test_each_guard_serves_a_promise_that_is_made(pages: Any) -> None:
    made = set(re.findall(r"^(\d)\. ", pages["promises.md"].text.partition("The words:")[0], re.MULTILINE))
    for name, _, promises in pages["promises.md"].table("guard"):
        assert set(promises.split(", ")) <= made | {"singletons"}, name


def test_the_layers_are_those_of_the_import_contract(pages: Any, root: Path) -> None:
    contracts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert [row[0].strip("`").replace("\\|", "|") for row in pages["architecture.md"].table("layer")] == layers


def test_every_outcome_has_its_row(pages: Any) -> None:
    rows = {row[0].strip("`"): row for row in pages["operating.md"].table("outcome")}
    assert set(rows) == {outcome.value for outcome in zdd.Outcome}
    raised = {error.__name__ for error in DeploymentError.__subclasses__()}
    assert {row[1].strip("`") for row in rows.values()} == {"returns the report", *raised}


def test_the_readme_shows_every_strategy(pages: Any) -> None:
    rows = [row[0].strip("`").partition("(")[0] for row in pages["README.md"].table("strategy")]
    assert rows == [
        "RollingUpdate",
        "BlueGreen",
        "Canary",
        "InPlaceUpdate",
        "Recreate",
        "several, joined by `+",
        "your own",
    ]


def test_every_gate_is_shown(pages: Any) -> None:
    shown = set(re.findall(r"\b([A-Z]\w+)\(", " ".join(row[0] for row in pages["gates.md"].table("gate"))))
    assert shown == set(zdd.gates.__all__)


def test_every_interface_is_shown_with_its_check(pages: Any) -> None:
    rows = pages["extending.md"].table("interface")
    for interface, _, rules, check in rows:
        assert getattr(testing, check.strip("`"))
        assert getattr(testing, rules.strip("`"))
        assert interface.strip("`") in zdd.interfaces.__all__
    assert {row[3].strip("`") for row in rows} == {name for name in testing.__all__ if name.startswith("check_")}


def test_behaviours_that_are_shown_exist(pages: Any) -> None:
    for _, behaviour in pages["testing.md"].table("to rehearse"):
        stated = re.findall(r"(\w+)=([\w.]+)", behaviour)
        assert stated
        Behaviour(**{name: ast.literal_eval(value) for name, value in stated})


@pytest.mark.parametrize("words", ["work/main", "scratch", "T" + "ODO"])
def test_no_page_has_what_does_not_belong_there(page: Any, words: str) -> None:
    assert words not in page.text
