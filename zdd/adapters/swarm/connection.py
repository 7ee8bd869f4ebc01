"""A connection to a Docker Engine: by socket, TLS or SSH, with time-outs, a count of calls, and zdd's own errors."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import docker  # type: ignore[import-untyped]
import requests
from docker.errors import APIError, DockerException, NotFound  # type: ignore[import-untyped]

from zdd.adapters.swarm.endpoint import Endpoint, find_endpoint
from zdd.adapters.swarm.ssh_tunnel import SshTunnel
from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.model.names import check_number

T = TypeVar("T")

TIMEOUT_S = 25.0
SETTLES_WITHIN_S = 20.0  # the Engine gives its own calls to the swarm so long
_NOT_SENT = (ConnectionRefusedError, FileNotFoundError, PermissionError)
_NEVER_APPLIED = ("code = InvalidArgument", "code = FailedPrecondition", "code = NotFound", "code = Unimplemented")
_REFUSALS = ("certificate expired", "unknown ca", "bad certificate", "certificate required", "certificate unknown")
_HANDSHAKE_S = 2.0
_ASKED_IN_VAIN = (408, 429, 503)


class OutOfSequence(TemporaryError):
    """The object has been written since it was read."""


class NameTaken(PermanentError):
    """There is an object of that name."""


class NotThere(PermanentError):
    """There is no such object."""


class Connection:
    """May be used from several threads: each has a client of its own.

    Args:
        docker_host: The Engine; see `find_endpoint`.
        timeout_s: Seconds that it gets for each answer.
        connect_s: Seconds that a machine gets to take up a connection by TCP; None: as long as for an answer.
    """

    def __init__(
        self, docker_host: str | Endpoint | None, timeout_s: float = TIMEOUT_S, *, connect_s: float | None = None
    ) -> None:
        if not isinstance(docker_host, str | Endpoint | None):
            raise ConfigurationError(f"Docker host {docker_host!r}: use text such as unix:///path, or an Endpoint")
        check_number("timeout_s of the Engine", timeout_s, least=0.001)
        self._docker_host = docker_host
        self._timeout_s = timeout_s
        self._connect_s = connect_s
        self._local = threading.local()
        self._lock = threading.Lock()
        self._clients: list[docker.APIClient] = []
        self._tunnel: SshTunnel | None = None
        self._found: Endpoint | None = None
        self.calls: Counter[str] = Counter()

    def read(self, what: str, call: Callable[[docker.APIClient], T]) -> T:
        """Ask for something. Whatever goes wrong, nothing was changed by it."""
        return self._call(what, call, writes=False)

    def write(self, what: str, call: Callable[[docker.APIClient], T]) -> T:
        """Change something. `OutcomeUnknown` if it may have been applied all the same."""
        return self._call(what, call, writes=True)

    def opened(self, what: str, call: Callable[[docker.APIClient], T]) -> tuple[docker.APIClient, T]:
        """Return a client that nobody else uses, which is to be closed, and what the call gave, such as a stream."""
        with self.mapped(what, writes=False):
            api = self._make_client()
            try:
                return api, call(api)
            except BaseException:
                api.close()
                raise

    @contextmanager
    def client_of_its_own(self, what: str) -> Iterator[docker.APIClient]:
        """Give a client that nobody else uses: for a stream, which occupies it."""
        with self.mapped(what, writes=False):
            api = self._make_client()
        try:
            yield api
        finally:
            api.close()

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            clients, self._clients = self._clients, []
            tunnel, self._tunnel = self._tunnel, None
        self._local = threading.local()
        for api in clients:
            api.close()
        if tunnel is not None:
            tunnel.close()

    def _call(self, what: str, call: Callable[[docker.APIClient], T], *, writes: bool) -> T:
        with self.mapped(what, writes=False):
            api = self._client()
        self.calls[what] += 1
        with self.mapped(what, writes=writes):
            return call(api)

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
        endpoint = self._endpoint()
        _check_socket(endpoint.address)
        address = self._through(endpoint)
        tls: Any = False
        if endpoint.certificates is not None:
            authority = str(endpoint.certificates / "ca.pem")
            tls = docker.tls.TLSConfig(client_cert=endpoint.client_certificate, ca_cert=authority, verify=True)
        first = self._client_of(address, tls, docker.constants.MINIMUM_DOCKER_API_VERSION)
        try:
            version = first.version(api_version=False)["ApiVersion"]
        finally:
            first.close()
        return self._client_of(address, tls, version)

    def _client_of(self, address: str, tls: Any, version: str) -> docker.APIClient:
        api = docker.APIClient(base_url=address, version=version, timeout=self._timeout_s, tls=tls)
        # With it, a REQUESTS_CA_BUNDLE in the environment would be trusted in place of the Engine's own authority.
        api.trust_env = False
        if self._connect_s is not None and address.startswith(("tcp://", "http")):
            api.timeout = (min(self._connect_s, self._timeout_s), self._timeout_s)
        return api

    def _through(self, endpoint: Endpoint) -> str:
        """Return the address at which the Engine is reached from here."""
        if not endpoint.address.startswith("ssh://"):
            return endpoint.address
        with self._lock:
            if self._tunnel is None:
                self._tunnel = SshTunnel(endpoint.address, self._timeout_s)
            return self._tunnel.address

    @contextmanager
    def mapped(self, what: str, *, writes: bool) -> Iterator[None]:
        """Turn whatever the client raises into zdd's own errors."""
        try:
            yield
        except NotFound as error:
            raise NotThere(f"{what} at {self._endpoint()}: {error.explanation}") from error
        except APIError as error:
            raise _answered(f"{what} at {self._endpoint()}", error, writes) from error
        except (DockerException, requests.RequestException, OSError) as error:
            raise _unanswered(what, error, writes, self._endpoint(), self._complaint()) from error

    def _complaint(self) -> str:
        tunnel = self._tunnel
        return tunnel.said() if tunnel is not None else ""

    def _endpoint(self) -> Endpoint:
        if self._found is None:
            self._found = find_endpoint(self._docker_host)
        return self._found


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


