"""The commands that change something, and `plan` and `rehearse`, which say beforehand what would change."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from zdd.command_line.exit_status import DONE, FAILED, OF_OUTCOME
from zdd.command_line.naming import one_service, services_of, stack_of, under_way
from zdd.command_line.parts import Parts
from zdd.command_line.printing import Unheard, note, say, tell
from zdd.command_line.wanted import named_strategy, read_wanted
from zdd.display.jsonl import plan_data
from zdd.errors import ConfigurationError
from zdd.model.plan import Plan
from zdd.report import Report
from zdd.stacks.deployer import StackDeployer
from zdd.stacks.report import StackReport
from zdd.stacks.stack import Pull, Stack, StackService


def plan(arguments: argparse.Namespace, parts: Parts) -> int:
    """Say what `deploy` would do now."""
    plans = _plans(arguments, parts)
    tell("\n\n".join(map(str, plans)), [plan_data(one) for one in plans], as_json=arguments.json)
    return DONE


def rehearse(arguments: argparse.Namespace, parts: Parts) -> int:
    """Play what `deploy` would do many times, in memory."""
    results = [
        one.rehearse(startup=arguments.startup, failure_rate=arguments.failure_rate, seeds=arguments.seeds)
        for one in _plans(arguments, parts)
        if one.stages
    ]
    if not results and not arguments.json:
        say("nothing to do: what is wanted runs already")
    else:
        data = [
            {
                "service": one.plan.service.name,
                "played": one.played,
                "outcomes": {outcome.value: number for outcome, number in one.outcomes.items()},
                "duration_s": {str(part): round(one.duration_s(part), 3) for part in (50, 90, 99, 100)},
                "capacity": {str(part): one.capacity(part) for part in (50, 90, 99, 100)},
                "surge": {str(part): one.surge(part) for part in (50, 90, 99, 100)},
            }
            for one in results
        ]
        tell("\n\n".join(map(str, results)), data, as_json=arguments.json)
    return DONE


def _plans(arguments: argparse.Namespace, parts: Parts) -> tuple[Plan, ...]:
    wanted = read_wanted(arguments)
    if isinstance(wanted, Stack):
        _note_all(wanted)
        return parts.stacks().plan(wanted, adopt=arguments.adopt)
    return (parts.deployer.plan(wanted.service, wanted.release, wanted.strategy),)


def deploy(arguments: argparse.Namespace, parts: Parts) -> int:
    """Make the service, or the whole stack, run what is wanted."""
    wanted = read_wanted(arguments)
    if isinstance(wanted, Stack):
        if arguments.unfinished == "finish":
            raise ConfigurationError("--unfinished finish is of a single service: a stack goes on from what runs now")
        _note_all(wanted)
        _note_unsettled(parts, wanted)
        pulled = [one.name for one in wanted.services if one.pull is Pull.EVERYWHERE]
        if pulled and not arguments.quiet:
            note(f"every node that may run them pulls what changed of {', '.join(pulled)}, before anything is touched")
        options = {"prune": arguments.prune, "adopt": arguments.adopt, "restart": arguments.restart}
        return told(parts.stacks().deploy(wanted, **options), arguments)
    _offer(arguments, parts, wanted)
    report = parts.deployer.deploy(wanted.service, wanted.release, wanted.strategy, restart=arguments.restart)
    return told(report, arguments)


def _note_all(stack: Stack) -> None:
    for text in stack.notes:
        note(text)


def _note_unsettled(parts: Parts, stack: Stack) -> None:
    """Say that a deployment of the stack was left half done. This one goes on with it in any case."""
    left = parts.stacks().half_done(stack.name)
    if left is not None:
        note(f"deployment {left.id} of stack {stack.name} was left half done")
        note("this one goes on from what runs now; if it fails, it goes back to where that one began")


def _offer(arguments: argparse.Namespace, parts: Parts, wanted: StackService) -> None:
    """Say that a deployment was left half done, and finish it first if a person at the terminal wants that."""
    name = wanted.service.name
    known = parts.deployer.history(name)
    last = known[-1] if known else None
    if last is None or not last.half_done or last.to_version == wanted.release.version or parts.under_way(name):
        return  # the same release is gone on with anyway; and one that is under way keeps this one out
    note(f"deployment {last.id} of {name} was left half done: {last}")
    if arguments.unfinished == "ask" and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stderr.write("zdd: finish it first? [y/N] ")
        sys.stderr.flush()
        arguments.unfinished = "finish" if sys.stdin.readline().strip().lower() in ("y", "yes") else "supersede"
    if arguments.unfinished == "finish":
        told(parts.deployer.resume(name), arguments)
    else:
        note(f"going on from what runs now; `python -m zdd resume {name}` would have finished it")


def rollback(arguments: argparse.Namespace, parts: Parts) -> int:
    """Make a service run an earlier revision again."""
    if stack_of(parts, arguments.service) is not None:
        if arguments.to or arguments.restore or arguments.strategy:
            raise ConfigurationError(f"{arguments.service} is a stack: it goes back as a whole, to what served before")
        return told(StackDeployer(parts.deployer, parts.host).rollback(arguments.service), arguments)
    restore = {"yes": True, "no": False}.get(arguments.restore or "")
    strategy = named_strategy(arguments.strategy)
    return told(parts.deployer.rollback(arguments.service, arguments.to, strategy, restore=restore), arguments)


def restore(arguments: argparse.Namespace, parts: Parts) -> int:
    """Put a backup back."""
    return told(parts.deployer.restore(one_service(parts, arguments.service), arguments.backup), arguments)


def remove(arguments: argparse.Namespace, parts: Parts) -> int:
    """Take a service, or a stack, out."""
    if arguments.stack or stack_of(parts, arguments.service) is not None:
        return told(StackDeployer(parts.deployer, parts.host).remove(arguments.service), arguments)
    return told(parts.deployer.remove(arguments.service), arguments)


def resume(arguments: argparse.Namespace, parts: Parts) -> int:
    """Finish or undo what was interrupted, or end a pause."""
    name = under_way(parts, arguments.service)
    report = parts.deployer.resume(name)
    if name != arguments.service and report.outcome is not None:  # nobody carries the stack's deployment out any more
        note(f"the rest of stack {arguments.service} is as it was: `deploy` with its files goes on")
    return told(report, arguments)


def recover(arguments: argparse.Namespace, parts: Parts) -> int:
    """Finish or undo whatever deployers left behind."""
    results = parts.deployer.recover(*services_of(parts, arguments.services))
    data = [
        {
            "service": one.service,
            "deployment": one.deployment,
            "reason": one.reason,
            "report": one.report.to_data() if one.report else None,
        }
        for one in results
    ]
    text = "\n".join(f"{one.service}  {one}" for one in results) or "nothing was left half done"
    tell(text, data, as_json=arguments.json)
    return FAILED if any(one.reason for one in results) else DONE


def told(report: Report | StackReport, arguments: argparse.Namespace) -> int:
    """Print a report, and return the exit status that tells its outcome, also where nobody reads the report."""
    data: Any = report.to_data()
    try:
        tell(str(report), data, as_json=arguments.json)
    except Unheard as error:
        if str(error):
            note(str(error))
    return DONE if report.outcome is None else OF_OUTCOME[report.outcome]
