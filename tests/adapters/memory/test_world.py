from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory import Behaviour, Blame, Entry, Fault, FaultKind, What
from zdd.errors import OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.cell import InstanceState
from zdd.model.traffic import Registration


def losses(stage: Any) -> list[tuple[str, int, Blame | None, bool]]:
    return [(entry.instance, entry.requests, entry.blame, entry.announced) for entry in stage.world.lost()]


# -- lost requests -----------------------------------------------------------------------------------------------------


def test_a_polite_end_loses_nothing(stage: Any) -> None:
    one, two = stage.serving(2)
    stage.launch(1, cell="b")
    stage.pass_s(5)
    (three,) = [i for i in stage.world.instances() if i.cell == "b"]
    stage.world.register_by_hand(
        "web",
        tuple(
            Registration(i.id, i.cell, i.revision, "", i.addresses, 1 if i is three else 0) for i in (one, two, three)
        ),
    )
    stage.pass_s(5)
    stage.retire()
    stage.pass_s(5)
    assert stage.world.lost() == ()
    assert stage.world.instances() == (three,)


def test_stopping_one_that_is_sent_requests_is_the_commands_fault(stage: Any) -> None:
    (one,) = stage.serving()
    stage.retire("a", one.id)
    assert losses(stage) == [(one.id, 3, Blame.STOPPED_BY_COMMAND, False)]


def test_cutting_what_is_in_flight_after_announcing_it_is_on_record(make_stage: Any) -> None:
    stage = make_stage(Behaviour(long_connections=1))
    one, two = stage.serving(2)
    stage.world.register_by_hand("web", tuple(
        Registration(i.id, i.cell, i.revision, "", i.addresses, 0) for i in (one, two)))  # fmt: skip
    stage.pass_s(60)
    stage.retire("a", one.id)
    lost = stage.world.lost(Blame.STOPPED_BY_COMMAND)
    assert [(entry.instance, entry.requests, entry.announced) for entry in lost] == [
        (one.id, 1, True),
        (two.id, 1, False),
    ]
    assert stage.world.lost(Blame.STOPPED_BY_COMMAND, announced=False) == lost[1:]


def test_a_loss_says_for_how_long_the_edge_had_let_go_of_the_instance(make_stage: Any) -> None:
    stage = make_stage(Behaviour(long_connections=1), edge_lag_s=0.0)
    one, two = stage.serving(2)
    stage.route(100, two)
    stage.pass_s(30)
    stage.change("2.0")
    lost = stage.world.lost(Blame.STOPPED_BY_COMMAND)
    assert [(entry.instance, entry.requests, entry.out_for_s) for entry in lost] == [
        (one.id, 1, 30.0),
        (two.id, 4, None),
    ]


@pytest.mark.parametrize("command", ["change", "scale"])
def test_change_and_scale_are_to_blame_as_well(stage: Any, command: str) -> None:
    (one,) = stage.serving()
    stage.change("2.0") if command == "change" else stage.scale(0)
    assert losses(stage) == [(one.id, 3, Blame.STOPPED_BY_COMMAND, False)]


def test_a_crash_a_kill_and_a_person_are_the_worlds_fault(stage: Any) -> None:
    one, two = stage.serving(2)
    stage.world.kill(one.id)
    stage.world.kill(one.id)
    stage.world.scale_by_hand("web", "a", 0)
    assert losses(stage) == [(one.id, 3, Blame.WORLD, False), (two.id, 3, Blame.WORLD, False)]


def test_leading_an_edge_to_one_that_is_not_ready_is_the_routes_fault(stage: Any) -> None:
    stage.launch(1)
    (one,) = stage.world.instances()
    stage.route(100, one)
    stage.pass_s(0.2)
    assert losses(stage) == [(one.id, 1, Blame.ROUTED_BY_COMMAND, False)]
    stage.pass_s(5)
    assert stage.world.in_flight(one) == 2


def test_leading_an_edge_to_one_that_was_stopped_is_the_commands_fault(stage: Any) -> None:
    (one,) = stage.running(1)
    stage.retire()
    stage.pass_s(60)
    stage.route(100, one)
    stage.pass_s(5)
    assert losses(stage) == [(one.id, 1, Blame.STOPPED_BY_COMMAND, False)]


def test_leading_an_edge_to_nowhere_is_the_routes_fault(stage: Any) -> None:
    (one,) = stage.running(1)
    one.addresses = {"http": Address("10.9.9.9", 1)}
    stage.route(100, one)
    stage.pass_s(5)
    assert losses(stage) == [("", 1, Blame.ROUTED_BY_COMMAND, False)]


# -- what truly is -----------------------------------------------------------------------------------------------------


def test_an_observer_sees_the_world_as_it_is_in_the_moment_of_every_entry(stage: Any) -> None:
    served: list[tuple[What, int]] = []
    end = stage.world.observe_changes(lambda entry: served.append((entry.what, len(stage.world.serving("web")))))
    one, _two = stage.serving(2)
    stage.world.mark(one.id, healthy=False)
    assert served[-3:] == [(What.SENDING, 1), (What.SENDING, 2), (What.HEALTH, 1)]
    end()
    stage.retire()
    assert served[-1] == (What.HEALTH, 1)


def test_the_same_calls_give_the_same_history(make_stage: Any) -> None:
    def play() -> tuple[Entry, ...]:
        stage = make_stage(Behaviour(crashes_after_s=7.0))
        stage.serving(3)
        stage.change("2.0", 2)
        stage.pass_s(60)
        return stage.world.log

    history = play()
    assert len(history) > 20
    assert history == play()


