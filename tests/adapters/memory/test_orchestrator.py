from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory import Behaviour, MemoryOrchestrator
from zdd.errors import ConfigurationError, LeaseLost, PermanentError
from zdd.interfaces import Fence
from zdd.model.cell import InstanceState
from zdd.model.service import Exposure, Service

READY, STOPPING = InstanceState.READY, InstanceState.STOPPING


def states(cell: Any) -> list[str]:
    return [instance.state.value for instance in cell.instances]


def test_an_instance_starts_and_gets_ready_after_its_time(stage: Any) -> None:
    stage.launch(2)
    assert states(stage.cell()) == ["starting", "starting"]
    assert stage.cell().instances[0].addresses == {}
    stage.pass_s(0.9)
    assert states(stage.cell()) == ["starting", "starting"]
    stage.pass_s(0.2)
    assert states(stage.cell()) == ["ready", "ready"]
    assert stage.cell().instances[0].since_s == stage.clock.now() - 0.1


def test_every_exposure_has_an_address_and_no_two_instances_share_one(stage: Any) -> None:
    stage.service = Service("web", exposures=(Exposure("http"), Exposure("admin", path="/admin")))
    stage.running(3)
    addresses = [address for i in stage.cell().instances for address in i.addresses.values()]
    assert len(set(addresses)) == 6
    assert list(stage.cell().instances[0].addresses) == ["http", "admin"]


def test_launching_twice_is_the_same_as_once(stage: Any) -> None:
    stage.running(2)
    before = stage.cells()
    stage.launch(2)
    assert stage.cells() == before


def test_a_cell_of_another_revision_is_not_launched_over(stage: Any) -> None:
    stage.running(2)
    before = stage.cells()
    with pytest.raises(PermanentError, match=r"exists with revision r-1\.0"):
        stage.launch(2, version="2.0")
    assert stage.cells() == before


def test_scaling_restarts_nothing_and_its_victims_are_the_oldest(stage: Any) -> None:
    stage.running(2)
    old = [instance.id for instance in stage.cell().instances]
    stage.scale(3)
    assert [instance.id for instance in stage.cell().instances][:2] == old
    stage.pass_s(5)
    stage.scale(1)
    assert states(stage.cell()) == ["stopping", "stopping", "ready"]
    stage.pass_s(5)
    assert len(stage.cell().instances) == 1


def test_a_change_stops_all_old_ones_and_starts_new_ones_at_once(stage: Any) -> None:
    stage.running(2)
    stage.change("2.0", 3)
    cell = stage.cell()
    assert (cell.revision, cell.replicas) == ("r-2.0", 3)
    assert [i.state.value for i in cell.instances if i.revision == "r-1.0"] == ["stopping"] * 2
    assert [i.state.value for i in cell.instances if i.revision == "r-2.0"] == ["starting"] * 3
    stage.change("2.0", 3)
    assert len(stage.cell().instances) == 5
    stage.pass_s(5)
    assert states(stage.cell()) == ["ready"] * 3


@pytest.mark.parametrize("command", ["change", "scale"])
def test_a_cell_that_does_not_exist_can_not_be_changed_or_scaled(stage: Any, command: str) -> None:
    with pytest.raises(PermanentError, match="launch it first"):
        stage.change("2.0") if command == "change" else stage.scale(2)


def test_a_retired_cell_is_listed_until_its_last_instance_has_gone(stage: Any) -> None:
    stage.running(2)
    stage.retire()
    stage.retire()
    assert (stage.cell().replicas, states(stage.cell())) == (0, ["stopping", "stopping"])
    stage.pass_s(0.6)
    assert stage.cells() == ()
    stage.retire()
    assert stage.cells() == ()


def test_the_record_of_a_retired_cell_is_left_until_it_is_put_right_or_launched_again(stage: Any) -> None:
    def tidy(token: int = 1) -> bool:
        return stage.orchestrator.tidy(stage.service, Fence(token, "me"))

    stage.running(1)
    stage.running(1, cell="b")
    stage.retire()
    stage.retire("b")
    assert not tidy()  # later, when they have gone
    stage.pass_s(0.6)
    assert stage.world.cells.left("web") == ("a", "b")
    stage.launch(1, cell="b")
    assert stage.world.cells.left("web") == ("a",)
    stage.orchestrator.claim(stage.service, Fence(7, "newer"))
    with pytest.raises(LeaseLost, match="newer"):
        tidy()
    assert tidy(token=7)
    assert stage.world.cells.left("web") == ()
    assert [cell.name for cell in stage.cells()] == ["b"]
    assert tidy()  # nothing is left, so nobody asks whose turn it is


