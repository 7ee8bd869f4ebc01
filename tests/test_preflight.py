"""What is found before anything is touched: shown with the plan, kept in the report, or a refusal."""

from __future__ import annotations

import pytest

from zdd import ConfigurationError, Deployer, Process, Release, Revision, Service
from zdd.adapters.memory import Behaviour, MemoryDiscovery, MemoryOrchestrator, MemoryWorld
from zdd.errors import TemporaryError
from zdd.interfaces import Demand, Fence, Finding, OrchestratorAbilities, Severity
from zdd.model.command import Launch, Route
from zdd.model.release import Specification

RELEASE = Release("1", Process(["true"]))
WARNING = Finding("web", "one instance is not many", "use replicas=2 or more")
ERROR = Finding("node a", "is full", "add a node", Severity.ERROR)


def deployer(monkeypatch: pytest.MonkeyPatch, *found: Finding, error: Exception | None = None) -> Deployer:
    """Return a deployer whose orchestrator finds these things, and tells what it was asked about."""

    class Inspecting(MemoryOrchestrator):
        def inspect(self, service: Service, workload: Specification, demand: Demand) -> tuple[Finding, ...]:
            assert (service.name, workload) == ("web", RELEASE.workload)
            if error is not None:
                raise error
            return (*found, Finding("demand", f"{demand.instances} in {demand.cells}", "no fix"))

    monkeypatch.setattr("zdd.adapters.memory.MemoryOrchestrator", Inspecting)
    return Deployer.in_memory(MemoryWorld())


def test_a_warning_is_in_the_plan_and_in_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    made = deployer(monkeypatch, WARNING)
    line = "web: one instance is not many; use replicas=2 or more"
    plan = made.plan(Service("web", replicas=2), RELEASE)
    assert plan.warnings[0] == line
    assert f"   warning     {line}" in str(plan).splitlines()
    report = made.deploy(Service("web", replicas=2), RELEASE)
    assert report.warnings[0] == line
    assert report.to_data()["warnings"][0] == line
    assert f"  warning     {line}" in str(report).splitlines()


def test_it_is_asked_about_what_the_plan_needs_at_its_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    made = deployer(monkeypatch)
    service = Service("web", replicas=2)
    made.deploy(service, RELEASE)
    plan = made.plan(service, Release("2", RELEASE.workload))
    assert (plan.ceiling, len(plan.origin)) == (4, 1)
    assert plan.warnings == ("demand: 4 in 2; no fix",)


def test_an_error_refuses_the_deployment_before_anything_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    made = deployer(monkeypatch, WARNING, ERROR)
    with pytest.raises(ConfigurationError) as refused:
        made.deploy(Service("web"), RELEASE)
    assert str(refused.value) == "node a: is full; add a node"
    assert made.history("web") == ()


def test_a_part_that_cannot_look_now_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    made = deployer(monkeypatch, error=TemporaryError("no answer"))
    (line,) = made.plan(Service("web"), RELEASE).warnings
    assert line.startswith("Inspecting: could not be inspected: no answer; ")


def test_a_part_that_does_not_inspect_is_not_asked() -> None:
    assert Deployer.in_memory(MemoryWorld()).plan(Service("web"), RELEASE).warnings == ()


def test_it_says_when_no_mirror_runs_for_a_service_whose_instances_are_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Replacing(MemoryOrchestrator):
        abilities = OrchestratorAbilities(replaces=True)

    monkeypatch.setattr("zdd.adapters.memory.MemoryOrchestrator", Replacing)
    made = Deployer.in_memory(MemoryWorld())
    made.deploy(Service("web"), RELEASE)
    second = Release("2", RELEASE.workload)
    (warning,) = made.plan(Service("web"), second).warnings
    assert warning.startswith("web: no mirror runs")
    made.mirror("web").look()
    assert made.plan(Service("web"), second).warnings == ()
    worker = Service("worker", exposures=())
    assert made.plan(worker, RELEASE).warnings == ()


def found_by(world: MemoryWorld, service: Service) -> Deployer:
    """Return a deployer of a world in which somebody else runs a service."""
    theirs = Revision("found-1", "unknown", Behaviour().specification())
    MemoryOrchestrator(world).launch(service, theirs, Launch("web", theirs.id, 3), Fence(1, "somebody"))
    world.clock.run_until(world.clock.now() + 10)
    return Deployer.in_memory(world)


def test_it_says_when_what_runs_already_may_have_clients_that_no_edge_sees() -> None:
    service = Service("web", replicas=3)
    made = found_by(MemoryWorld(), service)
    (warning,) = made.plan(service, RELEASE).warnings
    assert warning.startswith("web: nothing of it gets traffic through zdd's edges, and it has 3 instances that zdd")
    assert made.deploy(service, RELEASE).warnings == (warning,)
    assert made.plan(service, Release("2", RELEASE.workload)).warnings == ()


def test_what_has_no_clients_or_was_started_by_zdd_needs_no_such_warning() -> None:
    worker = Service("web", replicas=3, exposures=())
    assert found_by(MemoryWorld(), worker).plan(worker, RELEASE).warnings == ()
    world = MemoryWorld()
    made, service = Deployer.in_memory(world), Service("web", replicas=3)
    made.deploy(service, RELEASE)
    MemoryDiscovery(world).apply(service, Route(()), Fence(99, "somebody"))
    world.clock.run_until(world.clock.now() + 10)
    assert made.plan(service, Release("2", RELEASE.workload)).warnings == ()
