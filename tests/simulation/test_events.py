"""Which rule an event of a simulated deployer breaks, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zdd.events import (
    CommandAnswered,
    CommandIntended,
    DeploymentStarted,
    Event,
    InstanceMoved,
    Moment,
    StageEntered,
    StagePassed,
)
from zdd.model.command import Scale
from zdd.model.evolve import evolve
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.verdict import Result
from zdd.simulation.events import heard
from zdd.simulation.looks import looked
from zdd.simulation.process import Process
from zdd.simulation.surroundings import StageGate
from zdd.simulation.trouble import SETTLES_S


@pytest.fixture
def hear(life: Any) -> Callable[..., list[str]]:
    """Let the life's deployer, or another one, say something; return the rules that were broken so far."""

    def say(kind: Callable[..., Event], process: Process | None = None, **values: Any) -> list[str]:
        event = kind(at_s=life.world.clock.now(), service="web", deployment="web-1", **values)
        heard(life.watch, process or life.process, event)
        return list(life.broken())

    return say


def started(plan: Plan) -> dict[str, Any]:
    return {"plan": plan, "from_version": "r1", "to_version": "r2", "actor": "ann@host:1"}


def test_everything_is_kept_and_the_stage_is_known(life: Any, hear: Any) -> None:
    plan = life.plan()
    hear(DeploymentStarted, **started(plan))
    hear(StageEntered, stage=1, stages=2, title="t", direction=Direction.FORWARD)
    assert (life.process.plan, life.process.stage, len(life.process.events)) == (plan, 1, 2)
    assert life.watch.process is life.process
    assert life.broken() == []


@pytest.mark.parametrize(("floor", "broken"), [(2, ["COMMAND_KEEPS_FLOOR"]), (3, [])])
def test_a_plan_forward_has_the_floor_that_was_agreed(life: Any, hear: Any, floor: int, broken: list[str]) -> None:
    assert hear(DeploymentStarted, **started(life.plan(floor=floor))) == broken


def test_a_plan_back_may_have_less(life: Any, hear: Any) -> None:
    hear(DeploymentStarted, **started(life.plan()))
    back = life.plan(Stage("back", (Goal("web", "r1", 3, 300),)), floor=0, direction=Direction.BACK)
    assert hear(DeploymentStarted, **started(back)) == []


class TestGoingBack:
    def test_it_leads_to_another_revision_than_the_one_that_failed(self, life: Any, hear: Any) -> None:
        hear(DeploymentStarted, **started(life.plan()))
        to_the_same = life.plan(direction=Direction.BACK)
        assert hear(DeploymentStarted, **started(to_the_same)) == ["ROLLBACK_MEANS"]

    def test_it_is_done_once(self, life: Any, hear: Any) -> None:
        back = life.plan(Stage("back", (Goal("web", "r1", 3, 300),)), direction=Direction.BACK)
        hear(DeploymentStarted, **started(life.plan()))
        assert hear(DeploymentStarted, **started(back)) == []
        assert hear(DeploymentStarted, **started(back)) == ["ROLLBACK_MEANS"]

    def test_nothing_goes_forward_twice(self, life: Any, hear: Any) -> None:
        hear(DeploymentStarted, **started(life.plan()))
        assert hear(DeploymentStarted, **started(life.plan())) == ["ROLLBACK_MEANS"]


@pytest.mark.parametrize("says", list(Result))
def test_a_stage_passes_only_with_its_gates(life: Any, hear: Any, says: Result) -> None:
    goals = (Goal("web", "r2", 3, 300),)
    hear(DeploymentStarted, **started(life.plan(Stage("gated", goals, gates=(StageGate(says),)))))
    assert hear(StagePassed, stage=0, title="gated") == ([] if says is Result.PASSED else ["CANARY"])
    assert life.process.passed == 1


class TestAnswers:
    @pytest.fixture(autouse=True)
    def begun(self, life: Any, hear: Any) -> None:
        hear(DeploymentStarted, **started(life.plan()))
        looked(life.watch, life.process)
        hear(CommandIntended, number=1, command=Scale("web", 3))
        life.watch.violations.clear()

    def test_a_command_is_counted_and_remembered(self, life: Any) -> None:
        assert (life.watch.commands, life.process.commands) == (1, 1)
        assert "command scale" in life.watch.marks
        assert list(life.process.told) == ["web"]

    def test_one_without_an_answer_is_in_doubt_for_a_time(self, life: Any, hear: Any) -> None:
        hear(CommandAnswered, number=1, error="nobody answered", unknown=True)
        assert life.process.in_doubt_s == life.world.clock.now() + SETTLES_S
        assert list(life.process.told) == ["web"]

    def test_one_that_was_refused_may_be_sent_again(self, life: Any, hear: Any) -> None:
        hear(CommandAnswered, number=1, error="busy")
        assert (life.process.told, life.process.in_doubt_s) == ({}, 0.0)

    def test_none_is_accepted_after_a_later_deployer_has_begun(self, life: Any, hear: Any) -> None:
        later = Process(2)
        life.watch.process = later
        assert hear(CommandAnswered, number=1) == []
        later.events.append(life.process.events[0])
        assert hear(CommandAnswered, number=1) == ["FENCED"]
        assert hear(CommandAnswered, number=1, error="a newer deployer has taken over") == ["FENCED"]


@pytest.mark.parametrize(("moment", "cut"), [(Moment.CUT, {"web.1"}), (Moment.STOPPED, set())])
def test_what_was_cut_is_on_record(life: Any, hear: Any, moment: Moment, cut: set[str]) -> None:
    hear(InstanceMoved, instance="web.1", cell="web", version="r1", moment=moment)
    assert life.watch.cut == cut


@pytest.mark.parametrize("sick", [False, True])
def test_whether_something_old_was_not_well_before_is_known(life: Any, hear: Any, sick: bool) -> None:
    life.world.mark(life.of("r1")[0].id, healthy=not sick)
    hear(DeploymentStarted, **started(evolve(life.plan(), strategy="Canary()")))
    assert life.process.old_died is sick