def test_an_instance_that_does_not_want_to_stop_is_stopped_by_force_after_the_grace_time(make_stage: Any) -> None:
    stage = make_stage(Behaviour(stop_s=600.0))
    stage.running(1)
    stage.retire()
    stage.pass_s(stage.service.stop_grace_s - 1)
    assert states(stage.cell()) == ["stopping"]
    stage.pass_s(1.1)
    assert stage.cells() == ()


def test_a_cell_that_is_launched_again_while_it_goes_stays(stage: Any) -> None:
    stage.running(1)
    stage.retire()
    stage.launch(1)
    stage.pass_s(5)
    assert states(stage.cell()) == ["ready"]


def test_one_that_never_gets_ready_stays_starting(make_stage: Any) -> None:
    stage = make_stage(Behaviour(never_ready=True))
    stage.launch(1)
    stage.pass_s(600)
    assert states(stage.cell()) == ["starting"]


def test_one_that_crashes_is_replaced_under_a_new_id_that_counts_its_predecessors(make_stage: Any) -> None:
    stage = make_stage(Behaviour(crashes_after_s=3.0), restart_delay_s=2.0)
    stage.launch(1)
    first = stage.cell().instances[0].id
    stage.pass_s(3.1)
    assert stage.cell().instances == ()
    assert stage.cell().replicas == 1
    stage.pass_s(2.0)
    second = stage.cell().instances[0]
    assert (second.id != first, second.restarts) == (True, 1)
    stage.pass_s(5.0)
    assert stage.cell().instances[0].restarts == 2


def test_one_that_fails_is_listed_as_failed_and_goes_on_running(make_stage: Any) -> None:
    stage = make_stage(Behaviour(fails_after_s=3.0))
    stage.launch(1)
    stage.pass_s(3.1)
    assert states(stage.cell()) == ["failed"]
    assert stage.world.instances()[0].exists


def test_an_old_fence_is_refused_and_changes_nothing(stage: Any) -> None:
    stage.running(1)
    stage.orchestrator.claim(stage.service, Fence(7, "newer"))
    before = stage.cells()
    for act in (
        lambda: stage.launch(3),
        lambda: stage.launch(1, cell="b"),
        lambda: stage.scale(3),
        lambda: stage.change("2.0"),
        lambda: stage.retire(),
        lambda: stage.orchestrator.claim(stage.service, Fence(6, "older")),
    ):
        with pytest.raises(LeaseLost, match="newer"):
            act()
    assert stage.cells() == before
    stage.retire(fence=Fence(8, "newest"))


def test_a_fence_of_one_service_says_nothing_of_another(stage: Any) -> None:
    stage.orchestrator.claim(Service("other"), Fence(7, "newer"))
    stage.launch(1)
    assert len(stage.cell().instances) == 1


def test_check_names_what_a_workload_lacks(stage: Any) -> None:
    stage.orchestrator.check(stage.service, Behaviour().specification())
    with pytest.raises(ConfigurationError, match="does not say its kind"):
        stage.orchestrator.check(stage.service, {})
    with pytest.raises(ConfigurationError, match="no 'startup'"):
        stage.orchestrator.check(stage.service, {"kind": "memory", "startup": 3})


def test_a_watch_wakes_when_something_happens_until_it_is_ended(stage: Any) -> None:
    wakes: list[float] = []
    end = stage.orchestrator.watch(stage.service, lambda: wakes.append(stage.clock.now()))
    stage.launch(1)
    stage.pass_s(2)
    assert len(wakes) == 1
    end()
    end()
    stage.retire()
    stage.pass_s(2)
    assert len(wakes) == 1


def test_a_deployer_that_looks_through_another_object_sees_the_same(stage: Any) -> None:
    stage.running(2)
    assert MemoryOrchestrator(stage.world).observe(stage.service) == stage.cells()


def test_a_stale_list_shows_what_was(stage: Any) -> None:
    stage.running(1)
    before = stage.cells()
    stage.world.freeze_lists()
    stage.retire()
    stage.pass_s(5)
    assert stage.cells() == before
    stage.world.thaw_lists()
    assert stage.cells() == ()
