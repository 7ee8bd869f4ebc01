"""Which parts the command line works with, from its options and from the environment."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from zdd.clock import SystemClock
from zdd.command_line.unnamed_edge import NAME_THEM, UnnamedEdge
from zdd.command_line.vocabulary import ShellStream
from zdd.deployer import Deployer
from zdd.display.plain import PlainLines
from zdd.errors import ConfigurationError
from zdd.interfaces import Edge, StackHost
from zdd.model.address import Address
from zdd.stacks.deployer import StackDeployer

ADDRESS, TOKEN, AUTHORITY = "CONSUL_HTTP_ADDR", "CONSUL_HTTP_TOKEN", "CONSUL_CACERT"
HAPROXY, TRAEFIK = "ZDD_HAPROXY", "ZDD_TRAEFIK"


def add_part_options(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which parts to work with."""
    text = "Without --deployer: Docker Swarm with Consul where one is named, else local processes behind Traefik."
    group = parser.add_argument_group("parts", text)
    group.add_argument(
        "--deployer", metavar="MODULE:NAME", help="a function of yours without arguments that returns the Deployer"
    )
    group.add_argument("--consul", metavar="ADDRESS", help=f"of Consul's agent (${ADDRESS}); its token is in ${TOKEN}")
    group.add_argument("--prefix", default="zdd", help="what zdd's keys in Consul begin with (zdd)")
    text = "of a manager's Engine ($DOCKER_HOST); several, one option each: the next one when one can't be reached"
    group.add_argument("--docker", action="append", default=[], metavar="ADDRESS", help=text)
    text = f"an HAProxy's stats socket (${HAPROXY}, several with commas)"
    group.add_argument("--haproxy", action="append", default=[], metavar="SOCKET", help=text)
    text = f"a Traefik's API (${TRAEFIK}, several with commas)"
    group.add_argument("--traefik", action="append", default=[], metavar="HOST:PORT", help=text)
    text = "there is none: clients ask Consul themselves, and need a settling time"
    group.add_argument("--no-edge", action="store_true", help=text)
    text = "one that a service was deployed behind, by the name that the refusal gives it, is gone for good"
    group.add_argument("--edge-gone", action="append", default=[], metavar="NAME", help=text)
    group.add_argument("--state", metavar="DIRECTORY", help="where local processes are kept track of")
    text = "where clients reach the services of local processes (8000)"
    group.add_argument("--listen", type=int, default=8000, metavar="PORT", help=text)


@frozen
class Parts:
    """What the commands work with.

    Attributes:
        deployer: Deploys services.
        host: Makes what the services of a stack share; None: nobody can here.
    """

    deployer: Deployer
    host: StackHost | None = None

    def stacks(self) -> StackDeployer:
        """Return what deploys stacks.

        Raises:
            ConfigurationError: Nobody can here.
        """
        if self.host is None:
            raise ConfigurationError("a stack needs Docker Swarm with Consul: name its agent with --consul")
        return StackDeployer(self.deployer, self.host)

    def check_edges(self, *services: str) -> None:
        """Look whether edges are named, for what does not ask them, but tells them something by discovery.

        Args:
            services: Whose; none: those of every service.

        Raises:
            ConfigurationError: None is, and that there is none was not said; or one is left out.
        """
        if any(isinstance(edge, UnnamedEdge) for edge in self.deployer._around.edges):
            raise ConfigurationError(f"this call names no edge: {NAME_THEM}")
        for name in services or self.deployer.services():
            self.deployer._operations.check_edges(name)

    def under_way(self, service: str) -> bool:
        """Tell whether somebody deploys the service at this moment."""
        holder = self.deployer._around.lease.holder(service)
        return holder is not None and not holder.is_mirror

    def now(self) -> float:
        """Return seconds since the epoch."""
        return SystemClock().now()


