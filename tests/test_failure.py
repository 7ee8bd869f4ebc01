"""From an outcome to the error that says what runs now and what a person can do."""

from __future__ import annotations

import pytest

from zdd.errors import DeploymentFailed, DeploymentInterrupted, RollbackFailed, TemporaryError
from zdd.events import DeploymentEnded, DeploymentStarted, Outcome, StageEntered
from zdd.failure import TIMES, failure_of
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.planner import REMOVAL
from zdd.report import Report

WORKLOAD = Release("1", Process(["server"])).workload
REVISIONS = {"r1": Revision("r1", "1.0", WORKLOAD), "r2": Revision("r2", "2.0", WORKLOAD)}
END = (Stage("replace", (Goal("web", "r2", 2, 1),)),)


def plan_of(stages=END, *, service=None, strategy="RollingUpdate()"):
    service = service or Service("web", replicas=2)
    return Plan(service, "r2", REVISIONS, (Goal("web", "r1", 2, 1),), stages, 2, 4, strategy=strategy)


def instance(name, revision, state=InstanceState.READY):
    return Instance(name, revision, state)


def seen(*instances, out=(), held=False):
    registrations = [
        Registration(one.id, "web", one.revision, "", {}, 0 if one.id in out else 1)
        for one in instances
        if one.revision in REVISIONS
    ]
    return Observation(0.0, (Cell("web", "r1", len(instances), instances),), tuple(registrations), held)


TWO = (instance("web.1", "r1"), instance("web.2", "r1"))


def error_of(outcome, observation=None, *, plan=None, directions=(Direction.FORWARD,)):
    plan = plan or plan_of()
    about = {"at_s": 1.0, "service": "web", "deployment": "web-2"}
    events = [DeploymentStarted(**about, plan=plan, from_version="1.0", to_version="2.0", actor="ann@there:7")]
    events += [StageEntered(**about, stage=0, stages=1, title="replace", direction=one) for one in directions]
    events += [DeploymentEnded(**about, outcome=outcome, reason="the gate said no")]

    def observe(service):
        assert service == plan.service
        return observation or seen(*TWO)

    return failure_of(plan, Report.of(events), outcome, observe)


def steps_of(*arguments, **keywords):
    return error_of(*arguments, **keywords).next_steps.replace(TIMES, "x")


# -- the kind of error and what a person can do ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.ROLLED_BACK, DeploymentFailed),
        (Outcome.FROZEN, DeploymentFailed),
        (Outcome.STUCK, RollbackFailed),
        (Outcome.INTERRUPTED, DeploymentInterrupted),
    ],
    ids=str,
)
def test_each_outcome_has_its_error_with_the_report_and_the_reason(outcome, kind):
    error = error_of(outcome)
    assert type(error) is kind
    assert error.report.outcome is outcome
    assert "the gate said no" in str(error)
    assert str(error).endswith(error.next_steps)


NOW = "Running now: 2 x 1.0; serving: 2 x 1.0; traffic is safe (floor 2). "


@pytest.mark.parametrize(
    ("outcome", "steps"),
    [
        (Outcome.ROLLED_BACK, "Nothing needs to be done."),
        (
            Outcome.FROZEN,
            "Look at what failed; then deployer.resume('web') goes on, or deployer.rollback('web') goes back.",
        ),
        (Outcome.STUCK, "Mend what is in the way; then deployer.resume('web') takes it back."),
        (Outcome.INTERRUPTED, "deployer.resume('web') goes on, and so does the same deploy call."),
    ],
    ids=str,
)
def test_each_outcome_names_the_call_that_goes_on(outcome, steps):
    assert steps_of(outcome) == NOW + steps


def test_an_interruption_on_the_way_back_goes_on_going_back():
    steps = steps_of(Outcome.INTERRUPTED, directions=(Direction.FORWARD, Direction.BACK))
    assert steps == f"{NOW}deployer.resume('web') goes on taking it back."


def test_an_interrupted_removal_goes_on_by_removing():
    gone = (Stage("remove", (Goal("web", "r1", 0, 0),)),)
    steps = steps_of(Outcome.INTERRUPTED, plan=plan_of(gone, strategy=REMOVAL))
    assert steps.endswith("deployer.remove('web') goes on.")


# -- what runs now -----------------------------------------------------------------------------------------------------


def test_traffic_is_not_safe_below_the_floor_and_then_something_needs_to_be_done():
    steps = steps_of(Outcome.ROLLED_BACK, seen(TWO[0]))
    assert steps == "Running now: 1 x 1.0; serving: 1 x 1.0; traffic is NOT safe (floor 2)."


@pytest.mark.parametrize(
    "observation",
    [
        seen(*TWO, out=("web.2",)),
        seen(TWO[0], instance("web.2", "r1", InstanceState.STARTING)),
        seen(TWO[0], instance("web.2", "r1", InstanceState.FAILED)),
        seen(TWO[0], instance("web.2", "r1", InstanceState.STOPPING)),
    ],
    ids=["out", "starting", "failed", "stopping"],
)
def test_only_what_is_ready_and_has_traffic_serves(observation):
    assert steps_of(Outcome.STUCK, observation).startswith(
        "Running now: 2 x 1.0; serving: 1 x 1.0; traffic is NOT safe (floor 2). "
    )


def test_versions_are_counted_apart_and_an_unknown_revision_is_named():
    observation = seen(*TWO, instance("web-2.1", "r2"), instance("web-9.1", "r9"))
    steps = steps_of(Outcome.FROZEN, observation)
    assert steps.startswith("Running now: 2 x 1.0, 1 x 2.0, 1 x r9; serving: 2 x 1.0, 1 x 2.0; traffic is safe")


def test_instances_of_a_worker_serve_when_they_are_ready():
    worker = plan_of(service=Service("web", replicas=2, exposures=[]))
    steps = steps_of(Outcome.FROZEN, Observation(0.0, (Cell("web", "r1", 2, TWO),)), plan=worker)
    assert "serving: 2 x 1.0; traffic is safe" in steps


def test_requests_that_are_held_back_are_told():
    assert "requests are held back at the edges" in steps_of(Outcome.STUCK, seen(*TWO, held=True))


def test_nothing_that_serves_is_right_where_nothing_is_to_serve():
    gone = plan_of((Stage("remove", (Goal("web", "r1", 0, 0),)),))
    steps = steps_of(Outcome.FROZEN, Observation(0.0), plan=gone)
    assert steps.startswith("Running now: nothing; serving: none; nothing is to serve (floor 2).")


def test_what_can_not_be_seen_is_not_guessed():
    plan = plan_of()

    def blind(service):
        raise TemporaryError("the orchestrator does not answer")

    steps = failure_of(plan, error_of(Outcome.STUCK).report, Outcome.STUCK, blind).next_steps
    assert steps.startswith("What runs now can't be seen: the orchestrator does not answer. Mend ")
