"""How a Consul agent is asked: with time-outs, with verified TLS, and with no error but zdd's own."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from attrs import evolve, field, frozen
from consul.std import HTTPClient  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError, NewConnectionError

from zdd.adapters.consul.bounded_answers import bound_answers
from zdd.errors import AdapterError, ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.model.names import check_number, check_text, list_of, path_text

OK, FORBIDDEN, NOT_FOUND, CONFLICT = 200, 403, 404, 409
_ANSWER_BYTES_MAX = 64 << 20
_CHUNK_BYTES = 1 << 16
_WORDS_MAX = 300
_SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] ([^\"')]+)")
_POOL = re.compile(r"^\w+\(host=[^)]*\): ")
"""What requests puts before its reason, of its own inside; the address is said already."""
_DEFAULT_PORTS = {"http": 8500, "https": 8501}
_UNKNOWN = re.compile(r"^Unknown |^CheckID .* does not have associated TTL$")
"""How older agents say, with a 500, that they don't know an id: the second way where they have no ACLs."""
_Response = tuple[int, bytes, int, bool]
_NOT_REACHED = ("No cluster leader", "No path to datacenter", "No known Consul servers")


@frozen
class Answer:
    """What the agent answered: 200, or 404, or another status that the caller asked for.

    Attributes:
        what: The request, for messages.
        status: The HTTP status.
        body: As it came.
        index: Consul's count of what was asked for, which a blocking query goes on from; 0: there is none.
        filtered: Consul says that it left out what the token may not see. One before 1.11 never does.
    """

    what: str
    status: int
    body: bytes
    index: int = 0
    filtered: bool = False

    @property
    def text(self) -> str:
        """The body as text, for messages and for Consul's plain words."""
        return self.body.decode(errors="replace").strip()

    def check_whole(self, right: str) -> None:
        """Refuse a list that is known to be short of something.

        Args:
            right: The rules of an ACL policy that the whole list needs.

        Raises:
            PermanentError: Consul left something out.
        """
        if self.filtered:
            raise PermanentError(f"{self.what}: Consul left out what the token may not see. It needs: {right}")

    def json(self, kind: type[Any]) -> Any:
        """Return the body, which must be JSON of this kind.

        Raises:
            TemporaryError: It is something else.
        """
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, kind):
            raise TemporaryError(f"{self.what} was not answered as Consul does: {_short(self.text)!r}")
        return value


def _token(value: Any) -> Any:
    return "" if value is None else value  # as `os.environ.get` gives it


