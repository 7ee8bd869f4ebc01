"""The commands that only look."""

from __future__ import annotations

import argparse
from typing import Any

from attrs import asdict

from zdd.backup.manifest import DamagedBackup
from zdd.command_line.exit_status import DONE, REFUSED
from zdd.command_line.naming import one_service, services_of, stack_of
from zdd.command_line.parts import Parts
from zdd.command_line.printing import tell
from zdd.history import OPEN_OUTCOMES
from zdd.model.finding import Severity
from zdd.stacks.record import StackRecord
from zdd.status import Status, fold
from zdd.wording import change, date_and_time, duration, iso, percent, printable


def status(arguments: argparse.Namespace, parts: Parts) -> int:
    """Say how the last deployment of each service stands."""
    names = services_of(parts, arguments.services) or parts.deployer.services()
    found = [fold(parts.deployer.report(name).events) for name in names]
    under_way = [one.outcome is None and parts.under_way(one.service) for one in found]
    text = "\n".join(map(_line, found, under_way)) or "nothing was ever deployed"
    tell(text, [_data(*one) for one in zip(found, under_way, strict=True)], as_json=arguments.json)
    return DONE


def _line(status: Status, under_way: bool) -> str:
    words = [f"{status.service}  {change(status.from_version, status.to_version, beside=status.beside)}"]
    if status.outcome is not None:
        words.append(f"{status.outcome.value} {date_and_time(status.updated_s)}")
        if status.outcome in OPEN_OUTCOMES:
            words.append(f"`python -m zdd resume {status.service}` goes on")
    else:
        words.append(f"stage {status.stage} of {status.stages} {printable(status.title)!r}, {status.direction.value}")
        words.append(f"by {printable(status.actor)} since {date_and_time(status.started_s)}")
        if not under_way:
            words.append(f"its deployer has ended: `python -m zdd resume {status.service}` goes on")
    if status.useful is not None:
        words.append(f"{status.useful} useful of {status.replicas}, floor {status.floor}")
    shares = ", ".join(f"{printable(name)} {percent(share, 1000)}" for name, share in status.shares.items())
    words += [shares] if shares else []
    words += [str(order) for order in (status.paused, status.aborted) if order is not None]
    words += [printable(status.reason)] if status.reason else []
    return "; ".join(words)


def _data(status: Status, under_way: bool) -> dict[str, Any]:
    return {
        "service": status.service,
        "deployment": status.deployment,
        "from_version": status.from_version,
        "to_version": status.to_version,
        "beside": status.beside,
        "outcome": status.outcome.value if status.outcome else None,
        "under_way": under_way,
        "direction": status.direction.value,
        "stage": status.stage,
        "stages": status.stages,
        "title": status.title,
        "actor": status.actor,
        "replicas": status.replicas,
        "useful": status.useful,
        "existing": status.existing,
        "floor": status.floor,
        "shares": dict(status.shares),
        "paused": str(status.paused) if status.paused else None,
        "aborted": str(status.aborted) if status.aborted else None,
        "reason": status.reason,
        "started": iso(status.started_s),
        "updated": iso(status.updated_s),
    }


def history(arguments: argparse.Namespace, parts: Parts) -> int:
    """List the deployments of a service."""
    stack = stack_of(parts, arguments.service)
    if stack is not None:
        return _history_of_stack(stack, arguments)
    found = parts.deployer.history(arguments.service)
    data = [
        {
            "deployment": one.id,
            "from_version": one.from_version,
            "to_version": one.to_version,
            "beside": one.plan.beside,
            "revision": one.plan.target,
            "strategy": one.plan.strategy,
            "outcome": one.outcome.value if one.outcome else None,
            "reason": one.reason,
            "actor": one.actor,
            "started": iso(one.started_s),
            "ended": iso(one.ended_s) if one.ended_s is not None else None,
        }
        for one in found
    ]
    lines = [f"{date_and_time(one.started_s)}  {one}" for one in found]
    tell("\n".join(lines), data, as_json=arguments.json)
    return DONE


def _history_of_stack(stack: StackRecord, arguments: argparse.Namespace) -> int:
    data = [
        {
            "deployment": one.id,
            "services": list(one.services),
            "outcome": one.outcome.value if one.outcome else None,
            "reason": one.reason,
            "actor": one.actor,
            "started": iso(one.started_s),
            "ended": iso(one.ended_s) if one.ended_s is not None else None,
        }
        for one in stack.deployments
    ]
    lines = [f"{date_and_time(one.started_s)}  {one}" for one in stack.deployments]
    tell("\n".join(lines), data, as_json=arguments.json)
    return DONE


def report(arguments: argparse.Namespace, parts: Parts) -> int:
    """Show the evidence of a deployment."""
    found = parts.deployer.report(one_service(parts, arguments.service), arguments.deployment)
    tell(str(found), found.to_data(), as_json=arguments.json)
    return DONE


def backups(arguments: argparse.Namespace, parts: Parts) -> int:
    """List the backups of a service."""
    found = parts.deployer.backups(one_service(parts, arguments.service))
    data = [{**asdict(one), "damaged": isinstance(one, DamagedBackup)} for one in found]
    tell("\n".join(map(str, found)) or "there are none", data, as_json=arguments.json)
    return DONE


def doctor(arguments: argparse.Namespace, parts: Parts) -> int:
    """Look at the whole chain for what would lose requests."""
    began_s = parts.now()
    found = parts.deployer.checkup(*services_of(parts, arguments.services))
    lines = [f"{one.severity.value:<8} {printable(str(one))}" for one in found]
    lines.append(f"{len(found)} found in {duration(parts.now() - began_s)}" if found else "nothing was found")
    data = [
        {"severity": one.severity.value, "subject": one.subject, "problem": one.problem, "fix": one.fix}
        for one in found
    ]
    tell("\n".join(lines), data, as_json=arguments.json)
    return REFUSED if any(one.severity is Severity.ERROR for one in found) else DONE
