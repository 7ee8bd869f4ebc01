"""What runs in the memory world: cells, and the life of their instances."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from zdd.adapters.memory.behaviour import Behaviour
from zdd.adapters.memory.entry import What
from zdd.adapters.memory.instance import MemoryCell, MemoryInstance
from zdd.errors import PermanentError
from zdd.model.address import Address
from zdd.model.cell import Cell, InstanceState
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.release import Revision
from zdd.model.service import Service

if TYPE_CHECKING:
    from zdd.adapters.memory.world import MemoryWorld


REMEMBERED = 10_000
"""Of how many addresses it is remembered who was there, so that requests sent there still can be explained."""


class MemoryCells:
    """Every cell of every service, with the rules by which an orchestrator starts and stops instances."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world
        self._services: dict[str, dict[str, MemoryCell]] = {}
        self._number = 0
        self._revisions: dict[tuple[str, str], Revision] = {}
        self.existing: dict[str, MemoryInstance] = {}
        self._left: dict[str, dict[str, None]] = {}
        self._lost: dict[tuple[str, str], int] = {}
        self._at_address: dict[Address, MemoryInstance] = {}
        self._was_at_address: dict[Address, MemoryInstance] = {}

    # -- what an orchestrator can be asked -------------------------------------------------------------------------

    def observe(self, service: str) -> tuple[Cell, ...]:
        """Return the cells of a service, sorted by name."""
        cells = self._services.get(service)
        return tuple(cells[name].shown() for name in sorted(cells)) if cells else ()

    def observe_all(self) -> dict[str, tuple[Cell, ...]]:
        """Return the cells of every service."""
        return {service: self.observe(service) for service in self._services}

    def get(self, service: str, name: str) -> MemoryCell | None:
        """Return a cell as it truly is."""
        return self._services.get(service, {}).get(name)

    def at(self, address: Address) -> MemoryInstance | None:
        """Return what is at an address."""
        return self._at_address.get(address)

    def last_at(self, address: Address) -> MemoryInstance | None:
        """Return what is at an address, or what was there last, if that is not too long ago."""
        return self._at_address.get(address) or self._was_at_address.get(address)

    # -- what an orchestrator can be told --------------------------------------------------------------------------

    def launch(self, service: Service, revision: Revision, name: str, replicas: int) -> None:
        """Create a cell, or scale the one that runs this revision already."""
        revision = self._whole(service, revision)
        cell = self.get(service.name, name)
        if cell is None:
            cell = MemoryCell(service, name, revision, replicas)
            self._services.setdefault(service.name, {})[name] = cell
            self._left.get(service.name, {}).pop(name, None)
        elif cell.revision.id != revision.id:
            raise PermanentError(f"cell {name} of {service.name} exists with revision {cell.revision.id}")
        self._resize(cell, service, replicas, by_command=True)

    def change(
        self, service: Service, revision: Revision, name: str, replicas: int, in_place: InPlace | None = None
    ) -> None:
        """Start new instances and stop the old ones, both at once; or so far only, while the others serve."""
        cell = self._need(service, name)
        if in_place is not None:
            self._change_in_place(cell, service, self._whole(service, revision), replicas, in_place)
            return
        cell.revision, cell.in_place = self._whole(service, revision), False
        self._resize(cell, service, replicas, by_command=True)

    def _change_in_place(
        self, cell: MemoryCell, service: Service, revision: Revision, replicas: int, in_place: InPlace
    ) -> None:
        cell.service, cell.revision, cell.replicas = service, revision, replicas
        cell.retired, cell.in_place = False, True
        cell.changed()
        self._world.record(
            What.CELL, service.name, cell=cell.name, note=f"{in_place.changed} of {replicas} of {revision.id}"
        )
        for new in [one for one in cell.staying() if one.in_place_of and one.revision != revision.id]:
            cell.released(new)  # turned round: what was to take its place goes
            self._stop(cell, new, by_command=True, cut=())
        for kept in [one for one in cell.staying() if one.revision == revision.id]:
            kept.replaced_by = ""
        missing = in_place.changed - cell.shown().changed_to(revision.id)
        old = [one for one in cell.staying() if one.revision != revision.id and not one.replaced_by]
        for victim in old[: max(0, missing)]:
            if in_place.order is UpdateOrder.STOP_FIRST:
                self._stop(cell, victim, by_command=True, cut=())
            self._start(cell, restarts=0, in_place_of=victim if in_place.order is UpdateOrder.START_FIRST else None)

    def scale(self, service: Service, revision: Revision, name: str, replicas: int) -> None:
        """Start or stop instances. The victims are the oldest: those that are the likeliest to serve."""
        cell = self._need(service, name)
        if cell.revision.id != revision.id:
            raise PermanentError(f"cell {name} of {service.name} runs {cell.revision.id}, not {revision.id}")
        self._resize(cell, service, replicas, by_command=True)

    def scale_by_hand(self, service: str, name: str, replicas: int) -> None:
        """Do the same by a person's hand."""
        cell = self._services[service][name]
        self._resize(cell, cell.service, replicas, by_command=False)

    def retire(self, service: Service, name: str, cut: Collection[str]) -> None:
        """Stop every instance of a cell and forget it then."""
        cell = self.get(service.name, name)
        if cell is None:
            return
        cell.service, cell.retired, cell.replicas = service, True, 0
        cell.changed()
        for instance in cell.staying():
            self._stop(cell, instance, by_command=True, cut=cut)
        self._forget_if_empty(cell)

    def left(self, service: str) -> tuple[str, ...]:
        """Return the cells that are retired and gone, and of which a record is left."""
        return tuple(self._left.get(service, ()))

    def is_retiring(self, service: str) -> bool:
        """Tell whether a retired cell still has instances."""
        return any(cell.retired for cell in self._services.get(service, {}).values())

    def tidy(self, service: str) -> None:
        """Remove the records of what is gone."""
        for name in self._left.pop(service, {}):
            self._world.record(What.CELL, service, cell=name, note="record removed")

    def _whole(self, service: Service, revision: Revision) -> Revision:
        """Return the revision with what it runs: of one that it did not make, a deployer knows the id alone."""
        if revision.workload:
            self._revisions[service.name, revision.id] = revision
        return self._revisions.get((service.name, revision.id), revision)

    def _need(self, service: Service, name: str) -> MemoryCell:
        cell = self.get(service.name, name)
        if cell is None:
            raise PermanentError(f"{service.name} has no cell {name}: launch it first")
        return cell

    # -- the life of an instance -----------------------------------------------------------------------------------

    def _resize(self, cell: MemoryCell, service: Service, replicas: int, *, by_command: bool) -> None:
        cell.service, cell.retired, cell.replicas = service, False, replicas
        cell.changed()
        self._world.record(What.CELL, service.name, cell=cell.name, note=f"{replicas} of {cell.revision.id}")
        old = [one for one in cell.staying() if one.revision != cell.revision.id and not cell.in_place]
        current = [one for one in cell.staying() if one not in old and not one.in_place_of]
        for _ in range(replicas - len(current)):
            self._start(cell, restarts=0)
        for instance in (*old, *current[: max(0, len(current) - replicas)]):
            self._stop(cell, instance, by_command=by_command, cut=())

    def _start(self, cell: MemoryCell, restarts: int, in_place_of: MemoryInstance | None = None) -> None:
        world = self._world
        self._number += 1
        number, revision = self._number, cell.revision
        host = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        addresses = {exposure.port: Address(host, 8080 + i) for i, exposure in enumerate(cell.service.exposures)}
        behaviour = world.behaviour_of(revision.version, revision.workload)
        instance = MemoryInstance(
            f"{cell.name}.{number:06d}", cell.service.name, cell.name, revision.id, revision.version,
            behaviour, addresses, world.clock.now(), restarts,
            healthy=behaviour.healthy, hangs=behaviour.hangs,
            address_lost=self._loses_address(cell, revision.version, behaviour),
        )  # fmt: skip
        if in_place_of is not None:
            instance.in_place_of, in_place_of.replaced_by = in_place_of.id, instance.id
        cell.instances[instance.id] = self.existing[instance.id] = instance
        cell.changed()
        for address in addresses.values():
            self._at_address[address] = instance
        world.record_instance(What.LAUNCHED, instance)
        after = world.clock.call_after
        if not behaviour.never_ready:
            after(behaviour.startup_s, partial(self._became, cell, instance, InstanceState.READY))
        if behaviour.fails_after_s is not None:
            after(behaviour.fails_after_s, partial(self._became, cell, instance, InstanceState.FAILED))
        if behaviour.crashes_after_s is not None:
            after(behaviour.crashes_after_s, partial(self.crash, instance))

    def lose_address(self, name: str) -> None:
        """Let the orchestrator say no more where an instance is."""
        instance = self.existing[name]
        instance.address_lost = True
        self._services[instance.service][instance.cell].changed()

    def _loses_address(self, cell: MemoryCell, version: str, behaviour: Behaviour) -> bool:
        lost = self._lost.get((cell.service.name, version), 0)
        if lost >= behaviour.addresses_lost:
            return False
        self._lost[cell.service.name, version] = lost + 1
        return True

    def _became(self, cell: MemoryCell, instance: MemoryInstance, state: InstanceState) -> None:
        if instance.state in (InstanceState.STARTING, InstanceState.READY) and instance.exists:
            self.set_state(cell, instance, state)
            if state is InstanceState.READY and instance.in_place_of:
                victim = cell.released(instance)
                if victim is not None:
                    self._stop(cell, victim, by_command=True, cut=())
            if state is InstanceState.READY:
                for edge in self._world.edges:
                    edge.serves(instance)
            self._world.changed(cell.service.name)

    def set_state(self, cell: MemoryCell, instance: MemoryInstance, state: InstanceState, note: str = "") -> None:
        """Let the orchestrator say something else of an instance."""
        instance.state, instance.since_s, instance.note = state, self._world.clock.now(), note
        cell.changed()
        self._world.record_instance(_SAID[state], instance, note)

    def _stop(self, cell: MemoryCell, instance: MemoryInstance, *, by_command: bool, cut: Collection[str]) -> None:
        instance.stopped_by_command = by_command
        self.set_state(cell, instance, InstanceState.STOPPING)
        for edge in self._world.edges:
            edge.lost(instance, by_command=by_command, announced=instance.id in cut)
        stop_s = min(instance.behaviour.stop_s, cell.service.stop_grace_s)
        self._world.clock.call_after(stop_s, partial(self._stopped, cell, instance))

    def _stopped(self, cell: MemoryCell, instance: MemoryInstance) -> None:
        if instance.exists:
            self._gone(cell, instance)
            self._world.changed(cell.service.name)

    def _gone(self, cell: MemoryCell, instance: MemoryInstance) -> None:
        instance.exists = False
        del cell.instances[instance.id], self.existing[instance.id]
        for address in instance.addresses.values():
            del self._at_address[address]
            self._was_at_address[address] = instance
        while len(self._was_at_address) > REMEMBERED:
            del self._was_at_address[next(iter(self._was_at_address))]
        for edge in self._world.edges:
            edge.forget(instance)
        cell.changed()
        self._world.record_instance(What.GONE, instance)
        self._forget_if_empty(cell)

    def _forget_if_empty(self, cell: MemoryCell) -> None:
        cells = self._services[cell.service.name]
        if cell.retired and not cell.instances and cells.get(cell.name) is cell:
            del cells[cell.name]
            self._left.setdefault(cell.service.name, {})[cell.name] = None
            self._world.record(What.CELL, cell.service.name, cell=cell.name, note="forgotten")

    def crash(self, instance: MemoryInstance) -> None:
        """End an instance without anybody's command; the orchestrator replaces it after a while."""
        cell = self.get(instance.service, instance.cell)
        if not instance.exists or cell is None:
            return
        self._world.record_instance(What.CRASHED, instance)
        if instance.state is not InstanceState.STOPPING:
            for edge in self._world.edges:
                edge.lost(instance, by_command=False, announced=False)
            self._end_of_place(cell, instance)
        self._gone(cell, instance)
        self._world.changed(instance.service)

    def _end_of_place(self, cell: MemoryCell, instance: MemoryInstance) -> None:
        """Let something come after an instance that ended by itself, unless that exists already."""
        successor = cell.instances.get(instance.replaced_by)
        if successor is not None:
            successor.in_place_of = ""
            return
        victim = cell.instances.get(instance.in_place_of)  # it goes on waiting for what takes its place
        self._world.clock.call_after(
            self._world.restart_delay_s, partial(self._replace, cell, instance.restarts + 1, instance, victim)
        )

    def _replace(self, cell: MemoryCell, restarts: int, ended: MemoryInstance, victim: MemoryInstance | None) -> None:
        if self.get(cell.service.name, cell.name) is not cell or cell.retired:
            return
        if victim is not None and victim in cell.staying():
            if victim.replaced_by != ended.id:  # turned round meanwhile
                return
            self._start(cell, restarts, victim)
        elif sum(1 for one in cell.staying() if cell.counts(one)) < cell.replicas:
            self._start(cell, restarts)
        else:
            return
        self._world.changed(cell.service.name)


_SAID = {
    InstanceState.STARTING: What.LAUNCHED,
    InstanceState.READY: What.READY,
    InstanceState.FAILED: What.FAILED,
    InstanceState.STOPPING: What.STOPPING,
}
