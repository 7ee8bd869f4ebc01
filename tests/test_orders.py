"""What a deployment that is under way is told, and that it obeys."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, HealthyGate
from zdd.errors import ConfigurationError, DeploymentFailed, DeploymentInProgress, DeploymentInterrupted
from zdd.events import DeploymentStarted, Ordered, Outcome, StageEntered, StagePassed
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Direction, OnFailure
from zdd.model.release import Release
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW = Release("1.0", Behaviour()), Release("2.0", Behaviour())
SLOW = Canary((50, 100), hold_s=60)


def ctrl_c():
    raise KeyboardInterrupt


def after_entering(scene, stage, happens):
    """Return a listener that lets something happen 3 seconds after this stage was entered going forward."""

    def listen(event):
        if isinstance(event, StageEntered) and (event.stage, event.direction) == (stage, Direction.FORWARD):
            scene.after_s(3, happens)

    return listen


def heeded(scene):
    return [(event.order.kind.value, event.note) for event in scene.events if isinstance(event, Ordered)]


def test_a_paused_deployment_passes_no_stage_until_it_is_resumed_and_outlives_its_deadline(scene, web):
    scene.deployer().deploy(web(), OLD)
    other, began_s = scene.deployer(), scene.world.clock.now()
    scene.after_s(400, lambda: other.resume("web"))
    report = scene.deployer(None, after_entering(scene, 0, lambda: other.pause("web"))).deploy(web(), NEW, SLOW)
    assert report.outcome is Outcome.SUCCEEDED
    passed_s = [event.at_s - began_s for event in report.events if isinstance(event, StagePassed)]
    assert report.events[0].plan.stages[0].deadline_s < 300
    assert 400 <= passed_s[0] <= 401
    assert heeded(scene) == [("pause", ""), ("resume", "")]
    assert scene.untidy(web(), "2.0") == []


def test_what_the_stage_has_begun_is_finished_while_it_is_paused(scene, web):
    scene.deployer().deploy(web(), OLD)
    other, seen = scene.deployer(), []
    scene.after_s(0.6, lambda: other.pause("web"))
    scene.after_s(100, lambda: seen.extend(one.version for one in scene.world.serving("web")))
    scene.after_s(101, lambda: other.resume("web"))
    scene.deployer().deploy(web(), NEW, SLOW)
    assert len(seen) >= 3
    assert set(seen) == {"1.0", "2.0"}


def test_a_stage_that_can_not_get_there_fails_at_its_deadline_even_if_it_is_paused(scene, web):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()
    scene.after_s(1, lambda: other.pause("web"))
    with pytest.raises(DeploymentFailed, match="rolled back"):
        scene.deployer().deploy(web(), Release("2.0", Behaviour(healthy=False)), SLOW)
    assert scene.untidy(web(), "1.0") == []


def test_a_gate_that_fails_takes_a_paused_deployment_back(scene, web):
    scene.deployer().deploy(web(), OLD)
    other, began_s = scene.deployer(), scene.world.clock.now()
    scene.after_s(300, lambda: [scene.world.mark(one.id, healthy=False) for one in scene.of_version("2.0")])
    deployer = scene.deployer(None, after_entering(scene, 0, lambda: other.pause("web")))
    with pytest.raises(DeploymentFailed, match="rolled back") as failure:
        deployer.deploy(web(), NEW, Canary((50, 100), hold_s=60, gates=[HealthyGate(scene.world)]))
    assert 300 <= failure.value.report.ended_s - began_s < 320
    assert scene.untidy(web(), "1.0") == []


def test_the_lease_of_a_paused_deployment_is_kept(scene, web):
    scene.deployer().deploy(web(), OLD)
    other, refused = scene.deployer(), []

    def deploy_too():
        with pytest.raises(DeploymentInProgress) as refusal:
            other.deploy(web(), Release("3.0", Behaviour()))
        refused.append(refusal.value)

    scene.after_s(3, lambda: other.pause("web"))
    scene.after_s(100, deploy_too)
    scene.after_s(101, lambda: other.resume("web"))
    scene.deployer().deploy(web(), NEW, SLOW)
    assert len(refused) == 1


def test_promoting_skips_the_rest_of_this_stage_only(scene, web):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()
    promote = after_entering(scene, 0, lambda: (other.promote("web"), other.promote("web")))
    report = scene.deployer(None, promote).deploy(web(), NEW, Canary((25, 50, 100), hold_s=60))
    first, second = report.stages[:2]
    assert first.passed_s - first.entered_s < 5
    assert second.passed_s - second.entered_s > 60
    assert heeded(scene) == [("promote", "")]


def test_promoting_does_not_get_past_a_gate(scene, web):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()
    scene.after_s(1, lambda: other.promote("web"))
    bad = Release("2.0", Behaviour(errors_under_traffic=True))
    with pytest.raises(DeploymentFailed, match="not healthy"):
        scene.deployer().deploy(web(), bad, Canary((50, 100), hold_s=60, gates=[HealthyGate(scene.world)]))
    assert heeded(scene) == [("promote", "")]
    assert scene.untidy(web(), "1.0") == []


def test_a_promotion_that_comes_late_does_not_reach_the_next_stage(scene, web):
    scene.deployer().deploy(web(), OLD)
    deployer = scene.deployer()

    def late():
        deployment = deployer.history("web")[-1].id
        scene.control.send("web", Order(OrderKind.PROMOTE, deployment, "ana@host:1", scene.world.clock.now(), stage=0))

    report = scene.deployer(None, after_entering(scene, 1, late)).deploy(web(), NEW, Canary((25, 50, 100), hold_s=60))
    assert report.stages[1].passed_s - report.stages[1].entered_s > 60
    assert heeded(scene) == [("promote", "stage 1, which it was for, is not under way")]


@pytest.mark.parametrize("strategy", [SLOW, RollingUpdate(hold_s=60), BlueGreen(keep_s=60)], ids=str)
def test_an_aborted_deployment_is_taken_back_and_says_who_did_it(scene, web, strategy):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()
    scene.after_s(20, lambda: (other.abort("web"), other.abort("web")))
    with pytest.raises(DeploymentFailed) as failure:
        scene.deployer().deploy(web(), NEW, strategy)
    assert failure.value.report.outcome is Outcome.ROLLED_BACK
    assert failure.value.report.reason.startswith(f"aborted by {other._actor} at ")
    assert failure.value.report.seconds < 40
    assert heeded(scene) == [("abort", "")]
    assert scene.untidy(web(), "1.0") == []


def test_a_paused_deployment_can_be_aborted(scene, web):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()
    scene.after_s(10, lambda: other.pause("web"))
    scene.after_s(20, lambda: other.abort("web"))
    with pytest.raises(DeploymentFailed, match="aborted by"):
        scene.deployer().deploy(web(), NEW, SLOW)
    assert scene.untidy(web(), "1.0") == []


def test_aborting_a_stage_that_must_not_be_taken_back_freezes_it(scene, web):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()
    scene.after_s(20, lambda: other.abort("web"))
    with pytest.raises(DeploymentFailed) as failure:
        scene.deployer().deploy(web(), NEW, Canary((50, 100), hold_s=60, on_failure=OnFailure.FREEZE))
    assert failure.value.report.outcome is Outcome.FROZEN
    assert "aborted by" in failure.value.report.reason


@pytest.mark.parametrize("order", ["pause", "promote", "abort"])
def test_where_nothing_runs_an_order_is_refused_and_says_what_can_be_done(scene, web, order):
    with pytest.raises(ConfigurationError, match="it was never deployed"):
        getattr(scene.deployer(), order)("web")
    scene.deployer().deploy(web(), OLD)
    with pytest.raises(ConfigurationError, match=r"succeeded at [^;]*$"):
        getattr(scene.deployer(), order)("web")
    scene.deployer().deploy(web(), NEW)
    with pytest.raises(ConfigurationError, match=r"succeeded at .*; deployer.rollback\('web'\) goes back$"):
        getattr(scene.deployer(), order)("web")


@pytest.mark.parametrize("order", ["pause", "promote", "abort"])
def test_what_was_taken_back_already_is_not_to_be_rolled_back_once_more(scene, web, order):
    scene.deployer().deploy(web(), OLD)
    scene.after_s(20, lambda: scene.deployer().abort("web"))
    with pytest.raises(DeploymentFailed):
        scene.deployer().deploy(web(), NEW, SLOW)
    with pytest.raises(
        ConfigurationError, match=r"rolled back at .*; 1\.0 serves as before, and nothing needs to be done$"
    ):
        getattr(scene.deployer(), order)("web")


def test_a_deployment_that_has_lost_its_deployer_takes_no_orders(scene, web, killed):
    scene.deployer().deploy(web(), OLD)
    with scene.ended_at_call(40, killed), pytest.raises(killed):
        scene.deployer().deploy(web(), NEW, SLOW)
    scene.pass_s(16)
    with pytest.raises(ConfigurationError, match=r"no end on record.*resume\('web'\) goes on with it"):
        scene.deployer().pause("web")


def test_one_that_is_being_taken_back_takes_no_orders(scene, web):
    scene.deployer().deploy(web(), OLD)
    other, refused = scene.deployer(), []

    def listen(event):
        if isinstance(event, DeploymentStarted) and event.plan.direction is Direction.BACK:
            for kind in ("pause", "promote", "abort", "resume"):
                error = DeploymentInProgress if kind == "resume" else ConfigurationError
                with pytest.raises(error) as refusal:
                    getattr(other, kind)("web")
                refused.append(str(refusal.value))

    scene.after_s(20, lambda: other.abort("web"))
    with pytest.raises(DeploymentFailed):
        scene.deployer(None, listen).deploy(web(), NEW, SLOW)
    assert len(refused) == 4
    assert all("is being taken back" in text for text in refused)


def test_resume_of_one_that_runs_and_is_not_paused_is_refused_with_who_runs_it(scene, web):
    scene.deployer().deploy(web(), OLD)
    other, refused = scene.deployer(), []

    def resume():
        with pytest.raises(DeploymentInProgress, match="is not paused") as refusal:
            other.resume("web")
        refused.append(refusal.value.holder)

    scene.after_s(10, resume)
    scene.deployer().deploy(web(), NEW, SLOW)
    assert refused == [other._actor]


def test_an_order_reaches_no_later_deployment(scene, web):
    scene.deployer().deploy(web(), OLD)
    first = scene.deployer().history("web")[-1].id
    scene.control.send("web", Order(OrderKind.ABORT, first, "ana@host:1", scene.world.clock.now()))
    assert scene.deployer().deploy(web(), NEW).outcome is Outcome.SUCCEEDED
    assert heeded(scene) == []


@pytest.mark.parametrize("end", ["ctrl-c", "kill -9"])
def test_a_pause_outlives_the_deployer(scene, web, killed, end):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()

    def stop():
        scene.process.killed = end == "kill -9"
        raise killed if end == "kill -9" else KeyboardInterrupt

    scene.after_s(30, lambda: other.pause("web"))
    scene.after_s(50, stop)
    with pytest.raises((killed, DeploymentInterrupted)):
        scene.deployer().deploy(web(), NEW, RollingUpdate(1, hold_s=20))
    scene.pass_s(16)
    before = sorted((one.id, one.version) for one in scene.world.instances())
    assert {version for _, version in before} == {"1.0", "2.0"}
    later = []
    scene.after_s(300, lambda: later.extend(sorted((one.id, one.version) for one in scene.world.instances())))
    scene.after_s(301, lambda: other.resume("web"))
    report = scene.deployer().resume("web")
    assert later == before
    assert report.outcome is Outcome.SUCCEEDED
    assert heeded(scene) == [("pause", ""), ("pause", ""), ("resume", "")]
    assert scene.untidy(web(), "2.0") == []


def test_a_singleton_that_is_resumed_while_it_is_paused_comes_up_before_it_stays_as_it_is(scene, web):
    service = web(replicas=1, cells=1, overlap="forbidden")
    scene.deployer().deploy(service, OLD)
    other, serving = scene.deployer(), []
    scene.after_s(0.3, lambda: other.pause("web"))
    scene.after_s(1.2, ctrl_c)
    with pytest.raises(DeploymentInterrupted):
        scene.deployer().deploy(service, NEW, Recreate())
    scene.after_s(60, lambda: serving.extend(one.version for one in scene.world.serving("web")))
    scene.after_s(61, lambda: other.resume("web"))
    scene.deployer().resume("web")
    assert serving == ["2.0"]
    assert scene.untidy(service, "2.0") == []


def test_another_release_is_not_held_up_by_the_pause_of_the_one_that_it_supersedes(scene, web):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()
    scene.after_s(10, lambda: other.pause("web"))
    scene.after_s(20, ctrl_c)
    with pytest.raises(DeploymentInterrupted):
        scene.deployer().deploy(web(), NEW, SLOW)
    assert scene.deployer().deploy(web(), Release("3.0", Behaviour())).outcome is Outcome.SUCCEEDED


def test_an_abort_that_nobody_heeded_any_more_is_heeded_by_the_one_who_resumes(scene, web, killed):
    scene.deployer().deploy(web(), OLD)
    other = scene.deployer()

    def order_and_die():
        other.abort("web")
        scene.process.killed = True
        raise killed

    scene.after_s(20, order_and_die)
    with pytest.raises(killed):
        scene.deployer().deploy(web(), NEW, SLOW)
    scene.pass_s(16)
    report = scene.deployer().resume("web")
    assert report.outcome is Outcome.ROLLED_BACK
    assert "aborted by" in report.reason
    assert scene.untidy(web(), "1.0") == []
