"""The safe order, case by case; and every guard is needed."""

from __future__ import annotations

from typing import Any

from zdd.reconciler.guards import GUARDS
from zdd.reconciler.progress import Passed, TrafficReached
from zdd.reconciler.reconcile import reconcile


def test_the_reconciler_answers_as_the_case_says(case: Any, say: Any) -> None:
    decision = reconcile(case.observation, case.plan, case.progress, case.observation.as_of_s)
    assert not decision.failed
    assert say(decision.commands, case.observation) == case.expect
    if case.mark:
        mark = {Passed: "passed", TrafficReached: "reached", type(None): "nothing"}
        assert mark[type(decision.mark)] == case.mark
    if case.waits:
        awaited = [wait for wait in decision.waits if wait.guard in {guard.name for guard in GUARDS}]
        assert {wait.guard for wait in awaited} == set(case.waits), [wait.reason for wait in awaited]


def test_without_its_guard_the_case_goes_wrong(guarded_case: Any, say: Any) -> None:
    case = guarded_case
    fewer = tuple(guard for guard in GUARDS if guard.name != case.guard)
    assert len(fewer) == len(GUARDS) - 1, f"there is no guard {case.guard!r}"
    decision = reconcile(case.observation, case.plan, case.progress, case.observation.as_of_s, guards=fewer)
    assert say(decision.commands, case.observation) == case.without
    assert case.without != case.expect


def test_every_guard_has_a_case_that_fails_without_it(cases: Any) -> None:
    about = {case.guard for case in cases}
    assert [guard.name for guard in GUARDS if guard.name not in about] == []


def test_names_of_guards_are_unique_and_rules_are_sentences() -> None:
    names = [guard.name for guard in GUARDS]
    assert len(set(names)) == len(names)
    assert all(guard.rule.endswith(".") for guard in GUARDS)
