"""Notes what a simulated deployer can see when it looks: only that is held against it."""

from __future__ import annotations

from zdd.model.cell import InstanceState
from zdd.model.evolve import evolve
from zdd.simulation.invariants import Invariant
from zdd.simulation.process import Look, Process
from zdd.simulation.watch import Watch


def looked(watch: Watch, process: Process, *, wrong_list: bool = False) -> None:
    """A deployer is about to ask what runs: note what it can see."""
    now_s = watch.world.clock.now()
    maybe = frozenset(watch.serves(now_s))
    surely = frozenset(name for name in maybe if watch.long_well(name, now_s))
    registrations, held = watch.world.registered(watch.service.name)
    weights = {one.instance: one.weight for one in registrations}
    if watch.stale:
        maybe |= watch.frozen
    sizes = {cell.name: cell.size for cell in watch.world.cells.observe(watch.service.name)}
    process.look = Look(now_s, surely, maybe, weights, dict(watch.deaf), held, watch.stale or wrong_list, sizes)
    plan = process.plan
    if plan is not None and process is watch.process and not process.interfered:
        staying = sum(1 for one in watch.world.cells.existing.values() if one.state is not InstanceState.STOPPING)
        if staying > plan.ceiling:
            watch.say(Invariant.CEILING, f"{staying} instances exist, the ceiling is {plan.ceiling}")


def looked_at_traffic(watch: Watch, process: Process) -> None:
    """A deployer is about to ask discovery or an edge, perhaps long after it asked what runs."""
    if process.look is not None and process.look.at_s < watch.world.clock.now():
        registrations, held = watch.world.registered(watch.service.name)
        weights = {one.instance: one.weight for one in registrations}
        maybe = process.look.maybe | watch.serves(watch.world.clock.now())
        process.look = evolve(process.look, maybe=maybe, weights=weights, deaf=dict(watch.deaf), held=held)
