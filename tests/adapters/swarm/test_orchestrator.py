"""What an operator's own services go through, on a real swarm."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.errors import ConfigurationError, LeaseLost, OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.release import Revision
from zdd.model.service import Service

ONE = Fence(1, "first deployer")
PUBLISHED = ("--publish", "mode=host,target=8080")


def new(workload: dict[str, Any], number: int = 1) -> Revision:
    return Revision(f"r-{number}", f"{number}.0", workload)


def found(cell: Cell) -> Revision:
    """The revision of a service that zdd did not make, as a deployer knows it: by its id alone."""
    return Revision(cell.revision, "unknown", {})


def one_cell(orchestrator: SwarmOrchestrator, service: Service) -> Cell:
    (cell,) = orchestrator.observe(service)
    return cell


def ready(orchestrator: SwarmOrchestrator, service: Service, cell: str = "web") -> list[Instance]:
    cells = {one.name: one for one in orchestrator.observe(service)}
    instances = cells[cell].instances if cell in cells else ()
    complete = cell in cells and len(instances) == cells[cell].replicas
    return list(instances) if complete and all(one.state is InstanceState.READY for one in instances) else []


# -- somebody else writes ----------------------------------------------------------------------------------------------


@pytest.fixture
def in_between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Let something happen once, between the moment when a service was read and the one when it is written."""

    def arrange(act: Callable[[], None]) -> None:
        write = Engine.update_service
        waiting = [act]

        def update(engine: Engine, *arguments: Any) -> None:
            if waiting:
                waiting.pop()()
            write(engine, *arguments)

        monkeypatch.setattr(Engine, "update_service", update)

    return arrange


@pytest.fixture
def running(swarm: Any, orchestrator: SwarmOrchestrator, service: Service, wait_until: Callable[..., Any]) -> Revision:
    revision = new(swarm.workload())
    orchestrator.claim(service, ONE)
    orchestrator.launch(service, revision, Launch("web", revision.id, 1), ONE)
    wait_until(lambda: ready(orchestrator, service), "it runs")
    return revision


def test_a_change_by_hand_in_between_is_told_and_kept(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, running: Revision, in_between: Callable[..., None]
) -> None:
    in_between(lambda: swarm.client("service", "update", "--detach", "--label-add", "owner=me", "web"))
    with pytest.raises(TemporaryError, match=r"web was changed by somebody else at .*Labels.owner was null and is"):
        orchestrator.scale(service, running, Scale("web", 2), ONE)
    assert swarm.spec("web")["Mode"]["Replicated"]["Replicas"] == 1
    orchestrator.scale(service, running, Scale("web", 2), ONE)
    assert swarm.spec("web")["Labels"]["owner"] == "me"


def test_a_change_of_which_the_first_half_was_done_does_not_say_that_nothing_was_changed(
    swarm: Any,
    orchestrator: SwarmOrchestrator,
    service: Service,
    running: Revision,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: Callable[..., Any],
) -> None:
    write, written = Engine.update_service, []

    def update(engine: Engine, *arguments: Any) -> None:
        written.append(arguments)
        if len(written) == 2:
            swarm.client("service", "update", "--detach", "--label-add", "owner=me", "web")
        write(engine, *arguments)

    monkeypatch.setattr(Engine, "update_service", update)
    other = new(swarm.workload(), 2)
    with pytest.raises(
        OutcomeUnknown, match="the tasks of web were told to stop, but then: web was changed by somebody"
    ):
        orchestrator.change(service, other, Change("web", other.id, 1), ONE)
    assert one_cell(orchestrator, service).replicas == 0
    orchestrator.change(service, other, Change("web", other.id, 1), ONE)
    wait_until(lambda: [one.revision for one in ready(orchestrator, service)] == [other.id], "it runs")


def test_a_version_that_grows_without_a_change_is_no_conflict(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, running: Revision, in_between: Callable[..., None]
) -> None:
    def touch() -> None:
        seen = swarm.api.inspect_service("web")
        spec = seen["Spec"]
        swarm.api.update_service(
            seen["ID"], seen["Version"]["Index"], task_template=spec["TaskTemplate"], name="web",
            labels=spec["Labels"], mode=spec["Mode"], endpoint_spec=spec["EndpointSpec"], fetch_current_spec=False,
        )  # fmt: skip

    in_between(touch)
    orchestrator.scale(service, running, Scale("web", 2), ONE)
    assert one_cell(orchestrator, service).replicas == 2


