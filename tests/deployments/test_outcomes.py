"""Each way in which a deployment can end: its name, its error, what a person reads, and what serves afterwards."""

from __future__ import annotations

from collections import Counter

import pytest
from attrs import evolve

from zdd.actions import FunctionAction
from zdd.adapters.memory import Behaviour, Fault, HealthyGate, MemoryWorld
from zdd.deployer import Deployer
from zdd.errors import ConfigurationError, DeploymentError, DeploymentFailed, DeploymentInterrupted, RollbackFailed
from zdd.events import CapacityChanged, CommandIntended, DeploymentEnded, Outcome
from zdd.failure import TIMES
from zdd.gates import FunctionGate, InARow
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.report import Report
from zdd.sampler import InlineSampler
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.perform import Perform
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW = Release("1.0", Behaviour()), Release("2.0", Behaviour())
SICK = Release("2.0", Behaviour(healthy=False))


def refuses(target):
    return False


def plain(text):
    return text.replace(TIMES, "x")


def breaks(context):
    raise OSError("disk full")


REFUSING = FunctionGate(refuses, "errors below 1 %")


@pytest.fixture
def serving(scene):
    """Return how many instances of each version serve."""
    return lambda: dict(Counter(one.version for one in scene.world.serving("web")))


@pytest.fixture
def error_of(scene, web):
    """Deploy 1.0; return the error with which the next deployment ends."""

    def fail(release, strategy=None, *, faults=(), gate=None):
        scene.deployer().deploy(web(), OLD)
        for fault in faults:
            scene.world.add_fault(fault)
        with pytest.raises(DeploymentError) as caught:
            scene.deployer(gate).deploy(web(), release, strategy)
        error = caught.value
        assert str(error) == f"{error.report.summary}\n{error.next_steps}"
        assert scene.journal.read("web")[-1].outcome is error.report.outcome
        return error

    return fail


# -- as it should ------------------------------------------------------------------------------------------------------


def test_succeeded_returns_the_report_and_only_the_new_version_is_there(scene, web):
    scene.deployer().deploy(web(), OLD)
    report = scene.deployer().deploy(web(), NEW)
    assert (report.outcome, report.from_version, report.to_version) == (Outcome.SUCCEEDED, "1.0", "2.0")
    assert report.reason == ""
    assert report.summary.startswith("web: 1.0 → 2.0 succeeded in ")
    assert report.capacity_floor == 3
    assert scene.untidy(web(), "2.0") == []
    assert scene.world.lost() == ()


def test_capacity_is_not_called_lost_while_a_gate_that_needs_several_looks_has_not_concluded(scene, web):
    gate = InARow(HealthyGate(scene.world), 4)
    scene.deployer(gate).deploy(web(), OLD)
    scene.events.clear()
    report = scene.deployer(gate).deploy(web(), NEW)
    assert report.summary.endswith("never below 3 of 3 (floor 3)")
    assert all(event.useful >= 3 for event in scene.events if isinstance(event, CapacityChanged))


def test_the_report_can_be_had_again_from_the_journal(scene, web):
    report = scene.deployer().deploy(web(), NEW)
    read = scene.deployer().report("web")
    assert read.summary == report.summary
    assert read == Report.of(scene.journal.read("web"), first_ever=True)


def test_unchanged_sends_no_command_and_writes_nothing_down(scene, web):
    scene.deployer().deploy(web(), OLD)
    written, seen = scene.journal.read("web"), scene.world.log
    scene.events.clear()
    report = scene.deployer().deploy(web(), OLD)
    assert (report.outcome, report.reason) == (Outcome.UNCHANGED, "1.0 runs already")
    assert scene.deployer().report("web", report.deployment).to_version == "1.0"  # what brought it
    with pytest.raises(ConfigurationError, match="web has no deployment web-2; the last on record: web-1"):
        scene.deployer().report("web", "web-2")
    assert (report.commands.count, report.stages) == (0, ())
    assert "0 found" not in str(report)  # two serve, and nobody counted them
    assert scene.journal.read("web") == written
    assert scene.world.log == seen
    assert [e.outcome for e in scene.events if isinstance(e, DeploymentEnded)] == [Outcome.UNCHANGED]


def test_a_restart_of_what_runs_already_is_a_deployment(scene, web):
    scene.deployer().deploy(web(), OLD)
    before = {one.id for one in scene.world.instances()}
    report = scene.deployer().deploy(web(), OLD, restart=True)
    assert report.outcome is Outcome.SUCCEEDED
    assert not before & {one.id for one in scene.world.instances()}
    assert scene.untidy(web(), "1.0") == []


