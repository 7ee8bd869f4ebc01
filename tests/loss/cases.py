"""The cases of `make loss`: an edge, a strategy, and what the application does when it is told to stop."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import docker
from attrs import define
from docker.errors import DockerException
from evidence import excused, lost_posts, read_logs, removals, split_websockets
from figures import IN_PLACE, KEPT_WORDS, Case, Result
from loading import await_answers, await_warm
from overlay import gateway, running_overlay_edge
from parts import HERE, Load, RunningEdge, running_consul, running_edge, running_load
from wanted import MARGIN_S, Wanted

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
from zdd.adapters.swarm.addresses import NodePorts, OverlayAddresses
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator

OVERLAY = "-overlay"
EDGES = ("haproxy", "traefik")
OVERLAY_EDGES = tuple(f"{edge}{OVERLAY}" for edge in EDGES)
STRATEGIES = ("rolling", "blue-green", "canary", "rollback", IN_PLACE)
APPLICATIONS = ("finish", "exit", "ignore")
DEPLOYMENTS_MAX = 10
STOP_GRACE_S = 2.0
GONE_WITHIN_S = 20.0
ROUTE = ("traefik.http.routers.app.rule=PathPrefix(`/`)",)


@define(eq=False)
class Stand:
    """What all cases share: the lab, and the process that may change how the deployer works."""

    lab: Mapping[str, Any]
    wanted: Wanted
    tell: Callable[[str], None]

    def play(self, cases: Sequence[Case]) -> Iterator[Result]:
        """Carry out cases one after the other, with an edge and a service that they share."""
        # The swarm remembers who deployed a service last, longer than a run's own journal does.
        service = f"loss-{secrets.token_hex(4)}"
        directory = Path(tempfile.mkdtemp(prefix="zdd-loss-"))
        logs = directory / "logs"
        logs.mkdir()
        try:
            with (
                running_consul(directory / "consul", gateway(self.lab) if _is_overlay(cases[0]) else "") as agent,
                self._edge(cases[0], agent, service, directory / "edge") as edge,
                self._deployer(agent, edge, directory) as deployer,
            ):
                operator = Operator(self.lab, cases[0], service, edge.network, logs, deployer, self.wanted, self.tell)
                try:
                    operator.begin()
                    for case in cases:
                        result = self._play(case, operator, edge)
                        self._check_engine()
                        yield result
                finally:
                    operator.end()
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _check_engine(self) -> None:
        """Raise `RuntimeError` if the engine has ended, and all instances with it: that was nobody's deployment."""
        try:
            with closing(docker.APIClient(base_url=self.lab["engine"], version="auto")) as api:
                api.ping()
        except DockerException as error:
            raise RuntimeError(f"the lab's engine has ended: {error}") from error

    def _play(self, case: Case, operator: Operator, edge: RunningEdge) -> Result:
        operator.prepare(case)
        with running_load(edge, self.wanted.load, self.wanted.longest_s) as load:
            await_warm(load)
            began_s, reports = time.monotonic(), self._deploy(case, operator, load)
            seconds = time.monotonic() - began_s
            facts = load.end()
        return _result(case, facts, reports, operator.logs, seconds)

    def _deploy(self, case: Case, operator: Operator, load: Load) -> list[Report]:
        """Deploy until enough instances were removed and enough requests sent."""
        reports: list[Report] = []
        busy = 0
        while busy < self.wanted.removals and len(reports) < DEPLOYMENTS_MAX:
            try:
                reports.append(operator.step(case.strategy))
            except DeploymentFailed as error:  # it was taken back, under the same load: that counts as well
                self.tell(f"{case}: {error}")
                reports.append(error.report)
            removed = removals(reports[-1], read_logs(operator.logs), STOP_GRACE_S)
            busy += sum(one.in_flight > 0 or self.wanted.load == "light" for one in removed)
        await_answers(load, self.wanted.requests)
        return reports

    def _edge(self, case: Case, agent: Any, service: str, directory: Path) -> AbstractContextManager[RunningEdge]:
        if _is_overlay(case):
            return running_overlay_edge(case.edge.removesuffix(OVERLAY), self.lab, agent, service, directory)
        return running_edge(case.edge, agent, service, directory, slow=self.wanted.slow_edge)

    @contextmanager
    def _deployer(self, agent: Any, edge: RunningEdge, directory: Path) -> Iterator[Deployer]:
        host = gateway(self.lab) if edge.network else "127.0.0.1"
        connection = ConsulConnection(address=f"http://{host}:{agent.http_port}")
        discovery = ConsulDiscovery(
            connection,
            tags_for=lambda _service, _exposure: ROUTE,
            weight_tags_for=weight_tags,
        )
        way = OverlayAddresses(edge.network) if edge.network else NodePorts()
        with closing(SwarmOrchestrator(self.lab["engine"], addresses=way)) as orchestrator:
            yield Deployer(
                orchestrator,
                discovery,
                [edge.edge],
                journal=SqliteJournal(directory / "journal"),
                lease=SqliteLease(directory / "journal"),
            )


