"""Before anything is touched: every node that may run it has the image."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from attrs import field, frozen

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.engine import Engine, NameTaken
from zdd.adapters.swarm.nodes import fitting
from zdd.adapters.swarm.specification import pinned
from zdd.errors import AdapterError, ConfigurationError, PermanentError, TemporaryError
from zdd.model.action import ActionContext
from zdd.model.names import check_number

Json = dict[str, Any]

_POLL_S = 0.5
_NOWHERE = "/zdd/is-not-there"
_HAS_IT = ("ready", "starting", "running", "complete", "shutdown", "failed")


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigurationError(f"constraints={value!r}: use a list, for example ['node.role==worker']")
    return tuple(str(text) for text in value)


@frozen
class PullEverywhere:
    """Let every node pull an image, and fail if one can't. ``Perform([PullEverywhere(image)]) + RollingUpdate()``.

    Swarm pulls by itself when it starts a task, but then the deployment is under way. This makes a service of its own
    with one task on each node, whose program is one that no image has: so the node pulls the image, makes a container
    of it, can't start it, and nothing of the image ever runs. The service is removed afterwards.

    Attributes:
        image: With its digest, as `Images.push` and `Images.pin` return it.
        docker_host: A manager's Engine; None: what the docker client would use.
        constraints: Swarm's placement constraints of the service, if not every node may run it.
        deadline_s: Seconds within which all must have it.

    Raises:
        ConfigurationError: The image has no digest.
    """

    image: str
    docker_host: str | None = None
    constraints: tuple[str, ...] = field(default=(), converter=_texts)
    deadline_s: float = 300.0

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.image, str) or "@sha256:" not in self.image:
            raise ConfigurationError(
                f"image {self.image!r} has no digest: use what Images().pin({self.image!r}) returns"
            )
        check_number("deadline_s", self.deadline_s, least=0)

    @property
    def name(self) -> str:
        """What a person sees."""
        return f"every node pulls {self.image.partition('@')[0]}"

    def run(self, context: ActionContext) -> str:
        """Do it, and say how many nodes have it.

        Raises:
            PermanentError: A node can't; in the registry's own words.
            TemporaryError: Not all had it by the deadline.
        """
        with closing(Engine(self.docker_host)) as engine:
            return self.run_on(engine, context.service)

    def run_on(self, engine: Engine, service: str) -> str:
        """Do it for a service through an Engine that is open already. As `run`."""
        name = "zdd-pull-" + hashlib.sha256(f"{service}\0{self.image}".encode()).hexdigest()[:16]
        spec = self._specification(engine, name)
        service_id = self._create(engine, spec)
        try:
            nodes = self._await(engine, service_id, spec)
        finally:
            engine.remove_service(service_id)
        return f"{nodes} nodes have {self.image}"

    def _specification(self, engine: Engine, name: str) -> Json:
        try:
            platforms = pinned(self.image, engine.distribution(self.image)).platforms
        except AdapterError:
            platforms = ()  # the nodes say it in their own words
        return {
            "Name": name,
            "Labels": {labels.PULL: self.image},
            "TaskTemplate": {
                "ContainerSpec": {"Image": self.image, "Command": [_NOWHERE]},
                "RestartPolicy": {"Condition": "none"},
                "Placement": {"Constraints": list(self.constraints), "Platforms": [dict(one) for one in platforms]},
            },
            "Mode": {"Global": {}},
        }

    def _create(self, engine: Engine, spec: Json) -> str:
        for left in engine.services([spec["Name"]]):  # of an attempt that was interrupted
            if labels.PULL in (left["Spec"].get("Labels") or {}):
                engine.remove_service(left["ID"])
        try:
            return engine.create_service(spec)
        except NameTaken as error:
            raise TemporaryError(f"somebody else just lets every node pull {self.image}: {error}") from error

    def _await(self, engine: Engine, service_id: str, spec: Json) -> int:
        until_s = time.monotonic() + self.deadline_s
        while True:
            fit = fitting(engine.nodes(), spec)
            nodes = {node["ID"]: str(node["Description"].get("Hostname")) for node in fit}
            tasks = {str(task.get("NodeID")): task for task in engine.tasks([service_id])}
            for node, task in tasks.items():
                if task["Status"]["State"] in ("rejected", "orphaned"):
                    words = task["Status"].get("Err") or task["Status"].get("Message")
                    raise PermanentError(f"node {nodes.get(node, node)} can't have {self.image}: {words}")
            have = [node for node, task in tasks.items() if task["Status"]["State"] in _HAS_IT]
            awaited = set(nodes) & set(tasks) if self.constraints else set(nodes)
            missing = sorted(nodes[node] for node in awaited - set(have))
            if have and not missing:
                return len(have)
            if time.monotonic() > until_s:
                who = ", ".join(missing) or f"no node that fits {', '.join(self.constraints)}"
                raise TemporaryError(f"{who}: without {self.image} after {self.deadline_s:g} s{_words(tasks)}")
            time.sleep(_POLL_S)


def _words(tasks: dict[str, Json]) -> str:
    said = sorted({str(task["Status"].get("Err")) for task in tasks.values() if task["Status"].get("Err")})
    return f": {'; '.join(said)}" if said else ""
