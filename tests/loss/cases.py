"""The cases of `make loss`: an edge, a strategy, and what the application does when it is told to stop."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker
from attrs import define, field, frozen
from evidence import Removal, lost_posts, read_logs, removals, split_websockets
from parts import HERE, Load, RunningEdge, running_edge, running_load

from zdd import (
    BlueGreen,
    Canary,
    Deployer,
    DeploymentFailed,
    HttpGate,
    InPlaceUpdate,
    Release,
    Report,
    RollingUpdate,
    Service,
)
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.traefik_edge import weight_tags
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator

IN_PLACE = "in-place"
EDGES = ("haproxy", "traefik")
STRATEGIES = ("rolling", "blue-green", "canary", "rollback", IN_PLACE)
APPLICATIONS = ("finish", "exit", "ignore")
MARGIN_S = 2.0
DEPLOYMENTS_MAX = 10
GONE_WITHIN_S = 20.0
ANSWER_WITHIN_S = 60.0
WARM_REQUESTS = 100
ROUTE = ("traefik.http.routers.app.rule=PathPrefix(`/`)",)


@frozen
class Case:
    """One case.

    Attributes:
        edge: Which proxy.
        strategy: How the instances are replaced.
        application: What it does on SIGTERM: finish, exit, or ignore it.
    """

    edge: str
    strategy: str
    application: str

    def __str__(self) -> str:
        return f"{self.edge}/{self.strategy}/{self.application}"


@frozen
class Wanted:
    """How much a case is to have.

    Attributes:
        requests: How many are to be answered at least.
        removals: How many instances are to be removed at least.
        longest_s: How long the longest requests take, in seconds.
        replicas: How many instances serve; half of them are a batch.
    """

    requests: int
    removals: int
    longest_s: float
    replicas: int


@frozen
class Result:
    """What came of one case.

    Attributes:
        case: Which one.
        requests: Answered and lost ones, websocket handshakes among them.
        losses: Each lost request in words; POSTs without or with several traces in the logs, and websockets that
            something else than the drain deadline has cut, are among them.
        cut_websockets: How many the drain deadline has cut.
        removed: The instances that were taken out and stopped.
        seconds: How long it took under load.
        versions: How often each version has answered.
    """

    case: Case
    requests: int
    losses: Sequence[str]
    cut_websockets: int
    removed: Sequence[Removal]
    seconds: float
    versions: Mapping[str, int]

    @property
    def broken(self) -> bool:
        """Whether something was lost that must not be. In place, Swarm stops what it has replaced, drained or not."""
        return bool(self.losses) and self.case.strategy != IN_PLACE

    @property
    def busy_removals(self) -> int:
        """How many of them had at least one request in flight when their drain began, by the servers' own logs."""
        return sum(one.in_flight > 0 for one in self.removed)


