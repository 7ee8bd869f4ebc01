"""The same cases with Swarm's own update in place of zdd: the docker client, and edges that follow the swarm itself.

The service has what somebody would give it who wants to lose nothing: start-first, a health check, a grace period as
long as the longest request. HAProxy asks Swarm's DNS, as often as it asks Consul for zdd; Traefik asks the swarm's API
every second, where its default is 15 s.
"""

from __future__ import annotations

import http.client
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import define
from evidence import lost_posts, read_logs, read_terms
from figures import KEPT_WORDS, Case, Result
from loading import await_answers, await_warm
from overlay import EXAMPLES, EdgeTask, Swarm, edge_image, running_network, running_stack, until
from parts import HERE, RunningEdge, running_load
from wanted import MARGIN_S, Wanted

from zdd.model.address import Address

PORT = 8080
UPDATES_MAX = 10
CANARY_PAUSE = "1s"
GROUP = "loss.group"
"""The label by which a Traefik knows its own service: it sees those of the groups that are played beside it, too."""
STACK = """\
version: "3.8"
services:
  {kind}:
    image: {image}
    networks: [{network}]
    ports:
      - {{target: 8000, mode: host}}
    deploy: {{replicas: 1, endpoint_mode: dnsrr}}
{more}
networks:
  {network}: {{external: true}}
"""
HAPROXY = """\
    configs:
      - {{source: haproxy, target: /usr/local/etc/haproxy/haproxy.cfg}}
configs:
  haproxy: {{file: {file}}}
"""
TRAEFIK = """\
    command:
      - --entryPoints.web.address=:8000
      - --providers.swarm.endpoint=unix:///var/run/docker.sock
      - --providers.swarm.network={network}
      - --providers.swarm.constraints=Label(`{group}`,`{service}`)
      - --providers.swarm.refreshSeconds=1
      - --providers.providersThrottleDuration=100ms
      - --global.checkNewVersion=false
      - --global.sendAnonymousUsage=false
    volumes:
      - {{type: bind, source: {socket}, target: /var/run/docker.sock}}
"""


@define(eq=False)
class Peer:
    """What all cases share."""

    lab: Mapping[str, Any]
    wanted: Wanted
    tell: Callable[[str], None]

    def play(self, cases: Sequence[Case]) -> Iterator[Result]:
        """Carry out cases one after the other, with an edge and a service that they share."""
        swarm, name = Swarm(self.lab), f"peer-{secrets.token_hex(4)}"
        directory = Path(tempfile.mkdtemp(prefix="zdd-loss-"))
        (directory / "logs").mkdir()
        with ExitStack() as last:
            last.callback(shutil.rmtree, directory, ignore_errors=True)
            network = last.enter_context(running_network(swarm, f"{name}-web"))
            service = SwarmService(swarm, name, network, directory / "logs", cases[0].application, self.wanted)
            last.callback(swarm.client, "service", "rm", name)
            service.create()
            file = _stack_file(swarm, cases[0].edge, name, network, directory)
            task = last.enter_context(running_stack(swarm, f"{name}-edge", cases[0].edge, network, file))
            until(lambda: _serves(task.entrance), "the edge to know the service")
            for case in cases:
                yield self._play(case, service, task)

    def _play(self, case: Case, service: SwarmService, task: EdgeTask) -> Result:
        if case.strategy == "rollback":
            service.update("rolling")  # so that there is something to go back to
        with running_load(RunningEdge(None, task.entrance), self.wanted.load, self.wanted.longest_s) as load:
            await_warm(load)
            began_s, updates = time.time(), 0
            while len(service.removed(began_s)) < self.wanted.removals and updates < UPDATES_MAX:
                updates += 1
                try:
                    service.update(case.strategy)
                except RuntimeError as error:  # Swarm has taken it back, or has stopped half-way: that counts as well
                    self.tell(f"{case}: {error}")
            seconds = time.time() - began_s
            await_answers(load, self.wanted.requests)
            facts = load.end()
        written, removed = read_logs(service.logs), service.removed(began_s)
        posts = lost_posts(facts, written)
        return Result(
            case,
            requests=facts["answered"] + facts["lost"],
            lost=len(facts["losses"]) + len(posts),
            losses=[*(f"{at_s:.2f} {words}" for at_s, words in facts["losses"]), *posts][:KEPT_WORDS],
            broken=0,
            breaches=[],
            below_floor_s=0.0,
            cut_websockets=len(facts["cut"]),
            removals=len(removed),
            busy_removals=sum(
                any(one.began_s <= at_s < one.ended_s for one in written[instance]) for instance, at_s in removed
            ),
            drain_median_s=0.0,
            seconds=seconds,
        )


