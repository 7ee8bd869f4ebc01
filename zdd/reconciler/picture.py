"""The present look and the evidence so far, put together: what the rules ask about."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from zdd.model.address import Address
from zdd.model.cached import cached_property
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Command, Retire, Scale
from zdd.model.gate import Target
from zdd.model.observation import Observation
from zdd.model.plan import Direction, Goal, Plan, Stage, traffic_intent
from zdd.model.traffic import Registration, TrafficIntent
from zdd.reconciler.cell_picture import CellPicture
from zdd.reconciler.cell_pictures import CellPictures, cell_pictures
from zdd.reconciler.discovered import Discovered
from zdd.reconciler.edges_shown import edges_unlike
from zdd.reconciler.learn import EDGE_FOLLOWS_S, in_doubt
from zdd.reconciler.memory import Memory
from zdd.reconciler.mirror import reached_at
from zdd.reconciler.progress import InstanceRecord, Progress, admission_key, deadline_s, stage_of


def stops_all(command: Command) -> bool:
    """Tell whether nothing of what a cell runs stays when it follows a command."""
    if isinstance(command, Scale):
        return not command.replicas
    return isinstance(command, Retire) or (isinstance(command, Change) and command.in_place is None)


@frozen(slots=False)
class Picture:
    """What the rules of the safe order ask about. Everything is derived; nothing is decided here.

    Attributes:
        observation: The present look.
        plan: What is wanted.
        progress: The evidence so far, the present look included.
        now: Seconds since the epoch.
        memory: What was derived for the last decision; None: nothing.
    """

    observation: Observation
    plan: Plan
    progress: Progress
    now: float
    memory: Memory | None = None

    def to_remember(self) -> Memory:
        """Return what of this need not be derived again for the next decision."""
        return Memory(self.plan, self.discovered, self.progress, self.sent_to, self.all_cells)

    # -- where the plan is ------------------------------------------------------------------------------------------

    @cached_property
    def stage(self) -> Stage:
        """The stage whose goals hold now."""
        return self.plan.stages[stage_of(self.plan, self.progress)]

    @cached_property
    def goals(self) -> Mapping[str, Goal]:
        """What every cell should be at the end of this stage; of the one before while nothing of it may be touched.

        Nothing at all while the stage's actions need everything to be stopped.
        """
        number = stage_of(self.plan, self.progress)
        if self.stopping:
            cells = self.observation.cells
            return {c.name: Goal(c.name, c.revision, c.replicas if self.spared(c) else 0, 0) for c in cells}
        untouched = bool(self.pending_actions) or not self.progress.begun
        return self.plan.goals_at(number - 1 if untouched else number)

    @cached_property
    def pending_actions(self) -> tuple[int, ...]:
        """The actions of this stage that have not succeeded yet. A stage touches nothing before they have."""
        if self.progress.stage >= len(self.plan.stages):
            return ()
        return tuple(number for number in range(len(self.stage.actions)) if number not in self.progress.done)

    @cached_property
    def stopping(self) -> bool:
        """Whether everything is to be stopped for the actions of this stage."""
        return self.progress.begun and bool(self.pending_actions) and self.stage.stopped

    def spared(self, cell: Cell) -> bool:
        """Tell whether a cell goes on running when everything else stops: the standby of this stage."""
        return self.stage.warm and cell.revision == self.plan.target and not cell.mixed

    @cached_property
    def others(self) -> tuple[str, ...]:
        """What keeps the standby of this stage closed: instances that still exist, and those that still have traffic.

        Without a standby that runs already: every instance that exists.
        """
        there = [name for cell in self.observation.cells if not self.spared(cell) for name in cell.members]
        target = self.plan.target
        sent = [name for name, known in self.registered.items() if known.weight and known.revision != target]
        return (*there, *(name for name in sent if self.stage.warm and name not in there))

    @cached_property
    def given_up(self) -> tuple[str, ...]:
        """Cells that may be retired: a passed stage gave them up. Going back, those of this stage are given up too."""
        back = self.plan.direction is Direction.BACK
        goals = self.goals if back else self.plan.goals_at(self.progress.stage - 1)
        return tuple(name for name, goal in goals.items() if goal.replicas == 0)

    @property
    def deadline_s(self) -> float:
        """When the stage must be passed."""
        return deadline_s(self.plan, self.progress)

    @cached_property
    def forward(self) -> bool:
        """Whether the plan goes forward."""
        return self.plan.direction is Direction.FORWARD

    @cached_property
    def carries_traffic(self) -> bool:
        """Whether anybody sends requests to this service: a worker's instances serve as soon as they are proven."""
        return bool(self.plan.service.exposures)

    # -- what exists ------------------------------------------------------------------------------------------------

    @cached_property
    def cells(self) -> Mapping[str, Cell]:
        """The cells by name."""
        return {cell.name: cell for cell in self.observation.cells}

    @cached_property
    def instances(self) -> Mapping[str, Instance]:
        """What the orchestrator says of each instance, by id."""
        found: dict[str, Instance] = {}
        for cell in self.observation.cells:
            found.update(cell.members)
        return found

    @cached_property
    def discovered(self) -> Discovered:
        """What discovery knows, in the ways in which it is looked up."""
        registrations, memory = self.observation.registrations, self.memory
        if memory is not None and memory.discovered.registrations is registrations and memory.plan is self.plan:
            return memory.discovered
        return Discovered(registrations, self.ports)

    @property
    def registered(self) -> Mapping[str, Registration]:
        """What discovery knows, by instance."""
        return self.discovered.by_instance

    @cached_property
    def unlisted(self) -> tuple[str, ...]:
        """What discovery knows, and the orchestrator does not."""
        instances = self.instances
        return tuple([name for name in self.registered if name not in instances])

    @cached_property
    def all_cells(self) -> CellPictures:
        """What is derived of the cells, each alone and all together."""
        return cell_pictures(self)

    @property
    def of_cells(self) -> Mapping[str, CellPicture]:
        """What is derived of each cell alone, by its name."""
        return self.all_cells.by_name

    @cached_property
    def existing(self) -> int:
        """How many instances exist or may come into being without another command."""
        return sum(cell.size for cell in self.observation.cells)

    def weight(self, instance: str) -> int:
        """Return the weight that discovery knows; 0 if it is out or absent."""
        return self.discovered.weights.get(instance, 0)

    def record(self, instance: str) -> InstanceRecord | None:
        """Return what has been seen of an instance."""
        return self.progress.instances.get(instance)

    @cached_property
    def intent(self) -> TrafficIntent:
        """Where traffic is meant to go."""
        return traffic_intent(self.plan.service, self.goals.values())

    @cached_property
    def route_shown(self) -> bool:
        """Whether discovery shows what it was told last, if anything."""
        routed = self.progress.routed
        if routed is None:
            return True
        if routed.held != self.observation.held:
            return False
        if routed.registrations == self.observation.registrations:
            return True
        return {one.instance: one.weight for one in routed.registrations} == self.discovered.weights

    @cached_property
    def must_hold(self) -> bool:
        """Whether requests are to be held back: the stage says so, and what is to serve them is not complete."""
        if not self.stage.held or self.progress.stage >= len(self.plan.stages):
            return False
        return self.stopping or bool(self.unfinished) or (self.stage.warm and bool(self.others))

    @cached_property
    def ports(self) -> tuple[str, ...]:
        """The names of the ports at which edges reach instances."""
        return tuple(exposure.port for exposure in self.plan.service.exposures)

    def addresses(self, instance: Instance) -> Mapping[str, Address]:
        """Return the addresses at which edges reach an instance; empty while one of them is not known."""
        return reached_at(instance, self.ports, self.plan.revisions.get(instance.revision))

    def cell_weight(self, cell: str) -> int:
        """Return what the instances of a cell that still exist have of the traffic, as discovery knows."""
        found = self.of_cells.get(cell)
        return found.weight if found is not None else 0

    def has_too_much(self, cell: str) -> bool:
        """Tell whether the instances of a cell together have more of the traffic than the cell should."""
        goal = self.goals.get(cell)
        return self.cell_weight(cell) > (goal.share if goal is not None else 0)

    # -- gates ------------------------------------------------------------------------------------------------------

    @cached_property
    def gate_keys(self) -> Mapping[str, tuple[str, ...]]:
        """By revision, how the progress names the gates that its instances must pass."""
        return {
            name: tuple([admission_key(name, number) for number in range(len(revision.gates))])
            for name, revision in self.plan.revisions.items()
        }

    def target(self, instance: Instance) -> Target:
        """Return what the gates of an instance look at."""
        revision = self.plan.revisions.get(instance.revision)
        version = revision.version if revision else ""
        return Target(self.plan.service.name, version, instance.revision, instance.id, instance.addresses)

    @cached_property
    def doubted(self) -> frozenset[str]:
        """The instances that this look alone says are back, or not ready any more: it may be an older list."""
        as_of_s = self.observation.as_of_s
        return frozenset([name for name, at_s in self.progress.doubted.items() if in_doubt(at_s, as_of_s)])

    def proven(self, instance: str) -> bool:
        """Tell whether it is ready and has passed all its gates, at this address, not too long ago."""
        return instance in self.all_cells.proven

    @property
    def condemned(self) -> Mapping[str, str]:
        """Instance → why: it had all its time to pass its gates and failed. Inconclusive never condemns."""
        return self.all_cells.condemned

    # -- traffic ----------------------------------------------------------------------------------------------------

    @cached_property
    def silent(self) -> tuple[str, ...]:
        """The edges that do not answer."""
        return tuple([view.edge for view in self.observation.edges if not view.reachable])

    @cached_property
    def sent_to(self) -> tuple[Mapping[Address, int], ...]:
        """What each edge that answers sends to."""
        return tuple(view.weights for view in self.observation.edges if view.reachable)

    @property
    def serving(self) -> Mapping[str, None]:
        """Every instance that counts as capacity as far as anybody knows: what may be lost, is lost from these."""
        return self.all_cells.serving

    @property
    def useful(self) -> Mapping[str, None]:
        """Those that are proven to serve. Only these count as what is left."""
        return self.all_cells.useful

    @cached_property
    def coming(self) -> frozenset[str]:
        """Those that will be proven to serve as soon as the edges follow: discovery says so since a moment ago."""
        since_s = self.now - EDGE_FOLLOWS_S
        records = {name: self.record(name) for name in self.all_cells.unshown}
        return frozenset([name for name, one in records.items() if one and (one.admitted_s or 0.0) > since_s])

    @cached_property
    def room_to_change(self) -> int:
        """How many of those that serve have to leave traffic and come back changed; 0 where nothing has to be left."""
        if not self.plan.floor:
            return 0
        return sum(
            len(self.of_cells[cell.name].serving)
            for goal in self.goals.values()
            if goal.share and goal.in_place is None and (cell := self.cells.get(goal.cell)) is not None
            if cell.revision != goal.revision or cell.mixed or cell.replicas > goal.replicas
        )

    def complete(self, goal: Goal) -> bool:
        """Tell of one of the goals whether its cell is complete: all its instances, of the right revision, are proven.

        Where it is changed in place: so many as are changed yet.
        """
        return goal.cell in self._complete

    @cached_property
    def _complete(self) -> frozenset[str]:
        return frozenset([goal.cell for goal in self.goals.values() if self._is_complete(goal)])

    def _is_complete(self, goal: Goal) -> bool:
        cell = self.cells.get(goal.cell)
        if cell is None or cell.revision != goal.revision or cell.replicas != goal.replicas or self.told_to_stop(cell):
            return False
        if goal.in_place is None:
            return self.proven_in(cell) >= goal.replicas
        old = sum(1 for i in cell.instances if i.revision != goal.revision and i.state is not InstanceState.STOPPING)
        changed = goal.in_place.changed
        return self.proven_in(cell) >= changed and old <= goal.replicas - changed

    def told_to_stop(self, cell: Cell) -> bool:
        """Tell whether instances are listed that were told to stop: the list is older than that."""
        told = self.progress.told.get(cell.name)
        if told is None or told.unknown:
            return False
        kept = told.command.revision if isinstance(told.command, Change) else ""
        if (kept == cell.revision and not cell.mixed) or not stops_all(told.command):
            return False
        before = [one for one in cell.instances if one.revision != kept and one.state is not InstanceState.STOPPING]
        records = [self.record(one.id) for one in before]
        return any(record and record.launched_s is not None and record.launched_s <= told.at_s for record in records)

    def all_serve(self, goal: Goal) -> bool:
        """Tell whether a cell is complete, and every edge shows all of it."""
        return self.complete(goal) and self.of_cells[goal.cell].serves_wholly

    @cached_property
    def unseen(self) -> tuple[Goal, ...]:
        """The goals with traffic that the stage waits for and that do not wholly serve yet."""
        return tuple([goal for goal in self._answering if goal.share and not self.all_serve(goal)])

    @cached_property
    def unfinished(self) -> tuple[Goal, ...]:
        """The goals with traffic that the stage waits for and that are not complete."""
        return tuple([goal for goal in self._answering if goal.share and not self.complete(goal)])

    @cached_property
    def _answering(self) -> tuple[Goal, ...]:
        return tuple([goal for goal in self.goals.values() if self.answers_for(goal)])

    def answers_for(self, goal: Goal) -> bool:
        """Tell whether the stage waits for this cell to be complete.

        Going forward it does not for what it only replaces: a broken old version must not block its own repair. Going
        back it does not for a cell that is as it was: it need not be better than when the deployment began. One that
        was taken out of traffic is not, though a look that did not show that yet may have said so.
        """
        if self.forward:
            return goal.revision == self.plan.target
        return goal.share > 0 and (goal not in self.plan.origin or self._is_out(goal.cell))

    def _is_out(self, cell: str) -> bool:
        """Tell whether a cell has no traffic, although it has instances that may have some."""
        if self.cell_weight(cell) or cell not in self.cells:
            return False
        return any(one.id in self.registered and one.id not in self.condemned for one in self.cells[cell].instances)

    def proven_in(self, cell: Cell) -> int:
        """Count the proven instances of the cell's own revision."""
        return self.of_cells[cell.name].proven_count

    @cached_property
    def unlike(self) -> tuple[str, ...]:
        """The edges that do not divide the traffic as discovery was told, as far as they are waited for."""
        return edges_unlike(self)

    def given_up_s(self, edge: str) -> float:
        """Return when an edge that can't be reached is no longer waited for, if it still can't be."""
        return self.progress.deaf.get(edge, self.now) + self.plan.service.drain_deadline_s

    @cached_property
    def passing(self) -> frozenset[str]:
        """The cells that have traffic for a while yet, and whose instances may come and go: what is to be replaced.

        Going forward a stage does not wait for them: a broken old version must not block its own repair.
        """
        if not self.forward:
            return frozenset()
        return frozenset([goal.cell for goal in self.goals.values() if goal.share and not self.answers_for(goal)])
