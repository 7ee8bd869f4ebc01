"""The rules of `zdd.interfaces.Orchestrator`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from zdd.errors import ConfigurationError, LeaseLost, PermanentError
from zdd.interfaces import Fence, Orchestrator
from zdd.model.cell import Cell, InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.testing.orchestrator_in_place import IN_PLACE_RULES
from zdd.testing.orchestrator_tidying import TIDYING_RULES
from zdd.testing.orchestrator_trial import OrchestratorTrial, orchestrator_trial
from zdd.testing.rules import Again, Conditions, Make, Rule, demand, demand_error, opened, try_rules

# -- launch ------------------------------------------------------------------------------------------------------------


def _empty_at_first(trial: OrchestratorTrial) -> None:
    demand(trial.cells() == (), f"observe returned {trial.cells()!r}, not an empty tuple")


def _listed_at_once(trial: OrchestratorTrial) -> None:
    trial.launch(2)
    cell = trial.cell()
    if cell is None:
        demand(False, "it was not listed right after launch had returned")
    else:
        told, seen = ("kit", "kit-1", 2), (cell.name, cell.revision, cell.replicas)
        demand(seen == told, f"its name, revision and replicas are {seen}, not {told}")


def _gets_ready(trial: OrchestratorTrial) -> None:
    before_s = trial.conditions.clock.now()
    instances = trial.running(2)
    after_s = trial.conditions.clock.now()
    addresses = [address for one in instances for address in one.addresses.values()]
    demand(len(set(addresses)) == len(addresses), f"two of them share an address: {addresses}")
    for one in instances:
        known = before_s - 1 <= one.since_s <= after_s + 1
        demand(known, f"{one.id} is ready since {one.since_s}, which is not between {before_s} and {after_s}")


def _ready_answers(trial: OrchestratorTrial) -> None:
    answers = trial.conditions.answers
    for one in trial.running(2):
        for address in one.addresses.values():
            demand(answers and answers(address), f"{one.id} is ready, but nothing listens at {address}")


def _launch_twice(trial: OrchestratorTrial) -> None:
    trial.launch(2)
    trial.launch(2)
    _keeps(trial, {one.id for one in trial.ready(2)}, "a second launch while the first one starts")
    before = trial.ids()
    trial.launch(2)
    _keeps(trial, before, "a launch of what runs already")


def _keeps(trial: OrchestratorTrial, ids: set[str], what: str) -> None:
    trial.conditions.steadily(f"the instances stayed the same after {what}", lambda: trial.ids() == ids)


def _launch_scales(trial: OrchestratorTrial) -> None:
    before = {one.id for one in trial.running(1)}
    trial.launch(2)
    demand(before <= {one.id for one in trial.ready(2)}, "the instance that ran before was replaced")


def _launch_over_another(trial: OrchestratorTrial) -> None:
    before = {one.id for one in trial.running(1)}
    demand_error(PermanentError, "launch with another revision", lambda: trial.launch(1, revision=trial.revision(2)))
    _keeps(trial, before, "a launch that was refused")
    trial.ready(1)


def _never_ready(trial: OrchestratorTrial) -> None:
    trial.launch(1, revision=trial.revision(1, trial.conditions.never_ready))
    trial.conditions.until("it had an instance", trial.instances)
    trial.conditions.steadily(
        "no instance was said to be ready",
        lambda: all(one.state is not InstanceState.READY for one in trial.instances()),
    )
    trial.retire()
    trial.gone()


# -- scale and change --------------------------------------------------------------------------------------------------


def _scale_up(trial: OrchestratorTrial) -> None:
    before = {one.id for one in trial.running(1)}
    trial.scale(3)
    trial.scale(3)
    demand(before <= {one.id for one in trial.ready(3)}, "the instance that ran before was replaced")


def _scale_down(trial: OrchestratorTrial) -> None:
    before = {one.id for one in trial.running(3)}
    trial.scale(1)
    trial.scale(1)
    after = {one.id for one in trial.ready(1)}
    demand(after <= before, "the instance that is left is a new one")
    _keeps(trial, after, "scaling down")


def _scale_to_the_same(trial: OrchestratorTrial) -> None:
    before = {one.id for one in trial.running(2)}
    trial.scale(2)
    _keeps(trial, before, "scaling to the number that it has")


def _change_replaces(trial: OrchestratorTrial) -> None:
    before = {one.id for one in trial.running(2)}
    trial.change(2, 3)
    cell = trial.cell()
    demand(cell is not None, "the cell was not listed right after change had returned")
    if cell is not None:
        demand((cell.revision, cell.replicas) == ("kit-2", 3), f"the cell says {cell.revision} and {cell.replicas}")
        for one in cell.instances:
            right = one.revision == ("kit-1" if one.id in before else "kit-2")
            demand(right, f"{one.id} is said to run {one.revision}, which it does not")
    after = {one.id for one in trial.ready(3, revision="kit-2")}
    demand(not after & before, f"{sorted(after & before)} were kept")


def _change_twice(trial: OrchestratorTrial) -> None:
    trial.running(2)
    trial.change(2, 2)
    trial.change(2, 2)
    after = {one.id for one in trial.ready(2, revision="kit-2")}
    trial.change(2, 2)
    _keeps(trial, after, "a change to what runs already")


# -- the end -----------------------------------------------------------------------------------------------------------


def _retire(trial: OrchestratorTrial) -> None:
    instances = trial.running(2)
    trial.retire()
    trial.gone()
    answers = trial.conditions.answers
    for one in instances if answers else ():
        for address in one.addresses.values():
            demand(answers and not answers(address), f"{one.id} is not listed, but something listens at {address}")
    trial.conditions.steadily("a cell that had gone was not listed again", lambda: trial.cell() is None)


def _retire_twice(trial: OrchestratorTrial) -> None:
    trial.running(1)
    trial.retire()
    trial.retire()
    trial.gone()
    trial.retire()
    demand(trial.cell() is None, "it is listed again")


def _retire_unknown(trial: OrchestratorTrial) -> None:
    trial.retire("never-was")
    demand(trial.cells() == (), f"observe returned {trial.cells()!r} afterwards")


def _retire_leaves_others(trial: OrchestratorTrial) -> None:
    trial.running(1)
    trial.launch(1, "kit-b")
    before = {one.id for one in trial.ready(1, "kit-b")}
    trial.retire()
    trial.gone()
    demand(trial.ids("kit-b") == before, "the instances of another cell changed")


def _stopping_is_listed(trial: OrchestratorTrial) -> None:
    trial.launch(1, revision=trial.revision(1, trial.conditions.slow_to_stop))
    (one,) = trial.ready(1)
    trial.retire()
    trial.conditions.until(
        "the instance was listed as stopping",
        lambda: [found.state for found in trial.instances() if found.id == one.id] == [InstanceState.STOPPING],
    )
    answers = trial.conditions.answers

    def ended() -> bool:
        listed = one.id in trial.ids()
        left = [address for address in one.addresses.values() if answers and not listed and answers(address)]
        demand(not left, f"{one.id} is not listed, but something listens at {left}")
        return not listed

    trial.conditions.until("an instance that was told to stop is no longer listed", ended)
    trial.gone()


def _new_ids(trial: OrchestratorTrial) -> None:
    used = {one.id for one in trial.running(2)}
    for _ in range(2):
        trial.retire()
        trial.gone()
        fresh = {one.id for one in trial.running(2)}
        demand(not fresh & used, f"{sorted(fresh & used)} were used before")
        used |= fresh


def _killed_is_replaced(trial: OrchestratorTrial) -> None:
    kill = trial.conditions.kill
    first, second = trial.running(2)
    if kill is not None:
        kill(first)
    trial.conditions.until("the one that was killed is no longer listed", lambda: first.id not in trial.ids())
    after = {one.id: one for one in trial.ready(2)}
    demand(second.id in after, "the other instance was replaced too")
    demand(first.id not in after, "the id of the one that was killed is in use again")
    (new,) = (one for one in after.values() if one.id != second.id)
    demand(new.restarts >= 1, f"{new.id} replaces one that ended by itself, but says restarts={new.restarts}")


# -- what it says ------------------------------------------------------------------------------------------------------


def _sorted(trial: OrchestratorTrial) -> None:
    for name in ("kit-b", "kit-c", "kit-a"):
        trial.launch(1, name)
    trial.launch(3, "kit-b")
    trial.ready(3, "kit-b")
    names = [cell.name for cell in trial.cells()]
    demand(names == ["kit-a", "kit-b", "kit-c"], f"the cells are in the order {names}")
    ids = [one.id for one in trial.instances("kit-b")]
    demand(ids == sorted(ids), f"the instances are in the order {ids}")


def _services_apart(trial: OrchestratorTrial) -> None:
    trial.running(1)
    seen = trial.orchestrator.observe(trial.other_service)
    demand(seen == (), f"observe of another service returned {seen!r}")
    trial.orchestrator.retire(trial.other_service, Retire("kit"), trial.fence)
    _keeps(trial, trial.ids(), "a cell of the same name was retired in another service")
    demand(trial.ids(), "a cell of the same name was retired in another service, and this one went")


def _check_changes_nothing(trial: OrchestratorTrial) -> None:
    trial.orchestrator.check(trial.service, trial.conditions.workload)
    trial.conditions.steadily("nothing existed after check", lambda: trial.cells() == ())


def _check_refuses(trial: OrchestratorTrial) -> None:
    refused = trial.conditions.refused
    error = demand_error(
        ConfigurationError, "check", lambda: trial.orchestrator.check(trial.service, refused if refused else {})
    )
    demand(str(error), "the error says nothing")
    demand(trial.cells() == (), "check changed something")


def _watch(trial: OrchestratorTrial) -> None:
    end = trial.orchestrator.watch(trial.service, lambda: None)
    demand(callable(end), f"watch returned {end!r}")
    trial.running(1)
    end()
    trial.scale(2)
    trial.ready(2)


# -- fences ------------------------------------------------------------------------------------------------------------


def _old_fence_everywhere(trial: OrchestratorTrial, orchestrator: Orchestrator, claimed: int) -> None:
    before = trial.cells()
    service, old, two = trial.service, Fence(claimed - 1, "an older deployer"), trial.revision(2)
    writes: Sequence[tuple[str, Callable[[], None]]] = (
        ("launch", partial(orchestrator.launch, service, trial.revision(), Launch("kit", "kit-1", 3), old)),
        ("launch of a new cell", partial(orchestrator.launch, service, two, Launch("kit-b", "kit-2", 1), old)),
        ("change", partial(orchestrator.change, service, two, Change("kit", "kit-2", 1), old)),
        ("scale", partial(orchestrator.scale, service, trial.revision(), Scale("kit", 3), old)),
        ("retire", partial(orchestrator.retire, service, Retire("kit"), old)),
        ("retire of an unknown cell", partial(orchestrator.retire, service, Retire("never-was"), old)),
        ("claim", partial(orchestrator.claim, service, old)),
    )
    for name, write in writes:
        demand_error(LeaseLost, f"{name} with an old fence", write)
    trial.conditions.steadily("nothing changed after writes that were refused", lambda: trial.cells() == before)


def _old_fence(trial: OrchestratorTrial) -> None:
    trial.running(1)
    trial.token = 5
    trial.orchestrator.claim(trial.service, trial.fence)
    _old_fence_everywhere(trial, trial.orchestrator, 5)
    trial.scale(2)
    trial.ready(2)


def _write_claims(trial: OrchestratorTrial) -> None:
    trial.token = 5
    trial.running(1)
    _old_fence_everywhere(trial, trial.orchestrator, 5)


def _claim_changes_nothing(trial: OrchestratorTrial) -> None:
    before = {one.id for one in trial.running(1)}
    trial.token = 5
    trial.orchestrator.claim(trial.service, trial.fence)
    trial.orchestrator.claim(trial.service, trial.fence)
    _keeps(trial, before, "a claim")


def _fences_apart(trial: OrchestratorTrial) -> None:
    trial.orchestrator.claim(trial.other_service, Fence(5, "another deployer"))
    trial.running(1)


def _others_see_the_same(trial: OrchestratorTrial) -> None:
    trial.running(2)
    if trial.again is not None:
        with opened(trial.again(trial.orchestrator)) as other:
            seen, own = other.observe(trial.service), trial.cells()
            demand(_named(seen) == _named(own), f"the second one sees {_named(seen)}, the first one {_named(own)}")


def _named(cells: Sequence[Cell]) -> list[tuple[str, str, int, list[str]]]:
    return [(cell.name, cell.revision, cell.replicas, [one.id for one in cell.instances]) for cell in cells]


def _others_are_fenced(trial: OrchestratorTrial) -> None:
    trial.running(1)
    if trial.again is not None:
        with opened(trial.again(trial.orchestrator)) as other:
            other.claim(trial.service, Fence(5, "a later deployer"))
            _old_fence_everywhere(trial, trial.orchestrator, 5)
        with opened(trial.again(trial.orchestrator)) as third:
            _old_fence_everywhere(trial, third, 5)


ORCHESTRATOR_RULES: tuple[Rule[OrchestratorTrial], ...] = (
    Rule("a service that nobody launched has no cells", _empty_at_first),
    Rule("a cell is listed from the moment launch was accepted", _listed_at_once),
    Rule("a launched cell gets all its instances ready, each at addresses of its own", _gets_ready),
    Rule("an instance that is said to be ready answers", _ready_answers, lambda trial: trial.conditions.answers),
    Rule("launch twice is the same as once", _launch_twice),
    Rule("launch of a running revision with another number is a scale", _launch_scales),
    Rule("launch over another revision is refused and changes nothing", _launch_over_another),
    Rule("what never gets ready is never said to be", _never_ready, lambda trial: trial.conditions.never_ready),
    Rule("scale up restarts nothing", _scale_up),
    Rule("scale down stops as many as it must", _scale_down),
    Rule("scale to the present number changes nothing", _scale_to_the_same),
    Rule("change replaces all", _change_replaces),
    Rule("change twice is the same as once", _change_twice),
    Rule("a retired cell goes with its last instance", _retire),
    Rule("retire twice is the same as once", _retire_twice),
    Rule("retire of an unknown cell is fine", _retire_unknown),
    Rule("retire leaves other cells alone", _retire_leaves_others),
    Rule(
        "an instance that was told to stop is listed as stopping until nothing of it is left",
        _stopping_is_listed,
        lambda trial: trial.conditions.slow_to_stop,
    ),
    Rule("an ended instance's id is never used again", _new_ids),
    Rule(
        "an instance that ended by itself is replaced by one that counts it",
        _killed_is_replaced,
        lambda trial: trial.conditions.kill,
    ),
    Rule("cells are sorted by name and instances by id", _sorted),
    Rule("cells of one service are not those of another", _services_apart),
    Rule("check changes nothing", _check_changes_nothing),
    Rule("check refuses what could not run", _check_refuses, lambda trial: trial.conditions.refused is not None),
    Rule("a watch can be ended", _watch),
    Rule("an old fence is refused and changes nothing", _old_fence),
    Rule("a write with a greater token shuts out smaller ones", _write_claims),
    Rule("a claim changes no instance", _claim_changes_nothing),
    Rule("fences of one service are not those of another", _fences_apart),
    Rule("another deployer sees the same cells", _others_see_the_same, lambda trial: trial.again),
    Rule("another deployer's fence counts", _others_are_fenced, lambda trial: trial.again),
    *TIDYING_RULES,
    *IN_PLACE_RULES,
)


def check_orchestrator(
    make: Make[Orchestrator], conditions: Conditions, *, again: Again[Orchestrator] | None = None
) -> tuple[str, ...]:
    """Try the rules of an orchestrator, each on a fresh one, and return the names of those that were tried.

    Args:
        make: Gives a fresh orchestrator. Nothing that the rules start is left running when it is closed.
        conditions: What can't be known of its world.
        again: Gives another one onto the same world, for the rules about two deployers.

    Raises:
        ConformanceError: Rules are broken. It names them all, and says what was seen.
    """

    def trials() -> AbstractContextManager[OrchestratorTrial]:
        return orchestrator_trial(make, conditions, again)

    return try_rules("the orchestrator", ORCHESTRATOR_RULES, trials)