# -- rolled back -------------------------------------------------------------------------------------------------------


def assert_rolled_back(error, scene, service):
    assert type(error) is DeploymentFailed
    assert error.report.outcome is Outcome.ROLLED_BACK
    assert str(error).startswith("web: 1.0 → 2.0 rolled back in ")
    assert plain(error.next_steps) == (
        "Running now: 3 x 1.0; serving: 3 x 1.0; traffic is safe (floor 3). Nothing needs to be done."
    )
    assert scene.untidy(service, "1.0") == []


def test_rolled_back_when_the_start_deadline_has_passed(error_of, scene, web):
    error = error_of(Release("2.0", Behaviour(never_ready=True)))
    assert error.report.reason == "web-4 was not ready and proven within 10 s: web-4.000004 is starting"
    assert_rolled_back(error, scene, web())


def test_rolled_back_long_before_the_start_deadline_when_it_ends_by_itself_again_and_again(error_of, scene, web):
    error = error_of(Release("2.0", Behaviour(crashes_after_s=0.5)))
    assert "ended by itself 4 times before it was proven" in error.report.reason
    (failed,) = [stage for stage in error.report.stages if stage.failed_s is not None]
    assert failed.failed_s - failed.entered_s < web().start_deadline_s
    assert_rolled_back(error, scene, web())


def test_rolled_back_when_an_instance_has_failed_its_gate_at_the_start_deadline(error_of, scene, web):
    error = error_of(SICK)
    assert "web-4.000004 is ready, " in error.report.reason
    assert "says that it is not healthy" in error.report.reason
    assert_rolled_back(error, scene, web())


def test_rolled_back_when_an_instance_has_had_all_the_time_that_its_gate_gives(error_of, scene, web):
    error = error_of(SICK, gate=HealthyGate(scene.world, deadline_s=3))
    assert error.report.reason.startswith("web-4.000004: ")
    assert "says that it is not healthy" in error.report.reason
    assert error.report.ended_s - error.report.started_s < web().start_deadline_s
    assert_rolled_back(error, scene, web())


def test_rolled_back_when_a_gate_of_a_stage_fails_under_traffic(error_of, scene, web):
    error = error_of(NEW, BlueGreen(keep_s=5, gates=[REFUSING]))
    assert error.report.reason == "gate errors below 1 % failed: returned False"
    assert [stage.title for stage in error.report.stages] == ["start green", "switch to green", "take back"]
    assert_rolled_back(error, scene, web())


def test_rolled_back_when_an_action_fails_and_nothing_was_touched(error_of, scene, web):
    error = error_of(NEW, Perform([FunctionAction(breaks, "backup")]) + RollingUpdate())
    assert error.report.reason == "action backup failed: OSError: disk full"
    assert error.report.commands.count == 0
    assert_rolled_back(error, scene, web())


def test_rolled_back_when_the_orchestrator_refuses_for_good(error_of, scene, web):
    error = error_of(NEW, faults=[Fault("launch", kind="permanent")])
    assert error.report.reason == "launch: refused"
    assert_rolled_back(error, scene, web())


def test_a_first_deployment_that_fails_is_rolled_back_to_nothing(scene, web):
    with pytest.raises(DeploymentFailed) as caught:
        scene.deployer().deploy(web(), SICK)
    assert caught.value.report.outcome is Outcome.ROLLED_BACK
    assert caught.value.next_steps.startswith("Running now: nothing; serving: none; ")
    assert scene.world.instances() == ()
    assert scene.world.registered("web") == ((), False)


# -- left as it is -----------------------------------------------------------------------------------------------------


def test_frozen_where_a_failure_says_so_and_a_person_goes_on_or_back(error_of, scene, web, serving):
    error = error_of(NEW, RollingUpdate(gates=[REFUSING], on_failure="freeze"))
    assert type(error) is DeploymentFailed
    assert error.report.outcome is Outcome.FROZEN
    assert error.report.reason == "gate errors below 1 % failed: returned False"
    assert "serving: 3 x 1.0, 1 x 2.0; traffic is safe (floor 3)." in plain(error.next_steps)
    assert "deployer.resume('web') goes on, or deployer.rollback('web') goes back" in plain(error.next_steps)
    assert serving() == {"1.0": 3, "2.0": 1}
    scene.deployer().rollback("web")
    assert scene.untidy(web(), "1.0") == []


