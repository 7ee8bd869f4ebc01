"""Reading HTTP/1.1 requests from a stream (RFC 9112), as much of it as the demo's application needs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

BODY_MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class Request:
    """One request, with its body read."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to go on."""
        return self.headers.get("connection", "").lower() != "close"


class BadRequest(Exception):
    """What came isn't a request that can be answered otherwise."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read the next request of a connection; None: the client has closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadRequest(400, "the connection ended within a request") from None
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest(400, "the header is too long") from None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    words = first.split(" ")
    if len(words) != 3 or words[2] not in {"HTTP/1.1", "HTTP/1.0"}:
        raise BadRequest(400, f"not a request: {first[:80]!r}")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    url = urlsplit(words[1])
    return Request(words[0], url.path, parse_qs(url.query), headers, await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise BadRequest(411, "send the body with a Content-Length")
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise BadRequest(400, f"Content-Length is {length!r}")
    if int(length) > BODY_MAX_BYTES:
        raise BadRequest(413, f"at most {BODY_MAX_BYTES} bytes are taken")
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError:
        raise BadRequest(400, "the connection ended within a body") from None