@define(eq=False)
class SwarmService:
    """A service that is updated by the docker client."""

    swarm: Swarm
    name: str
    network: str
    logs: Path
    application: str
    wanted: Wanted
    _version: int = 1

    def create(self) -> None:
        grace_s = self.wanted.longest_s + MARGIN_S
        options = {
            "name": self.name, "replicas": self.wanted.replicas, "network": self.network, "endpoint-mode": "dnsrr",
            "entrypoint": "/usr/bin/python3 -S /loss/application.py", "stop-grace-period": f"{grace_s:g}s",
            "health-cmd": f"wget -q -O /dev/null http://127.0.0.1:{PORT}/health", "health-interval": "2s",
            "health-timeout": "10s", "health-retries": "3", "health-start-period": "30s", "update-order": "start-first",
            "update-failure-action": "rollback", "rollback-order": "start-first",
            "rollback-parallelism": self.wanted.replicas // 2,
        }  # fmt: skip
        words = [f"--{option}={value}" for option, value in options.items()]
        words += [f"--mount=type=bind,source={HERE},target=/loss,readonly"]
        words += [f"--mount=type=bind,source={self.logs},target=/logs"]
        variables = {"INSTANCE": "{{.Task.ID}}", "LOG_DIRECTORY": "/logs", "ON_TERM": self.application, "VERSION": "1"}
        words += [f"--env={name}={value}" for name, value in variables.items()]
        words += [f"--label={GROUP}={self.name}", "--label=traefik.http.routers.app.rule=PathPrefix(`/`)"]
        words += [f"--label=traefik.http.services.app.loadbalancer.server.port={PORT}"]
        self.swarm.client("service", "create", "--quiet", *words, self.swarm.lab["image"])

    def update(self, strategy: str) -> None:
        """Replace all tasks once, and wait until the old ones have ended."""
        if strategy == "rollback":
            self.swarm.client("service", "rollback", "--quiet", self.name)
        else:
            self._version += 1
            batch = self.wanted.replicas // 2
            parallelism, pause = {"blue-green": (0, "0s"), "canary": (1, CANARY_PAUSE)}.get(strategy, (batch, "0s"))
            words = [f"--update-parallelism={parallelism}", f"--update-delay={pause}"]
            words += [f"--env-add=VERSION={self._version}"]
            self.swarm.client("service", "update", "--quiet", *words, self.name)
        until(lambda: not self._ending(), f"the old tasks of {self.name} to end")

    def _ending(self) -> bool:
        with self.swarm.api() as api:
            tasks = api.tasks(filters={"service": self.name, "desired-state": "shutdown"})
        return any(task["Status"]["State"] in ("running", "starting") for task in tasks)

    def removed(self, since_s: float) -> list[tuple[str, float]]:
        """Return each instance that was told to stop, and when."""
        return [(name, at_s) for name, at_s in read_terms(self.logs).items() if at_s >= since_s]


def _serves(entrance: Address) -> bool:
    client = http.client.HTTPConnection(entrance.host, entrance.port, timeout=2.0)
    try:
        client.request("GET", "/health")
        return client.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def _stack_file(swarm: Swarm, kind: str, service: str, network: str, directory: Path) -> Path:
    if kind == "haproxy":
        text = (EXAMPLES / "haproxy.cfg").read_text()
        own = {
            "nameserver agent 172.18.0.1:8600": "nameserver docker 127.0.0.11:53",
            "_web._tcp.service.consul": f"tasks.{service}:{PORT} check inter 1s",
        }
        for value, other in own.items():
            assert text.count(value) == 1, value
            text = text.replace(value, other)
        (directory / "haproxy.cfg").write_text(text)
        more = HAPROXY.format(file=directory / "haproxy.cfg")
    else:
        path = str(swarm.lab["engine"]).removeprefix("unix://")
        more = TRAEFIK.format(network=network, group=GROUP, service=service, socket=path)
    file = directory / "stack.yml"
    file.write_text(STACK.format(kind=kind, image=edge_image(swarm, kind), network=network, more=more))
    return file
