"""`learn`: fold a fact into the progress. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zdd.model.address import Address
from zdd.model.cell import Instance, InstanceState
from zdd.model.command import Change, Launch, Retire, Route, Scale
from zdd.model.evolve import evolve
from zdd.model.gate import conclude
from zdd.model.observation import Observation
from zdd.model.order import Order
from zdd.model.plan import Plan
from zdd.model.service import Service
from zdd.model.traffic import EdgeView, Registration
from zdd.model.verdict import Result
from zdd.reconciler.orders import obeyed
from zdd.reconciler.progress import (
    SAMPLES_KEPT,
    Completed,
    Fact,
    GateRecord,
    InstanceRecord,
    Observed,
    Passed,
    Performed,
    Progress,
    Sampled,
    Sent,
    Stopped,
    Told,
    TrafficReached,
    admission_key,
)

STEADY_S = 5.0
"""How long a worker without gates must have run to count as proven, or half its start deadline if that is less."""

LOOK_AGAIN_S = 0.1
"""How far apart two looks are that must agree: an edge that chose an instance has connected to it by then."""

EDGE_FOLLOWS_S = 10.0
"""How long an edge may take to follow what discovery was told. An instance that was admitted and taken back before an
edge showed it may still get requests from there until then; one that was taken out and put back before the edge let go
of it may still lose them."""

UNSEEN_SETTLES_S = 1.0
"""The same for an instance that this deployer has never seen with traffic."""

IDLE_LOOKS = 2
"""In how many looks in a row nothing may be in flight before an instance counts as idle: one look can fall between an
edge's choice of an instance and the connection it then makes."""


def learn(progress: Progress, plan: Plan, fact: Fact, now: float) -> Progress:
    """Return the progress with one more fact in it."""
    match fact:
        case Observed():
            return _observed(progress, plan, fact)
        case Sampled():
            return learn_looks(progress, plan, [fact], now)
        case Sent(command, settles_s, refused):
            progress = evolve(progress, settles_s=max(progress.settles_s, settles_s))
            if refused:
                return progress
            told = dict(progress.told)
            if isinstance(command, Launch | Change | Scale | Retire):
                told[command.cell] = Told(command, now, unknown=settles_s > now)
            if isinstance(command, Route):
                # Without an answer it may take effect at the last moment, and be shown only after that.
                told_s, holds = max(now, settles_s), progress.holds and command.held
                goes_on = not command.held and progress.routed is not None and progress.routed.held
                went_on_s = told_s if goes_on else progress.went_on_s
                progress = evolve(progress, routed=command, routed_s=told_s, holds=holds, went_on_s=went_on_s)
            return evolve(progress, told=told)
        case Performed(number, succeeded, note):
            if not succeeded:
                return evolve(progress, failure=note)
            return evolve(progress, done=(*progress.done, number))
        case Stopped(reason):
            return evolve(progress, failure=reason)
        case Completed(cells):
            return evolve(progress, complete_s={**progress.complete_s, **dict.fromkeys(cells, now)})
        case TrafficReached():
            return evolve(progress, reached_s=now)
        case Passed():
            return evolve(
                progress, stage=progress.stage + 1, entered_s=now, reached_s=None, done=(), stood_s=0.0, promoted=False
            )
        case Order():
            return obeyed(progress, plan, fact, now)


def learn_looks(progress: Progress, plan: Plan, looks: Sequence[Sampled], now: float) -> Progress:
    """Return the progress with what gates said in it: the same as `learn` of each in turn, for many at once."""
    if not looks:
        return progress
    gates, known = dict(progress.gates), progress.instances
    proven: dict[str, InstanceRecord] = {}
    for fact in looks:
        key = (fact.key, fact.target.key)
        before = gates.get(key)
        samples = (*(before.samples if before else ()), fact.sample)[-SAMPLES_KEPT:]
        verdict = conclude(fact.gate, samples)
        passed_s = now if verdict.result is Result.PASSED else before.passed_s if before else None
        gates[key] = GateRecord(before.asked_s if before else fact.asked_s, now, passed_s, samples, verdict)
        name = fact.target.instance
        instance = proven.get(name) or known.get(name)
        if instance is not None and instance.proven_s is None and _all_passed(plan, fact, gates):
            proven[name] = evolve(instance, proven_s=now)
    return evolve(progress, gates=gates, instances={**known, **proven} if proven else known)


def _all_passed(plan: Plan, fact: Sampled, gates: Mapping[tuple[str, str], GateRecord]) -> bool:
    revision = plan.revisions.get(fact.target.revision)
    keys = [admission_key(revision.id, number) for number in range(len(revision.gates))] if revision else []
    records = [gates.get((key, fact.target.key)) for key in keys]
    return all(record is not None and record.passed_s is not None for record in records)


