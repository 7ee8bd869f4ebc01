"""The Engine's API: the few calls that zdd needs, each with a time-out, counted, and with zdd's own errors.

Services are always read as they were written (without the defaults that the Engine can fill in) and written whole:
Swarm restarts every task whose template differs in anything, a default that was filled in among them.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import docker  # type: ignore[import-untyped]
import requests
from docker.errors import DockerException  # type: ignore[import-untyped]

from zdd.adapters.swarm.connection import (
    SETTLES_WITHIN_S,
    TIMEOUT_S,
    NameTaken,
    NotThere,
    OutOfSequence,
)
from zdd.adapters.swarm.endpoint import Endpoint
from zdd.adapters.swarm.managers import Managers

Json = dict[str, Any]
T = TypeVar("T")

__all__ = ["SETTLES_WITHIN_S", "TIMEOUT_S", "Engine", "EventStream", "NameTaken", "NotThere", "OutOfSequence"]


class Engine:
    """A connection to the managers of a swarm. May be used from several threads: each has a client of its own."""

    def __init__(self, *docker_hosts: str | Endpoint | None, timeout_s: float = TIMEOUT_S) -> None:
        self._connection = Managers(*docker_hosts, timeout_s=timeout_s)
        self.writes = 0

    @property
    def calls(self) -> Counter[str]:
        """How many calls were made so far, by kind."""
        return self._connection.calls

    # -- services -----------------------------------------------------------------------------------------------------

    def services(self, prefixes: Sequence[str]) -> list[Json]:
        """Return the services whose names begin with one of the prefixes."""
        return self._read("list services", lambda api: api.services(filters={"name": list(prefixes)}))

    def service(self, service_id: str) -> Json | None:
        """Return one service, or None."""
        try:
            found: Json = self._read("inspect service", lambda api: api.inspect_service(service_id))
        except NotThere:
            return None
        return found

    def create_service(self, spec: Json) -> str:
        """Create a service of exactly this specification, and return its id.

        Raises:
            NameTaken: There is one of that name.
        """
        created: Json = self._write("create service", lambda api: _send(api, "/services/create", spec))
        return str(created["ID"])

    def update_service(self, service_id: str, version: int, spec: Json) -> None:
        """Replace the whole specification.

        Raises:
            OutOfSequence: It has been written since that version.
            NotThere: It has been removed.
        """
        path = f"/services/{service_id}/update"
        self._write("update service", lambda api: _send(api, path, spec, version=version))

    def remove_service(self, service_id: str) -> None:
        """Remove a service, if it is there."""
        self._write_if_there("remove service", lambda api: api.remove_service(service_id))

    def tasks(self, service_ids: Sequence[str]) -> list[Json]:
        """Return the tasks of these services, those that have ended among them, as far as the swarm keeps them."""
        if not service_ids:
            return []
        return self._read("list tasks", lambda api: api.tasks(filters={"service": list(service_ids)}))

    def nodes(self) -> list[Json]:
        """Return the nodes."""
        return self._read("list nodes", lambda api: api.nodes())

    # -- configs, in which zdd keeps what must outlive it -----------------------------------------------------------

    def configs(self, *labels: str) -> list[Json]:
        """Return the configs that have all of these labels."""
        return self._read("list configs", lambda api: api.configs(filters={"label": list(labels)}))

    def create_config(self, name: str, data: bytes, labels: Mapping[str, str]) -> None:
        """Create a config.

        Raises:
            NameTaken: There is one of that name.
        """
        self._write("create config", lambda api: api.create_config(name, data, labels=dict(labels)))

    def remove_config(self, config_id: str) -> None:
        """Remove a config, if it is there."""
        self._write_if_there("remove config", lambda api: api.remove_config(config_id))

    # -- secrets --------------------------------------------------------------------------------------------------

    def secrets(self, *labels: str) -> list[Json]:
        """Return the secrets that have all of these labels. Nobody can read their values."""
        return self._read("list secrets", lambda api: api.secrets(filters={"label": list(labels)}))

    def remove_secret(self, secret_id: str) -> None:
        """Remove a secret, if it is there."""
        self._write_if_there("remove secret", lambda api: api.remove_secret(secret_id))

    # -- what the services of a stack share -----------------------------------------------------------------------

    def networks(self) -> list[Json]:
        """Return the networks."""
        return self._read("list networks", lambda api: api.networks())

    def create_object(self, kind: str, name: str, spec: Json, content: bytes | None) -> None:
        """Create a network, secret or config of this specification, in the words of the Engine's API.

        Raises:
            NameTaken: There is one of that name.
        """
        calls: dict[str, Callable[[docker.APIClient], Any]] = {
            "network": lambda api: api.create_network(
                name, driver=spec["Driver"], options=spec["Options"], ipam=spec.get("IPAM"), labels=spec["Labels"],
                internal=spec["Internal"], attachable=spec["Attachable"], check_duplicate=True,
            ),
            "secret": lambda api: _create_secret(api, {**spec, "Name": name}, content or b""),
            "config": lambda api: api.create_config(
                name, content, labels=spec["Labels"], templating=spec.get("Templating")
            ),
        }  # fmt: skip
        self._write(f"create {kind} {name}", calls[kind])

    def remove_object(self, kind: str, object_id: str) -> None:
        """Remove a network, secret or config, if it is there."""
        calls: dict[str, Callable[[docker.APIClient], Any]] = {
            "network": lambda api: api.remove_network(object_id),
            "secret": lambda api: api.remove_secret(object_id),
            "config": lambda api: api.remove_config(object_id),
        }
        self._write_if_there(f"remove {kind}", calls[kind])

    # -- the rest -----------------------------------------------------------------------------------------------------

    def distribution(self, image: str) -> Json:
        """Let the Engine ask the image's registry what it is. Raises with the registry's own words."""
        return self._read("inspect image", lambda api: api.inspect_distribution(image))

    @contextmanager
    def events(self, filters: Mapping[str, object]) -> Iterator[EventStream]:
        """Give the stream of events. It ends without an error when the connection does."""
        given = dict(filters)
        with self._connection.follow("follow events", lambda api: api.events(decode=True, filters=given)) as stream:
            yield EventStream(stream)

    def close(self) -> None:
        """Close every connection."""
        self._connection.close()

    def _read(self, what: str, call: Callable[[docker.APIClient], T]) -> T:
        return self._connection.read(what, call)

    def _write(self, what: str, call: Callable[[docker.APIClient], T]) -> T:
        self.writes += 1
        try:
            return self._connection.write(what, call)
        finally:
            self.writes += 1

    def _write_if_there(self, what: str, call: Callable[[docker.APIClient], Any]) -> None:
        try:
            self._write(what, call)
        except NotThere:
            return


class EventStream:
    """Events as they come, until the connection ends or `close` is called, from whichever thread."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.close: Callable[[], None] = stream.close

    def __iter__(self) -> Iterator[Json]:
        try:
            yield from self._stream
        except (DockerException, requests.RequestException, OSError, ValueError, AttributeError):
            return  # AttributeError and ValueError: what the client says when another thread closes it


def _send(api: docker.APIClient, path: str, spec: Json, **parameters: int) -> Any:
    """Send a service's specification as it is, with what the registry of its image asks for.

    The client's own calls know no networks at the top level, without which Swarm refuses a service that has some there.
    """
    image = (spec["TaskTemplate"].get("ContainerSpec") or {}).get("Image")
    login = docker.auth.get_config_header(api, docker.auth.resolve_repository_name(image)[0]) if image else None
    headers = {"X-Registry-Auth": login} if login else {}
    return api._result(api._post_json(api._url(path), data=spec, headers=headers, params=parameters), True)


def _create_secret(api: docker.APIClient, spec: Json, content: bytes) -> Any:
    """Create a secret with all that the Engine's API knows of one: the client's own call lacks what fills it in."""
    body = {**spec, "Data": base64.b64encode(content).decode()}
    return api._result(api._post_json(api._url("/secrets/create"), data=body), True)
