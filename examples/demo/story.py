"""What the demo deploys, in which order, and how each deployment is expected to end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from application import Behaviour
from attrs import field, frozen
from error_share import few_errors

import zdd
from zdd import BlueGreen, Canary, HttpGate, Outcome, Process, Release, Report, RollingUpdate, Service, Strategy

APPLICATION = Path(__file__).parent / "application.py"
NAME = "shop"
REPLICAS = 4


@frozen
class Chapter:
    """One deployment of the story.

    Attributes:
        title: What a reader sees.
        version: What is deployed.
        strategy: How.
        behaviour: How the release behaves.
        expected: How the deployment must end.
        by_hand: It is a rollback to an earlier version instead of a new release.
    """

    title: str
    version: str
    strategy: Strategy
    behaviour: Behaviour = field(default=Behaviour.HEALTHY, kw_only=True)
    expected: Outcome = field(default=Outcome.SUCCEEDED, kw_only=True)
    by_hand: bool = field(default=False, kw_only=True)


CANARY = Canary((10, 50, 100), gates=(few_errors(),), hold_s=2.0)

OPENING = Chapter("the first deployment", "1.0", RollingUpdate())

UNDER_LOAD = (
    Chapter("a rolling update", "2.0", RollingUpdate()),
    Chapter("blue/green", "3.0", BlueGreen(keep_s=2.0)),
    Chapter("a canary", "3.1", CANARY),
    Chapter(
        "a release that never gets healthy",
        "4.0",
        RollingUpdate(),
        behaviour=Behaviour.NEVER_HEALTHY,
        expected=Outcome.ROLLED_BACK,
    ),
    Chapter(
        "a release that is healthy but answers errors under traffic",
        "5.0",
        CANARY,
        behaviour=Behaviour.BAD_RELEASE,
        expected=Outcome.ROLLED_BACK,
    ),
    Chapter("rollback by hand to 2.0", "2.0", RollingUpdate(), by_hand=True),
)

BAD_VERSIONS = tuple(chapter.version for chapter in UNDER_LOAD if chapter.behaviour is Behaviour.BAD_RELEASE)


def service() -> Service:
    """Return the service: four replicas, never fewer, each proven healthy before it gets a request."""
    return Service(
        NAME,
        replicas=REPLICAS,
        gates=(HttpGate("/health"),),
        start_deadline_s=6.0,
        drain_deadline_s=4.0,  # the slow requests take 3 s; a websocket is told goodbye after that
        stop_grace_s=5.0,
    )


def release(chapter: Chapter, orders_log: Path) -> Release:
    """Return the release that a chapter deploys."""
    environment = {"BEHAVIOUR": chapter.behaviour.value, "ORDERS_LOG": str(orders_log)}
    return Release(chapter.version, Process([sys.executable, str(APPLICATION)], environment))


def play(chapter: Chapter, deployer: zdd.Deployer, orders_log: Path, say: Callable[[str], None]) -> tuple[Report, bool]:
    """Carry out one deployment. Return its report, and whether it ended as expected.

    Raises:
        DeploymentInterrupted: Somebody stopped the demo.
        ZddError: The deployment could not be started at all.
    """
    how = "by hand" if chapter.by_hand else str(chapter.strategy)
    say(f"\n{chapter.version}: {chapter.title} ({how})")
    try:
        if chapter.by_hand:
            report = deployer.rollback(NAME, chapter.version, chapter.strategy)
        else:
            report = deployer.deploy(service(), release(chapter, orders_log), chapter.strategy)
    except zdd.DeploymentInterrupted:
        raise
    except zdd.DeploymentError as error:
        report = error.report
    expected = report.outcome is chapter.expected
    if not expected:
        say(f"This should have ended as {chapter.expected.value}:\n{report}")
    return report, expected