def test_frozen_when_clearing_away_fails_and_the_new_version_goes_on_serving(error_of, scene, web, serving):
    error = error_of(NEW, faults=[Fault("retire", kind="permanent")])
    assert type(error) is DeploymentFailed
    assert error.report.outcome is Outcome.FROZEN
    assert error.report.reason == "2.0 serves, but clearing away: retire: refused"
    assert "Running now: 4 x 2.0; serving: 3 x 2.0; traffic is safe (floor 3)." in plain(error.next_steps)
    assert serving() == {"2.0": 3}
    scene.deployer().resume("web")
    assert scene.untidy(web(), "2.0") == []


def test_stuck_when_taking_it_back_fails_too_and_says_what_a_person_can_do(error_of, scene, web, serving):
    error = error_of(SICK, faults=[Fault("retire", kind="permanent")])
    assert type(error) is RollbackFailed
    assert error.report.outcome is Outcome.STUCK
    assert error.report.reason.startswith("web-4 was not ready and proven within 10 s: ")
    assert error.report.reason.endswith("; then taking it back: retire: refused")
    assert "Running now: 3 x 1.0, 1 x 2.0; serving: 3 x 1.0; traffic is safe (floor 3)." in plain(error.next_steps)
    assert "Mend what is in the way; then deployer.resume('web') takes it back." in plain(error.next_steps)
    assert serving() == {"1.0": 3}
    scene.deployer().resume("web")
    assert scene.untidy(web(), "1.0") == []


def test_interrupted_says_what_runs_now_and_the_calls_that_go_on(scene, web, serving):
    scene.deployer().deploy(web(), OLD)

    def interrupt(method, name):
        if scene.of_version("2.0"):
            scene.world.intercept = None
            raise KeyboardInterrupt

    scene.world.intercept = interrupt
    with pytest.raises(DeploymentInterrupted) as caught:
        scene.deployer().deploy(web(), NEW)
    error = caught.value
    assert error.report.outcome is Outcome.INTERRUPTED
    assert error.report.reason == "the deployer was told to stop"
    assert "Running now: 3 x 1.0, 1 x 2.0; serving: 3 x 1.0; traffic is safe (floor 3)." in plain(error.next_steps)
    assert "deployer.resume('web') goes on, and so does the same deploy call." in plain(error.next_steps)
    assert serving() == {"1.0": 3}
    sent = [event for event in scene.events if isinstance(event, CommandIntended)]
    assert sent == [event for event in scene.journal.read("web") if isinstance(event, CommandIntended)]
    scene.deployer().resume("web")
    assert scene.untidy(web(), "2.0") == []


def test_an_error_says_that_traffic_is_not_safe_when_it_is_not(error_of, scene):
    scene.after_s(3, lambda: [scene.world.mark(one.id, healthy=False) for one in scene.of_version("1.0")])
    scene.after_s(3, lambda: [scene.world.kill(one.id) for one in scene.of_version("1.0")])
    scene.world.restart_delay_s = 1_000
    error = error_of(SICK)
    assert "traffic is NOT safe (floor 3)" in plain(error.next_steps)


class Silent(InlineSampler):
    """Asks no gate."""

    def ask(self, ask):
        self.asked = ask


@pytest.mark.parametrize(
    ("sampler", "behaviour", "reason"),
    [
        (InlineSampler, Behaviour(healthy=False), "web-2.000002 is ready, gate is healthy: 10.0.0.2:8080 says that"),
        (Silent, Behaviour(), "web-2.000002 is ready, gate is healthy has not answered yet"),
    ],
)
def test_a_gate_that_keeps_a_release_out_is_named(sampler, behaviour, reason):
    world = MemoryWorld()
    deployer = Deployer.in_memory(world)
    deployer.deploy(Service("web"), OLD)
    deployer._around = evolve(deployer._around, make_sampler=sampler)
    with pytest.raises(DeploymentFailed) as failed:
        deployer.deploy(Service("web", floor=0), Release("2.0", behaviour))
    assert reason in failed.value.report.reason


def test_a_history_is_shown_as_its_lines():
    deployer = Deployer.in_memory(MemoryWorld())
    deployer.deploy(Service("web"), OLD)
    (deployment,) = deployer.history("web")
    assert repr(deployment) == f"<Deployment {deployment}>"
