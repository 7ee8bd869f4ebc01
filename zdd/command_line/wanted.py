"""What is to be deployed: one service by its options, or a stack of compose files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from zdd.command_line.saving import add_backup_options, read_backup, refuse_backup
from zdd.errors import ConfigurationError
from zdd.gates import HttpGate
from zdd.model.gate import Gate
from zdd.model.release import Process, Release, Workload
from zdd.model.service import Exposure, Overlap, Service
from zdd.stacks.stack import Stack, StackService
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.in_place_update import InPlaceUpdate
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.situation import Strategy

STRATEGIES = ("rolling", "blue-green", "canary", "in-place", "recreate")
"""The strategies that have a name on the command line. For all else there is the library, or ``x-zdd`` in the file."""

_OF_A_SERVICE = (
    "version", "image", "command", "replicas", "floor", "health", "port", "path", "host", "env", "worker", "strategy",
    "keep", "steps", "start_deadline", "drain_deadline", "stop_grace",
)  # fmt: skip
_OF_A_STACK = ("adopt", "prune")


def add_wanted_options(parser: argparse.ArgumentParser) -> None:
    """Let a command be told what is to be deployed."""
    parser.add_argument("name", metavar="NAME", help="of the stack with --file, else of the service")
    stack = parser.add_argument_group("a stack")
    text = "a compose file; what a later one says goes first (may be given several times)"
    stack.add_argument("-f", "--file", action="append", default=[], metavar="FILE", help=text)
    stack.add_argument("--adopt", action="store_true", help="take over a stack that somebody else has deployed")
    text = "of local processes: python -m zdd deploy web --version 1 -- COMMAND…"
    service = parser.add_argument_group("a service", text)
    add_release_options(service)
    service.add_argument("--replicas", type=int, metavar="NUMBER", help="how many instances serve (1)")
    service.add_argument("--floor", type=int, metavar="NUMBER", help="how many serve at least meanwhile (all of them)")
    service.add_argument("--health", metavar="PATH", help="is asked before an instance gets traffic")
    text = "which requests are its own: those whose path begins so (/)"
    service.add_argument("--path", metavar="PATH", help=text)
    service.add_argument("--host", metavar="NAME", help="and only those for this host name (any)")
    service.add_argument("--worker", action="store_true", help="nobody sends it requests")
    service.add_argument("--strategy", choices=STRATEGIES, help="what should happen (rolling)")
    service.add_argument("--keep", type=float, metavar="SECONDS", help="how long blue-green keeps the old one warm")
    service.add_argument("--steps", type=_percents, metavar="5,25,100", help="the canary's shares in per cent")
    for name, text in (
        ("start-deadline", "within which an instance must be ready and have passed its gates (60)"),
        ("drain-deadline", "that requests in flight get to end before they are cut (30)"),
        ("stop-grace", "between the polite signal to stop and the one that can't be refused (10)"),
    ):
        service.add_argument(f"--{name}", type=float, metavar="SECONDS", help=text)
    add_backup_options(parser)


def add_release_options(group: argparse._ArgumentGroup) -> None:
    """Let a command be told what a release runs."""
    group.add_argument("--version", metavar="VERSION", help="what people call the release")
    group.add_argument("--image", metavar="IMAGE", help="what its containers run")
    text = "a way in; on a container's port where it runs in containers (http)"
    group.add_argument("--port", action="append", default=[], metavar="NAME[=NUMBER]", help=text)
    group.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of its environment")


def read_release(arguments: argparse.Namespace, name: str) -> Release:
    """Return the release that the options describe.

    Raises:
        ConfigurationError: They describe none.
    """
    if not arguments.version:
        raise ConfigurationError(
            f"what {name} is to run is not said: give --version and a command after --, or --version and --image"
        )
    changes = getattr(arguments, "changes_data", False)
    return Release(arguments.version, _workload(arguments, name, _ports(arguments)), changes_data=changes)


def _ports(arguments: argparse.Namespace) -> list[tuple[str, int | None]]:
    return [_port(text) for text in arguments.port or ["http"]]


def read_wanted(arguments: argparse.Namespace) -> Stack | StackService:
    """Return what the options describe.

    Raises:
        ConfigurationError: They describe nothing that could be deployed.
    """
    if not arguments.file:
        of_a_stack = [name for name in _OF_A_STACK if getattr(arguments, name, False)]
        if of_a_stack:
            raise ConfigurationError(f"{_option(of_a_stack[0])} is of a stack: name its compose file with --file")
        return _service(arguments)
    stated = [name for name in _OF_A_SERVICE if _is_stated(getattr(arguments, name))]
    if stated:
        raise ConfigurationError(f"{_option(stated[0])} is of a single service: say it in {arguments.file[0]} instead")
    refuse_backup(arguments)
    from zdd.compose import read_stack  # only where it is needed: it is a fifth again of all there is to load

    return read_stack(arguments.name, arguments.file)


def _is_stated(value: object) -> bool:
    return value is not None and value is not False and value != []  # 0 is stated


def _option(name: str) -> str:
    return "a command" if name == "command" else "--" + name.replace("_", "-")


def _percents(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: use numbers such as 5,25,100") from None


def _service(arguments: argparse.Namespace) -> StackService:
    if not arguments.version:
        raise ConfigurationError(
            f"what {arguments.name} is to run is not said: give --version and a command after --, "
            "--version and --image, or --file for a stack"
        )
    ports = _ports(arguments)
    gates: tuple[Gate, ...] = (HttpGate(arguments.health, port=ports[0][0]),) if arguments.health else ()
    deadlines = ("start_deadline", "drain_deadline", "stop_grace")
    options: dict[str, Any] = {f"{name}_s": getattr(arguments, name) for name in deadlines}
    options |= {"replicas": arguments.replicas, "floor": arguments.floor}
    service = Service(
        arguments.name,
        exposures=_exposures(arguments, [name for name, _ in ports]),
        gates=gates,
        overlap=Overlap.FORBIDDEN if arguments.strategy == "recreate" else Overlap.ALLOWED,
        **{name: value for name, value in options.items() if value is not None},
    )
    backup, strategy = read_backup(arguments), _strategy(arguments)
    if backup is not None:
        strategy = backup + (strategy or RollingUpdate())
    return StackService(service, read_release(arguments, arguments.name), strategy)


def _strategy(arguments: argparse.Namespace) -> Strategy | None:
    for option, strategy in (("keep", "blue-green"), ("steps", "canary")):
        if getattr(arguments, option) is not None and arguments.strategy != strategy:
            raise ConfigurationError(f"--{option} is of --strategy {strategy}: give both or neither")
    return named_strategy(arguments.strategy, keep_s=arguments.keep or 0.0, steps=arguments.steps)


def named_strategy(name: str | None, *, keep_s: float = 0.0, steps: Sequence[int] | None = None) -> Strategy | None:
    """Return the strategy of this name; None: none was named."""
    match name:
        case "rolling":
            return RollingUpdate()
        case "blue-green":
            return BlueGreen(keep_s)
        case "canary":
            return Canary(steps) if steps else Canary()
        case "in-place":
            return InPlaceUpdate()
        case "recreate":
            return Recreate()
    return None


def _exposures(arguments: argparse.Namespace, names: Sequence[str]) -> tuple[Exposure, ...]:
    """Return the ways in: the first port at the path that is stated, the others under their names below it."""
    if arguments.worker:
        if arguments.path or arguments.host:
            raise ConfigurationError("--path and --host are for a service that gets requests: leave out --worker")
        return ()
    base = arguments.path or "/"
    first, *others = names
    below = [Exposure(name, f"{base.rstrip('/')}/{name}", arguments.host) for name in others]
    return (Exposure(first, base, arguments.host), *below)


def _port(text: str) -> tuple[str, int | None]:
    name, equals, number = text.partition("=")
    if equals and not number.isdigit():
        raise ConfigurationError(f"--port {text}: use NAME or NAME=NUMBER, for example http=8080")
    return name, int(number) if equals else None


def _workload(arguments: argparse.Namespace, name: str, ports: Sequence[tuple[str, int | None]]) -> Workload:
    environment = dict(_variable(text) for text in arguments.env)
    if not arguments.image:
        if not arguments.command:
            raise ConfigurationError(f"{name} has nothing to run: give --image, or a command after --")
        for port, number in ports:
            if number is not None:
                raise ConfigurationError(
                    f"--port {port}={number}: a local process gets a free port, in $PORT; use --port {port}"
                )
        return Process(arguments.command, environment)
    from zdd.adapters.swarm.container import Container

    unnumbered = [port for port, number in ports if number is None]
    if unnumbered and not getattr(arguments, "worker", False):
        raise ConfigurationError(f"--port {unnumbered[0]}: say on which port the container listens, --port http=8080")
    numbers = {port: number for port, number in ports if number is not None}
    return Container(
        arguments.image, command=arguments.command or None, environment=environment, ports=numbers
    )  # fmt: skip


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigurationError(f"--env {text}: use NAME=VALUE")
    return name, value
