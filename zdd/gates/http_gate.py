"""A gate that sends one HTTP request."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.gates.connection import BoundedSocket, connect, describe_failure
from zdd.gates.looks import last_look
from zdd.model.address import Address
from zdd.model.gate import Target, check_pace
from zdd.model.names import check_name, check_number, pairs_of
from zdd.model.verdict import Result, Sample, Verdict

BODY_BYTES_MAX = 1 << 20
"""How much of an answer's body is read: 1 MiB."""

REASON_CHARACTERS = 100
"""How much of an answer's body is quoted in a reason."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_PATH = re.compile(r"/[!-~]*")


def _path(value: Any) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ConfigurationError(
            f"path {value!r} of an HTTP gate: begin it with /, and write what is not plain ASCII as %XX"
        )
    return value


def _status(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    codes = (value,) if isinstance(value, int | str) or not isinstance(value, Iterable) else tuple(value)
    for code in codes:
        check_number("status of an HTTP gate", code, least=100, most=599, whole=True)
    if not codes:
        raise ConfigurationError("status of an HTTP gate is empty: give the status codes that pass, such as 200")
    return codes


def _method(value: Any) -> str:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value) or value.upper() == "CONNECT":
        raise ConfigurationError(f"method {value!r} of an HTTP gate: use one like GET or HEAD")
    return value.upper()


def _headers(value: Any) -> dict[str, str]:
    headers = pairs_of("headers of an HTTP gate", value, {"Host": "www.example.org"})
    for name, text in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"header {name!r} of an HTTP gate: use a name like X-Probe")
        if not isinstance(text, str) or not text.isprintable() or not text.isascii():
            raise ConfigurationError(f"header {name} of an HTTP gate is {text!r}: use one line of ASCII text")
    return headers


def _contains(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ConfigurationError(f"contains of an HTTP gate is {value!r}: use text that the body must have, or None")
    return value


def _port(value: Any) -> str:
    return check_name("port name", value)


@frozen
class HttpGate:
    """Passes when one request is answered as it should be. Redirects are answers, and are not followed.

    An instance is asked at its own address; for a stage's gate the service is asked at its stable address, through
    the edge.

    Attributes:
        path: What is asked for, with its query if it has one.
        port: The port's name.
        status: The status codes that pass. None: 200 to 399.
        contains: Text that the first MiB of the body must have, in UTF-8. None: any body will do.
        method: How is asked.
        headers: What is sent besides; ``Host`` may be among them, for an edge that looks at it.
        timeout_s: Seconds that the whole look may take, the end of the body included; then it has failed.
        interval_s: Seconds between two looks.
        deadline_s: Seconds within which it must pass. None: the service's.

    Raises:
        ConfigurationError: A value is illegal.
    """

    path: str = field(default="/", converter=_path)
    port: str = field(default="http", converter=_port)
    status: Sequence[int] | int | None = field(default=None, kw_only=True, converter=_status)
    contains: str | None = field(default=None, kw_only=True, converter=_contains)
    method: str = field(default="GET", kw_only=True, converter=_method)
    headers: Mapping[str, str] = field(factory=dict, kw_only=True, converter=_headers)
    timeout_s: float = field(default=2.0, kw_only=True)
    interval_s: float = field(default=0.2, kw_only=True)
    deadline_s: float | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_pace(self, timeout_s=self.timeout_s)

    def ports(self) -> frozenset[str]:
        """Return the port."""
        return frozenset({self.port})

    def sample(self, target: Target) -> Sample:
        """Ask once."""
        address = target.addresses.get(self.port)
        if address is None:
            return Sample(Result.INCONCLUSIVE, f"the address of port {self.port} is not known")
        begun_s = time.monotonic()
        try:
            with _Request(self, address, begun_s + self.timeout_s) as request:
                answer = request.answer()
        except http.client.RemoteDisconnected:
            return Sample(Result.FAILED, f"{address}: closed the connection without an answer")
        except OSError as error:
            return Sample(Result.FAILED, f"{address}: {describe_failure(error, self.timeout_s)}")
        except (http.client.HTTPException, ValueError) as error:
            return Sample(Result.FAILED, f"{address}: answered, but not in HTTP: {_quote(repr(error).encode())}")
        return self._sample(answer, time.monotonic() - begun_s)

    def _sample(self, answer: _Answer, seconds: float) -> Sample:
        figures = {"status": float(answer.status), "seconds": seconds}
        said = f"answered {answer.status} {answer.words}".rstrip()
        legal = range(200, 400) if self.status is None else cast("tuple[int, ...]", self.status)
        if answer.trouble:
            return Sample(Result.FAILED, f"{said}, but {answer.trouble}", figures)
        if answer.status not in legal:
            quoted = _quote(answer.body)
            return Sample(Result.FAILED, f"{said}: {quoted}" if quoted else said, figures)
        if self.contains is not None and self.contains.encode() not in answer.body:
            return Sample(Result.FAILED, f"{said}, but without {self.contains!r}: {_quote(answer.body)}", figures)
        return Sample(Result.PASSED, said, figures)

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Conclude what the last look says."""
        return last_look(samples)

    def __str__(self) -> str:
        return f"{self.method} {self.path} on port {self.port}"


@frozen
class _Answer:
    status: int
    words: str
    body: bytes
    trouble: str


class _Request:
    """One request on one connection of its own."""

    def __init__(self, gate: HttpGate, address: Address, until_s: float) -> None:
        self._gate = gate
        self._socket = connect(address, until_s)
        self._connection = http.client.HTTPConnection(address.host, address.port)
        # Given a socket, http.client doesn't connect by itself; ours keeps one deadline over everything.
        self._connection.sock = cast("Any", BoundedSocket(self._socket, until_s))

    def __enter__(self) -> _Request:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._socket.close()

    def answer(self) -> _Answer:
        """Ask, and read the answer as far as it matters."""
        given = {name.lower() for name in self._gate.headers}
        usual = {"Connection": "close", "User-Agent": "zdd"}
        headers = {**{name: text for name, text in usual.items() if name.lower() not in given}, **self._gate.headers}
        self._connection.request(self._gate.method, self._gate.path, headers=headers)
        with self._connection.getresponse() as response:
            body, trouble = self._body(response)
            return _Answer(response.status, _quote(response.reason.encode()), body, trouble)

    def _body(self, response: http.client.HTTPResponse) -> tuple[bytes, str]:
        early = "the connection ended before the body did"
        try:
            body = response.read(BODY_BYTES_MAX)
        except TimeoutError:
            return b"", f"its body did not end within {self._gate.timeout_s:g} s"
        except (OSError, http.client.HTTPException, ValueError):
            return b"", early
        return body, early if response.length and len(body) < BODY_BYTES_MAX else ""


def _quote(body: bytes) -> str:
    text = body[: 8 * REASON_CHARACTERS].decode(errors="replace")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= REASON_CHARACTERS else text[:REASON_CHARACTERS] + "…"
