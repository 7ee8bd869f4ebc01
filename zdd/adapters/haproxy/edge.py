"""What HAProxy itself says over its socket: where it sends requests, with what weight, and what is in flight there."""

from __future__ import annotations

import csv
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from zdd.errors import ConfigurationError, TemporaryError
from zdd.model.address import Address, entrances_of
from zdd.model.finding import Demand, Finding, Severity
from zdd.model.names import check_function, check_number
from zdd.model.release import Specification
from zdd.model.service import Exposure, Service
from zdd.model.traffic import EdgeAbilities, EdgeView

TIMEOUT_S = 2.0
_MEASURED_S = 3
_INTERVAL_S_MOST = 0.5
_ANSWER_BYTES_MAX = 64 << 20
_QUESTION = b"show info;show stat -1 4 -1\n"  # 4: servers
_INSPECTION = b"show info;show stat -1 4 -1;show resolvers\n"
_UP = ("UP", "no check")
_COUNTED_TO = 1 << 32
"""Where its counters begin again."""


@frozen
class _Slot:
    """A server of a backend; without an address while it stands for no instance."""

    backend: str
    address: Address | None
    weight: int
    in_flight: int


@frozen
class _Answers:
    """What it answered to one question."""

    info: Mapping[str, str]
    slots: tuple[_Slot, ...]
    resolvers: Mapping[str, int]

    @property
    def up_s(self) -> float:
        return float(self.info.get("Uptime_sec", "0"))

    @property
    def process(self) -> str:
        return f"haproxy {self.info['Pid']} since {self.info.get('Start_time_sec', '?')}"

    def are_later_than(self, before: _Answers) -> bool:
        """Tell whether they were given later: each question is one more connection that the process has seen."""
        if self.process != before.process:
            return int(self.info.get("Start_time_sec", 0)) >= int(before.info.get("Start_time_sec", 0))
        return 0 < (int(self.info["CumConns"]) - int(before.info["CumConns"])) % _COUNTED_TO < _COUNTED_TO // 2


class HaproxyEdge:
    """Asks an HAProxy over its stats socket. May be used by several threads. It tells it nothing.

    Each exposure is a backend, whose servers are a template that follows a service of Consul by its SRV records.

    After a reload the process before goes on with its requests, and the new one does not know of them. So what is in
    flight is unknown until a process has run for `old_process_s`.

    Args:
        stats_socket: The ``stats socket``: its path, or its address if it is bound to one, such as that of a task on an
            overlay network. The level ``operator`` is enough. It asks nobody who he is, so an address is for a network
            on which only the deployer is, and belongs to one process: of several copies each is an edge of its own.
        entrances: By port name, where clients reach the service through it.
        backend_for: The name of the backend of an exposure; None: the service's name for its first exposure, and
            ``<service>-<port>`` for the others.
        old_process_s: For how many seconds a process may go on after a reload, which is HAProxy's ``hard-stop-after``.
            0: it is never reloaded.

    Raises:
        ConfigurationError: A value is illegal.
    """

    def __init__(
        self,
        stats_socket: str | Path | Address,
        entrances: Mapping[str, Address],
        *,
        backend_for: Callable[[Service, Exposure], str] | None = None,
        old_process_s: float = 60.0,
    ) -> None:
        check_number("old_process_s", old_process_s, least=0)
        if not isinstance(stats_socket, Address) and not str(stats_socket).startswith("/"):
            raise ConfigurationError(
                f"stats_socket of HAProxy is {str(stats_socket)!r}: use a path that begins with /, or an Address"
            )
        if backend_for is not None:
            check_function("backend_for of HaproxyEdge", backend_for, "a service and an exposure")
        self._stats_socket = stats_socket
        self._entrances: dict[str, Address] = entrances_of(entrances)
        self._backend_for = backend_for or _backend_of
        self._old_process_s = old_process_s
        self._newest: _Answers | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"haproxy at {self._stats_socket}"

    @property
    def abilities(self) -> EdgeAbilities:
        """It weighs and counts; it does not hold requests back."""
        return EdgeAbilities(weighs=True, holds=False, counts=True)

    def addresses(self, service: Service) -> dict[str, Address]:
        """Return, by port name, where clients reach the service."""
        return {one.port: self._entrances[one.port] for one in service.exposures if one.port in self._entrances}

    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:
        """Ask where new requests of this service go, and what is in flight at the addresses.

        A slot that no longer has an address may still be at work for one that it had: of an address without a slot it
        is unknown what is in flight.

        Raises:
            TemporaryError: It doesn't answer.
        """
        as_of_s = time.time()
        answers = self._ask()
        backends = [self._backend_for(service, exposure) for exposure in service.exposures]
        own = [slot for slot in answers.slots if slot.backend in backends]
        missing = sorted(set(backends) - {slot.backend for slot in own})
        weights: dict[Address, int] = {}
        counts: Counter[Address] = Counter()
        for slot in own:
            if slot.address is not None:
                counts[slot.address] += slot.in_flight
                weights |= {slot.address: slot.weight} if slot.weight else {}
        settled = answers.up_s >= self._old_process_s
        note = f"it has no backend {', '.join(missing)}" if missing else ""
        return EdgeView(
            edge=self.name,
            as_of_s=as_of_s,
            weights=weights,
            in_flight={address: counts[address] for address in addresses if address in counts and settled},
            process=answers.process,
            note=note
            if settled or note
            else "it was started a short while ago, and one before it may still be at work",
        )

    def inspect(
        self,
        service: Service,
        workload: Specification,  # noqa: ARG002 - how it is reached does not depend on what runs
        demand: Demand,
    ) -> tuple[Finding, ...]:
        """Say what of the running HAProxy's settings is wrong or slow, as far as they can be read or were measured.

        Raises:
            TemporaryError: It doesn't answer.
        """
        answers = self._ask(_INSPECTION)
        backends = [self._backend_for(service, exposure) for exposure in service.exposures]
        return tuple(
            Finding(self.name, problem, fix, severity)
            for problem, fix, severity in (
                *_about_slots([slot.backend for slot in answers.slots], backends, demand.instances),
                *_about_resolvers(answers),
            )
        )

    def examine(self) -> tuple[Finding, ...]:
        """Say nothing if it answers.

        Raises:
            TemporaryError: It doesn't answer.
        """
        self._ask()
        return ()

    def _ask(self, question: bytes = _QUESTION) -> _Answers:
        newest = self._newest
        try:
            info, _, rest = _whole(self._exchange(question)).partition("\n\n")
            slots, _, resolvers = rest.strip().partition("\n\n")
            answers = _Answers(_parse_info(info), _parse_slots(slots), _parse_resolvers(resolvers))
        except OSError as error:
            raise TemporaryError(f"{self.name} doesn't answer: {error}") from error
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise TemporaryError(f"{self.name} doesn't answer as HAProxy does: {error!r}") from error
        if newest is not None and not answers.are_later_than(newest):
            raise TemporaryError(f"{self.name} answers as it did before: something in between gives old answers again")
        self._newest = answers
        return answers

    def _connected(self) -> socket.socket:
        if isinstance(self._stats_socket, Address):
            return socket.create_connection((self._stats_socket.host, self._stats_socket.port), timeout=TIMEOUT_S)
        client = socket.socket(socket.AF_UNIX)
        try:
            client.settimeout(TIMEOUT_S)
            client.connect(str(self._stats_socket))
        except BaseException:
            client.close()
            raise
        return client

    def _exchange(self, question: bytes) -> str:
        end_s = time.monotonic() + TIMEOUT_S
        text = bytearray()
        with self._connected() as client:
            client.settimeout(max(0.001, end_s - time.monotonic()))
            client.sendall(question)
            while part := client.recv(1 << 16):
                text += part
                left_s = end_s - time.monotonic()
                if left_s <= 0 or len(text) > _ANSWER_BYTES_MAX:
                    raise TimeoutError(f"its answer has no end within {TIMEOUT_S:g} s")
                client.settimeout(left_s)
        return text.decode()


