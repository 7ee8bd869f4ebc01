"""The present look and the evidence so far, put together: what the rules ask about."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from zdd.model.address import Address
from zdd.model.cached import cached_property
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.gate import Target
from zdd.model.observation import Observation
from zdd.model.plan import Direction, Goal, Plan, Stage, traffic_intent
from zdd.model.traffic import EdgeView, Registration
from zdd.model.verdict import Result
from zdd.reconciler.learn import in_doubt, steady
from zdd.reconciler.mirror import mirror, reached_at
from zdd.reconciler.progress import (
    GateRecord,
    InstanceRecord,
    Progress,
    admission_key,
    deadline_s,
    stage_of,
)

PROOF_VALID_S = 30.0
"""How long a passed gate counts. A verdict that nobody renewed says nothing about now."""

SHARE_TOLERANCE = 0.1
"""By what part of itself an edge's own share may differ from the one wanted: edges round weights."""

SHARE_LEAST = 0.005
"""And by how much of all traffic, where the share is small."""


@frozen(slots=False)
class Picture:
    """What the rules of the safe order ask about. Everything is derived; nothing is decided here."""

    observation: Observation
    plan: Plan
    progress: Progress
    now: float

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

    @property
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
    def registered(self) -> Mapping[str, Registration]:
        """What discovery knows, by instance."""
        return {registration.instance: registration for registration in self.observation.registrations}

    @cached_property
    def existing(self) -> int:
        """How many instances exist or may come into being without another command."""
        return sum(cell.size for cell in self.observation.cells)

    @cached_property
    def weights(self) -> Mapping[str, int]:
        """The weight of each instance that discovery knows; 0: it is out."""
        return {registration.instance: registration.weight for registration in self.observation.registrations}

    def weight(self, instance: str) -> int:
        """Return the weight that discovery knows; 0 if it is out or absent."""
        return self.weights.get(instance, 0)

    def record(self, instance: str) -> InstanceRecord | None:
        """Return what has been seen of an instance."""
        return self.progress.instances.get(instance)

    @cached_property
    def wanted(self) -> Mapping[str, Registration]:
        """What discovery should know when the stage's traffic is where it should be, by instance."""
        return mirror(
            traffic_intent(self.plan.service, self.goals.values()),
            self.observation,
            proven=self._proven,
            condemned=self.condemned,
            revisions=self.plan.revisions,
        )

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
        return {one.instance: one.weight for one in routed.registrations} == self.weights

    @cached_property
    def must_hold(self) -> bool:
        """Whether requests are to be held back: the stage says so, and what is to serve them is not complete."""
        if not self.stage.held or self.progress.stage >= len(self.plan.stages):
            return False
        return self.stopping or bool(self.unfinished) or (self.stage.warm and bool(self.others))

    def _awaited(self, goal: Goal) -> bool:
        return bool(goal.share) and self.answers_for(goal) and not self.complete(goal)

    @cached_property
    def ports(self) -> tuple[str, ...]:
        """The names of the ports at which edges reach instances."""
        return tuple(exposure.port for exposure in self.plan.service.exposures)

    def addresses(self, instance: Instance) -> Mapping[str, Address]:
        """Return the addresses at which edges reach an instance; empty while one of them is not known."""
        return reached_at(instance, self.ports, self.plan.revisions.get(instance.revision))

    @cached_property
    def _cell_weights(self) -> Mapping[str, int]:
        weights = self.weights
        return {cell.name: sum([weights.get(name, 0) for name in cell.members]) for cell in self.observation.cells}

    def cell_weight(self, cell: str) -> int:
        """Return what the instances of a cell that still exist have of the traffic, as discovery knows."""
        return self._cell_weights.get(cell, 0)

    def has_too_much(self, cell: str) -> bool:
        """Tell whether the instances of a cell together have more of the traffic than the cell should."""
        goal = self.goals.get(cell)
        return self.cell_weight(cell) > (goal.share if goal is not None else 0)

    @cached_property
    def overweight(self) -> Mapping[str, tuple[str, ...]]:
        """Cell → its instances that have more of the traffic than they should, but should have some."""
        found: dict[str, list[str]] = {}
        for name, registration in self.unlike_wanted.items():
            if 0 < registration.weight < self.weight(name):
                found.setdefault(registration.cell, []).append(name)
        return {cell: tuple(names) for cell, names in found.items()}

    @cached_property
    def unlike_wanted(self) -> Mapping[str, Registration]:
        """What discovery should know of the instances of which it knows something else."""
        registered = self.registered
        return {name: one for name, one in self.wanted.items() if registered.get(name) is not one}

    # -- gates ------------------------------------------------------------------------------------------------------

    def target(self, instance: Instance) -> Target:
        """Return what the gates of an instance look at."""
        revision = self.plan.revisions.get(instance.revision)
        version = revision.version if revision else ""
        return Target(self.plan.service.name, version, instance.revision, instance.id, instance.addresses)

    @cached_property
    def _gate_keys(self) -> Mapping[str, tuple[str, ...]]:
        return {
            name: tuple(admission_key(name, number) for number in range(len(revision.gates)))
            for name, revision in self.plan.revisions.items()
        }

    @cached_property
    def _verdicts(self) -> Mapping[str, tuple[GateRecord | None, ...]]:
        said, gate_keys = self.progress.gates, self._gate_keys
        return {
            name: tuple([said.get((gate, instance.key)) for gate in gate_keys.get(instance.revision, ())])
            for name, instance in self.instances.items()
        }

    def verdicts(self, instance: str) -> tuple[GateRecord | None, ...]:
        """Return what each gate of its revision has said of this instance at this address."""
        return self._verdicts[instance]

    @cached_property
    def doubted(self) -> frozenset[str]:
        """The instances that this look alone says are back, or not ready any more: it may be an older list."""
        as_of_s = self.observation.as_of_s
        return frozenset([name for name, at_s in self.progress.doubted.items() if in_doubt(at_s, as_of_s)])

    @cached_property
    def _proven(self) -> frozenset[str]:
        found = [name for name, instance in self.instances.items() if self._passes(instance)]
        return frozenset(found) - self.doubted

    def _passes(self, instance: Instance) -> bool:
        if instance.state is not InstanceState.READY:
            return False
        said = self._verdicts[instance.id]
        if not said:
            return steady(self.plan, instance, self.now)
        since = self.now - PROOF_VALID_S
        for one in said:
            if one is None or one.passed_s is None or one.passed_s < since or one.verdict.result is Result.FAILED:
                return False
        return True

    def proven(self, instance: str) -> bool:
        """Tell whether it is ready and has passed all its gates, at this address, not too long ago."""
        return instance in self._proven

    @cached_property
    def condemned(self) -> Mapping[str, str]:
        """Instance → why: it had all its time to pass its gates and failed. Inconclusive never condemns."""
        found = {}
        for name, said in self._verdicts.items():
            for one in said:
                if one is not None and one.verdict.result is Result.FAILED:
                    instance = self.instances[name]
                    reason = self._condemnation(instance) if instance.state is InstanceState.READY else ""
                    if reason:
                        found[name] = reason
                    break
        return found

    def _condemnation(self, instance: Instance) -> str:
        revision = self.plan.revisions.get(instance.revision)
        for gate, record in zip(revision.gates if revision else (), self.verdicts(instance.id), strict=True):
            if record is None or record.verdict.result is not Result.FAILED:
                continue
            patience_s = gate.deadline_s if gate.deadline_s is not None else self.plan.service.start_deadline_s
            since_s = max(record.asked_s, record.passed_s or 0.0)
            if self.now >= since_s + patience_s:
                return f"{gate} did not pass within {patience_s:g} s: {record.verdict.reason}"
        return ""

    # -- traffic ----------------------------------------------------------------------------------------------------

    def seen(self, instance: str) -> bool:
        """Tell whether every edge sends requests to it for certain: none shows it only because it lags."""
        return instance not in self._unsure and self.shown(instance)

    @cached_property
    def _unsure(self) -> frozenset[str]:
        return frozenset([name for name, record in self.progress.instances.items() if record.unsure_at])

    def shown(self, instance: str) -> bool:
        """Tell whether every edge shows it. An edge that can't be reached is believed what it said last."""
        found = self.instances.get(instance)
        addresses = self.addresses(found) if found is not None else None
        if not addresses:
            return False
        for weights in self._sent_to:
            for address in addresses.values():
                if address not in weights:
                    return False
        if not self._silent:
            return True
        record = self.record(instance)
        return record is not None and all(edge in record.seen_at for edge in self._silent)

    @cached_property
    def _sent_to(self) -> tuple[Mapping[Address, int], ...]:
        return tuple(view.weights for view in self.observation.edges if view.reachable)

    @cached_property
    def _silent(self) -> tuple[str, ...]:
        return tuple(view.edge for view in self.observation.edges if not view.reachable)

    @cached_property
    def serving(self) -> Mapping[str, None]:
        """Every instance that counts as capacity as far as anybody knows: ready, in traffic, and not condemned.

        What may be lost, is lost from these.
        """
        ready, condemned, instances, doubted = InstanceState.READY, self.condemned, self.instances, self.doubted
        if not self.carries_traffic:
            found = [name for name, one in instances.items() if one.state is ready]
        else:
            sent = [name for name, weight in self.weights.items() if weight > 0 and name in instances]
            found = [n for n in sent if n in doubted or (instances[n].state is ready and self.shown(n))]
        return {name: None for name in found if name not in condemned}

    def serves(self, instance: str) -> bool:
        """Tell whether it counts as capacity, as far as anybody knows."""
        return instance in self.serving

    @cached_property
    def useful(self) -> Mapping[str, None]:
        """Those that are proven to serve. Only these count as what is left."""
        proven, unsure = self._proven, self._unsure
        return {name: None for name in self.serving if name in proven and name not in unsure}

    @cached_property
    def room_to_change(self) -> int:
        """How many of those that serve have to leave traffic and come back changed; 0 where nothing has to be left."""
        if not self.plan.floor:
            return 0
        return sum(
            sum(name in self.serving for name in cell.members)
            for goal in self.goals.values()
            if goal.share and goal.in_place is None and (cell := self.cells.get(goal.cell)) is not None
            if cell.revision != goal.revision or cell.mixed or cell.replicas > goal.replicas
        )

    @cached_property
    def measured(self) -> bool:
        """Whether every instance that seems to serve has been looked at by its gates: before, nobody knows."""
        verdicts = self._verdicts
        return not any(None in verdicts[name] for name in self.serving)

    def complete(self, goal: Goal) -> bool:
        """Tell whether a cell has all its instances, of the right revision, proven; or so many as are changed yet."""
        cell = self.cells.get(goal.cell)
        if cell is None or cell.revision != goal.revision or cell.replicas != goal.replicas:
            return False
        if goal.in_place is None:
            return self._proven_counts[cell.name] >= goal.replicas
        old = sum(1 for i in cell.instances if i.revision != goal.revision and i.state is not InstanceState.STOPPING)
        changed = goal.in_place.changed
        return self._proven_counts[cell.name] >= changed and old <= goal.replicas - changed

    def all_serve(self, goal: Goal) -> bool:
        """Tell whether a cell is complete, and every edge shows all of it."""
        return self.complete(goal) and goal.cell in self._wholly_serving

    @cached_property
    def _wholly_serving(self) -> frozenset[str]:
        serving = self.serving.keys() - self._unsure
        return frozenset(
            cell.name
            for cell in self.observation.cells
            if all(
                one.id in serving
                for one in cell.instances
                if one.revision == cell.revision and one.state is not InstanceState.STOPPING
            )
        )

    @cached_property
    def unseen(self) -> tuple[Goal, ...]:
        """The goals with traffic that the stage waits for and that do not wholly serve yet."""
        answering = (goal for goal in self.goals.values() if goal.share and self.answers_for(goal))
        return tuple(goal for goal in answering if not self.all_serve(goal))

    @cached_property
    def unfinished(self) -> tuple[Goal, ...]:
        """The goals with traffic that the stage waits for and that are not complete."""
        return tuple(goal for goal in self.goals.values() if self._awaited(goal))

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
        return self._proven_counts[cell.name]

    @cached_property
    def _proven_counts(self) -> Mapping[str, int]:
        proven = self._proven
        return {
            cell.name: len([1 for one in cell.instances if one.id in proven and one.revision == cell.revision])
            for cell in self.observation.cells
        }

    @cached_property
    def _told(self) -> Mapping[Address, int]:
        """What discovery was told for every address that is to have traffic."""
        ports = frozenset(self.ports)
        return {
            address: registration.weight
            for registration in self.observation.registrations
            if registration.weight > 0
            for port, address in registration.addresses.items()
            if port in ports
        }

    @cached_property
    def unlike(self) -> tuple[str, ...]:
        """The edges that do not divide the traffic as discovery was told."""
        return tuple(view.edge for view in self.observation.edges if not self._shows(view))

    def _shows(self, view: EdgeView) -> bool:
        if not view.reachable or view.held != self.observation.held:
            return False
        if view.held:
            return True
        wanted = self._told
        if wanted == view.weights:
            return True
        if wanted.keys() != view.weights.keys():
            return False
        total, shown = sum(wanted.values()), sum(view.weights.values())
        return all(
            abs(weight / total - view.weights[address] / shown) <= max(SHARE_LEAST, SHARE_TOLERANCE * weight / total)
            for address, weight in wanted.items()
        )

    def quiet(self, instance: Instance) -> bool:
        """Tell whether nothing is lost when this instance stops: see the drain rule in `guards`."""
        if not self.carries_traffic or instance.state is InstanceState.STOPPING:
            return True
        record = self.record(instance.id)
        if self.weight(instance.id) > 0 or record is None:
            return False
        if instance.id not in self.registered and record.sent_s is None:
            # It never had traffic, if every edge can say so.
            return all(view.reachable or self._given_up_on(view, record) for view in self.observation.edges)
        if record.idle_s is not None:
            return True
        return record.cut_s is not None and all(self._given_up_on(view, record) for view in self.observation.edges)

    def _given_up_on(self, view: EdgeView, record: InstanceRecord) -> bool:
        """Tell whether an edge let go of an instance, or could not be asked for as long as anything gets to drain."""
        if view.edge in record.gone_at:
            return True
        deaf_s = self.progress.deaf.get(view.edge, self.now)
        return not view.reachable and self.now >= deaf_s + self.plan.service.drain_deadline_s
