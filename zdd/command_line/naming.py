"""A name on the command line is a service's, or a stack's, which stands for its services."""

from __future__ import annotations

from zdd.command_line.parts import Parts
from zdd.errors import ConfigurationError
from zdd.interfaces import STACK
from zdd.stacks.deployer import StackDeployer
from zdd.stacks.record import StackRecord


def stack_of(parts: Parts, name: str) -> StackRecord | None:
    """Return what is known of the stack of this name; None if it is a service's.

    Raises:
        ConfigurationError: Nothing of this name was ever deployed; the message lists what was.
    """
    if parts.deployer.history(name):
        return None
    record = StackDeployer(parts.deployer, parts.host).record(name)
    if not record.services:
        raise ConfigurationError(_unknown(parts, name))
    return record


def _unknown(parts: Parts, name: str) -> str:
    """Say that a name is unknown, and which ones are known: it is a slip of the pen, or another place is meant."""
    names = parts.deployer._around.journal.services()
    stacks = [f"{one.removeprefix(STACK)} (a stack)" for one in names if one.startswith(STACK)]
    known = ", ".join((*parts.deployer.services(), *stacks))
    where = "look at --state, --consul, --prefix and --deployer"
    if not known:
        return f"{name} was never deployed, and nothing else was, by what is written here: {where}"
    return f"{name} was never deployed, by what is written here. These were: {known}. If it is none of them, {where}"


def services_of(parts: Parts, names: list[str]) -> tuple[str, ...]:
    """Return the services that are meant; of stacks those that were deployed, in their order. Raises as `stack_of`."""
    found: list[str] = []
    for name in names:
        record = stack_of(parts, name)
        found += [name] if record is None else [one for one in record.services if parts.deployer.history(one)]
    return tuple(found)


def under_way(parts: Parts, name: str) -> str:
    """Return the service that is meant: of a stack, the one of which a deployment is under way or was interrupted.

    Raises:
        ConfigurationError: There is none, or nothing of this name was ever deployed.
    """
    record = stack_of(parts, name)
    for service in record.services if record is not None else ():
        known = parts.deployer.history(service)
        if known and known[-1].half_done:
            return service
    if record is not None:
        raise ConfigurationError(f"nothing of stack {name} is being deployed, and nothing was left half done")
    return name


def one_service(parts: Parts, name: str) -> str:
    """Return the name, which has to be a service's.

    Raises:
        ConfigurationError: It is a stack's, or nothing of this name was ever deployed.
    """
    record = stack_of(parts, name)
    if record is not None:
        raise ConfigurationError(f"{name} is a stack: name one of its services, {', '.join(record.services)}")
    return name
