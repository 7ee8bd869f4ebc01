"""The present look and the evidence so far, put together: what the rules ask about."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from attrs import frozen

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.gate import Target
from zdd.model.observation import Observation
from zdd.model.plan import Direction, Goal, Plan, Stage, traffic_intent
from zdd.model.traffic import EdgeView, Registration
from zdd.model.verdict import Result
from zdd.reconciler.learn import steady
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
        """What every cell should be at the end of this stage; of the one before while nothing of it may be touched."""
        number = stage_of(self.plan, self.progress)
        untouched = bool(self.pending_actions) or not self.progress.begun
        return self.plan.goals_at(number - 1 if untouched else number)

    @cached_property
    def pending_actions(self) -> tuple[int, ...]:
        """The actions of this stage that have not succeeded yet. A stage touches nothing before they have."""
        if self.progress.stage >= len(self.plan.stages):
            return ()
        return tuple(number for number in range(len(self.stage.actions)) if number not in self.progress.done)

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
    def located(self) -> Mapping[str, tuple[Cell, Instance]]:
        """Instance id → its cell and what the orchestrator says of it."""
        return {instance.id: (cell, instance) for cell in self.observation.cells for instance in cell.instances}

    @cached_property
    def registered(self) -> Mapping[str, Registration]:
        """What discovery knows, by instance."""
        return {registration.instance: registration for registration in self.observation.registrations}

    @cached_property
    def existing(self) -> int:
        """How many instances exist or may come into being without another command."""
        return sum(cell.size for cell in self.observation.cells)

    def weight(self, instance: str) -> int:
        """Return the weight that discovery knows; 0 if it is out or absent."""
        registration = self.registered.get(instance)
        return registration.weight if registration else 0

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
    def must_hold(self) -> bool:
        """Whether requests are to be held back: the stage says so, and what is to serve them is not complete."""
        if not self.stage.held or self.progress.stage >= len(self.plan.stages):
            return False
        return any(self._awaited(goal) for goal in self.goals.values())

    def _awaited(self, goal: Goal) -> bool:
        return bool(goal.share) and self.answers_for(goal) and not self.complete(goal)

    @cached_property
    def ports(self) -> tuple[str, ...]:
        """The names of the ports at which edges reach instances."""
        return tuple(exposure.port for exposure in self.plan.service.exposures)

    def addresses(self, instance: Instance) -> dict[str, Address]:
        """Return the addresses at which edges reach an instance; empty while one of them is not known."""
        return reached_at(instance, self.ports, self.plan.revisions.get(instance.revision))

    def cell_weight(self, cell: str) -> int:
        """Return what the instances of a cell that still exist have of the traffic, as discovery knows."""
        known = self.cells.get(cell)
        return sum(self.weight(instance.id) for instance in known.instances) if known is not None else 0

    @cached_property
    def overweight(self) -> Mapping[str, tuple[str, ...]]:
        """Cell → its instances that have more of the traffic than they should, but should have some."""
        found: dict[str, tuple[str, ...]] = {}
        for name, registration in self.wanted.items():
            if 0 < registration.weight < self.weight(name):
                found[registration.cell] = (*found.get(registration.cell, ()), name)
        return found

    # -- gates ------------------------------------------------------------------------------------------------------

    @cached_property
    def judged(self) -> Mapping[str, tuple[Target, tuple[GateRecord | None, ...]]]:
        """Instance → what its gates look at, and what each has said of it at this address."""
        return {name: self._judged(instance) for name, (_, instance) in self.located.items()}

    def _judged(self, instance: Instance) -> tuple[Target, tuple[GateRecord | None, ...]]:
        revision = self.plan.revisions.get(instance.revision)
        version = revision.version if revision else ""
        target = Target(self.plan.service.name, version, instance.revision, instance.id, instance.addresses)
        count = len(revision.gates) if revision else 0
        if not count:
            return target, ()
        key, said = target.key, self.progress.gates
        return target, tuple(said.get((admission_key(instance.revision, number), key)) for number in range(count))

    def verdicts(self, instance: str) -> tuple[GateRecord | None, ...]:
        """Return what each gate of its revision has said of this instance at this address."""
        return self.judged[instance][1]

    @cached_property
    def _proven(self) -> frozenset[str]:
        return frozenset(name for name, (_, instance) in self.located.items() if self._passes(instance))

    def _passes(self, instance: Instance) -> bool:
        if instance.state is not InstanceState.READY:
            return False
        if not self.verdicts(instance.id):
            return steady(self.plan, instance, self.now)
        since = self.now - PROOF_VALID_S
        return all(
            r is not None and r.passed_s is not None and r.passed_s >= since and r.verdict.result is not Result.FAILED
            for r in self.verdicts(instance.id)
        )

    def proven(self, instance: str) -> bool:
        """Tell whether it is ready and has passed all its gates, at this address, not too long ago."""
        return instance in self._proven

    @cached_property
    def condemned(self) -> Mapping[str, str]:
        """Instance → why: it had all its time to pass its gates and failed. Inconclusive never condemns."""
        found = {}
        for name, (_, instance) in self.located.items():
            reason = self._condemnation(instance) if instance.state is InstanceState.READY else ""
            if reason:
                found[name] = reason
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

    @cached_property
    def views(self) -> Mapping[str, EdgeView]:
        """What each edge says, by name."""
        return {view.edge: view for view in self.observation.edges}

    def seen(self, instance: str) -> bool:
        """Tell whether every edge sends requests to it. An edge that can't be reached is believed what it said last."""
        record = self.record(instance)
        located = self.located.get(instance)
        if record is None or located is None:
            return False
        addresses = self.addresses(located[1]).values()
        if not addresses:
            return False
        for view in self.observation.edges:
            if not view.reachable:
                if view.edge not in record.seen_at:
                    return False
            elif not all(address in view.weights for address in addresses):
                return False
        return True

    def serves(self, instance: str) -> bool:
        """Tell whether it counts as capacity, as far as anybody knows: ready, in traffic, and not condemned."""
        located = self.located.get(instance)
        if located is None or located[1].state is not InstanceState.READY or instance in self.condemned:
            return False
        return not self.carries_traffic or (self.weight(instance) > 0 and self.seen(instance))

    @cached_property
    def serving(self) -> tuple[str, ...]:
        """Every instance that counts as capacity as far as anybody knows: what may be lost, is lost from these."""
        return tuple(name for name in self.located if self.serves(name))

    @cached_property
    def useful(self) -> tuple[str, ...]:
        """Those that are proven to serve. Only these count as what is left."""
        return tuple(name for name in self.serving if self.proven(name))

    @cached_property
    def measured(self) -> bool:
        """Whether every instance that seems to serve has been looked at by its gates: before, nobody knows."""
        return all(None not in self.verdicts(name) for name in self.serving)

    def complete(self, goal: Goal) -> bool:
        """Tell whether a cell has all its instances, of the right revision, proven; or so many as are changed yet."""
        cell = self.cells.get(goal.cell)
        if cell is None or cell.revision != goal.revision or cell.replicas != goal.replicas:
            return False
        if goal.in_place is None:
            return self.proven_in(cell) >= goal.replicas
        old = sum(1 for i in cell.instances if i.revision != goal.revision and i.state is not InstanceState.STOPPING)
        return self.proven_in(cell) >= goal.in_place.changed and old <= goal.replicas - goal.in_place.changed

    def answers_for(self, goal: Goal) -> bool:
        """Tell whether the stage waits for this cell to be complete.

        Going forward it does not for what it only replaces: a broken old version must not block its own repair. Going
        back it does not for a cell that is as it was: it need not be better than when the deployment began.
        """
        if self.forward:
            return goal.revision == self.plan.target
        return goal.share > 0 and goal not in self.plan.origin

    def proven_in(self, cell: Cell) -> int:
        """Count the proven instances of the cell's own revision."""
        return sum(1 for i in cell.instances if i.revision == cell.revision and self.proven(i.id))

    def shows(self, view: EdgeView) -> bool:
        """Tell whether an edge divides the traffic as discovery was told."""
        if not view.reachable or view.held != self.observation.held:
            return False
        if view.held:
            return True
        wanted: dict[Address, int] = {}
        for registration in self.observation.registrations:
            if registration.weight > 0:
                for port, address in registration.addresses.items():
                    if port in self.ports:
                        wanted[address] = registration.weight
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
