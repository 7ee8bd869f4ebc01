"""The Engine's API: the few calls that zdd needs, each with a time-out, counted, and with zdd's own errors.

Services are always read as they were written (without the defaults that the Engine can fill in) and written whole:
Swarm restarts every task whose template differs in anything, a default that was filled in among them.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import docker  # type: ignore[import-untyped]
import requests
from docker.errors import APIError, DockerException, NotFound  # type: ignore[import-untyped]

from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError

Json = dict[str, Any]
T = TypeVar("T")

TIMEOUT_S = 25.0
SETTLES_WITHIN_S = 20.0  # the Engine gives its own calls to the swarm so long
_NOT_SENT = (ConnectionRefusedError, FileNotFoundError, PermissionError)
_NEVER_APPLIED = ("code = InvalidArgument", "code = FailedPrecondition", "code = NotFound", "code = Unimplemented")
_ASKED_IN_VAIN = (408, 429, 503)


class OutOfSequence(TemporaryError):
    """The object has been written since it was read."""


class NameTaken(PermanentError):
    """There is an object of that name."""


class NotThere(PermanentError):
    """There is no such object."""


class Engine:
    """A connection to a manager of a swarm. May be used from several threads: each has a client of its own."""

    def __init__(self, docker_host: str | None, timeout_s: float = TIMEOUT_S) -> None:
        self._docker_host = docker_host
        self._timeout_s = timeout_s
        self._local = threading.local()
        self._lock = threading.Lock()
        self._clients: list[docker.APIClient] = []
        self.calls: Counter[str] = Counter()
        self.writes = 0

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
        created: Json = self._write("create service", lambda api: api.create_service(**_arguments(spec)))
        return str(created["ID"])

    def update_service(self, service_id: str, version: int, spec: Json) -> None:
        """Replace the whole specification.

        Raises:
            OutOfSequence: It has been written since that version.
            NotThere: It has been removed.
        """
        arguments = _arguments(spec)
        self._write(
            "update service",
            lambda api: api.update_service(service_id, version, fetch_current_spec=False, **arguments),
        )

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

    # -- the rest -----------------------------------------------------------------------------------------------------

    def distribution(self, image: str) -> Json:
        """Let the Engine ask the image's registry what it is. Raises with the registry's own words."""
        return self._read("inspect image", lambda api: api.inspect_distribution(image))

    @contextmanager
    def events(self, filters: Mapping[str, object]) -> Iterator[EventStream]:
        """Give the stream of events. It ends without an error when the connection does."""
        with self._mapped("follow events", writes=False):
            api = self._make_client()
        try:
            with self._mapped("follow events", writes=False):
                stream = api.events(decode=True, filters=dict(filters))
            yield EventStream(stream)
        finally:
            api.close()

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            clients, self._clients = self._clients, []
        self._local = threading.local()
        for api in clients:
            api.close()

    def _client(self) -> docker.APIClient:
        api = getattr(self._local, "api", None)
        if api is None:
            api = self._make_client()
            self._local.api = api
            with self._lock:
                self._clients.append(api)
        return api

    def _make_client(self) -> docker.APIClient:
        """Return a client that has agreed on a version with the Engine."""
        _check_socket(self._docker_host or "")
        if self._docker_host is None:
            return docker.DockerClient.from_env(version="auto", timeout=self._timeout_s).api
        return docker.APIClient(base_url=self._docker_host, version="auto", timeout=self._timeout_s)

    def _read(self, what: str, call: Callable[[docker.APIClient], T]) -> T:
        return self._call(what, call, writes=False)

    def _write(self, what: str, call: Callable[[docker.APIClient], T]) -> T:
        self.writes += 1
        try:
            return self._call(what, call, writes=True)
        finally:
            self.writes += 1

    def _write_if_there(self, what: str, call: Callable[[docker.APIClient], Any]) -> None:
        try:
            self._write(what, call)
        except NotThere:
            return

    def _call(self, what: str, call: Callable[[docker.APIClient], T], *, writes: bool) -> T:
        with self._mapped(what, writes=False):
            api = self._client()
        self.calls[what] += 1
        with self._mapped(what, writes=writes):
            return call(api)

    @contextmanager
    def _mapped(self, what: str, *, writes: bool) -> Iterator[None]:
        where = self._docker_host or "the Docker Engine"
        try:
            yield
        except NotFound as error:
            raise NotThere(f"{what} at {where}: {error.explanation}") from error
        except APIError as error:
            raise _answered(f"{what} at {where}", error, writes) from error
        except (DockerException, requests.RequestException) as error:
            raise _unanswered(f"{what} at {where}", error, writes) from error


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


def _check_socket(docker_host: str) -> None:
    """Say clearly that nobody listens at a socket; the client would leave its own one open, and say less."""
    scheme, _, path = docker_host.partition("://")
    if scheme != "unix":
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise TemporaryError(f"no Docker Engine answers at {path}: {error.strerror or error}") from error


def _arguments(spec: Json) -> Json:
    """Return a specification as the client takes it. It is passed on as it is: nothing is merged or filled in."""
    return {
        "task_template": spec["TaskTemplate"],
        "name": spec["Name"],
        "labels": spec.get("Labels"),
        "mode": spec["Mode"],
        "update_config": spec.get("UpdateConfig"),
        "rollback_config": spec.get("RollbackConfig"),
        "endpoint_spec": spec.get("EndpointSpec"),
    }


def _answered(what: str, error: APIError, writes: bool) -> Exception:
    """Translate an answer that is an error."""
    said = str(error.explanation or error)
    message = f"{what}: {said}"
    if "update out of sequence" in said:
        return OutOfSequence(message)
    status = error.status_code or 500
    if status == 409:
        return NameTaken(message)
    if status in _ASKED_IN_VAIN:
        return TemporaryError(message)
    if status < 500 or any(code in said for code in _NEVER_APPLIED):
        return PermanentError(message)
    return OutcomeUnknown(message, settles_within_s=SETTLES_WITHIN_S) if writes else TemporaryError(message)


def _unanswered(what: str, error: Exception, writes: bool) -> Exception:
    """Translate the lack of an answer: a request that was never sent has changed nothing."""
    message = f"{what}: {error}"
    if isinstance(error, docker.errors.TLSParameterError | docker.errors.ContextException):
        return ConfigurationError(message)
    if not writes or isinstance(error, requests.ConnectTimeout) or _never_sent(error):
        return TemporaryError(message)
    return OutcomeUnknown(message, settles_within_s=SETTLES_WITHIN_S)


def _never_sent(error: BaseException) -> bool:
    """Say whether a refused connection is among the causes."""
    seen: list[object] = [error]
    for one in seen:
        if isinstance(one, _NOT_SENT) or type(one).__name__ == "NewConnectionError":
            return True
        if isinstance(one, BaseException):
            more = [*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)]
            seen += [each for each in more if isinstance(each, BaseException) and each not in seen]
    return False
