"""Cases played in processes of their own, a few at a time: most of a case is waiting for what is in flight."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection, get_context
from typing import Any

from figures import Case, Result

END_TIMEOUT_S = 60.0

Play = Callable[[Sequence[Case]], Iterator[Result]]
_Running = dict[Any, Any]


def played(groups: Sequence[Sequence[Case]], play: Play, jobs: int) -> Iterator[Result | str]:
    """Yield what came of each case when it has come to its end; and in words, why the rest of a group did not.

    What still runs when this is left is interrupted, and waited for.
    """
    waiting, running = list(groups), _Running()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                _begin(waiting.pop(0), play, running)
            for pipe in connection.wait(list(running)):
                outcome = _received(pipe)
                if outcome is None:
                    running.pop(pipe).join(END_TIMEOUT_S)
                else:
                    yield outcome
    finally:
        for process in running.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
        for process in running.values():
            process.join(END_TIMEOUT_S)


def _begin(group: Sequence[Case], play: Play, running: _Running) -> None:
    context = get_context("fork")  # so that a deployer with a wait taken away has it taken away there as well
    pipe, end = context.Pipe(duplex=False)
    process = context.Process(target=_play, args=(group, play, end), daemon=True)
    process.start()
    end.close()
    running[pipe] = process


def _play(group: Sequence[Case], play: Play, pipe: Any) -> None:
    os.setpgid(0, 0)  # Ctrl-C is for the parent alone, which passes it on once
    signal.signal(signal.SIGINT, signal.default_int_handler)
    left = list(map(str, group))
    try:
        for result in play(group):
            left.remove(str(result.case))
            pipe.send(result)
    except BaseException as error:
        pipe.send(f"{', '.join(left)} did not come to an end: {type(error).__name__}: {error}")
        raise


def _received(pipe: Any) -> Result | str | None:
    """Return what came of a case, or None when nothing more will come."""
    try:
        outcome: Result | str = pipe.recv()
    except EOFError:
        pipe.close()
        return None
    return outcome
