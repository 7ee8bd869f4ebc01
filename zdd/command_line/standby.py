"""The commands that put a release in reserve in the place of the one that serves."""

from __future__ import annotations

import argparse
import shlex

from zdd.actions import CommandAction
from zdd.command_line.changing import told
from zdd.command_line.exit_status import DONE
from zdd.command_line.naming import one_service
from zdd.command_line.parts import Parts
from zdd.command_line.printing import note, tell
from zdd.command_line.wanted import read_release
from zdd.errors import ConfigurationError
from zdd.failover import Failover
from zdd.gates import HttpGate


def stand_by(arguments: argparse.Namespace, parts: Parts) -> int:
    """Start the standby beside what serves, without traffic."""
    service = one_service(parts, arguments.service)
    failover = Failover(read_release(arguments, service), warm=True)
    return told(parts.deployer.stand_by(service, failover), arguments)


def fail_over(arguments: argparse.Namespace, parts: Parts) -> int:
    """Put the standby in the place of what serves."""
    service = one_service(parts, arguments.service)
    failover = Failover(read_release(arguments, service), deadline_s=arguments.deadline, actions=_actions(arguments))
    done = parts.deployer.fail_over(service, failover, cut_off_confirmed=arguments.cut_off_confirmed)
    return told(done, arguments)


def watch(arguments: argparse.Namespace, parts: Parts) -> int:
    """Look at what serves until it has failed, then put the standby in its place."""
    service = one_service(parts, arguments.service)
    port = arguments.port[0].partition("=")[0] if arguments.port else "http"
    failover = Failover(
        read_release(arguments, service),
        gate=HttpGate(arguments.health, port=port) if arguments.health else None,
        failures=arguments.failures,
        interval_s=arguments.interval,
        deadline_s=arguments.deadline,
        warm=arguments.warm,
        actions=_actions(arguments),
    )
    if parts.deployer.history(service)[-1].plan.agreed.exposures:
        parts.check_edges(service)  # not only when it is time to switch
    note(f"watching {service}; Ctrl-C ends it")
    done = parts.deployer.watch(service, failover, for_s=arguments.for_s)
    if done is None:
        tell(f"{service} did not fail", None, as_json=arguments.json)
        return DONE
    return told(done, arguments)


def fail_back(arguments: argparse.Namespace, parts: Parts) -> int:
    """Put back what served before."""
    service = one_service(parts, arguments.service)
    done = parts.deployer.fail_back(service, arguments.to, cut_off_confirmed=arguments.cut_off_confirmed)
    return told(done, arguments)


def _actions(arguments: argparse.Namespace) -> list[CommandAction]:
    return [CommandAction(_words(text), title=text) for text in arguments.action]


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"--action {text!r}: {error}") from None
    if not words:
        raise ConfigurationError("--action: name a program and its arguments, in quotes")
    return words
