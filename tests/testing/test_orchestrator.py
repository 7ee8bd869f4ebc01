from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.memory import MemoryOrchestrator, MemoryWorld
from zdd.adapters.memory.fences import MemoryFences
from zdd.errors import LeaseLost, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.testing import ORCHESTRATOR_RULES, ConformanceError
from zdd.testing.orchestrator_in_place import IN_PLACE_RULES
from zdd.testing.orchestrator_tidying import TIDYING_RULES

Check = Callable[..., tuple[str, ...]]


def test_the_memory_orchestrator_keeps_every_rule(check: Check) -> None:
    assert check(MemoryOrchestrator) == tuple(rule.name for rule in ORCHESTRATOR_RULES)


def test_rules_that_can_not_be_tried_are_not_among_the_names(check: Check) -> None:
    checked = check(MemoryOrchestrator, kill=None, never_ready=None)
    assert len(checked) == len(ORCHESTRATOR_RULES) - 3
    assert "what never gets ready is never said to be" not in checked


# -- orchestrators that break one rule ---------------------------------------------------------------------------------


class Shows(MemoryOrchestrator):
    """Shows something else than what is."""

    def observe(self, service: Service) -> tuple[Cell, ...]:
        cells = super().observe(service)
        shown = [evolve(cell, instances=tuple(map(self.instance, cell.instances))) for cell in cells]
        return tuple(cell for cell in shown if self.lists(cell))

    def instance(self, instance: Instance) -> Instance:
        return instance

    def lists(self, cell: Cell) -> bool:
        return True


class ReturnsAList(MemoryOrchestrator):
    def observe(self, service: Service) -> Any:
        return list(super().observe(service))


class ListsLate(Shows):
    def lists(self, cell: Cell) -> bool:
        return not all(one.state is InstanceState.STARTING for one in cell.instances)


class SharesAddresses(Shows):
    def instance(self, instance: Instance) -> Instance:
        first = next(iter(instance.addresses.values()), None)
        return evolve(instance, addresses=dict.fromkeys(instance.addresses, first))


class SaysReadyTooEarly(Shows):
    def instance(self, instance: Instance) -> Instance:
        if instance.state is not InstanceState.STARTING:
            return instance
        addresses = self._world.cells.existing[instance.id].addresses
        return evolve(instance, state=InstanceState.READY, addresses=addresses)


class SinceNever(Shows):
    def instance(self, instance: Instance) -> Instance:
        return evolve(instance, since_s=0.0)


class ForgetsTheCellAtOnce(Shows):
    def lists(self, cell: Cell) -> bool:
        return cell.replicas > 0


class NeverSaysStopping(Shows):
    def instance(self, instance: Instance) -> Instance:
        return evolve(instance, state=InstanceState.READY) if instance.state is InstanceState.STOPPING else instance


class HidesWhatStops(MemoryOrchestrator):
    def observe(self, service: Service) -> tuple[Cell, ...]:
        return tuple(
            evolve(cell, instances=tuple(one for one in cell.instances if one.state is not InstanceState.STOPPING))
            for cell in super().observe(service)
        )


class NumbersInstances(MemoryOrchestrator):
    def observe(self, service: Service) -> tuple[Cell, ...]:
        return tuple(
            evolve(cell, instances=tuple(evolve(one, id=f"{cell.name}.{n}") for n, one in enumerate(cell.instances)))
            for cell in super().observe(service)
        )


class CountsNoRestarts(Shows):
    def instance(self, instance: Instance) -> Instance:
        return evolve(instance, restarts=0)


class SortsBackwards(MemoryOrchestrator):
    def observe(self, service: Service) -> tuple[Cell, ...]:
        return super().observe(service)[::-1]


class SortsInstancesBackwards(MemoryOrchestrator):
    def observe(self, service: Service) -> tuple[Cell, ...]:
        return tuple(evolve(cell, instances=cell.instances[::-1]) for cell in super().observe(service))


class MixesServices(MemoryOrchestrator):
    def observe(self, service: Service) -> tuple[Cell, ...]:
        return super().observe(evolve(service, name="kit"))


class RestartsOnLaunch(MemoryOrchestrator):
    def launch(self, service: Service, revision: Any, command: Launch, fence: Fence) -> None:
        if self._world.cells.get(service.name, command.cell):
            super().retire(service, Retire(command.cell), fence)
        super().launch(service, revision, command, fence)