def test_a_write_that_was_decided_before_a_claim_is_refused_after_it(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, running: Revision, in_between: Callable[..., None]
) -> None:
    def claim() -> None:
        with contextlib.closing(swarm.orchestrator()) as later:
            later.claim(service, Fence(5, "later deployer"))

    in_between(claim)
    with pytest.raises(LeaseLost, match="token 5, ours is 1"):
        orchestrator.retire(service, Retire("web"), ONE)
    assert one_cell(orchestrator, service).replicas == 1


def test_a_name_that_somebody_else_has_is_refused(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service
) -> None:
    swarm.run("web-2", 1)
    revision = new(swarm.workload())
    with pytest.raises(PermanentError, match="web-2 already exists"):
        orchestrator.launch(service, revision, Launch("web-2", revision.id, 1), ONE)
    assert orchestrator.observe(service) == ()
    orchestrator.retire(service, Retire("web-2"), ONE)
    assert swarm.tasks("web-2")


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_what_never_gets_healthy_says_so(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, wait_until: Callable[..., Any]
) -> None:
    health = {"Test": ["CMD", "/bin/false-that-is-not-there"], "Interval": 100_000_000, "Retries": 1}
    template = {"ContainerSpec": {"Healthcheck": health}, "RestartPolicy": {"Delay": 100_000_000}}
    release = new(swarm.workload(service_spec={"TaskTemplate": template}))
    orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)

    def told() -> list[Instance]:
        instances = one_cell(orchestrator, service).instances
        assert all(one.state is not InstanceState.READY for one in instances)
        return [one for one in instances if one.restarts and "unhealthy container" in one.note]

    wait_until(told, "a replacement says why it is one")


def test_what_ends_at_once_and_is_not_started_again_has_failed(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, wait_until: Callable[..., Any]
) -> None:
    template = {"RestartPolicy": {"Condition": "none"}}
    release = new(swarm.workload(service_spec={"TaskTemplate": template}, environment={"CRASH": "1"}))
    orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)

    def failed() -> list[Instance]:
        return [one for one in one_cell(orchestrator, service).instances if one.state is InstanceState.FAILED]

    (instance,) = wait_until(failed, "it is said to have failed")
    assert "exit (1)" in instance.note
    orchestrator.retire(service, Retire("web"), ONE)
    wait_until(lambda: not orchestrator.observe(service), "it is gone")


def test_where_no_node_fits_swarm_says_why(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, wait_until: Callable[..., Any]
) -> None:
    template = {"Placement": {"Constraints": ["node.labels.disk==ssd"]}}
    release = new(swarm.workload(service_spec={"TaskTemplate": template}))
    orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)

    def told() -> list[Instance]:
        return [one for one in one_cell(orchestrator, service).instances if "no suitable node" in one.note]

    (instance,) = wait_until(told, "the reason is told")
    assert instance.state is InstanceState.STARTING
    orchestrator.retire(service, Retire("web"), ONE)
    wait_until(lambda: not orchestrator.observe(service), "it is gone")


def test_a_missing_image_is_refused_in_the_registry_s_own_words(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service
) -> None:
    release = new(swarm.workload(image=f"{swarm.facts.registry}/zdd-lab/application:nobody-pushed-this"))
    with pytest.raises(ConfigurationError, match=r"nobody-pushed-this can't be had.*manifest unknown"):
        orchestrator.check(service, release.workload)
    with pytest.raises(PermanentError, match="manifest unknown"):
        orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)
    assert orchestrator.observe(service) == ()


def test_a_registry_that_is_down_is_told(swarm: Any, orchestrator: SwarmOrchestrator, service: Service) -> None:
    release = new(swarm.workload(image="127.0.0.1:9/shop/web:1"))
    with pytest.raises(ConfigurationError, match=r"can't be had from its registry.*connection refused"):
        orchestrator.check(service, release.workload)
    with pytest.raises(TemporaryError, match="connection refused"):
        orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)
    assert orchestrator.observe(service) == ()


def test_a_tag_that_moves_does_not_change_a_revision(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service
) -> None:
    image = f"{swarm.facts.registry}/zdd-lab/moving:latest"
    swarm.push(image, VERSION="before")
    release = new(swarm.workload(image=image))
    orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)
    swarm.push(image, VERSION="after")
    orchestrator.launch(service, release, Launch("web-2", release.id, 1), ONE)
    later = new(swarm.workload(image=image), 2)
    orchestrator.launch(service, later, Launch("web-3", later.id, 1), ONE)
    images = [swarm.spec(name)["TaskTemplate"]["ContainerSpec"]["Image"] for name in ("web", "web-2", "web-3")]
    assert images[0] == images[1] != images[2]
    assert all(name.startswith(f"{image}@sha256:") for name in images)


