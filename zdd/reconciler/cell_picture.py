"""What the rules ask about one cell: derived anew only when something that it is derived from has changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from attrs import frozen

from zdd.model.cached import cached_property
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.gate import Gate, shown
from zdd.model.plan import Goal, Plan
from zdd.model.traffic import Registration, TrafficIntent
from zdd.model.verdict import Result
from zdd.reconciler.learn import nothing_new, steady, steady_at_s
from zdd.reconciler.mirror import mirror
from zdd.reconciler.progress import GateRecord, InstanceRecord

PROOF_VALID_S = 30.0
"""How long a passed gate counts. A verdict that nobody renewed says nothing about now."""

REPROVE_S = PROOF_VALID_S / 3
"""How often an instance that has passed its gates is looked at again."""

PAUSE_LEAST_S = 0.05
"""How long a gate rests at least between two looks, whatever it says itself."""


class CellFacts(NamedTuple):
    """All that the picture of a cell is derived from, besides the time.

    A tuple, because two tuples that hold the very same things are found to be equal without looking into them.

    Attributes:
        plan: What is wanted.
        goal: What the cell should be at the end of this stage; None: the plan does not know it.
        cell: What the orchestrator says of it.
        registrations: What discovery knows of each of its instances, in their order.
        records: What has been seen of each.
        said: What each gate of its revision has said of each, at this address.
        shown: Whether every edge shows it, for each.
        doubted: Those that this look alone says are back, or not ready any more: it may be an older list.
    """

    plan: Plan
    goal: Goal | None
    cell: Cell
    registrations: tuple[Registration | None, ...]
    records: tuple[InstanceRecord | None, ...]
    said: tuple[tuple[GateRecord | None, ...], ...]
    shown: tuple[bool, ...]
    doubted: frozenset[str]


@frozen(slots=False, eq=False)
class CellPicture:
    """What the rules ask about one cell. Everything is derived; nothing is decided here.

    Attributes:
        facts: What it is derived from.
        intent: Where traffic is meant to go.
        now: When it was derived, in seconds since the epoch.
    """

    facts: CellFacts
    intent: TrafficIntent
    now: float

    def holds(self, facts: CellFacts, now: float) -> bool:
        """Tell whether the same would be derived from these facts, at this time."""
        if self.facts != facts:
            return False
        return self.now <= now < self._changes_s and self._passed_s >= now - PROOF_VALID_S

    @cached_property
    def _changes_s(self) -> float:
        """When time alone will change something: somebody is steady, or has had all its time to pass its gates."""
        plan, found = self.facts.plan, [inf]
        for instance, said in zip(self.facts.cell.instances, self.facts.said, strict=True):
            if not said:
                found.append(steady_at_s(plan, instance, self._records[instance.id]))
            elif instance.id in self._failing or self._undecided(said):
                found.extend([at_s for _, _, at_s in self._times(instance, said)])
        return min([at_s for at_s in found if at_s > self.now])

    @cached_property
    def _passed_s(self) -> float:
        """When the oldest of the gates passed on which a proof rests."""
        said = zip(self.facts.cell.instances, self.facts.said, strict=True)
        records = [one for instance, found in said if instance.id in self.proven for one in found]
        return min([one.passed_s for one in records if one is not None and one.passed_s is not None], default=inf)

    @cached_property
    def settled(self) -> bool:
        """Whether nothing more can be learnt from a look that says the same."""
        facts = self.facts
        return all(map(nothing_new, facts.records, facts.cell.instances, facts.registrations))

    # -- gates ------------------------------------------------------------------------------------------------------

    @cached_property
    def proven(self) -> frozenset[str]:
        """Those that are ready and have passed all their gates, at this address, not too long ago.

        One that is back, by what the lists say, has to pass them again: the list may be older than its end.
        """
        said = zip(self.facts.cell.instances, self.facts.said, strict=True)
        return frozenset([one.id for one, found in said if self._passes(one, found)]) - self.facts.doubted

    def _passes(self, instance: Instance, said: tuple[GateRecord | None, ...]) -> bool:
        if instance.state is not InstanceState.READY:
            return False
        if not said:
            return steady(self.facts.plan, instance, self._records[instance.id], self.now)
        record, since = self._records[instance.id], self.now - PROOF_VALID_S
        if record is not None:
            since = max(since, record.back_s)
        for one in said:
            if one is None or one.passed_s is None or one.passed_s < since or one.verdict.result is Result.FAILED:
                return False
        return True

    @cached_property
    def proven_count(self) -> int:
        """How many instances of the cell's own revision are proven."""
        cell, proven = self.facts.cell, self.proven
        return len([1 for one in cell.instances if one.id in proven and one.revision == cell.revision])

    @cached_property
    def verdicts(self) -> Mapping[str, tuple[GateRecord | None, ...]]:
        """What each gate of its revision has said, by instance."""
        return dict(zip(self.facts.cell.members, self.facts.said, strict=True))

    @cached_property
    def _failing(self) -> frozenset[str]:
        """The ready ones at which a gate has failed."""
        ready, failed = InstanceState.READY, Result.FAILED
        said = zip(self.facts.cell.instances, self.facts.said, strict=True)
        return frozenset(
            [
                instance.id
                for instance, found in said
                if instance.state is ready and any(one is not None and one.verdict.result is failed for one in found)
            ]
        )

    @cached_property
    def condemned(self) -> Mapping[str, str]:
        """Instance → why: it had all its time to pass its gates and failed. Inconclusive never condemns."""
        found = {}
        for instance in [one for one in self.facts.cell.instances if one.id in self._failing]:
            for gate, record, at_s in self._times(instance, self.verdicts[instance.id]):
                if record.verdict.result is Result.FAILED and self.now >= at_s:
                    patience_s = self._patience_s(gate)
                    reason = f"{shown(gate)} did not pass within {patience_s:g} s: {record.verdict.reason}"
                    found[instance.id] = reason
                    break
        return found

    def _patience_s(self, gate: Gate) -> float:
        return gate.deadline_s if gate.deadline_s is not None else self.facts.plan.service.start_deadline_s

    def _times(self, instance: Instance, said: tuple[GateRecord | None, ...]) -> list[tuple[Gate, GateRecord, float]]:
        """Return each gate that was asked at the instance, what it said, and when all its time to pass is over."""
        revision = self.facts.plan.revisions.get(instance.revision)
        each = zip(revision.gates if revision else (), said, strict=True)
        return [
            (gate, one, max(one.asked_s, one.passed_s or 0.0) + self._patience_s(gate))
            for gate, one in each
            if one is not None
        ]

    @staticmethod
    def _undecided(said: tuple[GateRecord | None, ...]) -> bool:
        """Tell whether a gate has not concluded yet, or was not asked: that an instance does not serve is not known."""
        return any(one is None or (one.passed_s is None and one.verdict.result is Result.INCONCLUSIVE) for one in said)

    @cached_property
    def asks(self) -> tuple[tuple[float, Instance, int], ...]:
        """When which gate is due at which instance: those that have traffic, or may get some."""
        ready, passed, rests_s = InstanceState.READY, Result.PASSED, self._rests_s
        found = []
        for instance, registration, said in zip(
            self.facts.cell.instances, self.facts.registrations, self.facts.said, strict=True
        ):
            if instance.state is not ready or not said:
                continue
            if (registration is not None and registration.weight > 0) or self._concerns(instance):
                for number, record in enumerate(said):
                    after_pass_s, else_s = rests_s[instance.revision][number]
                    if record is None:
                        at_s = -inf
                    else:
                        at_s = record.looked_s + (after_pass_s if record.verdict.result is passed else else_s)
                    found.append((at_s, instance, number))
        return tuple(found)

    @cached_property
    def asks_from_s(self) -> float:
        """When the first gate is due."""
        return min([at_s for at_s, _, _ in self.asks], default=inf)

    @cached_property
    def steady_s(self) -> float:
        """When the next instance without gates will count as proven."""
        plan, ready = self.facts.plan, InstanceState.READY
        said = zip(self.facts.cell.instances, self.facts.said, strict=True)
        waiting = [one for one, gates in said if not gates and one.state is ready]
        found = [steady_at_s(plan, one, self._records[one.id]) for one in waiting]
        return min([at_s for at_s in found if at_s > self.now], default=inf)

    @cached_property
    def _rests_s(self) -> Mapping[str, list[tuple[float, float]]]:
        """By revision, for how long each of its gates rests at an instance: after it passed, and otherwise."""
        revisions = self.facts.plan.revisions
        return {
            name: [
                (max(gate.interval_s, REPROVE_S), max(gate.interval_s, PAUSE_LEAST_S)) for gate in revisions[name].gates
            ]
            for name in {one.revision for one in self.facts.cell.instances if one.revision in revisions}
        }

    def _concerns(self, instance: Instance) -> bool:
        """Tell whether an instance without traffic may get some."""
        goal = self.facts.goal
        if goal is None or not goal.replicas:
            return False
        if instance.revision != goal.revision:  # in a cell that is changed in place it serves until it is replaced
            return goal.in_place is not None and bool(goal.share)
        return bool(goal.share) or instance.revision == self.facts.plan.target

    # -- traffic ----------------------------------------------------------------------------------------------------

    @cached_property
    def weight(self) -> int:
        """What its instances have of the traffic, as discovery knows."""
        return sum([one.weight for one in self.facts.registrations if one is not None])

    @cached_property
    def in_traffic(self) -> frozenset[str]:
        """Those that have traffic, and get requests from every edge for certain: none shows it only because it lags."""
        facts = self.facts
        each = zip(facts.cell.members, facts.registrations, facts.shown, strict=True)
        sent = [name for name, one, shown in each if shown and one is not None and one.weight > 0]
        return frozenset(sent) - self._unsure

    @cached_property
    def _unsure(self) -> frozenset[str]:
        each = zip(self.facts.cell.members, self.facts.records, strict=True)
        return frozenset([name for name, record in each if record is not None and record.unsure_at])

    @cached_property
    def serving(self) -> Mapping[str, None]:
        """Every instance that counts as capacity as far as anybody knows: ready, in traffic, and not condemned."""
        ready, condemned, facts = InstanceState.READY, self.condemned, self.facts
        if not facts.plan.service.exposures:
            return {one.id: None for one in facts.cell.instances if one.state is ready and one.id not in condemned}
        each = zip(facts.cell.instances, facts.registrations, facts.shown, strict=True)
        return {
            one.id: None
            for one, registration, shown in each
            if registration is not None and registration.weight > 0
            if (shown and one.state is ready) or one.id in facts.doubted
            if one.id not in condemned
        }

    @cached_property
    def unshown(self) -> tuple[str, ...]:
        """Those that are proven and have traffic, and do not serve only because an edge does not show it."""
        serving, proven, condemned = self.serving, self.proven, self.condemned
        if len(serving) == len(self.facts.cell.instances):
            return ()
        sent = zip(self.facts.cell.members, self.facts.registrations, strict=True)
        names = [name for name, one in sent if one is not None and one.weight > 0 and name not in serving]
        return tuple([name for name in names if name in proven and name not in condemned])

    @cached_property
    def useful(self) -> Mapping[str, None]:
        """Those that are proven to serve."""
        proven, unsure = self.proven, self._unsure
        return {name: None for name in self.serving if name in proven and name not in unsure}

    @cached_property
    def measured(self) -> bool:
        """Whether the gates of every instance that seems to serve have concluded, or have had all their time to."""
        unsure = [name for name in self.serving if self._undecided(self.verdicts[name])]
        return not any(self._may_conclude(name) for name in unsure)

    def _may_conclude(self, name: str) -> bool:
        said = self.verdicts[name]
        if None in said:
            return True
        each = self._times(self.facts.cell.members[name], said)
        return any(self._undecided((record,)) and self.now < at_s for _, record, at_s in each)

    @cached_property
    def serves_wholly(self) -> bool:
        """Whether every instance of the cell's own revision that is to stay serves for certain."""
        cell, serving = self.facts.cell, self.serving.keys() - self._unsure
        return all(
            one.id in serving
            for one in cell.instances
            if one.revision == cell.revision and one.state is not InstanceState.STOPPING
        )

    @cached_property
    def wanted(self) -> Mapping[str, Registration]:
        """What discovery should know when the stage's traffic is where it should be, by instance."""
        return mirror(
            self.intent,
            self.facts.cell,
            self._registered,
            proven=self.proven,
            condemned=self.condemned,
            revisions=self.facts.plan.revisions,
        )

    @cached_property
    def unlike_wanted(self) -> Mapping[str, Registration]:
        """What discovery should know of the instances of which it knows something else."""
        registered = self._registered
        return {name: one for name, one in self.wanted.items() if registered[name] is not one}

    @cached_property
    def overweight(self) -> tuple[str, ...]:
        """Its instances that have more of the traffic than they should, but should have some."""
        found = []
        for name, wanted in self.unlike_wanted.items():
            known = self._registered[name]
            if known is not None and 0 < wanted.weight < known.weight:
                found.append(name)
        return tuple(found)

    @cached_property
    def _records(self) -> Mapping[str, InstanceRecord | None]:
        return dict(zip(self.facts.cell.members, self.facts.records, strict=True))

    @cached_property
    def _registered(self) -> Mapping[str, Registration | None]:
        return dict(zip(self.facts.cell.members, self.facts.registrations, strict=True))
