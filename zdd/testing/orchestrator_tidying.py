"""The rules of what is left when commands have had their effect: looking leaves it, and `tidy` puts it right."""

from __future__ import annotations

from contextlib import suppress

from zdd.errors import LeaseLost
from zdd.interfaces import Fence
from zdd.testing.orchestrator_trial import OrchestratorTrial
from zdd.testing.rules import Rule, demand


def _one_retired(trial: OrchestratorTrial) -> set[str]:
    """Let one of two cells go, so that something may be left of it; return the instances of the other."""
    for name in ("kit", "kit-b"):
        trial.launch(1, name)
    for name in ("kit", "kit-b"):
        trial.ready(1, name)
    trial.retire("kit-b")
    return trial.ids()


def _written(trial: OrchestratorTrial) -> object:
    return trial.conditions.written() if trial.conditions.written is not None else None


def _looking_writes_nothing(trial: OrchestratorTrial) -> None:
    _one_retired(trial)
    before = _written(trial)
    trial.gone("kit-b")
    trial.cells()
    after = _written(trial)
    demand(after == before, f"while it was only looked at, {before} became {after}")


def _tidying_changes_no_instance(trial: OrchestratorTrial) -> None:
    ids = _one_retired(trial)
    trial.gone("kit-b")
    trial.conditions.until("nothing was left to be put right", trial.tidy)
    trial.tidy()
    trial.conditions.steadily("the instances stayed the same", lambda: trial.ids() == ids)
    trial.launch(1, "kit-b")
    trial.ready(1, "kit-b")


def _old_fence_tidies_nothing(trial: OrchestratorTrial) -> None:
    _one_retired(trial)
    trial.gone("kit-b")
    trial.token = 5
    trial.orchestrator.claim(trial.service, trial.fence)
    before = _written(trial)
    with suppress(LeaseLost):  # it need not be refused where nothing is left
        trial.orchestrator.tidy(trial.service, Fence(1, "an older deployer"))
    after = _written(trial)
    demand(after == before, f"with an old fence {before} became {after}")


TIDYING_RULES: tuple[Rule[OrchestratorTrial], ...] = (
    Rule("looking writes nothing", _looking_writes_nothing, lambda trial: trial.conditions.written),
    Rule("tidying changes no instance, and ends when nothing is left", _tidying_changes_no_instance),
    Rule("tidying with an old fence writes nothing", _old_fence_tidies_nothing, lambda trial: trial.conditions.written),
)
