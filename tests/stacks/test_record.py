"""What is known of a stack is the fold of its own journal."""

from __future__ import annotations

import pytest

from zdd.events import Event, Outcome, StackEnded, StackStarted, StackStep
from zdd.stacks.record import StackRecord, read_record, record_name

OF = {"at_s": 0.0, "service": record_name("shop"), "deployment": "shop-1"}


def started(*services: str) -> Event:
    return StackStarted(services=services, actor="somebody", **OF)


def step(name: str, origin: str) -> Event:
    return StackStep(name=name, origin=origin, **OF)


def ended(outcome: Outcome) -> Event:
    return StackEnded(outcome=outcome, reason="", **OF)


def test_a_stack_s_record_is_not_that_of_a_service() -> None:
    assert record_name("shop") == "stack:shop"
    assert read_record([]) == StackRecord()


def test_every_service_that_it_ever_had_is_known() -> None:
    events = [started("db", "web"), ended(Outcome.SUCCEEDED), started("api", "db")]
    assert read_record(events).services == ("db", "web", "api")


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.UNCHANGED, Outcome.ROLLED_BACK])
def test_a_settled_end_forgets_where_it_came_from(outcome: Outcome) -> None:
    record = read_record([started("db"), step("db", "db-1"), ended(outcome)])
    assert (record.services, record.origins, record.unsettled) == (("db",), {}, False)
    assert record.before == ({"db": "db-1"} if outcome is Outcome.SUCCEEDED else {})


def test_what_served_before_is_that_of_the_last_deployment_that_changed_something() -> None:
    first = [started("db"), step("db", ""), ended(Outcome.SUCCEEDED)]
    second = [started("db"), step("db", "db-1"), ended(Outcome.SUCCEEDED)]
    failed = [started("db"), step("db", "db-2"), ended(Outcome.ROLLED_BACK)]
    record = read_record([*first, *second, *failed, started("db"), ended(Outcome.UNCHANGED)])
    assert record.before == {"db": "db-1"}
    outcomes = [Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.ROLLED_BACK, Outcome.UNCHANGED]
    assert [one.outcome for one in record.deployments] == outcomes


@pytest.mark.parametrize("outcome", [Outcome.INTERRUPTED, Outcome.FROZEN, Outcome.STUCK])
def test_an_unsettled_end_keeps_where_the_first_one_began(outcome: Outcome) -> None:
    events = [started("db", "web"), step("db", "db-1"), ended(outcome), started("db", "web")]
    record = read_record([*events, step("db", "db-2"), step("web", "")])
    assert record.unsettled
    assert list(record.origins.items()) == [("db", "db-1"), ("web", "")]
