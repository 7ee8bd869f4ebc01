"""What is of a wrong kind is refused where it is given, by words that name it and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from attrs import evolve, frozen

import zdd
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.events import ConsulEvents
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge
from zdd.adapters.consul.tree import ConsulTree
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.adapters.memory import (
    Behaviour,
    Fault,
    MemoryClock,
    MemoryDiscovery,
    MemoryEdge,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.adapters.sqlite import SqliteControl, SqliteJournal, SqliteLease
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.stacks import SwarmStacks
from zdd.adapters.swarm.volume import Volume
from zdd.backup import Backup, CommandOutput, Files
from zdd.model.address import Address

WEB = zdd.Service("web")
RELEASE = zdd.Release("1.0", Behaviour())
ONE = zdd.StackService(WEB, RELEASE)


def deployer(**parts: Any) -> zdd.Deployer:
    world = MemoryWorld()
    usual = (MemoryOrchestrator(world), MemoryDiscovery(world), [world.add_edge()])
    return zdd.Deployer(*usual, journal=MemoryJournal(), lease=MemoryLease(world.clock), **parts)


def in_memory() -> zdd.Deployer:
    return zdd.Deployer.in_memory(MemoryWorld())


@frozen
class Astray:
    """A strategy whose goal is for a cell without a name."""

    def __str__(self) -> str:
        return "Astray()"

    def surge(self, situation: zdd.Situation) -> int:
        return 1

    def stages(self, situation: zdd.Situation) -> Iterator[zdd.Stage]:
        goal = evolve(situation.serve("web", 1), cell=None)
        yield zdd.Stage("astray", (goal,), deadline_s=1.0)


@frozen
class Nameless:
    """An action without a name that is text."""

    name: Any = 7
    deadline_s: Any = 1.0

    def run(self, context: zdd.ActionContext) -> str:
        return ""


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "world": (lambda: zdd.Deployer.in_memory(MemoryWorld), r"world is a MemoryWorld: use an object"),  # type: ignore[arg-type]
    "clock": (lambda: deployer(clock=7, make_sampler=print), "clock is a int, which has no method now"),
    "control": (lambda: deployer(control="redis"), "control is a str, which has no method orders"),
    "intents": (lambda: deployer(intents=7), "intents is a int, which has no method write"),
    "sampler": (lambda: deployer(make_sampler=7), "make_sampler is 7: use a function"),
    "default gates": (lambda: deployer(default_gates=None), "default_gates is None: use a function"),
    "edges gone": (lambda: deployer(edges_gone="haproxy"), r"edges_gone is 'haproxy': use a list, for example"),
    "watch": (lambda: in_memory().watch([], zdd.Failover(RELEASE)), "is asked for by its name"),  # type: ignore[arg-type]
    "stack of services": (lambda: zdd.Stack("s", [WEB]), r"is a Service: use zdd\.StackService\(service, release\)"),  # type: ignore[list-item]
    "stack of one": (lambda: zdd.Stack("s", ONE), r"services of a stack is StackService\(.*: use a list"),  # type: ignore[arg-type]
    "stack objects": (lambda: zdd.Stack("s", [ONE], objects=["net"]), "objects of a stack is a str: use zdd"),  # type: ignore[list-item]
    "stack service": (
        lambda: zdd.StackService("web", RELEASE),
        "service of a StackService is a str: use a zdd.Service",
    ),  # type: ignore[arg-type]
    "stack release": (lambda: zdd.StackService(WEB, "1.0"), r"release of web is a str: use a zdd\.Release"),  # type: ignore[arg-type]
    "depends on": (lambda: zdd.StackService(WEB, RELEASE, depends_on="db"), r"'db': use a list, for example \['db'\]"),  # type: ignore[arg-type]
    "stack deployer": (lambda: zdd.StackDeployer(MemoryWorld()), "is a MemoryWorld: use a zdd.Deployer"),  # type: ignore[arg-type]
    "stack host": (lambda: zdd.StackDeployer(in_memory(), 7), "host of StackDeployer is a int"),  # type: ignore[arg-type]
    "stack name": (
        lambda: zdd.StackDeployer(in_memory()).remove(zdd.Stack("s", [ONE])),  # type: ignore[arg-type]
        "a stack is asked for by its name, for example 's'",
    ),
    "joined": (lambda: zdd.Joined(zdd.RollingUpdate()), "parts of Joined is .*: use a list"),  # type: ignore[arg-type]
    "goal": (
        lambda: in_memory().plan(WEB, RELEASE, Astray()),
        "the cell of a goal of Astray.. is a NoneType: use text",
    ),  # type: ignore[arg-type]
    "action's name": (lambda: zdd.Perform([Nameless()]), "action of the class Nameless is a int: use text"),
    "action's deadline": (lambda: zdd.Perform([Nameless("n", "1h")]), "deadline_s of action n is '1h'"),
    "title": (lambda: zdd.CommandAction(["true"], title=["a"]), "title of CommandAction is a list"),  # type: ignore[arg-type]
    "directory": (lambda: zdd.CommandAction(["true"], directory=7), "directory 7: use the path"),  # type: ignore[arg-type]
    "files": (lambda: Files(None), "directory of Files is None: use a path"),  # type: ignore[arg-type]
    "source's name": (
        lambda: Backup([CommandOutput(7, ["true"], ["true"])], "there"),  # type: ignore[arg-type]
        "source of the class CommandOutput is a int: use text",
    ),
    "store": (lambda: Backup([Files("data")], None), "store of Backup is a NoneType, which has no method check"),  # type: ignore[arg-type]
    "retention": (
        lambda: Backup([Files("data")], "there", retention=5),
        "retention of Backup is a int: use zdd.backup",
    ),  # type: ignore[arg-type]
    "key file": (lambda: Backup([Files("data")], "there", key_file=b"k"), "key_file of Backup is b'k': use a path"),  # type: ignore[arg-type]
    "backup": (lambda: deployed().restore("web", using="there"), "using is a str: use a zdd.Backup"),  # type: ignore[arg-type]
    "versions": (lambda: MemoryWorld(versions=["2.0"]), "versions of MemoryWorld is a list: use a dict"),  # type: ignore[arg-type]
    "fault": (lambda: Fault("launch", "sometimes"), "'sometimes': use 'temporary' or 'permanent' or 'unknown'"),  # type: ignore[arg-type]
}


WRONG |= {
    "entrances": (
        lambda: HaproxyEdge("/s", {"http": "10.0.0.1:80"}),
        r"entrance 'http' is '10\.0\.0\.1:80': use an addr",
    ),  # type: ignore[dict-item]
    "port of an entrance": (lambda: HaproxyEdge("/s", {"http": Address("10.0.0.1", "80")}), "use an address such as"),  # type: ignore[arg-type]
    "no entrances": (lambda: CatalogTraefikEdge(Address("a", 1), None), "entrances is a NoneType: use a dict"),  # type: ignore[arg-type]
    "api": (lambda: CatalogTraefikEdge("127.0.0.1:8080", {}), "api of CatalogTraefikEdge is '127.0.0.1:8080'"),  # type: ignore[arg-type]
    "connection": (lambda: ConsulJournal("127.0.0.1:8500"), "connection is a str, which has no method ask: use a Cons"),  # type: ignore[arg-type]
    "ports": (lambda: Container("web:1", ports=8080), r"ports is a int: use a dict, for example {'http': 8080}"),  # type: ignore[arg-type]
    "command": (lambda: Container("web:1", command=7), r"command is 7: use a list, for example"),  # type: ignore[arg-type]
    "tree": (lambda: ConsulTree(7), "prefix of ConsulTree is a int: use text"),  # type: ignore[arg-type]
}


def deployed() -> zdd.Deployer:
    found = in_memory()
    found.deploy(WEB, RELEASE)
    return found


@pytest.mark.parametrize("name", WRONG)
def test_what_is_of_a_wrong_kind_is_refused_by_name(name: str) -> None:
    make, words = WRONG[name]
    with pytest.raises(zdd.ConfigurationError, match=words):
        make()


NO_NUMBER = ("1", float("nan"), -1, True, [], b"1")
NO_FLAG = ("no", 1, None)
NO_FUNCTION = (7, "print", [])
NO_TEXT = (7, b"x", [], None)
NO_PATH = (7, b"x", [], None, "a\0b")

WORLD, CONSUL, ADDRESS = MemoryWorld(), ConsulConnection(), Address("127.0.0.1", 1)

CONSTRUCTORS: tuple[tuple[Callable[..., object], str, tuple[object, ...]], ...] = (
    *((SwarmOrchestrator, name, NO_NUMBER) for name in ("poll_s", "timeout_s", "kept_revisions")),
    (SwarmStacks, "timeout_s", NO_NUMBER),
    (partial(Container, "web:1"), "service_name", (7, b"x", [])),
    *((partial(Volume, volume="v", image="i"), name, (7, b"x", [])) for name in ("volume", "image", "docker_host")),
    (ConsulConnection, "timeout_s", NO_NUMBER),
    *(
        (partial(ConsulDiscovery, CONSUL), name, NO_FUNCTION)
        for name in ("agent_for", "name_for", "tags_for", "weight_tags_for", "checks_for")
    ),
    (partial(ConsulLease, CONSUL), "now", (*NO_FUNCTION, None)),
    (partial(ConsulEvents, CONSUL), "leave_out", (7, None, "x", ["x"])),
    (partial(CatalogTraefikEdge, ADDRESS, {}), "name_for", NO_FUNCTION),
    (partial(CatalogTraefikEdge, ADDRESS, {}), "weighs", NO_FLAG),
    (partial(HaproxyEdge, "/s", {}), "old_process_s", NO_NUMBER),
    (partial(HaproxyEdge, "/s", {}), "backend_for", NO_FUNCTION),
    (partial(HaproxyEdge, entrances={}), "stats_socket", NO_PATH),
    (LocalOrchestrator, "state_directory", NO_PATH),
    *((made, "path", NO_PATH) for made in (SqliteJournal, SqliteLease, SqliteControl)),
    (partial(SqliteLease, "never made"), "now", (*NO_FUNCTION, None)),
    *((zdd.HttpGate, name, NO_NUMBER) for name in ("timeout_s", "deadline_s", "interval_s")),
    *((zdd.TcpGate, name, NO_NUMBER) for name in ("timeout_s", "deadline_s", "interval_s")),
    *((partial(zdd.CommandGate, ["true"]), name, NO_NUMBER) for name in ("timeout_s", "deadline_s", "interval_s")),
    *((partial(zdd.InARow, zdd.TcpGate(), times=2), name, NO_NUMBER) for name in ("times", "failures")),
    *((partial(zdd.Failover, RELEASE), name, NO_NUMBER) for name in ("failures", "interval_s", "deadline_s")),
    (partial(zdd.Failover, RELEASE), "warm", NO_FLAG),
    *((zdd.RollingUpdate, name, NO_NUMBER) for name in ("batch", "hold_s")),
    (zdd.RollingUpdate, "on_failure", ("never", 7, None)),
    (partial(zdd.Service, "web"), "overlap", ("never", 7, None)),
    *((partial(zdd.Service, "web"), name, NO_NUMBER) for name in ("replicas", "floor", "drain_deadline_s")),
    *((Behaviour, name, NO_NUMBER) for name in ("startup_s", "fails_after_s", "stop_s", "requests", "addresses_lost")),
    *((Behaviour, name, NO_FLAG) for name in ("never_ready", "healthy", "errors_under_traffic", "hangs")),
    *((Fault, name, NO_TEXT) for name in ("method", "service")),
    *((Fault, name, NO_NUMBER) for name in ("applied_after_s", "settles_within_s")),
    *((MemoryWorld, name, NO_NUMBER) for name in ("edge_lag_s", "discovery_lag_s", "restart_delay_s")),
    *((MemoryWorld, name, (7, "x")) for name in ("clock", "behaviour")),
    (partial(MemoryEdge, WORLD), "name", NO_TEXT),
    (partial(MemoryEdge, WORLD, "e"), "lag_s", NO_NUMBER),
    (partial(MemoryEdge, WORLD, "e"), "abilities", (7, "x")),
    (MemoryClock, "start_s", NO_NUMBER),
    (zdd.Deployer, "lease_s", NO_NUMBER),
    (deployer, "lease_s", NO_NUMBER),
    (deployer, "listeners", NO_FUNCTION[:2]),
    *((partial(in_memory().mirror, "web"), name, NO_NUMBER) for name in ("interval_s", "takeover_s")),
)


@pytest.mark.parametrize(("make", "argument", "wrong"), CONSTRUCTORS)
def test_what_a_constructor_can_not_use_is_refused_there_with_the_argument_s_name(
    make: Callable[..., object], argument: str, wrong: tuple[object, ...]
) -> None:
    for value in wrong:
        with pytest.raises(zdd.ConfigurationError, match=argument.removesuffix("s").replace("_", "[_ ]")) as refusal:
            make(**{argument: value})
        assert ": use " in str(refusal.value), refusal.value


def test_edges_that_are_gone_are_not_said_to_a_deployer_that_brings_its_own() -> None:
    with pytest.raises(zdd.ConfigurationError, match="brings parts of its own"):
        zdd.Deployer(edges_gone=["haproxy"])