def _answered(what: str, error: APIError, writes: bool) -> Exception:
    """Translate an answer that is an error."""
    said = str(error.explanation or error)
    if "HTTP request to an HTTPS server" in said:
        said = "it speaks TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or give an Endpoint with certificates"
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


def _unanswered(what: str, error: Exception, writes: bool, endpoint: Endpoint, complaint: str) -> Exception:
    """Translate the lack of an answer: a request that was never sent has changed nothing."""
    message = f"{what} at {endpoint}: {complaint or error}"
    advice = _about_certificates(error, endpoint)
    if advice:
        return PermanentError(f"{what} at {endpoint}: {advice}")
    if not writes or isinstance(error, requests.ConnectTimeout) or _never_sent(error):
        return TemporaryError(message)
    return OutcomeUnknown(message, settles_within_s=SETTLES_WITHIN_S)


def _about_certificates(error: Exception, endpoint: Endpoint) -> str:
    """Say what is wrong with a certificate, and what to do; empty if that isn't it. Nothing was sent then."""
    directory = endpoint.certificates
    if directory is None or isinstance(error, requests.Timeout) or _never_sent(error):
        return ""
    said = " ".join(str(one) for one in (*_causes(error), _handshake(endpoint)))
    if "WRONG_VERSION_NUMBER" in said or "wrong version number" in said or "record layer failure" in said:
        return "it does not speak TLS: unset DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or ask for another port"
    if "certificate verify failed" in said:
        reason = said.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return f"{directory / 'ca.pem'} does not prove that it is the one that is meant ({reason}): use its own CA's"
    reason = next((one for one in _REFUSALS if one in said.lower().replace("_", " ")), "")
    if reason and endpoint.client_certificate is None:
        return f"it wants to know who asks: put cert.pem and key.pem, signed by its CA, into {directory}"
    return f"it refuses {directory / 'cert.pem'} ({reason}): have a new one signed by its CA" if reason else ""


def _handshake(endpoint: Endpoint) -> OSError | None:
    """Shake hands once more and return what is wrong with it: an Engine that hangs up is often not heard to say why."""
    host, _, port = endpoint.address.partition("://")[2].rstrip("/").rpartition(":")
    if endpoint.certificates is None or not port.isdigit():
        return None
    try:
        context = ssl.create_default_context(cafile=str(endpoint.certificates / "ca.pem"))
        if endpoint.client_certificate is not None:
            context.load_cert_chain(*endpoint.client_certificate)
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=_HANDSHAKE_S) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")) as secure,
        ):
            secure.recv(1)
    except TimeoutError:
        return None  # it waits for a request, so it is content
    except OSError as error:
        return error
    return None


def _never_sent(error: BaseException) -> bool:
    """Say whether a refused connection is among the causes."""
    return any(isinstance(one, _NOT_SENT) or type(one).__name__ == "NewConnectionError" for one in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error with all that it says came before it."""
    seen = [error]
    for one in seen:
        more = [*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)]
        seen += [each for each in more if isinstance(each, BaseException) and each not in seen]
    return seen