@define(eq=False)
class Operator:
    """Deploys one version of a service after the other.

    Attributes:
        lab: Where.
        case: The first of the cases that share the service: the same application, all in place or none.
        name: The service's.
        network: The overlay network that its instances are on; empty: none.
        logs: Where its instances write down what they have answered.
        deployer: Who deploys.
        wanted: How many instances.
        tell: Where to say something.
    """

    lab: Mapping[str, Any]
    case: Case
    name: str
    network: str
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
            stop_grace_s=STOP_GRACE_S,
            start_deadline_s=120.0,
        )

    def begin(self) -> None:
        """Deploy the first version."""
        self._deploy(BlueGreen())

    def prepare(self, case: Case) -> None:
        """See to it that there is something to go back to, if the case does so."""
        if case.strategy == "rollback" and self._version == 1:
            self._deploy(BlueGreen())

    def step(self, strategy: str) -> Report:
        """Replace all instances once."""
        batch = self.wanted.replicas // 2
        rolling = RollingUpdate(batch=batch)
        match strategy:
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
        raise ValueError(strategy)

    def end(self) -> None:
        """Take the service out, whatever has happened and however, so that the next case finds the machine free.

        Containers that are still there after 20 seconds are told: the next case begins beside them.
        """
        with closing(docker.APIClient(base_url=self.lab["engine"], version="auto")) as api:
            for one in api.services(filters={"name": self.name}):
                api.remove_service(one["ID"])
            deadline = time.monotonic() + GONE_WITHIN_S
            while left := api.containers(filters={"name": self.name}):
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
        networks = {"Networks": [{"Target": self.network}]} if self.network else {}
        endpoint = {"EndpointSpec": {"Mode": "dnsrr"}} if self.network else {}
        return Container(
            self.lab["image"],
            entrypoint=["/usr/bin/python3", "-S", "/loss/application.py"],
            environment=environment,
            ports={"http": 8080},
            service_spec={"TaskTemplate": {"ContainerSpec": {"Mounts": mounts}, **networks}, **endpoint},
        )


def grouped(cases: Sequence[Case]) -> list[list[Case]]:
    """Put cases together that can share an edge and a service, in an order that overlaps them well."""
    groups: dict[tuple[str, str, str, bool], list[Case]] = {}
    for case in cases:
        key = (case.deployer, case.edge, case.application, case.strategy == IN_PLACE)
        groups.setdefault(key, []).append(case)
    return sorted(groups.values(), key=len, reverse=True)


def _is_overlay(case: Case) -> bool:
    return case.edge.endswith(OVERLAY)


def _result(case: Case, facts: Mapping[str, Any], reports: Sequence[Report], logs: Path, seconds: float) -> Result:
    written = read_logs(logs)
    removed = [removal for report in reports for removal in removals(report, written, STOP_GRACE_S)]
    cut, ended = split_websockets(facts, removed)
    lost = [*((at_s, words) for at_s, words in facts["losses"]), *ended]
    posts = lost_posts(facts, written)
    kept = [(at_s, words) for at_s, words in lost if case.strategy == IN_PLACE and excused(at_s, removed)]
    broken = [one for one in lost if one not in kept]
    return Result(
        case,
        requests=facts["answered"] + facts["lost"],
        lost=len(lost) + len(posts),
        losses=[*_in_words(lost), *posts][:KEPT_WORDS],
        broken=len(broken) + len(posts),
        breaches=[*_in_words(broken), *posts][:KEPT_WORDS],
        below_floor_s=sum(one.below_floor_s for one in reports),
        cut_websockets=cut,
        removals=len(removed),
        busy_removals=sum(one.in_flight > 0 for one in removed),
        drain_median_s=median([one.drained_s for one in removed] or [0.0]),
        seconds=seconds,
    )


def _in_words(lost: Sequence[tuple[float, str]]) -> list[str]:
    return [f"{at_s:.2f} {words}" for at_s, words in lost]