class LaunchesOnlyOnce(MemoryOrchestrator):
    def launch(self, service: Service, revision: Any, command: Launch, fence: Fence) -> None:
        cell = self._world.cells.get(service.name, command.cell)
        replicas = cell.replicas if cell and not cell.retired else command.replicas
        super().launch(service, revision, evolve(command, replicas=replicas), fence)


class LaunchesOverEverything(MemoryOrchestrator):
    def launch(self, service: Service, revision: Any, command: Launch, fence: Fence) -> None:
        if self._world.cells.get(service.name, command.cell):
            super().change(service, revision, Change(command.cell, command.revision, command.replicas), fence)
        else:
            super().launch(service, revision, command, fence)


class RefusesWithTheWrongError(MemoryOrchestrator):
    def launch(self, service: Service, revision: Any, command: Launch, fence: Fence) -> None:
        try:
            super().launch(service, revision, command, fence)
        except PermanentError as error:
            raise TemporaryError(str(error)) from error


class RestartsOnScale(MemoryOrchestrator):
    def scale(self, service: Service, revision: Any, command: Scale, fence: Fence) -> None:
        super().retire(service, Retire(command.cell), fence)
        super().launch(service, revision, Launch(command.cell, revision.id, command.replicas), fence)


class NeverScalesDown(MemoryOrchestrator):
    def scale(self, service: Service, revision: Any, command: Scale, fence: Fence) -> None:
        cell = self._world.cells.get(service.name, command.cell)
        least = cell.replicas if cell else 0
        super().scale(service, revision, evolve(command, replicas=max(least, command.replicas)), fence)


class KeepsTheOldNumber(MemoryOrchestrator):
    def change(self, service: Service, revision: Any, command: Change, fence: Fence) -> None:
        cell = self._world.cells.get(service.name, command.cell)
        super().change(service, revision, evolve(command, replicas=cell.replicas if cell else 0), fence)


class ChangesAgain(MemoryOrchestrator):
    def change(self, service: Service, revision: Any, command: Change, fence: Fence) -> None:
        cell = self._world.cells.get(service.name, command.cell)
        if cell and cell.revision.id == revision.id:
            super().retire(service, Retire(command.cell), fence)
        super().change(service, revision, command, fence)


class RetiresOnce(MemoryOrchestrator):
    def retire(self, service: Service, command: Retire, fence: Fence) -> None:
        cell = self._world.cells.get(service.name, command.cell)
        if cell is None or cell.retired:
            raise PermanentError(f"there is no cell {command.cell} to retire")
        super().retire(service, command, fence)


class RetiresAll(MemoryOrchestrator):
    def retire(self, service: Service, command: Retire, fence: Fence) -> None:
        for cell in self.observe(service):
            super().retire(service, Retire(cell.name), fence)


class LaunchesOnCheck(MemoryOrchestrator):
    def check(self, service: Service, workload: Any) -> None:
        super().check(service, workload)
        revision = Revision("checked", "0", workload)
        super().launch(service, revision, Launch("checked", revision.id, 1), Fence(1, "check"))


class ChecksNothing(MemoryOrchestrator):
    def check(self, service: Service, workload: Any) -> None:
        pass


class CanNotEndAWatch(MemoryOrchestrator):
    def watch(self, service: Service, wake: Callable[[], None]) -> Any:
        super().watch(service, wake)


class RestartsOnClaim(MemoryOrchestrator):
    def claim(self, service: Service, fence: Fence) -> None:
        super().claim(service, fence)
        for instance in self._world.instances(service.name):
            self._world.kill(instance.id)


class ForgetsFencesOfWrites(MemoryOrchestrator):
    def claim(self, service: Service, fence: Fence) -> None:
        self._world.orchestrator_fences.accept(service.name, fence)

    def _accept(self, service: Service, fence: Fence) -> None:
        greatest = self._world.orchestrator_fences._greatest.get(service.name)
        if greatest and fence.token < greatest.token:
            raise LeaseLost("too old")


class OneFenceForAll(MemoryOrchestrator):
    def _accept(self, service: Service, fence: Fence) -> None:
        self._world.orchestrator_fences.accept("all", fence)


class FencesOfItsOwn(MemoryOrchestrator):
    def __init__(self, world: MemoryWorld) -> None:
        super().__init__(world)
        self._own = MemoryFences()

    def _accept(self, service: Service, fence: Fence) -> None:
        self._own.accept(service.name, fence)


class SeesOnlyItsOwn(MemoryOrchestrator):
    def __init__(self, world: MemoryWorld) -> None:
        super().__init__(world)
        self._mine: list[str] = []

    def launch(self, service: Service, revision: Any, command: Launch, fence: Fence) -> None:
        super().launch(service, revision, command, fence)
        self._mine.append(command.cell)

    def observe(self, service: Service) -> tuple[Cell, ...]:
        return tuple(cell for cell in super().observe(service) if cell.name in self._mine)


