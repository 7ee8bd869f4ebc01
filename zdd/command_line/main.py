"""From words to an exit status."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress

from zdd.command_line.exit_status import FAILED, status_of
from zdd.command_line.parser import make_parser
from zdd.command_line.parts import make_parts
from zdd.command_line.printing import Unheard, escape_what_it_cannot_carry, note, tell
from zdd.command_line.stopping import Stop, heeding_signals
from zdd.errors import DeploymentError, LeaseLost, LeaseNotRenewed, StackFailed, ZddError


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status, see `zdd.command_line.exit_status`."""
    for stream in (sys.stdout, sys.stderr):
        escape_what_it_cannot_carry(stream)
    own, command = _divided(list(sys.argv[1:] if words is None else words))
    parser = make_parser()
    arguments, unknown = parser.parse_known_args(own)
    if unknown:
        forgot = hasattr(arguments, "version") and not command
        hint = " (the command of a process goes after --)" if forgot else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    arguments.command = command
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    with heeding_signals() as stop:
        return _run(arguments, stop)


def _run(arguments: argparse.Namespace, stop: Stop) -> int:
    try:
        return int(arguments.run(arguments, make_parts(arguments)))
    except ZddError as error:
        note(str(error))
        if isinstance(error, LeaseLost) and not isinstance(error, LeaseNotRenewed):
            note("nothing further was done here; `python -m zdd status` says how it stands")
        if arguments.json:
            with suppress(Unheard):
                tell("", _data(error), as_json=True)
        return status_of(error)
    except Unheard as error:
        if str(error):
            note(str(error))
        return FAILED
    except KeyboardInterrupt:  # a deployment that is under way tells of it by itself, with what runs now
        note(f"ended by {stop}")
        return stop.status


def _divided(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the words before ``--``, and those after it: the command of a process."""
    if "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


def _data(error: ZddError) -> dict[str, object]:
    report = error.report if isinstance(error, DeploymentError | StackFailed) else None
    return {
        "error": type(error).__name__,
        "message": str(error),
        "report": report.to_data() if report is not None else None,
    }
