"""The rules of a `Change` in place, for an orchestrator that has the ability."""

from __future__ import annotations

from functools import partial

from zdd.model.cell import Instance, InstanceState
from zdd.model.in_place import UpdateOrder
from zdd.testing.orchestrator_trial import OrchestratorTrial
from zdd.testing.rules import Rule, demand


def _able(trial: OrchestratorTrial) -> bool:
    return trial.orchestrator.abilities.in_place


def _so_far(trial: OrchestratorTrial, before: set[str], changed: int) -> tuple[Instance, ...] | None:
    """Return the new ones if so many are ready, the rest are of those from before, and nothing else is there."""
    found = trial.instances()
    new = tuple(one for one in found if one.revision == "kit-2" and one.state is InstanceState.READY)
    old = [one for one in found if one.id in before and one.state is InstanceState.READY]
    return new if len(new) == changed and len(new) + len(old) == len(found) == len(before) else None


def _as_far_as_told(trial: OrchestratorTrial) -> None:
    before = {one.id for one in trial.running(3)}
    trial.change_in_place(2, 3, 1)
    trial.token = 5
    trial.orchestrator.claim(trial.service, trial.fence)  # another deployer goes on, in the middle of the batch
    one = trial.conditions.until("one of 3 was replaced, and only one", partial(_so_far, trial, before, 1))
    trial.change_in_place(2, 3, 1)
    trial.token = 6
    trial.orchestrator.claim(trial.service, trial.fence)
    trial.conditions.steadily("one of 3 was replaced, and only one", partial(_so_far, trial, before, 1))
    trial.change_in_place(2, 3, 3, UpdateOrder.STOP_FIRST, batch=2)
    after = {instance.id for instance in trial.ready(3, revision="kit-2")}
    kept = {instance.id for instance in one or ()}
    demand(kept <= after, f"{sorted(kept - after)} ran what was wanted, and was replaced too")


def _victim_is_named(trial: OrchestratorTrial) -> None:
    never_ready = trial.conditions.never_ready
    before = {one.id for one in trial.running(2)}
    trial.change_in_place(2, 2, 1, workload=never_ready)

    def named() -> bool:
        listed = trial.instances()
        new = {one.id for one in listed if one.revision == "kit-2"}
        return any(one.id in before and one.replaced_by in new for one in listed)

    trial.conditions.until("the one in whose place a new one starts said so", named)

    def all_there() -> bool:
        return before == {one.id for one in trial.instances() if one.state is InstanceState.READY}

    trial.conditions.steadily("the old ones stayed while the new one was not ready", all_there)
    trial.change_in_place(1, 2, 2)
    back = {one.id for one in trial.ready(2)}
    demand(back == before, f"{sorted(before - back)} ran what was wanted again, and was replaced")
    named_still = [one.id for one in trial.instances() if one.replaced_by]
    demand(not named_still, f"{named_still} are still said to be replaced")


IN_PLACE_RULES: tuple[Rule[OrchestratorTrial], ...] = (
    Rule("a change in place goes as far as it was told, whoever claims meanwhile", _as_far_as_told, _able),
    Rule(
        "what starts first names the one in whose place it comes, which stays until it is ready or turned round",
        _victim_is_named,
        lambda trial: _able(trial) and trial.conditions.never_ready,
    ),
)