@define(eq=False)
class Stand:
    """What all cases share: the lab, the agent, and the process that may change how the deployer works."""

    lab: Mapping[str, Any]
    agent: Any
    wanted: Wanted
    tell: Callable[[str], None]
    _numbers: int = field(default=0)

    def play(self, case: Case) -> Result:
        """Carry out a case."""
        self._numbers += 1
        # The swarm remembers who deployed a service last, longer than a run's own journal does.
        service = f"loss-{secrets.token_hex(4)}"
        directory = Path(tempfile.mkdtemp(prefix="zdd-loss-"))
        try:
            with running_edge(case.edge, self.agent, service, directory / "edge") as edge:
                return self._play(case, service, edge, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _play(self, case: Case, service: str, edge: RunningEdge, directory: Path) -> Result:
        logs = directory / "logs"
        logs.mkdir()
        with self._deployer(edge, directory) as deployer:
            operator = Operator(self.lab, self.agent, case, service, logs, deployer, self.wanted, self.tell)
            try:
                operator.begin()
                with running_load(edge.entrance, self.wanted.longest_s) as load:
                    _await_warm(load)
                    began_s, reports = time.monotonic(), self._deploy(operator, load)
                    seconds = time.monotonic() - began_s
                    facts = load.end()
            finally:
                operator.end()
        return _result(case, facts, reports, logs, seconds)

    def _deploy(self, operator: Operator, load: Load) -> list[Report]:
        """Deploy until enough instances were removed and enough requests sent."""
        reports: list[Report] = []
        removed = 0
        while removed < self.wanted.removals and len(reports) < DEPLOYMENTS_MAX:
            try:
                reports.append(operator.step())
            except DeploymentFailed as error:  # it was taken back, under the same load: that counts as well
                self.tell(f"{operator.case}: {error}")
                reports.append(error.report)
            removed += len(removals(reports[-1], {}))
        facts = _await_answers(load, self.wanted.requests)
        self.tell(f"{operator.case}: {removed} removed, {facts['answered']} answered, {facts['lost']} lost")
        return reports

    @contextmanager
    def _deployer(self, edge: RunningEdge, directory: Path) -> Iterator[Deployer]:
        connection = ConsulConnection(address=self.agent.address)
        discovery = ConsulDiscovery(
            connection,
            prefix=f"loss-{self._numbers}",
            tags_for=lambda _service, _exposure: ROUTE,
            weight_tags_for=weight_tags,
        )
        with closing(SwarmOrchestrator(self.lab["engine"])) as orchestrator:
            yield Deployer(
                orchestrator,
                discovery,
                [edge.edge],
                journal=SqliteJournal(directory / "journal"),
                lease=SqliteLease(directory / "journal"),
            )


@define(eq=False)
class Operator:
    """Deploys one version after the other, as the case has it."""

    lab: Mapping[str, Any]
    agent: Any
    case: Case
    name: str
    logs: Path
    deployer: Deployer
    wanted: Wanted
    tell: Callable[[str], None]
    _version: int = 0

    @property
    def service(self) -> Service:
        return Service(
            self.name,
            replicas=self.wanted.replicas,
            cells=1 if self.case.strategy == IN_PLACE else self.wanted.replicas,
            gates=(HttpGate("/health"),),
            drain_deadline_s=self.wanted.longest_s + MARGIN_S,
            stop_grace_s=2.0,
            start_deadline_s=120.0,
        )

    def begin(self) -> None:
        """Deploy the first version; for rollbacks a second one, so that there is something to go back to."""
        self._deploy(BlueGreen())
        if self.case.strategy == "rollback":
            self._deploy(BlueGreen())

    def step(self) -> Report:
        """Replace all instances once."""
        batch = self.wanted.replicas // 2
        rolling = RollingUpdate(batch=batch)
        match self.case.strategy:
            case "rolling":
                return self._deploy(rolling)
            case "blue-green":
                return self._deploy(BlueGreen())
            case "canary":
                return self._deploy(Canary(hold_s=0.5))
            case "in-place":
                return self._deploy(InPlaceUpdate(batch))
            case "rollback":
                return self.deployer.rollback(self.name, strategy=rolling)
        raise ValueError(self.case.strategy)

    def end(self) -> None:
        """Take the service out, whatever has happened and however, so that the next case finds the swarm empty.

        Containers that are still there after 20 seconds are told: the next case begins beside them.
        """
        for item in self.agent.ask("GET", f"/v1/health/service/{self.name}?consistent"):
            self.agent.ask("PUT", f"/v1/agent/service/deregister/{item['Service']['ID']}")
        with closing(docker.APIClient(base_url=self.lab["engine"], version="auto")) as api:
            for one in api.services(filters={"name": self.name}):
                api.remove_service(one["ID"])
            deadline = time.monotonic() + GONE_WITHIN_S
            while left := api.containers(filters={"label": "com.docker.swarm.service.name"}):
                if time.monotonic() > deadline:
                    names = ", ".join(name for one in left for name in one["Names"])
                    self.tell(f"{self.case}: still there {GONE_WITHIN_S:g} s after their service was removed: {names}")
                    break
                time.sleep(0.1)

    def _deploy(self, strategy: Any) -> Report:
        self._version += 1
        return self.deployer.deploy(self.service, Release(str(self._version), self._workload()), strategy)

    def _workload(self) -> Container:
        mounts = [
            {"Type": "bind", "Source": str(HERE), "Target": "/loss", "ReadOnly": True},
            {"Type": "bind", "Source": str(self.logs), "Target": "/logs"},
        ]
        environment = {"INSTANCE": "{{.Task.ID}}", "LOG_DIRECTORY": "/logs", "ON_TERM": self.case.application}
        return Container(
            self.lab["image"],
            entrypoint=["/usr/bin/python3", "-S", "/loss/application.py"],
            environment=environment,
            ports={"http": 8080},
            service_spec={"TaskTemplate": {"ContainerSpec": {"Mounts": mounts}}},
        )


def _await_warm(load: Load) -> None:
    deadline = time.monotonic() + 30.0
    while load.ask()["answered"] < WARM_REQUESTS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the clients get no answers: {load.ask()}")
        time.sleep(0.1)


def _await_answers(load: Load, wanted: int) -> Mapping[str, Any]:
    """Wait until so many requests are answered, and return what happened so far."""
    facts, answered_s = load.ask(), time.monotonic()
    while facts["answered"] < wanted:
        if time.monotonic() > answered_s + ANSWER_WITHIN_S:
            raise RuntimeError(f"the clients get no more answers: {facts}")
        time.sleep(0.5)
        before, facts = facts["answered"], load.ask()
        if facts["answered"] > before:
            answered_s = time.monotonic()
    return facts


def _result(case: Case, facts: Mapping[str, Any], reports: Sequence[Report], logs: Path, seconds: float) -> Result:
    written = read_logs(logs)
    removed = [removal for report in reports for removal in removals(report, written)]
    cut, broken = split_websockets(facts, removed)
    losses = [f"{at_s:.2f} {words}" for at_s, words in facts["losses"]] + broken + lost_posts(facts, written)
    return Result(case, facts["answered"] + facts["lost"], losses, cut, removed, seconds, facts["versions"])
