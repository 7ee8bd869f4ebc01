"""What is still waited for before an instance may be stopped."""

from __future__ import annotations

from zdd.model.observation import Observation
from zdd.model.plan import Plan, Stage
from zdd.model.service import Service
from zdd.reconciler.draining import just_missing
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import InstanceRecord, Progress

PLAN = Plan(Service("web"), "r1", {}, (), (Stage("one"),), 0, 2)
MISSING = Progress(instances={"web.1": InstanceRecord("web", "r1", stopped_s=100.0)})


def test_one_look_that_takes_long_is_still_one_look():
    said = just_missing(Picture(Observation(100.0), PLAN, MISSING, now=105.0))
    assert said is not None
    assert said[0] == "web.1 to be gone in another look"
    assert said[1] > 105.0


def test_another_look_settles_it():
    assert just_missing(Picture(Observation(105.0), PLAN, MISSING, now=105.0)) is None


def test_another_cell_is_not_waited_for():
    assert just_missing(Picture(Observation(100.0), PLAN, MISSING, now=100.0), "web-2") is None
