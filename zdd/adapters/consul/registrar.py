"""Single writes to the agents, in a row: each after a look at the fence, all within one time-out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from attrs import define, field

from zdd.adapters.consul.connection import NOT_FOUND, OK, Answer, ConsulConnection
from zdd.adapters.consul.listing import OUT, Listed, Wanted, check_id
from zdd.adapters.consul.sight import service_right
from zdd.adapters.half_done import half_done
from zdd.errors import OutcomeUnknown, TemporaryError
from zdd.interfaces import Fence
from zdd.model.address import Address

APPLY_TIMEOUT_S = 8.0


@define(eq=False)
class Registrar:
    """Registers and deregisters for one deployer, within one call of it.

    Attributes:
        catalog: The agent that is asked for what no agent owns.
        agent_for: The agent with which an instance at this address is registered.
        fence: The deployer's.
        check_fence: Raises `LeaseLost` if a later one has claimed.
        done: How many writes the agents have taken.
        end_s: When it takes too long, by the monotonic clock.
    """

    catalog: ConsulConnection
    agent_for: Callable[[Address], ConsulConnection]
    fence: Fence
    check_fence: Callable[[], None]
    done: int = 0
    end_s: float = field(factory=lambda: time.monotonic() + APPLY_TIMEOUT_S)

    def put(self, one: Wanted, before: Listed | None) -> None:
        """Register a port of an instance as wanted, or only change what is different.

        Raises:
            TemporaryError: Nothing was changed yet.
            PermanentError: It is refused, and nothing was changed yet.
            OutcomeUnknown: It is not known whether it was done; or earlier ones were, and this one was not.
        """
        self._do(f"register {one.id}", lambda: self._put(one, before))

    def remove(self, listed: Listed) -> None:
        """Have the agent forget a port of an instance. Raises as `put` does."""
        self._do(f"deregister {listed.id}", lambda: self._remove(listed))

    def strike_out(self, listed: Listed) -> None:
        """Have the catalog forget what it lists although its agent does not know it. Raises as `put` does."""
        body, right = {"Node": listed.node, "ServiceID": listed.id}, service_right(listed.name)
        path, expected = "/v1/catalog/deregister", (OK, NOT_FOUND)
        self._do(f"strike out {listed.id}", lambda: self._tell(self.catalog, path, right, body=body, expected=expected))

    def as_one(self, what: str = "") -> AbstractContextManager[None]:
        """Let what the block does be one: what fails in it after something was written leaves it half done.

        Raises:
            OutcomeUnknown: Instead of what says that nothing was changed.
        """
        return half_done(lambda: f"after {self.done} changes{what}" if self.done else "")

    def _do(self, what: str, write: Callable[[], object]) -> None:
        with self.as_one(f", could not {what}"):
            self._check_time()
            self.check_fence()
            write()

    def _tell(self, agent: ConsulConnection, path: str, right: str, **more: Any) -> Answer:
        answer = agent.tell(path, right=right, **more)
        self.done += answer.status == OK
        return answer

    def _check_time(self) -> None:
        if time.monotonic() > self.end_s:
            raise TemporaryError(f"it took longer than {APPLY_TIMEOUT_S:g} s")

    def _put(self, one: Wanted, before: Listed | None) -> None:
        agent = self.agent_for(one.address)
        if before is None or not before.is_as(one):
            self._register(agent, one)
        if not self._turn(agent, one):
            self._register(agent, one)  # listed, but its agent has forgotten it
            self._turn(agent, one)

    def _register(self, agent: ConsulConnection, one: Wanted) -> None:
        definition, parameters = one.definition(self.fence.token), {"replace-existing-checks": "true"}
        path = "/v1/agent/service/register"
        right = service_right(one.name)
        _check_silent(self._tell(agent, path, right, body=definition, parameters=parameters), agent)

    def _turn(self, agent: ConsulConnection, one: Wanted) -> bool:
        """Set zdd's own check. Return False if the agent does not know it.

        Also where it was registered with that state a moment ago: an agent that is started again forgets a state that
        a check was only registered with, and then the check is critical.
        """
        verb, word = ("warn", "out") if one.status == OUT else ("pass", "in")
        note = {"note": f"{word}, by {self.fence.holder} (token {self.fence.token})"}
        path = f"/v1/agent/check/{verb}/{check_id(one.id)}"
        answer = self._tell(agent, path, service_right(one.name), parameters=note, expected=(OK, NOT_FOUND))
        if answer.status == OK:
            _check_silent(answer, agent)
        return answer.status == OK

    def _remove(self, listed: Listed) -> None:
        agent, right = self.agent_for(listed.address), service_right(listed.name)
        path = f"/v1/agent/service/deregister/{listed.id}"
        try:
            answer = self._tell(agent, path, right, expected=(OK, NOT_FOUND))
        except TemporaryError:
            if listed.node_alive:
                raise
            return  # it has gone with its node, and what the catalog lists can be struck out
        if answer.status == OK:
            _check_silent(answer, agent)


def _check_silent(answer: Answer, agent: ConsulConnection) -> None:
    """Check that it was answered as an agent does, which says nothing: a proxy's page is no promise."""
    if answer.text not in ("", "null"):
        words = f"{answer.what} was not answered as Consul does: {answer.text[:200]!r}"
        raise OutcomeUnknown(words, settles_within_s=agent.settles_within_s)
