"""The command line: ``python -m zdd COMMAND``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from functools import partial

from zdd.deployer import Deployer
from zdd.errors import ZddError
from zdd.model.order import Order
from zdd.parts import add_part_options, make_deployer


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status: 0 done, 1 it could not be done, 2 it was not understood."""
    arguments = make_parser().parse_args(words)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        return int(arguments.command(arguments, make_deployer(arguments)))
    except ZddError as error:
        print(f"zdd: {error}", file=sys.stderr)  # noqa: T201 - that is what a command line is for
        return 1


def make_parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    parser = argparse.ArgumentParser(prog="zdd", description="Zero-downtime deployment.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    mirror = commands.add_parser("mirror", help="keep registrations true between deployments, until it is ended")
    mirror.add_argument("services", nargs="*", metavar="SERVICE", help="none: every service that was ever deployed")
    mirror.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="how often it looks (1)")
    text = "after how many another copy takes the place of one that died (10)"
    mirror.add_argument("--takeover", type=float, default=10.0, metavar="SECONDS", help=text)
    mirror.set_defaults(command=run_mirror)
    add_part_options(mirror)
    for name, text in _ORDERS.items():
        order = commands.add_parser(name, help=text)
        order.add_argument("service", metavar="SERVICE")
        order.set_defaults(command=partial(give_order, name=name))
        add_part_options(order)
    return parser


_ORDERS = {
    "pause": "let the deployment that is under way pass no stage",
    "promote": "skip the rest of the present stage's hold time",
    "abort": "end the present stage as failed",
    "resume": "end a pause; or finish a deployment that was interrupted",
}


def give_order(arguments: argparse.Namespace, deployer: Deployer, *, name: str) -> int:
    """Tell the deployment of a service what to do, and say what it was told; or how it ended, or stands."""
    told = getattr(deployer, name)(arguments.service)
    print(f"{told.deployment}: {told}" if isinstance(told, Order) else told.summary)  # noqa: T201 - its result
    return 0


def run_mirror(arguments: argparse.Namespace, deployer: Deployer) -> int:
    """Keep registrations true until a signal ends it."""
    mirror = deployer.mirror(*arguments.services, interval_s=arguments.interval, takeover_s=arguments.takeover)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: mirror.stop())
    mirror.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
