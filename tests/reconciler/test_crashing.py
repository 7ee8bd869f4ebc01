"""When what never gets up has had enough chances."""

from __future__ import annotations

import pytest

from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.reconciler.crashing import crash_failure
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import InstanceRecord, Progress

TOLD_S = 100.0
GOAL = Goal("web-2", "r2", 1, 1)
STARTING, READY, FAILED = InstanceState.STARTING, InstanceState.READY, InstanceState.FAILED


def said(
    state: InstanceState,
    *,
    restarts: int = 0,
    after_s: float = 30.0,
    since_s: float = TOLD_S,
    revision: str = "r2",
    complete_s: float | None = None,
    seen_s: float | None = None,
) -> str:
    instance = Instance("web-2.a", revision, state, since_s=since_s, restarts=restarts, note="exit code 1")
    plan = Plan(Service("web"), "r2", {"r2": Revision("r2", "2", {})}, (), (Stage("start", (GOAL,)),), 0, 2)
    record = InstanceRecord("web-2", revision, state, failed_s=seen_s)
    progress = Progress(complete_s={} if complete_s is None else {"web-2": complete_s}, instances={instance.id: record})
    observation = Observation(TOLD_S + after_s, (Cell("web-2", "r2", 1, (instance,)),))
    return crash_failure(Picture(observation, plan, progress, TOLD_S + after_s), GOAL, instance, TOLD_S)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (said(STARTING, restarts=3), "ended by itself 3 times before it was proven: exit code 1"),
        (said(STARTING, restarts=3, after_s=5.0), "ended by itself 3 times before it was proven: exit code 1"),
        (said(STARTING, restarts=3, after_s=4.9), ""),
        (said(STARTING, restarts=2), ""),
        (said(READY, restarts=9), ""),
        (said(FAILED), "ended by itself and did not come back: exit code 1"),
        (said(FAILED, since_s=TOLD_S + 26.0), ""),
        (
            said(FAILED, since_s=TOLD_S + 90.0, seen_s=TOLD_S + 25.0),
            "ended by itself and did not come back: exit code 1",
        ),
        (said(FAILED, since_s=TOLD_S + 90.0, seen_s=TOLD_S + 25.1), ""),
        (said(FAILED, since_s=TOLD_S - 60.0, after_s=4.0), ""),
        (said(FAILED, restarts=3, since_s=TOLD_S + 29.0), "ended by itself 3 times before it was proven: exit code 1"),
        (said(FAILED, revision="r1"), ""),
        (said(STARTING, restarts=9, complete_s=TOLD_S + 1), ""),
        (
            said(STARTING, restarts=3, complete_s=TOLD_S - 1),
            "ended by itself 3 times before it was proven: exit code 1",
        ),
    ],
)
def test_how_many_chances_it_gets(words: str, told: str) -> None:
    assert words == told