def _observed(progress: Progress, plan: Plan, look: Observed) -> Progress:
    observation, registrations = look.observation, look.registered
    if registrations is None:
        registrations = {registration.instance: registration for registration in observation.registrations}
    as_of_s, known = observation.as_of_s, progress.instances
    listed: set[str] = set()
    changed: dict[str, InstanceRecord] = {}
    doubted = {name: at_s for name, at_s in progress.doubted.items() if in_doubt(at_s, as_of_s)}
    holds = progress.holds and observation.held
    held_proves = (holds or None) if as_of_s >= follows_until_s(progress.went_on_s) else False
    for cell in observation.cells:
        listed.update(cell.members)
        for name, instance in cell.members.items() if cell.name not in look.settled else ():
            before, registration = known.get(name), registrations.get(name)
            if nothing_new(before, instance, registration):
                continue
            record = before or _first_seen(progress, cell.name, instance, observation)
            if _goes_back(record, instance):
                doubted[name] = as_of_s
                record = evolve(record, back_s=as_of_s)
            elif record.state is not instance.state:
                doubted.pop(name, None)
            record = _listed(record, instance, plan, as_of_s)
            record = _traffic(record, instance, registration, observation, plan, held_proves)
            if record is not before:
                changed[name] = record
    for name in [name for name in registrations if name not in listed]:
        record = known.get(name) or InstanceRecord(registrations[name].cell, registrations[name].revision)
        since_s = record.missing_s if record.missing_s is not None else as_of_s
        changed[name] = evolve(record, missing_looks=record.missing_looks + 1, missing_s=since_s)
    for name in [name for name in known if name not in listed]:
        if known[name].stopped_s is None and known[name].launched_s is not None:
            changed[name] = evolve(changed.get(name, known[name]), stopped_s=as_of_s)
    deaf = {view.edge: progress.deaf.get(view.edge, as_of_s) for view in observation.edges if not view.reachable}
    if not changed and (deaf, doubted, holds) == (progress.deaf, progress.doubted, progress.holds):
        return progress
    instances = {**known, **changed} if changed else known
    went_on_s = progress.went_on_s
    if went_on_s and not observation.held and any(_shows_that_they_went_on(one, went_on_s) for one in changed.values()):
        went_on_s = 0.0
    return evolve(progress, instances=instances, deaf=deaf, doubted=doubted, holds=holds, went_on_s=went_on_s)


def follows_until_s(at_s: float) -> float:
    """Return when every edge has had time to follow what discovery was told at that time; 0: it was told nothing."""
    return at_s + EDGE_FOLLOWS_S if at_s else 0.0


def _shows_that_they_went_on(record: InstanceRecord, went_on_s: float) -> bool:
    """Tell whether every edge sends requests to an instance that had no traffic before held requests went on."""
    if record.seen_s is None or record.admitted_s is None or record.launched_s is None:
        return False
    return record.launched_s < record.admitted_s and went_on_s <= record.admitted_s


def _first_seen(progress: Progress, cell: str, instance: Instance, observation: Observation) -> InstanceRecord:
    as_of_s, given = observation.as_of_s, progress.given.get(instance.id)
    record = InstanceRecord(cell, instance.revision, launched_s=as_of_s)
    if given is None or as_of_s >= given.at_s + EDGE_FOLLOWS_S:
        return record
    unsure_at = dict.fromkeys([view.edge for view in observation.edges], True) if given.again else {}
    return evolve(record, given=True, unsure_at=unsure_at)


def in_doubt(at_s: float, as_of_s: float) -> bool:
    """Tell whether what a look first said at that time was not said by another one yet."""
    return as_of_s < at_s + LOOK_AGAIN_S


def _goes_back(record: InstanceRecord, instance: Instance) -> bool:
    """Tell whether a list says what was so before: it is there, still starting, or well. It may be an older list."""
    if record.stopped_s is not None:
        return True
    if record.state is InstanceState.STOPPING:
        return instance.state is not InstanceState.STOPPING
    if record.state is InstanceState.FAILED:
        return instance.state is InstanceState.READY
    return record.state is InstanceState.READY and instance.state is InstanceState.STARTING


def steady_at_s(plan: Plan, instance: Instance, record: InstanceRecord | None) -> float:
    """Return when an instance without gates counts as proven: a worker that crashes at once must not.

    Since when it is ready is told by the clock of its node, which may be ahead: it is so since it was seen at the
    latest.
    """
    since_s = instance.since_s
    if record is not None and record.ready_s is not None and record.ready_s < since_s:
        since_s = record.ready_s
    if plan.service.exposures:
        return since_s
    return since_s + min(STEADY_S, plan.service.start_deadline_s / 2)


