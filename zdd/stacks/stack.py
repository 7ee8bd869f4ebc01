"""A stack: services that belong together, with what they share, deployed with one verdict."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.names import check_kind, check_methods, check_text, choice_of, list_of
from zdd.model.release import Release
from zdd.model.service import Service

if TYPE_CHECKING:
    from zdd.strategies.situation import Strategy

NAME_LENGTH_MAX = 40
_SERVICE = "zdd.StackService(service, release)"
_OBJECT = "zdd.StackObject(kind, name)"
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")


class Pull(enum.Enum):
    """Which nodes must have a service's image before anything of the stack is touched.

    `EVERYWHERE`: every node that may run the service. `AS_NEEDED`: none; a node pulls when it gets an instance.
    """

    EVERYWHERE = "everywhere"
    AS_NEEDED = "as-needed"


def _pull(value: object) -> Pull:
    return choice_of("pull", Pull, value)


def _depends_on(value: Any) -> tuple[str, ...]:
    return _texts("depends_on", value, "['db']")


def _notes(value: Any) -> tuple[str, ...]:
    return _texts("notes of a stack", value, "[]")


def _texts(what: str, value: Any, example: str) -> tuple[str, ...]:
    found = list_of(what, value, example)
    for one in found:
        check_text(f"one of {what}", one)
    return found


@frozen
class StackService:
    """One service of a stack.

    Attributes:
        service: How it wants to be treated.
        release: What it is to run.
        strategy: What should happen; None: as in ``Deployer.deploy``.
        depends_on: Names of services of the stack that are deployed before it.
        name: What the stack calls it.
        pull: Which nodes must have its image beforehand.

    Raises:
        ConfigurationError: Something of it is of another kind.
    """

    service: Service
    release: Release
    strategy: Strategy | None = None
    depends_on: tuple[str, ...] = field(default=(), converter=_depends_on)
    name: str = ""
    pull: Pull = field(default=Pull.AS_NEEDED, converter=_pull)

    def __attrs_post_init__(self) -> None:
        check_kind("service of a StackService", self.service, Service, "a zdd.Service(…)")
        check_kind(f"release of {self.service.name}", self.release, Release, "a zdd.Release(…)")
        check_text(f"name of {self.service.name} in its stack", self.name)


@frozen
class StackObject:
    """A network, secret or config that the services of a stack share.

    Attributes:
        kind: ``network``, ``secret`` or ``config``.
        name: Its name in the swarm.
        external: It is not the stack's: it has to be there.
        specification: What is to be created, with the keys of the Engine's API.
        content: What a secret or a config holds.
    """

    kind: str
    name: str
    external: bool = False
    specification: Mapping[str, Any] = field(factory=dict)
    content: bytes | None = field(default=None, repr=False)


def _ordered(value: Any) -> tuple[StackService, ...]:
    services = list_of("services of a stack", value, _SERVICE)
    for one in services:
        check_kind("one of the services of a stack", one, StackService, _SERVICE)
    return in_order(services)


def _objects(value: Any) -> tuple[StackObject, ...]:
    found = list_of("objects of a stack", value, _OBJECT)
    for one in found:
        check_kind("one of the objects of a stack", one, StackObject, _OBJECT)
    return found


@frozen
class Stack:
    """Services that belong together.

    Attributes:
        name: Lower-case letters, digits, hyphens and underscores.
        services: In the order in which they are deployed: each comes after those that it depends on.
        objects: What they share.
        notes: What was left out of a file, one line each: what Swarm ignores, and what zdd does otherwise.

    Raises:
        ConfigurationError: A name is illegal or twice there, or services depend on each other in a circle.
    """

    name: str
    services: tuple[StackService, ...] = field(converter=_ordered)
    objects: tuple[StackObject, ...] = field(default=(), converter=_objects)
    notes: tuple[str, ...] = field(default=(), converter=_notes)

    def __attrs_post_init__(self) -> None:
        check_stack_name(self.name)


def check_stack_name(name: object) -> None:
    """Check that a stack may be called this.

    Raises:
        ConfigurationError: It may not.
    """
    if not isinstance(name, str) or len(name) > NAME_LENGTH_MAX or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"stack name {name!r}: use 1 to {NAME_LENGTH_MAX} lower-case letters, digits, hyphens and underscores"
        )


def check_host(host: object) -> None:
    """Check that it has what makes what services share; None: there is none.

    Raises:
        ConfigurationError: It is something else.
    """
    if host is not None:
        check_methods("host of StackDeployer", host, ("check", "prepare"), "an object such as SwarmStacks()")


def in_order(services: Iterable[StackService]) -> tuple[StackService, ...]:
    """Return the services so that each comes after those that it depends on, else in the order of their names.

    Raises:
        ConfigurationError: A name is there twice, one that is depended on isn't there, or there is a circle.
    """
    left: dict[str, StackService] = {}
    for one in sorted(services, key=lambda one: one.service.name):
        if one.service.name in left:
            raise ConfigurationError(f"two services of a stack are called {one.service.name}: give one another name")
        left[one.service.name] = one
    for one in left.values():
        for name in one.depends_on:
            if name not in left:
                raise ConfigurationError(f"{one.service.name} depends on {name}, which is not in the stack")
    found: list[StackService] = []
    while left:
        ready = [name for name, one in left.items() if not any(other in left for other in one.depends_on)]
        if not ready:
            raise ConfigurationError(f"{' → '.join(_circle(left))} depend on each other: take one depends_on away")
        found += [left.pop(name) for name in ready]
    return tuple(found)


def _circle(left: Mapping[str, StackService]) -> list[str]:
    seen = [next(iter(left))]
    while True:
        following = next(name for name in left[seen[-1]].depends_on if name in left)
        if following in seen:
            return [*seen[seen.index(following) :], following]
        seen.append(following)
