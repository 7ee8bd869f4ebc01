"""The commands that tell a running deployment what to do, and the one that keeps registrations true in between."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable

from zdd.command_line.exit_status import DONE
from zdd.command_line.naming import under_way
from zdd.command_line.parts import Parts
from zdd.command_line.printing import tell
from zdd.model.order import Order


def pause(arguments: argparse.Namespace, parts: Parts) -> int:
    """Let the deployment that is under way pass no stage."""
    return _ordered(arguments, parts, parts.deployer.pause)


def promote(arguments: argparse.Namespace, parts: Parts) -> int:
    """Skip the rest of the present stage's hold time."""
    return _ordered(arguments, parts, parts.deployer.promote)


def abort(arguments: argparse.Namespace, parts: Parts) -> int:
    """End the present stage as failed."""
    return _ordered(arguments, parts, parts.deployer.abort)


def _ordered(arguments: argparse.Namespace, parts: Parts, give: Callable[[str], Order]) -> int:
    order = give(under_way(parts, arguments.service))
    data = {"deployment": order.deployment, "order": order.kind.value, "by": order.by}
    tell(f"{order.deployment}: {order}", data, as_json=arguments.json)
    return DONE


def mirror(arguments: argparse.Namespace, parts: Parts) -> int:
    """Keep registrations true until a signal ends it."""
    parts.check_edges(*arguments.services)
    made = parts.deployer.mirror(*arguments.services, interval_s=arguments.interval, takeover_s=arguments.takeover)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: made.stop())
    made.run()
    return DONE