def steady(plan: Plan, instance: Instance, record: InstanceRecord | None, now: float) -> bool:
    """Tell whether an instance without gates is ready, and has been for long enough."""
    return instance.state is InstanceState.READY and now >= steady_at_s(plan, instance, record)


def _has_gates(plan: Plan, revision: str) -> bool:
    return revision in plan.revisions and bool(plan.revisions[revision].gates)


def nothing_new(record: InstanceRecord | None, instance: Instance, registration: Registration | None) -> bool:
    """Tell whether nothing can be learnt of an instance: it serves as it did, and every edge was seen to know."""
    if record is None or record.state is not instance.state or record.note != instance.note or record.missing_looks:
        return False
    if record.ready_s is None or record.proven_s is None or record.stopped_s is not None:
        return False
    if instance.address_lost and not record.address_lost:
        return False
    return registration is not None and registration.weight > 0 and _all_seen(record)


def _all_seen(record: InstanceRecord) -> bool:
    return record.out_s is None and record.seen_s is not None and record.sent_s is not None


def _listed(record: InstanceRecord, instance: Instance, plan: Plan, as_of_s: float) -> InstanceRecord:
    if record.state is not instance.state or record.note != instance.note or record.missing_looks:
        record = evolve(record, state=instance.state, note=instance.note, missing_looks=0, missing_s=None)
    if record.ready_s is None and instance.state is InstanceState.READY:
        record = evolve(record, ready_s=as_of_s)
    if (record.failed_s is not None) is not (instance.state is InstanceState.FAILED):
        record = evolve(record, failed_s=as_of_s if instance.state is InstanceState.FAILED else None)
    if instance.address_lost and not record.address_lost:
        record = evolve(record, address_lost=True)
    if record.stopped_s is not None:  # a list can be stale: what is listed again was not gone
        record = evolve(record, stopped_s=None)
    if record.proven_s is None and not _has_gates(plan, instance.revision) and steady(plan, instance, record, as_of_s):
        record = evolve(record, proven_s=as_of_s)
    return record


def _traffic(
    record: InstanceRecord,
    instance: Instance,
    registration: Registration | None,
    observation: Observation,
    plan: Plan,
    held_proves: bool | None,
) -> InstanceRecord:
    in_traffic = registration is not None and registration.weight > 0
    if in_traffic and _all_seen(record):
        return record  # nothing more can be learnt of it before it is taken out
    known = registration.addresses if registration is not None else instance.addresses
    addresses = [known[exposure.port] for exposure in plan.service.exposures if exposure.port in known]
    if record.sent_s is None and any(address in view.weights for view in observation.edges for address in addresses):
        record = evolve(record, sent_s=observation.as_of_s)  # it drains then, whatever discovery knows of it
    if in_traffic:
        return _in_traffic(record, addresses, observation)
    if registration is not None or record.sent_s is not None:
        return _out(record, addresses, observation, plan, held_proves)
    return record


def _in_traffic(record: InstanceRecord, addresses: Sequence[Address], observation: Observation) -> InstanceRecord:
    as_of_s = observation.as_of_s
    if record.out_s is not None or record.admitted_s is None:
        unsure_at = record.unsure_at if record.out_s is None else _unsure(record, observation.edges)
        record = evolve(
            record, admitted_s=as_of_s, seen_s=None, out_s=None, gone_s=None, idle_s=None, cut_s=None,
            seen_at=(), gone_at={}, unsure_at=unsure_at, idle_looks=0,
        )  # fmt: skip
    if record.unsure_at:
        record = _surer(record, addresses, observation.edges)
    seen = tuple(
        view.edge
        for view in observation.edges
        if view.edge in record.seen_at
        or (
            view.reachable
            and view.edge not in record.unsure_at
            and all(address in view.weights for address in addresses)
        )
    )
    if seen != record.seen_at:
        record = evolve(record, seen_at=seen)
    if record.seen_s is None and len(seen) == len(observation.edges):
        record = evolve(record, seen_s=as_of_s)
    return record


def _unsure(record: InstanceRecord, edges: Sequence[EdgeView]) -> dict[str, bool]:
    """Return the edges that were not seen to have let go of what is put back, and whether that was so before."""
    return {view.edge: view.edge in record.unsure_at for view in edges if view.edge not in record.gone_at}


