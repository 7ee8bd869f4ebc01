"""The words that the command line understands."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

import zdd
from zdd.command_line import asking, changing, orders, standby
from zdd.command_line.parts import add_part_options
from zdd.command_line.wanted import STRATEGIES, add_release_options, add_wanted_options

_EPILOG = """\
exit status: 0 what was wanted serves; 1 the world refused; 2 it can't work, nothing was touched; 3 rolled back;
4 frozen; 5 stuck; 6 interrupted; 7 somebody else deploys it
"""


class _Version(argparse.Action):
    """Looked up only when it is asked for, as that takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(f"zdd {zdd.__version__}\n")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line. The usage of a command with forty options would hide it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"zdd: {message}; `{self.prog} --help` says what there is\n")


def make_parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    parser = _Parser(
        prog="python -m zdd", description="Zero-downtime deployment.", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="say it, and end")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_wanting(commands)
    _add_asking(commands)
    _add_by_name(commands)
    _add_standby(commands)
    mirror = _command(
        commands, "mirror", "keep registrations true between deployments, until it is ended", orders.mirror
    )
    mirror.add_argument("services", nargs="*", metavar="SERVICE", help="none: every service that was ever deployed")
    mirror.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="how often it looks (1)")
    text = "after how many another copy takes the place of one that died (10)"
    mirror.add_argument("--takeover", type=float, default=10.0, metavar="SECONDS", help=text)
    return parser


def _command(commands: argparse._SubParsersAction, name: str, text: str, run: object) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run, command=[])
    parser.add_argument("--json", action="store_true", help="the result as one JSON value")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    add_part_options(parser)
    return parser


def _add_wanting(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    plan = _command(commands, "plan", "say what deploy would do now; nothing is touched", changing.plan)
    add_wanted_options(plan)
    deploy = _command(commands, "deploy", "make a service or a stack run what is wanted", changing.deploy)
    add_wanted_options(deploy)
    deploy.add_argument(
        "--restart", action="store_true", help="replace instances even if they run this release already"
    )
    deploy.add_argument("--prune", action="store_true", help="remove services that the stack had once and has no more")
    text = "what becomes of a deployment that was left half done, if this one is another (ask at a terminal)"
    deploy.add_argument("--unfinished", choices=("ask", "finish", "supersede"), default="ask", help=text)
    rehearse = _command(commands, "rehearse", "play what deploy would do many times, in memory", changing.rehearse)
    add_wanted_options(rehearse)
    rehearse.add_argument(
        "--startup", type=float, default=1.0, metavar="SECONDS", help="how long an instance starts (1)"
    )
    text = "which part of the instances never gets ready (0)"
    rehearse.add_argument("--failure-rate", type=float, default=0.0, metavar="PART", help=text)
    rehearse.add_argument("--seeds", type=int, default=100, metavar="NUMBER", help="how often it is played (100)")


def _add_asking(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    for name, text, run in (
        ("status", "say how the last deployment of each service stands", asking.status),
        ("doctor", "look at the whole chain for what would lose requests", asking.doctor),
        ("recover", "finish or undo whatever deployers left behind", changing.recover),
    ):
        parser = _command(commands, name, text, run)
        parser.add_argument("services", nargs="*", metavar="SERVICE", help="none: all")
    for name, text, run in (
        ("history", "list the deployments of a service", asking.history),
        ("backups", "list the backups of a service", asking.backups),
    ):
        _command(commands, name, text, run).add_argument("service", metavar="SERVICE")
    report = _command(commands, "report", "show the evidence of a deployment", asking.report)
    report.add_argument("service", metavar="SERVICE")
    report.add_argument("deployment", nargs="?", metavar="DEPLOYMENT", help="none: the last")


def _add_standby(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    sure = "you have made sure that what serves can't write any more, so it is not waited for"
    for name, text, run in (
        ("standby", "start the standby beside what serves, without traffic", standby.stand_by),
        ("failover", "put the standby in the place of what serves, at once", standby.fail_over),
        ("watch", "look at what serves until it has failed, then put the standby in its place", standby.watch),
    ):
        parser = _command(commands, name, text, run)
        parser.add_argument("service", metavar="SERVICE")
        add_release_options(parser.add_argument_group("the standby", "--version, and --image or a command after --"))
        if name == "standby":
            continue
        text = "how long the switch may take before it stops and asks"
        parser.add_argument("--deadline", type=float, metavar="SECONDS", help=text)
        text = "a program to be run when what serves is gone, before the standby gets traffic: it promotes it, say"
        parser.add_argument("--action", action="append", default=[], metavar="COMMAND", help=text)
        if name == "failover":
            parser.add_argument("--cut-off-confirmed", action="store_true", help=sure)
        else:
            _add_watching(parser)
    back = _command(commands, "failback", "put back what served before a failover, in the same way", standby.fail_back)
    back.add_argument("service", metavar="SERVICE")
    back.add_argument("to", nargs="?", metavar="VERSION", help="none: what served before the present one")
    back.add_argument("--cut-off-confirmed", action="store_true", help=sure)


def _add_watching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--warm", action="store_true", help="let the standby run beside what serves meanwhile")
    text = "what is asked whether it is alive (the gates with which it was deployed)"
    parser.add_argument("--health", metavar="PATH", help=text)
    text = "so many looks in a row must fail (3)"
    parser.add_argument("--failures", type=int, default=3, metavar="NUMBER", help=text)
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="between two looks (1)")
    text = "how long to look (until it has failed)"
    parser.add_argument("--for", type=float, default=float("inf"), dest="for_s", metavar="SECONDS", help=text)


def _add_by_name(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    rollback = _command(commands, "rollback", "make a service run an earlier revision again", changing.rollback)
    rollback.add_argument("service", metavar="SERVICE")
    rollback.add_argument("to", nargs="?", metavar="VERSION", help="none: what served before the present one")
    rollback.add_argument("--restore", choices=("yes", "no"), help="whether data that were changed since are restored")
    rollback.add_argument("--strategy", choices=STRATEGIES, help="what should happen (rolling)")
    restore = _command(commands, "restore", "put a backup back", changing.restore)
    restore.add_argument("service", metavar="SERVICE")
    restore.add_argument("backup", nargs="?", metavar="BACKUP", help="none: the newest")
    remove = _command(commands, "remove", "take a service or a stack out", changing.remove)
    remove.add_argument("service", metavar="NAME")
    remove.add_argument("--stack", action="store_true", help="it is a stack")
    for name, text, run in (
        ("pause", "let the deployment that is under way pass no stage", orders.pause),
        ("promote", "skip the rest of the present stage's hold time", orders.promote),
        ("abort", "end the present stage as failed", orders.abort),
        ("resume", "end a pause; or finish a deployment that was interrupted", changing.resume),
    ):
        _command(commands, name, text, run).add_argument("service", metavar="SERVICE")