def make_parts(arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Parts:
    """Return what the options and the environment describe, with progress on standard error.

    Raises:
        ConfigurationError: They describe nothing.
    """
    deployer = make_deployer(arguments, environment)
    if not arguments.quiet:
        deployer = deployer.listened_to_by(PlainLines(ShellStream(sys.stderr)))
    swarm = bool(arguments.deployer or arguments.consul or environment.get(ADDRESS))
    return Parts(deployer, _stack_host(arguments) if swarm else None)


def _stack_host(arguments: argparse.Namespace) -> StackHost:
    from zdd.adapters.swarm.stacks import SwarmStacks

    return SwarmStacks(*arguments.docker)


def make_deployer(arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Deployer:
    """Return the deployer that the options and the environment describe.

    Raises:
        ConfigurationError: They describe none.
    """
    if arguments.deployer:
        return _of_the_user(arguments.deployer)
    address = arguments.consul or environment.get(ADDRESS, "")
    if not address:
        return Deployer.embedded(arguments.state, port=arguments.listen)
    return _of_swarm(arguments, address, environment)


def _of_the_user(place: str) -> Deployer:
    module, _, name = place.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"--deployer {place}: {error}: use MODULE:NAME of a function") from error
    except SyntaxError as error:
        raise ConfigurationError(f"--deployer {place}: {error.filename}:{error.lineno}: {error.msg}") from error
    made = _called(place, make)
    if not isinstance(made, Deployer):
        raise ConfigurationError(f"--deployer {place} returned {made!r}: it has to return a Deployer")
    return made


def _called(place: str, make: object) -> object:
    try:
        inspect.signature(make).bind()  # type: ignore[arg-type]
    except TypeError as error:
        raise ConfigurationError(f"--deployer {place}: {error}: use a function without arguments") from None
    except ValueError:
        pass  # some that are written in C don't tell their arguments
    return make()  # type: ignore[operator]


def _of_swarm(arguments: argparse.Namespace, address: str, environment: Mapping[str, str]) -> Deployer:
    from zdd.adapters.consul.connection import ConsulConnection
    from zdd.adapters.consul.control import ConsulControl
    from zdd.adapters.consul.discovery import ConsulDiscovery
    from zdd.adapters.consul.intent import ConsulIntents
    from zdd.adapters.consul.journal import ConsulJournal
    from zdd.adapters.consul.lease import ConsulLease
    from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge, route_tags, weight_tags
    from zdd.adapters.haproxy.edge import HaproxyEdge
    from zdd.adapters.swarm.orchestrator import SwarmOrchestrator

    authority = environment.get(AUTHORITY)
    consul = ConsulConnection(
        address=address if "://" in address else f"http://{address}",
        token=environment.get(TOKEN, ""),
        ca_file=Path(authority) if authority else None,
    )
    sockets, apis = _named(arguments.haproxy, environment, HAPROXY), _named(arguments.traefik, environment, TRAEFIK)
    edges: list[Edge] = [HaproxyEdge(socket, {}) for socket in sockets]
    edges += [CatalogTraefikEdge(_address("--traefik", text), {}, weighs=True) for text in apis]
    named = bool(edges)  # where none is, something else refuses, or it was said that there is none
    if not named and not arguments.no_edge:
        edges = [UnnamedEdge()]
    prefix = arguments.prefix
    discovery = (
        ConsulDiscovery(consul, tags_for=route_tags, weight_tags_for=weight_tags, prefix=prefix)
        if apis
        else ConsulDiscovery(consul, prefix=prefix)
    )
    return Deployer(
        SwarmOrchestrator(*arguments.docker),
        discovery,
        edges,
        journal=ConsulJournal(consul, prefix=prefix),
        lease=ConsulLease(consul, prefix=prefix),
        intents=ConsulIntents(consul, prefix=prefix),
        control=ConsulControl(consul, prefix=prefix),
        edges_gone=arguments.edge_gone if named else None,
    )


def _named(stated: list[str], environment: Mapping[str, str], variable: str) -> list[str]:
    return stated or [one.strip() for one in environment.get(variable, "").split(",") if one.strip()]


def _address(option: str, text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigurationError(f"{option} {text!r}: use HOST:PORT")
    return Address(host, int(port))