class LeaksForeignErrors(MemoryOrchestrator):
    def retire(self, service: Service, command: Retire, fence: Fence) -> None:
        if command.cell == "never-was":
            raise KeyError(command.cell)
        super().retire(service, command, fence)


def unfenced(method: str) -> type[MemoryOrchestrator]:
    """An orchestrator one of whose methods does not look at the fence."""

    def careless(self: MemoryOrchestrator, *arguments: Any) -> None:
        *others, fence = arguments
        getattr(MemoryOrchestrator, method)(self, *others, evolve(fence, token=10**9))

    return type(f"Unfenced{method.title()}", (MemoryOrchestrator,), {method: careless})


BROKEN = [
    ("a service that nobody launched has no cells", ReturnsAList),
    ("a cell is listed from the moment launch was accepted", ListsLate),
    ("a launched cell gets all its instances ready, each at addresses of its own", SharesAddresses),
    ("a launched cell gets all its instances ready, each at addresses of its own", SinceNever),
    ("an instance that is said to be ready answers", SaysReadyTooEarly),
    ("launch twice is the same as once", RestartsOnLaunch),
    ("launch of a running revision with another number is a scale", LaunchesOnlyOnce),
    ("launch over another revision is refused and changes nothing", LaunchesOverEverything),
    ("launch over another revision is refused and changes nothing", RefusesWithTheWrongError),
    ("what never gets ready is never said to be", SaysReadyTooEarly),
    ("scale up restarts nothing", RestartsOnScale),
    ("scale down stops as many as it must", NeverScalesDown),
    ("scale to the present number changes nothing", RestartsOnScale),
    ("change replaces all", KeepsTheOldNumber),
    ("change twice is the same as once", ChangesAgain),
    ("a retired cell goes with its last instance", ForgetsTheCellAtOnce),
    ("retire twice is the same as once", RetiresOnce),
    ("retire of an unknown cell is fine", RetiresOnce),
    ("retire of an unknown cell is fine", LeaksForeignErrors),
    ("retire leaves other cells alone", RetiresAll),
    ("an instance that was told to stop is listed as stopping until nothing of it is left", NeverSaysStopping),
    ("an instance that was told to stop is listed as stopping until nothing of it is left", HidesWhatStops),
    ("an ended instance's id is never used again", NumbersInstances),
    ("an instance that ended by itself is replaced by one that counts it", CountsNoRestarts),
    ("cells are sorted by name and instances by id", SortsBackwards),
    ("cells are sorted by name and instances by id", SortsInstancesBackwards),
    ("cells of one service are not those of another", MixesServices),
    ("check changes nothing", LaunchesOnCheck),
    ("check refuses what could not run", ChecksNothing),
    ("a watch can be ended", CanNotEndAWatch),
    *(
        ("an old fence is refused and changes nothing", unfenced(method))
        for method in ("launch", "change", "scale", "retire", "claim")
    ),
    ("a write with a greater token shuts out smaller ones", ForgetsFencesOfWrites),
    ("a claim changes no instance", RestartsOnClaim),
    ("fences of one service are not those of another", OneFenceForAll),
    ("another deployer sees the same cells", SeesOnlyItsOwn),
    ("another deployer's fence counts", FencesOfItsOwn),
]


@pytest.mark.parametrize(("rule", "kind"), BROKEN)
def test_an_orchestrator_that_breaks_a_rule_is_caught_by_it(
    check: Check, rule: str, kind: type[MemoryOrchestrator]
) -> None:
    with pytest.raises(ConformanceError) as caught:
        check(kind)
    assert rule in caught.value.broken
    assert f"  {rule}: " in str(caught.value)


def test_every_rule_is_seen_to_fail() -> None:
    apart = (*TIDYING_RULES, *IN_PLACE_RULES)  # which have tests of their own
    assert {rule for rule, _ in BROKEN} == {rule.name for rule in ORCHESTRATOR_RULES if rule not in apart}


def test_one_that_is_broken_leaves_nothing_running(check: Check) -> None:
    worlds: list[MemoryWorld] = []

    def kind(world: MemoryWorld) -> MemoryOrchestrator:
        worlds.append(world)
        return RestartsOnScale(world)

    with pytest.raises(ConformanceError):
        check(kind)
    assert len(worlds) > len(ORCHESTRATOR_RULES) - 1
    assert [world.instances() for world in worlds if world.instances()] == []
