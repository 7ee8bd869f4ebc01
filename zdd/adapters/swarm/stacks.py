"""What the services of a stack share in a swarm: networks, secrets and configs, under the stack's label.

Docker's own commands find them by that label, so ``docker stack ls`` and ``docker stack services`` show the stack.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.container import read_container
from zdd.adapters.swarm.content_store import ContentStore
from zdd.adapters.swarm.endpoint import Endpoint
from zdd.adapters.swarm.engine import TIMEOUT_S, Engine
from zdd.adapters.swarm.in_place import is_halfway
from zdd.adapters.swarm.mounted_file import MountedFile
from zdd.adapters.swarm.pull_everywhere import PullEverywhere
from zdd.adapters.swarm.specification import pinned, with_labels
from zdd.errors import AdapterError, ConfigurationError, PermanentError, TemporaryError
from zdd.model.release import Specification
from zdd.stacks.stack import Stack, StackObject, StackService

Json = dict[str, Any]

NAMESPACE = "com.docker.stack.namespace"
CONTENT = "zdd.content"
"""On a secret and a config of a stack: a hash of what it holds, since a secret can't be read again."""

_SECTIONS = {"secret": "Secrets", "config": "Configs"}
_PREDEFINED = ("host", "none", "bridge", "default")


class SwarmStacks:
    """Makes what the services of a stack share, and looks for what is in the way before anything is made.

    Args:
        *docker_hosts: As `SwarmOrchestrator` takes them.
        timeout_s: Seconds that the Engine gets to answer.
    """

    def __init__(self, *docker_hosts: str | Endpoint | None, timeout_s: float = TIMEOUT_S) -> None:
        self._engine = Engine(*docker_hosts, timeout_s=timeout_s)
        self._contents = ContentStore(*docker_hosts, timeout_s=timeout_s)
        self._replaced: dict[tuple[str, str, str], MountedFile] = {}

    def close(self) -> None:
        """Close the connections to the Engine."""
        self._engine.close()
        self._contents.close()

    def check(self, stack: Stack, *, adopt: bool) -> None:
        """Raise `ConfigurationError` if the stack can't be deployed here, `TemporaryError` if nobody can say now.

        Nothing is changed.

        Args:
            stack: What is wanted.
            adopt: A stack of this name that somebody else has deployed may be taken over.
        """
        try:
            self._check_owner(stack, adopt=adopt)
            there = self._there()
            for wanted in stack.objects:
                _check_object(stack, wanted, there.get((wanted.kind, wanted.name)))
        except PermanentError as error:
            raise ConfigurationError(f"stack {stack.name} can't be deployed here: {error}") from error
        for image in sorted({str(one.release.workload["image"]) for one in stack.services}):
            try:
                self._engine.distribution(image)
            except AdapterError as error:
                raise ConfigurationError(f"image {image} can't be had from its registry: {error}") from error

    def pull(self, services: Sequence[StackService]) -> tuple[str, ...]:
        """Let every node that may run these services have their images; return what was done, one line each.

        Raises:
            ConfigurationError: A node can't, in the registry's own words.
            TemporaryError: One had it not in time.
        """
        wanted: dict[PullEverywhere, str] = {}
        for one in services:
            image = str(one.release.workload["image"])
            spec = read_container(one.release.workload).service_spec or {}
            placement = (spec.get("TaskTemplate") or {}).get("Placement") or {}
            image = pinned(tagged(image), self._engine.distribution(image)).name
            wanted.setdefault(PullEverywhere(image, constraints=placement.get("Constraints") or ()), one.service.name)
        try:
            return tuple(one.run_on(self._engine, service) for one, service in wanted.items())
        except PermanentError as error:
            raise ConfigurationError(
                f"{error}: nothing was touched; let the node have it, keep the service off that node by a placement "
                "constraint, or take pull: everywhere away"
            ) from error

    def prepare(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Make what isn't there.

        Raises:
            AdapterError: The Engine refuses.
        """
        there = self._there()
        made = [one for one in stack.objects if (one.kind, one.name) not in there]
        for wanted in made:
            self._create(wanted)
        self._replaced = self._replacements(stack, there)
        return tuple((one.kind, one.name) for one in made)

    def complete(self, stack: Stack) -> Mapping[str, Specification]:
        """Return what each service is to run, with the digests of images and the ids of secrets and configs.

        Raises:
            AdapterError: The Engine or a registry refuses.
        """
        ids = {key: str(found["ID"]) for key, found in self._there().items() if key[0] != "network"}
        return {one.service.name: self._completed(one, ids) for one in stack.services}

    def discard(self, stack: Stack, made: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
        """Remove what `prepare` has made, unless it is used. Return what could not be removed, one line each."""
        left = []
        there = self._there()
        for kind, name in reversed(made):
            found = there.get((kind, name))
            try:
                if found is not None:
                    self._engine.remove_object(kind, str(found.get("ID") or found["Id"]))
            except AdapterError as error:
                left.append(f"{kind} {name} of stack {stack.name} is still there: {error}")
        return tuple(left)

    def _check_owner(self, stack: Stack, *, adopt: bool) -> None:
        strange = [one for one in self._services(stack) if labels.SERVICE not in one["Spec"]["Labels"]]
        if strange and not adopt:
            names = ", ".join(sorted(one["Spec"]["Name"] for one in strange))
            raise ConfigurationError(
                f"stack {stack.name} is there, and zdd did not deploy it ({names}): take it over "
                "with adopt=True, which restarts nothing, or give yours another name"
            )

        busy = [one["Spec"]["Name"] for one in strange if is_halfway(one, self._engine.tasks([one["ID"]]))]
        if busy:
            raise ConfigurationError(
                f"Swarm's own update of {', '.join(sorted(busy))} is not through, and to take it over now would have "
                "Swarm stop what serves: wait until it is, or take it back with docker service rollback"
            )

    def _services(self, stack: Stack) -> list[Json]:
        found = self._engine.services([f"{stack.name}_"])
        return [one for one in found if (one["Spec"].get("Labels") or {}).get(NAMESPACE) == stack.name]

    def adopt(self, stack: Stack) -> None:
        """Give services of this stack that zdd did not make its labels, which restarts no task.

        Raises:
            AdapterError: The Engine refuses.
        """
        wanted = {read_container(one.release.workload).service_name: one.service.name for one in stack.services}
        for found in self._services(stack):
            name = wanted.get(found["Spec"]["Name"])
            if name is not None and labels.SERVICE not in found["Spec"]["Labels"]:
                own = {labels.SERVICE: name, labels.CELL: name}
                self._engine.update_service(found["ID"], found["Version"]["Index"], with_labels(found["Spec"], own))

    def _there(self) -> dict[tuple[str, str], Json]:
        found = {("network", one["Name"]): one for one in self._engine.networks()}
        found |= {("secret", one["Spec"]["Name"]): one for one in self._engine.secrets()}
        return found | {("config", one["Spec"]["Name"]): one for one in self._engine.configs()}

    def _create(self, wanted: StackObject) -> None:
        if wanted.external:
            raise TemporaryError(f"{wanted.kind} {wanted.name} was removed by somebody else")
        spec = copy.deepcopy(dict(wanted.specification))
        if wanted.content is not None:
            spec["Labels"] = {**spec["Labels"], CONTENT: content_hash(wanted.content)}
        self._engine.create_object(wanted.kind, wanted.name, spec, wanted.content)

    def _replacements(
        self, stack: Stack, there: Mapping[tuple[str, str], Json]
    ) -> dict[tuple[str, str, str], MountedFile]:
        """Keep the contents that their names don't hold any more: each service that needs one gets one of its own.

        Swarm never changes a secret or a config, and an earlier release, that may have to come back, needs the old one.
        """
        found = {}
        for wanted in stack.objects:
            known = there.get((wanted.kind, wanted.name))
            if wanted.content is None or known is None or _holds(known["Spec"], wanted):
                continue
            for one in stack.services:
                for reference in _references(one.release.workload, wanted):
                    key = (one.service.name, wanted.kind, wanted.name)
                    found[key] = self._kept(one, wanted, wanted.content, reference["File"])
        return found

    def _kept(self, one: StackService, wanted: StackObject, content: bytes, file: Json) -> MountedFile:
        keep = self._contents.secret if wanted.kind == "secret" else self._contents.config
        name = re.sub(r"[^a-z0-9]+", "-", wanted.name.lower()).strip("-")
        user, group = (int(file[key]) for key in ("UID", "GID"))
        return keep(
            one.service.name, name, content, target=file["Name"], user=user, group=group, mode=file["Mode"],
            template_driver=_filled_in_by(wanted.specification),
        )  # fmt: skip

    def _completed(self, one: StackService, ids: Mapping[tuple[str, str], str]) -> Specification:
        made: Json = copy.deepcopy(dict(one.release.workload))
        made["image"] = pinned(tagged(made["image"]), self._engine.distribution(made["image"])).name
        inside = made["service_spec"]["TaskTemplate"]["ContainerSpec"]
        files = []
        for kind, section in _SECTIONS.items():
            word, kept = kind.capitalize(), []
            for reference in inside.get(section) or []:
                name = reference[f"{word}Name"]
                if (one.service.name, kind, name) in self._replaced:
                    files.append(self._replaced[one.service.name, kind, name].data())
                else:
                    kept.append({**reference, f"{word}ID": ids.get((kind, name), "")})
            if section in inside:
                inside[section] = kept
        if files:
            made["files"] = files
        inside["Image"] = made["image"]
        return made


def _references(workload: Specification, wanted: StackObject) -> list[Json]:
    inside = workload["service_spec"]["TaskTemplate"]["ContainerSpec"]
    name = f"{wanted.kind.capitalize()}Name"
    return [one for one in inside.get(_SECTIONS[wanted.kind]) or [] if one[name] == wanted.name]


def tagged(image: str) -> str:
    """Return the image's name with the tag that is meant where there is none."""
    last = image.rpartition("/")[2]
    return image if "@" in image or ":" in last else f"{image}:latest"


def content_hash(content: bytes) -> str:
    """Return what tells two contents apart."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _check_object(stack: Stack, wanted: StackObject, found: Json | None) -> None:
    what = f"{wanted.kind} {wanted.name}"
    if wanted.external:
        if found is None and wanted.name not in _PREDEFINED:
            raise ConfigurationError(f"{what} of stack {stack.name} is external and not there: create it first")
        if found is not None and wanted.kind == "network" and found.get("Scope") != "swarm" and not _predefined(wanted):
            raise ConfigurationError(
                f"{what} of stack {stack.name} is not a network of the swarm: use an overlay network"
            )
        return
    if found is None:
        return
    spec = found if wanted.kind == "network" else found["Spec"]
    owner = (spec.get("Labels") or {}).get(NAMESPACE)
    if owner != stack.name:
        raise ConfigurationError(
            f"{what} is there, and belongs to {f'stack {owner}' if owner else 'no stack'}: "
            "give it another name, or say external: true"
        )


def _predefined(wanted: StackObject) -> bool:
    return wanted.name in _PREDEFINED


def _filled_in_by(spec: Mapping[str, Any]) -> str:
    """Return what fills a content in for each task; empty: nothing."""
    return str((spec.get("Templating") or {}).get("Name", ""))


def _holds(spec: Json, wanted: StackObject) -> bool:
    """Say whether it holds this. A secret that zdd did not make can't be read: it is taken for what it should be."""
    content = wanted.content or b""
    if _filled_in_by(spec) != _filled_in_by(wanted.specification):
        return False
    if "Data" in spec:
        return base64.b64decode(spec["Data"]) == content
    known = (spec.get("Labels") or {}).get(CONTENT)
    return known is None or known == content_hash(content)
