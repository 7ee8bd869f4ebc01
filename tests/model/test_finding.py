"""A finding reads as one sentence with its fix."""

from __future__ import annotations

from zdd.model.finding import Demand, Finding, Severity


def test_it_names_what_it_is_about_the_problem_and_the_fix() -> None:
    assert str(Finding("node a", "is full", "add a node", Severity.ERROR)) == "node a: is full; add a node"


def test_it_only_warns_unless_it_says_otherwise() -> None:
    assert Finding("web", "one is not many", "use two").severity is Severity.WARNING


def test_a_demand_is_for_one_cell_unless_it_says_otherwise() -> None:
    assert Demand(3) == Demand(instances=3, cells=1)