def _surer(record: InstanceRecord, addresses: Sequence[Address], edges: Sequence[EdgeView]) -> InstanceRecord:
    """Return the record without the edges that were seen to let go after all, or have had time to follow."""
    since_s = record.admitted_s if record.admitted_s is not None else 0.0
    left = dict(record.unsure_at)
    for view in edges:
        if view.reachable and view.edge in left and view.as_of_s >= since_s:
            gone = not left[view.edge] and not any(address in view.weights for address in addresses)
            if gone or view.as_of_s >= since_s + EDGE_FOLLOWS_S:
                del left[view.edge]
    return record if len(left) == len(record.unsure_at) else evolve(record, unsure_at=left)


def _out(
    record: InstanceRecord,
    addresses: Sequence[Address],
    observation: Observation,
    plan: Plan,
    held_proves: bool | None,
) -> InstanceRecord:
    as_of_s = observation.as_of_s
    if record.out_s is None:
        record = evolve(record, out_s=as_of_s, seen_s=None, gone_at={}, gone_s=None, idle_looks=0, idle_s=None)
    out_s = record.out_s if record.out_s is not None else as_of_s
    gone_at = {
        view.edge: record.gone_at.get(view.edge, view.as_of_s)
        for view in observation.edges
        if _let_go(view, record, addresses, out_s, plan.service.settle_s, held_proves)
    }
    everywhere = len(gone_at) == len(observation.edges) and as_of_s >= out_s + plan.service.settle_s
    idle = everywhere and bool(observation.edges) and _nothing_in_flight(observation.edges, addresses)
    processes = tuple(view.process for view in observation.edges)
    looks, looked_s = (record.idle_looks, record.idle_looked_s) if processes == record.idle_at else (0, 0.0)
    if not idle:
        looks = 0
    elif not looks or (looks < IDLE_LOOKS and as_of_s >= looked_s + LOOK_AGAIN_S):
        looks, looked_s = looks + 1, as_of_s
    gone_s = (record.gone_s if record.gone_s is not None else as_of_s) if everywhere else None
    idle_s = (record.idle_s if record.idle_s is not None else as_of_s) if looks >= IDLE_LOOKS else None
    heard = all(view.edge in gone_at or not view.reachable for view in observation.edges)
    late = idle_s is None and heard and as_of_s >= drained_by_s(out_s, gone_at, observation.edges, plan.service)
    cut_s = (record.cut_s if record.cut_s is not None else as_of_s) if late else None
    known = (record.gone_at, record.gone_s, record.idle_looks, record.idle_looked_s, record.idle_at)
    if (gone_at, gone_s, looks, looked_s, processes) == known and (idle_s, cut_s) == (record.idle_s, record.cut_s):
        return record
    return evolve(
        record, gone_at=gone_at, gone_s=gone_s, idle_looks=looks, idle_looked_s=looked_s, idle_at=processes,
        idle_s=idle_s, cut_s=cut_s,
    )  # fmt: skip


def drained_by_s(out_s: float, gone_at: Mapping[str, float], edges: Sequence[EdgeView], service: Service) -> float:
    """Return when what is in flight has had its whole time, counted from when the last edge has let go.

    One that can't be asked has done so when the time has passed within which it follows every change.
    """
    let_go_s = [gone_at.get(view.edge, out_s if view.reachable else out_s + EDGE_FOLLOWS_S) for view in edges]
    return max([out_s, *let_go_s]) + service.drain_deadline_s


def _let_go(
    view: EdgeView,
    record: InstanceRecord,
    addresses: Sequence[Address],
    out_s: float,
    settle_s: float,
    held_proves: bool | None,
) -> bool:
    """Tell whether an edge was seen to have let go.

    Its picture may be older than the last change. Not to show an instance proves something only if it was seen to
    show it before, if it holds requests back and has to since an earlier deployer, or if the time has passed within
    which it follows every change. One that holds requests back proves nothing (False) while it may not know yet that
    they went on: then it sends them again for a moment, to this one too.
    """
    if not view.reachable:
        return view.edge in record.gone_at
    if view.as_of_s < out_s or any(address in view.weights for address in addresses):
        return False
    if view.edge in record.gone_at or (view.held and held_proves):
        return True
    if view.edge in record.seen_at and not (view.held and held_proves is False):
        return True
    follows_s = EDGE_FOLLOWS_S if record.given or record.admitted_s is not None else UNSEEN_SETTLES_S
    return view.as_of_s >= out_s + max(settle_s, follows_s)


def _nothing_in_flight(edges: Sequence[EdgeView], addresses: Sequence[Address]) -> bool:
    return all(view.reachable and all(view.in_flight.get(address) == 0 for address in addresses) for view in edges)