def test_no_engine_at_all(service: Service, tmp_path: Any) -> None:
    with contextlib.closing(SwarmOrchestrator(f"unix://{tmp_path}/docker.sock")) as orchestrator:
        with pytest.raises(TemporaryError, match=r"no Docker Engine answers at .*docker\.sock: No such file"):
            orchestrator.observe(service)
        with pytest.raises(TemporaryError):
            orchestrator.retire(service, Retire("web"), ONE)
        workload = {"kind": "container", "image": "web:1", "ports": {"http": 80}}
        with pytest.raises(TemporaryError, match="no Docker Engine answers"):  # not what was asked for is wrong
            orchestrator.check(service, workload)


def test_a_write_without_an_answer_may_have_been_applied(
    swarm: Any, service: Service, running: Revision, wait_until: Callable[..., Any], orchestrator: SwarmOrchestrator
) -> None:
    with contextlib.closing(swarm.orchestrator(timeout_s=1.0)) as hasty:
        hasty.observe(service)
        write = Engine.update_service

        def stalled(engine: Engine, *arguments: Any) -> None:
            with swarm.stalled():
                write(engine, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Engine, "update_service", stalled)
            with pytest.raises(OutcomeUnknown) as told:
                hasty.scale(service, running, Scale("web", 2), ONE)
        assert told.value.settles_within_s >= 20
    wait_until(lambda: one_cell(orchestrator, service).replicas == 2, "it was applied after all")


# -- the end, and waking up --------------------------------------------------------------------------------------------


def test_a_retired_service_leaves_nothing_but_the_fence(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, running: Revision, wait_until: Callable[..., Any]
) -> None:
    orchestrator.launch(service, running, Launch("web-2", running.id, 1), ONE)
    for cell in ("web", "web-2"):
        orchestrator.retire(service, Retire(cell), ONE)
    assert not orchestrator.tidy(service, ONE)
    wait_until(lambda: not orchestrator.observe(service), "both are gone")
    assert len(swarm.api.services()) == 2
    orchestrator.tidy(service, ONE)
    assert swarm.api.services() == []
    assert [one["Spec"]["Name"] for one in swarm.api.configs()] == ["zdd-fence-web-1"]
    wait_until(lambda: not swarm.api.containers(all=True), "their containers have gone")


def test_a_cell_that_is_being_retired_does_not_come_back_to_life(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, wait_until: Callable[..., Any]
) -> None:
    release = new(swarm.workload(environment={"SLOW_TO_STOP": "2"}))
    orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)
    wait_until(lambda: ready(orchestrator, service), "it runs")
    orchestrator.retire(service, Retire("web"), ONE)
    with pytest.raises(TemporaryError, match="still being retired"):
        orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)
    with pytest.raises(TemporaryError, match="being retired"):
        orchestrator.scale(service, release, Scale("web", 1), ONE)
    wait_until(lambda: not orchestrator.observe(service), "it is gone")
    orchestrator.launch(service, release, Launch("web", release.id, 1), ONE)
    wait_until(lambda: ready(orchestrator, service), "another one runs")


@pytest.fixture
def woken(orchestrator: SwarmOrchestrator, service: Service) -> Iterator[threading.Event]:
    event = threading.Event()
    end = orchestrator.watch(service, event.set)
    assert event.wait(60.0), "a watch wakes when it is connected"
    yield event
    end()


def test_the_watch_wakes_for_a_container_that_ends_and_for_a_change_by_hand(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, running: Revision, woken: threading.Event
) -> None:
    (instance,) = ready(orchestrator, service)
    task = swarm.api.inspect_task(instance.id)
    woken.clear()
    swarm.api.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    assert woken.wait(60.0)
    woken.clear()
    swarm.client("service", "update", "--detach", "--label-add", "owner=me", "web")
    assert woken.wait(60.0)


def test_a_service_that_was_removed_by_hand_is_no_cell_any_more(
    swarm: Any,
    orchestrator: SwarmOrchestrator,
    service: Service,
    running: Revision,
    woken: threading.Event,
    wait_until: Callable[..., Any],
) -> None:
    assert orchestrator.observe(service)
    swarm.client("service", "rm", "web")
    wait_until(lambda: orchestrator.observe(service) == (), "it is not listed")
    with pytest.raises(PermanentError, match="web has no cell web: launch it first"):
        orchestrator.scale(service, running, Scale("web", 2), ONE)