_Problems = list[tuple[str, str, Severity]]


def _about_slots(slots: Sequence[str], backends: Sequence[str], peak: int) -> _Problems:
    found: _Problems = []
    counts = Counter(slots)
    for backend in backends:
        if not any(counts[one] for one in backends):
            words = f"it has no backend {backend}, so no request arrives through it"
            found.append((words, "add the backend, see docs/edges.md, or give backend_for=", Severity.ERROR))
        elif counts[backend] < peak:
            words = f"backend {backend} has {counts[backend]} slots, and {peak} instances may exist at once: "
            words += "those beyond get no requests"
            found.append((words, f"give its server-template {peak} slots or more", Severity.WARNING))
    return found


def _about_resolvers(answers: _Answers) -> _Problems:
    """Judge what it has asked the name servers so far: its own settings it does not tell."""
    found: _Problems = []
    up_s, sent = answers.up_s, answers.resolvers.get("sent", 0)
    if up_s < _MEASURED_S:
        return [
            ("it runs for too short a time to say how fast it follows Consul", "plan again later", Severity.WARNING)
        ]
    if not sent:
        fix = "give its servers a resolvers section that asks Consul, see docs/edges.md"
        return [("it asks no name server, so it does not follow Consul", fix, Severity.WARNING)]
    if not answers.resolvers.get("valid", 0) + answers.resolvers.get("nx", 0):
        words = f"none of its {sent} questions to its name servers was answered"
        return [(words, "let the nameserver be the agent's DNS address", Severity.WARNING)]
    interval_s = up_s * len({slot.backend for slot in answers.slots}) / sent
    if interval_s > _INTERVAL_S_MOST:
        words = f"it asks for each backend about every {interval_s:.1f} s, so every step takes that long"
        found.append((words, "set timeout resolve to 100ms", Severity.WARNING))
    return found


def _backend_of(service: Service, exposure: Exposure) -> str:
    return service.name if exposure == service.exposures[0] else f"{service.name}-{exposure.port}"


def _whole(text: str) -> str:
    """Return an answer without the end that a whole one has.

    Of one that was cut short, those servers may be missing to which requests still go.
    """
    if not text.endswith("\n\n"):
        raise ValueError(f"it is cut short after {text[-50:]!r}")
    return text.strip()


def _parse_info(text: str) -> dict[str, str]:
    info = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    numbers = (info.get(name, "0") for name in ("Uptime_sec", "Start_time_sec", "CumConns"))
    if "Pid" not in info or "CumConns" not in info or not all(number.isdigit() for number in numbers):
        raise ValueError(text[:100])
    return info


def _parse_resolvers(text: str) -> Counter[str]:
    """Return the sums over all name servers."""
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        name, _, number = line.strip().partition(":")
        if number.strip().isdigit():
            counts[name] += int(number)
    return counts


def _parse_slots(text: str) -> tuple[_Slot, ...]:
    if not text.startswith("# pxname,svname,"):
        raise ValueError(text[:100])
    return tuple(_parse_slot(row) for row in csv.DictReader(text.removeprefix("# ").splitlines()))


def _parse_slot(row: Mapping[str, str]) -> _Slot:
    host, _, port = row["addr"].rpartition(":")
    address = Address(host.strip("[]"), int(port)) if host and port not in ("", "0") else None
    weight = int(row["weight"] or 0) if row["status"].startswith(_UP) else 0
    return _Slot(row["pxname"], address, weight, int(row["scur"] or 0) + int(row["qcur"] or 0))
