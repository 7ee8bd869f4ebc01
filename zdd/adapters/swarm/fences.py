"""Fencing that outlives every cell: the greatest token accepted for a service is in the name of a Swarm config."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.engine import Engine, NameTaken
from zdd.adapters.swarm.in_place import is_halfway, is_under_way
from zdd.adapters.swarm.specification import with_labels
from zdd.errors import LeaseLost, PermanentError
from zdd.interfaces import Fence

Json = dict[str, Any]


class SwarmFences:
    """Accepts tokens, and refuses those that are smaller than the greatest so far.

    Two claims at the same time each create a config and look again, so that one of them sees the greater token. The
    tokens on the services themselves close the gap between looking here and writing there: see `SwarmOrchestrator`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def accept(self, service: str, fence: Fence) -> None:
        """Return if the token is the greatest, which it is from now on.

        Raises:
            LeaseLost: A greater one was accepted before.
            PermanentError: Somebody else's config has the name.
        """
        if self._greatest(service, fence) == fence.token:
            return
        name = f"zdd-fence-{service}-{fence.token}"
        described = {labels.FENCE: service, labels.TOKEN: str(fence.token), "zdd.holder": fence.holder}
        with suppress(NameTaken):  # by the same deployer, just before
            self._engine.create_config(name, b"zdd", described)
        if self._greatest(service, fence) != fence.token:
            raise PermanentError(f"config {name} is not zdd's: remove it")
        for token, config in self._tokens(service):
            if token < fence.token:
                self._engine.remove_config(config)

    def _greatest(self, service: str, fence: Fence) -> int:
        greatest = max((token for token, _ in self._tokens(service)), default=-1)
        check_token(service, greatest, fence)
        return greatest

    def _tokens(self, service: str) -> list[tuple[int, str]]:
        configs = self._engine.configs(f"{labels.FENCE}={service}")
        return [(token_of(config["Spec"]), config["ID"]) for config in configs]


def token_of(spec: dict[str, object]) -> int:
    """Return the token on a Swarm object; -1 if there is none."""
    described = spec.get("Labels")
    text = described.get(labels.TOKEN, "") if isinstance(described, dict) else ""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else -1


def check_token(service: str, accepted: int, fence: Fence) -> None:
    """Raise `LeaseLost` if a greater token was accepted."""
    if accepted > fence.token:
        raise LeaseLost(f"a newer deployer has taken over {service} (token {accepted}, ours is {fence.token})")


def claimed(service: str, cell: str, found: Json, tasks: Sequence[Json], fence: Fence, changed: str) -> Json | None:
    """Return what a claim writes to a Swarm service, so that a write that was decided before it is refused.

    Args:
        service: The zdd service's name.
        cell: The cell's name.
        found: The Swarm service.
        tasks: Its tasks.
        fence: Whose token it gets.
        changed: What somebody else has changed, on one line.

    Returns:
        None if nothing is to be written: it has the token, or somebody else's update of it is not through, which any
        write would let go on.
    """
    spec: Json = found["Spec"]
    if is_under_way(spec):  # the same again: Swarm goes on with its batch, and no further
        return spec
    if token_of(spec) >= fence.token or is_halfway(found, tasks):
        return None
    own = {labels.SERVICE: service, labels.CELL: cell, labels.TOKEN: str(fence.token)}
    return with_labels(spec, own | ({labels.CHANGED: changed} if changed else {}))