def test_every_entry_has_its_time_in_order(stage: Any) -> None:
    stage.serving(2)
    stage.retire()
    stage.pass_s(60)
    times = [entry.at_s for entry in stage.world.log]
    assert times == sorted(times)
    assert [e.what for e in stage.world.log if e.instance][-1] is What.GONE


def test_the_instances_of_one_service_are_its_own(stage: Any) -> None:
    stage.running(2)
    assert len(stage.world.instances("web")) == 2
    assert stage.world.instances("other") == ()


# -- behaviours --------------------------------------------------------------------------------------------------------


def test_what_was_set_for_a_version_comes_before_what_its_workload_says(stage: Any) -> None:
    workload = Behaviour(startup_s=5.0).specification()
    assert stage.world.behaviour_of("1.0", workload).startup_s == 5.0
    stage.world.set_behaviour("1.0", Behaviour(startup_s=9.0))
    assert stage.world.behaviour_of("1.0", workload).startup_s == 9.0
    assert stage.world.behaviour_of("2.0", {"kind": "process"}).startup_s == 1.0


def test_health_is_what_a_gate_would_see(make_stage: Any) -> None:
    stage = make_stage(Behaviour(errors_under_traffic=True))
    stage.launch(1)
    (one,) = stage.world.instances()
    address = one.addresses["http"]
    assert "nothing listens" in stage.world.health_at(address).reason
    stage.pass_s(2)
    assert stage.world.health_at(address).healthy
    stage.route(1, one)
    stage.pass_s(2)
    assert "not healthy" in stage.world.health_at(address).reason
    stage.world.mark(one.id, hangs=True)
    assert "no answer" in stage.world.health_at(address).reason


# -- people and faults -------------------------------------------------------------------------------------------------


def test_an_instance_that_does_not_exist_can_not_be_marked(stage: Any) -> None:
    (one,) = stage.running(1)
    with pytest.raises(KeyError, match=f"there are: {one.id}"):
        stage.world.mark("web.9", healthy=False)


def test_a_person_scales_and_marks_behind_the_deployers_back(stage: Any) -> None:
    (one,) = stage.running(1)
    wakes: list[int] = []
    stage.orchestrator.watch(stage.service, lambda: wakes.append(1))
    stage.world.scale_by_hand("web", "a", 2)
    stage.world.mark_failed(one.id, "out of memory")
    assert [(i.state, i.note) for i in stage.cell().instances] == [
        (InstanceState.FAILED, "out of memory"),
        (InstanceState.STARTING, ""),
    ]
    assert len(wakes) == 2


@pytest.mark.parametrize(("kind", "error"), [("temporary", TemporaryError), ("permanent", PermanentError)])
def test_a_call_that_fails_changes_nothing_and_the_next_one_works(stage: Any, kind: str, error: type) -> None:
    stage.world.add_fault(Fault("launch", kind))
    with pytest.raises(error):
        stage.launch(1)
    assert stage.cells() == ()
    stage.launch(1)
    assert len(stage.cells()) == 1


def test_an_unanswered_command_may_not_have_been_applied(stage: Any) -> None:
    stage.world.add_fault(Fault("launch", FaultKind.UNKNOWN, settles_within_s=7.0))
    with pytest.raises(OutcomeUnknown) as caught:
        stage.launch(1)
    assert caught.value.settles_within_s == 7.0
    stage.pass_s(60)
    assert stage.cells() == ()


def test_an_unanswered_command_may_have_been_applied_at_once_or_late(stage: Any) -> None:
    stage.world.add_fault(Fault("launch", "unknown", applied_after_s=0.0))
    with pytest.raises(OutcomeUnknown):
        stage.launch(1)
    assert len(stage.cells()) == 1
    stage.world.add_fault(Fault("retire", "unknown", applied_after_s=6.0))
    with pytest.raises(OutcomeUnknown):
        stage.retire()
    stage.pass_s(5)
    assert stage.cell().replicas == 1
    stage.pass_s(5)
    assert stage.cells() == ()


def test_a_late_command_of_a_deployer_that_lost_its_lease_is_refused(stage: Any) -> None:
    stage.running(1)
    stage.world.add_fault(Fault("retire", "unknown", applied_after_s=6.0))
    with pytest.raises(OutcomeUnknown):
        stage.retire()
    stage.orchestrator.claim(stage.service, Fence(9, "newer"))
    stage.pass_s(10)
    assert stage.cell().replicas == 1


def test_faults_hit_the_calls_that_they_name_as_often_as_they_say(stage: Any) -> None:
    stage.world.add_fault(Fault("observe", service="other"))
    stage.world.add_fault(Fault("registrations"), times=2)
    assert stage.cells() == ()
    for _ in range(2):
        with pytest.raises(TemporaryError, match="registrations: not now"):
            stage.discovery.registrations(stage.service)
    assert stage.discovery.registrations(stage.service) == ((), False)


def test_intercept_chooses_faults_by_a_rule_of_the_users(stage: Any) -> None:
    calls: list[tuple[str, str]] = []

    def intercept(method: str, service: str) -> Fault | None:
        calls.append((method, service))
        return Fault() if method == "apply" else None

    stage.world.intercept = intercept
    with pytest.raises(TemporaryError):
        stage.route(1)
    stage.cells()
    stage.view()
    assert calls == [("apply", "web"), ("observe", "web"), ("view", "web")]
