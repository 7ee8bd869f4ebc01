"""A guard is asked about the kinds of proposals that it names; the first one that refuses is heard."""

from __future__ import annotations

import pytest

from zdd.model.command import Launch, Retire
from zdd.model.observation import Observation
from zdd.model.plan import Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.reconciler.guard import Guard, Refusal, concerned, permit
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import Progress
from zdd.reconciler.proposals import Shift, Tally, Traffic

PLAN = Plan(Service("web"), "r1", {"r1": Revision("r1", "1.0", {})}, (), (Stage("go", deadline_s=60.0),), 0, 1)
SEEN = Picture(Observation(1.0), PLAN, Progress(entered_s=1.0), 1.0)
ALWAYS = Guard("always", "Never.", lambda *_: "tomorrow")
LATER = Guard("later", "Not yet.", lambda *_: ("noon", 12.0), (Shift.OUT, Retire))
NEVER = Guard("never", "Go on.", lambda *_: None, (Shift.OUT,))


@pytest.mark.parametrize(
    ("kind", "asked"),
    [(Shift.OUT, [NEVER, LATER, ALWAYS]), (Retire, [LATER, ALWAYS]), (Launch, [ALWAYS]), (Shift.ADMIT, [ALWAYS])],
)
def test_those_that_name_a_kind_or_none_are_asked_in_their_order(kind, asked):
    assert list(concerned((NEVER, LATER, ALWAYS), kind)) == asked


def test_the_first_refusal_is_heard_and_waits_until_the_stages_deadline_if_it_names_no_time():
    out = Traffic(Shift.OUT, "web.1", "web")
    assert permit(SEEN, out, Tally(), (NEVER, LATER, ALWAYS)) == Refusal("later", "noon", 12.0)
    assert permit(SEEN, out, Tally(), (NEVER, ALWAYS, LATER)) == Refusal("always", "tomorrow", 61.0)
    assert permit(SEEN, out, Tally(), (NEVER,)) is None
