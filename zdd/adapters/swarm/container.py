"""What a Swarm task runs, in the user's words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from zdd.adapters.swarm.mounted_file import MountedFile, mounted_files
from zdd.errors import ConfigurationError
from zdd.model.names import check_name, check_number, environment_texts, list_of, names_only, pairs_of
from zdd.model.release import Specification

KIND = "container"
_PORT_MAX = 65_535
_SWARM_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?")


def _words(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        raise ConfigurationError(f"command {value!r}: use a list of words, for example {value.split()!r}")
    words = list_of("command", value, "['python3', 'server.py']")
    if not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ConfigurationError(f"command {list(words)!r}: use a list of words")
    return words


def _environment(value: Any) -> Mapping[str, str]:
    pairs = environment_texts(value)
    for name in pairs:
        if name.startswith("ZDD_"):
            raise ConfigurationError(f"environment variable {name}: names that begin with ZDD_ are set by zdd")
    return pairs


def _ports(value: Any) -> Mapping[str, int]:
    ports = pairs_of("ports", value, {"http": 8080})
    for name, number in ports.items():
        check_name("port name", name)
        check_number(f"container port of {name}", number, least=1, most=_PORT_MAX, whole=True)
    return ports


def _plain(value: Any) -> Mapping[str, Any] | None:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(f"service_spec {value!r}: use a mapping, as docker service inspect shows under Spec")
    return None if value is None else dict(value)


def _whether(value: Mapping[str, Any] | None) -> str:
    """Return it as a ``repr`` shows it: it is long, and what is in its environment may be secret."""
    return "None" if value is None else "{…}"


@frozen
class Container:
    """An image, run by Docker Swarm.

    Whatever isn't stated here stays as the service has it: an existing service, made by the docker client or by a
    stack, keeps its networks, mounts, secrets, configs, placement, resources and everything else that it was found
    with. A service that is new has Swarm's own defaults.

    Attributes:
        image: As the docker client takes it. At the first launch of a revision the registry is asked for its digest,
            and every task of the revision, also after a rollback, runs exactly that.
        command: The arguments given to the image's entry point (Swarm's ``Args``, Dockerfile's ``CMD``). None: the
            image's own.
        entrypoint: Replaces the image's entry point (Swarm's ``Command``). None: the image's own.
        environment: Added to the service's environment; the same name replaces.
        ports: Port name → the port on which the container listens. Every exposure of the service needs one. The
            container finds them in ``PORT_<NAME>``, the first exposure's in ``PORT`` too.
        files: Secrets and configs, as `ContentStore` returns them. One with the target of one that the service was
            found with takes its place.
        service_spec: A whole Swarm service specification, with the keys of the Engine's API (``TaskTemplate``,
            ``EndpointSpec``, ``UpdateConfig``, …), to use in place of the one that the service was found with: what
            ``docker service inspect`` shows under ``Spec``. Durations in nanoseconds. Its name, its number of replicas
            and what the other attributes state are replaced.
        service_name: The name of the Swarm service that the first cell is, where that is another one than the zdd
            service's: a stack's service ``shop_web`` can't be a zdd service's name. Both have to begin with the same
            letters, up to the first hyphen or underscore: that is how zdd finds it again.

    Raises:
        ConfigurationError: A value is illegal; the message names it.
    """

    image: str
    command: Sequence[str] | None = field(default=None, converter=_words)
    entrypoint: Sequence[str] | None = field(default=None, converter=_words)
    environment: Mapping[str, str] = field(factory=dict, converter=_environment, repr=names_only)
    ports: Mapping[str, int] = field(factory=dict, converter=_ports)
    files: tuple[MountedFile, ...] = field(default=(), converter=mounted_files)
    service_spec: Mapping[str, Any] | None = field(default=None, converter=_plain, repr=_whether)
    service_name: str | None = None

    def __attrs_post_init__(self) -> None:
        legal = isinstance(self.image, str) and self.image and not any(c.isspace() for c in self.image)
        if not legal:
            raise ConfigurationError(f"image {self.image!r}: use a name such as registry.example.org/web:2")
        if self.service_name is not None and not (
            isinstance(self.service_name, str) and _SWARM_NAME.fullmatch(self.service_name)
        ):
            raise ConfigurationError(
                f"service_name {self.service_name!r}: use up to 63 letters, digits, hyphens and underscores"
            )

    def specification(self) -> Specification:
        """Return it as plain data."""
        files = {"files": [file.data() for file in self.files]} if self.files else {}
        return {
            "kind": KIND,
            "image": self.image,
            "command": None if self.command is None else list(self.command),
            "entrypoint": None if self.entrypoint is None else list(self.entrypoint),
            "environment": dict(self.environment),
            "ports": dict(self.ports),
            "service_spec": self.service_spec,
            **files,
            # Left out where it says nothing, so that what was written down before there was one reads the same.
            **({} if self.service_name is None else {"service_name": self.service_name}),
        }


def read_container(workload: Specification) -> Container:
    """Return the container that the workload describes.

    Raises:
        ConfigurationError: It describes something else, or not fully.
    """
    kind = workload.get("kind")
    if kind != KIND:
        raise ConfigurationError(f"workload of kind {kind!r}: Docker Swarm needs a Container(...), kind {KIND!r}")
    known = {name: workload[name] for name in workload if name != "kind"}
    try:
        return Container(**known)
    except TypeError as error:
        raise ConfigurationError(f"workload of kind {KIND!r}: {error}") from None