@frozen(kw_only=True)
class ConsulConnection:
    """One Consul agent, and how to speak with it. What is given here holds: the environment overrides nothing.

    May be used by several threads, and after a fork.

    Attributes:
        address: ``http://host:port`` or ``https://host:port``.
        token: The ACL token; None or empty: there is none. It is in no text that this object or its errors make.
        ca_file: The authority that has signed the agent's certificate; None: those that the machine trusts.
            Certificates are always verified.
        certificate: Files of the client's own certificate and its key, where the agent asks for one.
        connect_timeout_s: Seconds within which a connection must be open.
        timeout_s: Seconds within which a request must be answered completely.
        settles_within_s: Seconds in which a request that was not answered can still take effect.

    Raises:
        ConfigurationError: A value is illegal.
    """

    address: str = "http://127.0.0.1:8500"
    token: str = field(default="", repr=False, converter=_token)
    ca_file: Path | None = None
    certificate: tuple[Path, Path] | None = None
    connect_timeout_s: float = 1.0
    timeout_s: float = 3.0
    settles_within_s: float = 10.0
    _own: threading.local = field(init=False, factory=threading.local, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        _check_address(self.address)
        check_text(f"the token for {self.address}", self.token)
        if not (self.token.isascii() and self.token.isprintable()) or " " in self.token:
            raise ConfigurationError(f"the token for {self.address} has characters that no token has: copy it again")
        for name in ("connect_timeout_s", "timeout_s", "settles_within_s"):
            check_number(f"{name} of {self.address}", getattr(self, name), least=0.01, most=600)
        certificate = () if self.certificate is None else list_of("certificate", self.certificate, "(file, key)")
        for path in (self.ca_file, *certificate):
            if path is not None and not Path(path_text(f"a file for {self.address}", path)).is_file():
                raise ConfigurationError(f"{path} for {self.address} is not there: name the file in PEM form")

    def ask(self, path: str, *, parameters: Mapping[str, str] | None = None, right: str = "") -> Answer:
        """Read. The answer's status is 200, or 404 where there is nothing.

        Args:
            path: As in Consul's documentation, ``/v1/…``.
            parameters: The query.
            right: The rule of an ACL policy that this needs, for the message where it is refused.

        Raises:
            TemporaryError: It can't be reached, or does not answer as Consul does.
            PermanentError: It refuses, or its certificate is not trusted.
        """
        return self._request("get", path, parameters, None, right, (OK, NOT_FOUND))

    def tell(
        self,
        path: str,
        body: object = None,
        *,
        parameters: Mapping[str, str] | None = None,
        right: str = "",
        expected: tuple[int, ...] = (OK,),
    ) -> Answer:
        """Write: bytes as they are, anything else as JSON. The answer's status is one of those expected.

        The rest is as in `ask`.

        Raises:
            TemporaryError: Nothing was changed: it can't be reached.
            PermanentError: Nothing was changed: it refuses.
            OutcomeUnknown: There was no answer, or none that says whether it was done.
        """
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self._request("put", path, parameters, data, right, expected)

    def _request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None,
        data: bytes | None,
        right: str,
        expected: tuple[int, ...],
    ) -> Answer:
        what = f"{method.upper()} {path} at {self.address}"
        arguments: dict[str, Any] = {"path": path, "params": list((parameters or {}).items())}
        arguments["headers"] = {"Accept-Encoding": "identity"} | ({"X-Consul-Token": self.token} if self.token else {})
        if data is not None:
            arguments["data"] = data
        try:
            status, body, index, filtered = getattr(self._client(), method)(_as_it_is, **arguments)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise self._unanswered(what, error, writes=data is not None) from None
        if self.token:  # whoever repeats it, it gets into no message
            body = body.replace(self.token.encode(), b"(the token)")
        answer = Answer(what, status, body, index, filtered)
        if status == 500 and _UNKNOWN.search(answer.text):
            answer = evolve(answer, status=NOT_FOUND)
        if answer.status not in expected:
            raise self._refused(answer, right, writes=data is not None)
        return answer

    def _client(self) -> Any:
        """Return this thread's own client: a session of requests is safe neither between threads nor after a fork."""
        own, process = self._own, os.getpid()
        if getattr(own, "process", None) != process:
            own.client, own.process = self._open(), process
        return own.client

    def _open(self) -> Any:
        parts = urlsplit(self.address)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        verify = str(self.ca_file) if self.ca_file else True
        certificate = tuple(map(str, self.certificate)) if self.certificate else None
        client = _Client(parts.hostname, port, parts.scheme, verify, certificate)
        client.timeout = (self.connect_timeout_s, self.timeout_s)
        client.base_uri = (
            f"{parts.scheme}://{f'[{parts.hostname}]' if ':' in (parts.hostname or '') else parts.hostname}:{port}"
        )
        client.session.trust_env = False  # no proxy, no .netrc, no other authority from the environment
        client.session.max_redirects = 0  # the token goes nowhere else
        bound_answers(client.session)
        client.session.stream = True  # so that an answer without end can be left
        return client

    def _unanswered(self, what: str, error: Exception, *, writes: bool) -> AdapterError:
        reason = _POOL.sub("", str(error))
        reason = _short(reason.replace(self.token, "…") if self.token else reason)
        if isinstance(error, requests.exceptions.SSLError):
            return PermanentError(
                f"{what}: its certificate is not trusted, or it wants one: set ca_file or certificate ({reason})"
            )
        if isinstance(error, requests.TooManyRedirects):
            return PermanentError(f"{what} was answered with a redirect: use the address of a Consul agent itself")
        if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
            return PermanentError(f"{what} can't be sent: {reason}")
        if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
            found = _SYSTEM_ERROR.search(reason)
            return TemporaryError(f"{what}: Consul can't be reached ({found[1] if found else reason})")
        if writes:
            return OutcomeUnknown(f"{what} was not answered ({reason})", settles_within_s=self.settles_within_s)
        return TemporaryError(f"{what} was not answered ({reason})")

    def _refused(self, answer: Answer, right: str, *, writes: bool) -> AdapterError:
        words = f"{answer.what} was answered with {answer.status}: {_short(answer.text)}"
        if answer.status in (401, FORBIDDEN):
            if "ACL not found" in answer.text:
                return PermanentError(f"{answer.what}: Consul does not know the token: give a valid one as token")
            need = f". The token needs: {right}" if right else ""
            return PermanentError(f"{answer.what} is not permitted{need} ({_short(answer.text)})")
        if answer.status == 429 or any(known in answer.text for known in _NOT_REACHED):
            return TemporaryError(words)
        if 400 <= answer.status < 500:
            return PermanentError(words)
        if writes:
            return OutcomeUnknown(words, settles_within_s=self.settles_within_s)
        return TemporaryError(words)


class _Client(HTTPClient):  # type: ignore[misc]
    """python-consul2's own client, but an answer has an end: in time and in size."""

    def response(self, response: Any) -> _Response:
        try:
            body = self._body(response.raw)
        except BaseException:
            response.close()
            raise
        response.raw.release_conn()
        index = response.headers.get("X-Consul-Index", "")
        filtered = response.headers.get("X-Consul-Results-Filtered-By-ACLs") == "true"
        return response.status_code, body, int(index) if index.isascii() and index.isdigit() else 0, filtered

    def _body(self, raw: Any) -> bytes:
        end_s = time.monotonic() + self.timeout[1]
        body = bytearray()
        read = getattr(raw, "read1", raw.read)  # where there is one: what has arrived, without waiting for more
        while chunk := read(_CHUNK_BYTES):
            body += chunk
            if len(body) > _ANSWER_BYTES_MAX:
                raise requests.ConnectionError(f"the answer is larger than {_ANSWER_BYTES_MAX} bytes")
            if time.monotonic() > end_s:
                raise requests.ReadTimeout(f"the answer took longer than {self.timeout[1]:g} s")
        return bytes(body)


def _as_it_is(answer: _Response) -> _Response:
    return answer


def _never_connected(error: BaseException) -> bool:
    """Tell whether the request certainly did not leave this machine."""
    if isinstance(error, requests.ConnectionError) and error.args:
        return isinstance(getattr(error.args[0], "reason", None), NewConnectionError)
    return False


def _check_address(address: str) -> None:
    check_text("Consul address", address)
    try:
        parts = urlsplit(address)
        legal = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        legal = False
    else:
        legal = legal and not (parts.path.strip("/") or parts.query or parts.fragment)
        if parts.username is not None:
            raise ConfigurationError("a Consul address has a user name or a password in it: use http://host:port")
    if not legal:
        raise ConfigurationError(f"Consul address {address!r}: use http://host:port or https://host:port")


def _short(text: str) -> str:
    return text if len(text) <= _WORDS_MAX else text[:_WORDS_MAX] + "…"
