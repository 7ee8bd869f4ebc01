"""How instances are to behave, as a workload that is written down and read again."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory.behaviour import Behaviour, behaviour_of
from zdd.errors import ConfigurationError


@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(startup_s=3.0, healthy=False, crashes_after_s=2.0)])
def test_what_was_written_down_is_read_again(behaviour: Behaviour) -> None:
    assert behaviour_of(behaviour.specification()) == behaviour


def test_what_is_not_stated_is_as_usual() -> None:
    assert behaviour_of({"kind": "memory", "stop_s": 4.0}) == Behaviour(stop_s=4.0)


def test_a_workload_of_another_kind_states_no_behaviour() -> None:
    assert behaviour_of({"kind": "process", "command": ["server"]}) is None


@pytest.mark.parametrize(
    ("workload", "message"),
    [
        ({"startup_s": 1.0}, r"does not say its kind: use a workload such as Behaviour\(\)"),
        ({"kind": 5}, "does not say its kind"),
        (
            {"kind": "memory", "startup": 1.0},
            "workload of kind 'memory' has no 'startup': use addresses_lost, crashes_",
        ),
    ],
)
def test_what_no_behaviour_has_is_refused_by_name(workload: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        behaviour_of(workload)
