"""Seven deployments of a small service under load, on this machine: ``make demo``.

Four replicas of `application.py` run as local processes behind a Traefik of their own, while the strict clients of
`clients.py` send requests all the time. Everything is kept in a temporary directory and is gone in the end; what
stays is the page ``demo-report/report.html`` in the current directory. The last line of standard output is the verdict.
"""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import story
from attrs import evolve
from ending import Ending, Orders, first_failures, processes_of
from load import Load, LoadError

from zdd import Deployer, DeploymentInterrupted, Report, ZddError
from zdd.adapters.embedded import Embedded
from zdd.display.live import watcher

PAGE = Path("demo-report") / "report.html"
STOP_GRACE_S = 5.0
GONE_WITHIN_S = 5.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Play the story. Return the exit code: 0 if everything held."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with _directory_of_its_own() as directory:
            ending = _play(directory)
    except (KeyboardInterrupt, DeploymentInterrupted):
        _say("\nInterrupted; everything that was started has been stopped.")
        return 130
    except (ZddError, LoadError) as error:
        _say(f"\n{type(error).__name__}: {error}")
        return 1
    ending = evolve(ending, left_running=processes_of(directory))
    ending.write_page(PAGE)
    _tell(ending)
    return 1 if ending.faults else 0


def _play(directory: Path) -> Ending:
    """Carry out the deployments, the load running from the first one's end to the last one's."""
    port, orders_log, watch = _free_port(), directory / "orders.log", watcher()
    deployer = Deployer.embedded(directory / "state", port=port, listeners=[watch])
    reports: list[Report] = []
    surprises: list[str] = []

    def deploy(chapter: story.Chapter) -> None:
        if surprises:
            surprises.append(f"{chapter.title} was not begun")
            return
        report, expected = story.play(chapter, deployer, orders_log, _say)
        reports.append(report)
        if not expected:
            outcome = report.outcome.value if report.outcome else "unknown"
            surprises.append(f"{chapter.title} ended as {outcome}, not as {chapter.expected.value}: {report.reason}")

    _say(f"{story.REPLICAS} replicas of {story.APPLICATION.name} behind Traefik at http://127.0.0.1:{port}")
    try:
        deploy(story.OPENING)
        with Load(bad_versions=story.BAD_VERSIONS) as load:
            load.start(f"http://127.0.0.1:{port}")
            for chapter in story.UNDER_LOAD:
                deploy(chapter)
                _say(_so_far(load))
            result = load.stop()
    finally:
        watch.close()
    return Ending(reports, result, Orders.check(result.orders, orders_log), surprises)


def _so_far(load: Load) -> str:
    seen = load.snapshot()
    return (
        f"clients so far: {seen.requests} requests, {seen.failed} failed, {seen.dropped_websockets} websockets dropped"
    )


@contextmanager
def _directory_of_its_own() -> Iterator[Path]:
    """Give a temporary directory; in the end, stop every process that came of it, and remove it.

    However the demo ends: a second Ctrl-C doesn't cut this short.
    """
    with ExitStack() as last:
        directory = Path(tempfile.mkdtemp(prefix="zdd-demo-"))
        last.callback(shutil.rmtree, directory)
        last.callback(_await_end, directory)
        last.callback(Embedded(directory / "state").stop_everything, STOP_GRACE_S)
        last.callback(_ignore_signals)
        yield directory


def _await_end(directory: Path) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while processes_of(directory) and time.monotonic() < deadline:
        time.sleep(0.05)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _tell(ending: Ending) -> None:
    _say(f"\n{ending.table()}\n")
    for line in first_failures(ending.load):
        _say(line)
    for fault in ending.faults:
        _say(f"NOT AS PROMISED: {fault}")
    _say(f"The page with the timeline: {PAGE}")
    _say(ending.line(PAGE))


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a signal handler gets
    raise KeyboardInterrupt


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
