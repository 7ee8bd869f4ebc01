"""Look-ups for scripts that call services directly: the instances that get requests now, by HTTP or by DNS.

By HTTP an instance's version, revision and cell are known; by DNS only where it is and its weight, because SRV records
say no more, and a version such as ``1.4.2`` can't be part of a name. The DNS client is 100 lines over TCP, where an
answer is never cut short: a library of DNS would be one more dependency for one kind of question to one server.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
import time
from collections.abc import Mapping

from attrs import field, frozen

from zdd.adapters.consul.connection import OK, ConsulConnection
from zdd.adapters.consul.listing import Listed, parse_listing
from zdd.errors import ConfigurationError, TemporaryError
from zdd.model.address import Address
from zdd.model.names import check_methods, check_number

_SRV, _A, _AAAA, _IN = 33, 1, 28, 1
_NO_SUCH_NAME = 3
_LABEL_BYTES_MAX, _NAME_BYTES_MAX = 63, 253
_TIME_OUT_S = 2.0


@frozen
class Found:
    """An instance that gets requests.

    Attributes:
        address: Where it can be reached.
        weight: How much of the requests it should get, relative to the others.
        instance: Its id; empty where that is not known, as by DNS or where zdd did not register it.
        version: Its version, as `instance`.
        revision: The id of its revision, as `instance`.
        cell: Its cell, as `instance`.
    """

    address: Address
    weight: int
    instance: str = ""
    version: str = ""
    revision: str = ""
    cell: str = ""


class ConsulLookup:
    """Asks an agent's health endpoint for the instances of a service. The token needs ``service`` and ``node`` read.

    Args:
        connection: The agent that is asked.
    """

    def __init__(self, connection: ConsulConnection) -> None:
        check_methods("connection", connection, ("ask",), "a ConsulConnection(address=…)")
        self._connection = connection

    def instances(self, name: str, *, version: str | None = None) -> tuple[Found, ...]:
        """Return the instances all of whose checks pass, sorted by address; those of one version, if it is given.

        Args:
            name: The name under which Consul lists the service.
            version: As the release states it.

        Raises:
            ConfigurationError: The name is none.
            TemporaryError: Consul can't be reached, or does not answer as Consul does.
            PermanentError: It refuses.
        """
        _check_name(name)
        right = f'service "{name}" {{ policy = "read" }}'
        answer = self._connection.ask(f"/v1/health/service/{name}", parameters={"passing": ""}, right=right)
        answer.check_whole(right)
        items = answer.json(list) if answer.status == OK else []
        try:
            listed = [parse_listing(item) for item in items]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TemporaryError(f"{answer.what} was not answered as Consul does: {error!r}") from error
        found = [_found(one) for one in listed if one.weight > 0]
        return tuple(sorted((one for one in found if version in (None, one.version)), key=_place))


@frozen
class DnsLookup:
    """Asks an agent's DNS for the instances of a service, over TCP.

    Attributes:
        server: The agent's DNS port.
        domain: What all names end with.
        timeout_s: Seconds within which the whole answer must be there.
    """

    server: Address
    domain: str = "consul"
    timeout_s: float = field(default=_TIME_OUT_S)

    def __attrs_post_init__(self) -> None:
        check_number(f"timeout_s of DNS at {self.server}", self.timeout_s, least=0.01, most=60)

    def instances(self, name: str) -> tuple[Found, ...]:
        """Return the instances that get requests, sorted by address. A weight of 0 is out, and left out.

        Raises:
            ConfigurationError: The name is none.
            TemporaryError: It can't be reached, or does not answer as Consul does.
        """
        _check_name(name)
        question = _question(f"{name}.service.{self.domain}")
        number = secrets.token_bytes(2)
        try:
            reply = self._ask(number + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + question)
            return _read(reply, number, question)
        except TimeoutError as error:
            raise TemporaryError(f"DNS at {self.server} gave no whole answer within {self.timeout_s:g} s") from error
        except OSError as error:
            raise TemporaryError(f"DNS at {self.server} can't be reached: {error}") from error
        except (ValueError, IndexError, struct.error) as error:
            raise TemporaryError(f"DNS at {self.server} did not answer as Consul does: {error}") from error

    def _ask(self, message: bytes) -> bytes:
        end_s = time.monotonic() + self.timeout_s
        with socket.create_connection((self.server.host, self.server.port), self.timeout_s) as client:
            client.sendall(struct.pack(">H", len(message)) + message)
            (size,) = struct.unpack(">H", self._read(client, 2, end_s))
            reply = self._read(client, size, end_s)
        if len(reply) < size:
            raise ValueError(f"{len(reply)} of {size} bytes came")
        return reply

    def _read(self, client: socket.socket, size: int, end_s: float) -> bytes:
        """Return so many bytes, fewer only if no more come."""
        found = bytearray()
        while len(found) < size:
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            client.settimeout(left_s)
            part = client.recv(size - len(found))
            if not part:
                break
            found += part
        return bytes(found)


def _found(one: Listed) -> Found:
    parts: Mapping[str, str] = one.meta
    names = ("zdd-instance", "zdd-version", "zdd-revision", "zdd-cell")
    return Found(one.address, one.weight, *(parts.get(name, "") for name in names))


def _place(found: Found) -> tuple[str, int]:
    return found.address.host, found.address.port


def _check_name(name: str) -> None:
    legal = isinstance(name, str) and name and all(one.isalnum() or one in "-_" for one in name) and name.isascii()
    if not legal or len(name) > _LABEL_BYTES_MAX:
        raise ConfigurationError(f"service name {name!r}: use at most 63 letters, digits, '-' and '_'")


# -- DNS ---------------------------------------------------------------------------------------------------------------


def _question(name: str) -> bytes:
    labels = name.rstrip(".").split(".")
    if len(name) > _NAME_BYTES_MAX or not all(0 < len(label) <= _LABEL_BYTES_MAX for label in labels):
        raise ConfigurationError(f"{name!r} is no name for DNS")
    encoded = b"".join(bytes([len(label)]) + label.encode() for label in labels)
    return encoded + b"\0" + struct.pack(">HH", _SRV, _IN)


def _read(reply: bytes, number: bytes, question: bytes) -> tuple[Found, ...]:
    """Return what an answer says.

    Raises:
        ValueError, IndexError, struct.error: It is not as Consul answers.
    """
    flags, questions, answers, authorities, more = struct.unpack(">HHHHH", reply[2:12])
    if reply[:2] != number or not flags & 0x8000 or questions != 1:
        raise ValueError("it is no answer to the question")
    if flags & 0xF == _NO_SUCH_NAME:
        return ()
    if flags & 0xF or flags & 0x0200:
        raise ValueError(f"it has failed with code {flags & 0xF}, or was cut short")
    if reply[12 : 12 + len(question)].lower() != question.lower():
        raise ValueError("it answers another question")
    place = 12 + len(question)
    services: list[tuple[str, int, int]] = []
    hosts: dict[str, str] = {}
    for _ in range(answers + authorities + more):
        owner, place = _name(reply, place)
        kind, _, _, size = struct.unpack(">HHIH", reply[place : place + 10])
        place += 10
        data = reply[place : place + size]
        if kind == _SRV:
            _, weight, port = struct.unpack(">HHH", data[:6])
            services.append((_name(reply, place + 6)[0], port, weight))
        elif kind in (_A, _AAAA):
            hosts[owner] = str(ipaddress.ip_address(data))
        place += size
    lonely = [target for target, _, weight in services if weight and target not in hosts]
    if lonely:
        raise ValueError(f"it does not say where {lonely[0]} is")
    found = [Found(Address(hosts[target], port), weight) for target, port, weight in services if weight]
    return tuple(sorted(found, key=_place))


def _name(reply: bytes, place: int) -> tuple[str, int]:
    """Return a name, which may go on elsewhere, and the place after it."""
    labels: list[str] = []
    after = -1
    for _ in range(128):  # more parts than a name can have: a name that goes on in itself has no end
        size = reply[place]
        if size >= 0xC0:
            after = after if after >= 0 else place + 2
            place = ((size & 0x3F) << 8) | reply[place + 1]
        elif size:
            labels.append(reply[place + 1 : place + 1 + size].decode("ascii").lower())
            place += 1 + size
        else:
            return ".".join(labels), after if after >= 0 else place + 1
    raise ValueError("a name in it has no end")
