"""What may be done besides: what is taken for an action, and what each may look at before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, frozen

from zdd.errors import ConfigurationError
from zdd.model.action import ActionContext, action_tuple, check_actions


@frozen
class Step:
    name: Any = "backup"
    deadline_s: Any = 10.0

    def run(self, context: ActionContext) -> str:
        return f"done for {context.service}"


@frozen
class Checked(Step):
    problem: str = ""

    def check(self) -> None:
        raise ConfigurationError(self.problem)


def test_a_list_of_actions_is_kept_in_its_order() -> None:
    first, second = Step("first"), Step("second")
    assert action_tuple(iter([first, second])) == (first, second)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ("backup", "actions='backup': use a list of actions"),
        (Step(), r"actions=Step\(.*: use a list of actions"),
        ([print], "action <built-in function print>: use an object such as"),
        ([Step], "action <class .*: use an object such as"),
        ([Step(deadline_s=-1)], "deadline_s of action backup is -1"),
        ([Step(deadline_s="soon")], "deadline_s of action backup is 'soon'"),
        ([Step(name=5)], "the name of an action of the class Step"),
    ],
)
def test_what_is_no_action_is_refused_by_name(actions: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        action_tuple(actions)


def test_each_that_can_look_whether_it_could_be_run_does_so_and_the_others_need_not() -> None:
    check_actions([Step(), Step()])
    with pytest.raises(ConfigurationError, match="pg_dump is not there"):
        check_actions([Step(), Checked(problem="pg_dump is not there")])


def test_what_is_heard_of_an_action_is_no_part_of_what_it_is_told() -> None:
    heard: list[str] = []
    context = ActionContext("web", "d1", "1.0", "2.0")
    context.tell("nobody listens, which is no error")
    listened = evolve(context, tell=heard.append)
    listened.tell("3 of 5 tables")
    assert heard == ["3 of 5 tables"]
    assert listened == context
