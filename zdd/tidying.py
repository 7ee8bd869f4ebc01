"""Putting right what commands left behind: while a deployment runs, and before it ends."""

from __future__ import annotations

from collections.abc import Callable

from zdd.errors import AdapterError, ConfigurationError
from zdd.interfaces import Fence, Orchestrator
from zdd.model.observation import Observation
from zdd.model.plan import Plan
from zdd.model.service import Service
from zdd.reconciler.decision import Decision
from zdd.reconciler.guard import Refusal
from zdd.recorder import Recorder

PATIENCE_S = 15.0
"""For how long the end of a deployment is put off, less than clearing away may take (`CLEAR_AWAY_S`), in seconds."""


class Tidying:
    """Has the orchestrator tidy up, and tells what it can't."""

    def __init__(self, orchestrator: Orchestrator, fence: Fence, recorder: Recorder, now: Callable[[], float]) -> None:
        self._orchestrator = orchestrator
        self._fence = fence
        self._recorder = recorder
        self._now = now
        self._until_s: float | None = None

    def tidy(self, service: Service) -> str:
        """Put right what can be; return why something could not, or nothing.

        Whatever a request without an answer does later is what the next call would do.

        Raises:
            LeaseLost: A newer deployer has taken over.
        """
        try:
            self._orchestrator.tidy(service, self._fence)
        except (AdapterError, ConfigurationError) as error:
            return str(error)
        return ""

    def may_end(self, plan: Plan, observation: Observation, untidy: str) -> bool:
        """Tell whether everything is put right, or was waited for long enough: `PATIENCE_S` since the first call.

        Args:
            plan: What was wanted, and is there.
            observation: The present look.
            untidy: Why something could not be put right; empty: everything is.
        """
        if not untidy:
            return True
        self._until_s = self._until_s or self._now() + PATIENCE_S
        if self._now() >= self._until_s:
            self._recorder.unproven.append(f"what commands left behind was not put right: {untidy}")
            return True
        waits = (Refusal("tidy", f"what commands left behind to be put right: {untidy}", self._until_s),)
        self._recorder.show(plan, observation, Decision(waits=waits))
        return False
