"""The rules of `zdd.interfaces.Journal`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define

from zdd.errors import JournalError, LeaseLost
from zdd.events import (
    ActionEnded,
    CapacityChanged,
    CommandAnswered,
    CommandIntended,
    DeploymentEnded,
    DeploymentStarted,
    Event,
    GateJudged,
    InstanceMoved,
    Moment,
    Outcome,
    StageEntered,
    StageFailed,
    StagePassed,
)
from zdd.interfaces import Fence, Journal
from zdd.model.address import Address
from zdd.model.command import Change, Command, Launch, Retire, Route, Scale
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration
from zdd.model.verdict import Result
from zdd.testing.rules import Again, Make, Rule, demand, demand_error, opened, try_rules

MANY = 200


@define(eq=False)
class _Trial:
    journal: Journal
    again: Again[Journal] | None
    damage: Callable[[Journal], None] | None
    token: int = 1

    def append(self, event: Event, service: str = "web") -> None:
        self.journal.append(service, event, Fence(self.token, "conformance kit"))

    def holds(self, *events: Event, service: str = "web", journal: Journal | None = None) -> None:
        """Demand that these events are there, and nothing else."""
        read = (journal or self.journal).read(service)
        demand(isinstance(read, tuple), f"read returned a {type(read).__name__}, not a tuple")
        demand(len(read) == len(events), f"{len(events)} events were appended and {len(read)} read back")
        for seen, wanted in zip(read, events, strict=True):
            demand(seen == wanted, f"read back {seen!r} in place of {wanted!r}")


def _passed(number: int, title: str = "t") -> Event:
    return StagePassed(at_s=1000.0 + number / 8, service="web", deployment="d1", stage=number, title=title)


def _plan() -> Plan:
    service = Service("web", replicas=2, exposures=(Exposure("http"), Exposure("admin", path="/admin")))
    revisions = {name: Revision(name, version, {"kind": "x", "n": [1]}) for name, version in (("r1", "1"), ("r2", "2"))}
    stages = (Stage("up", (Goal("a", "r2", 2, 1),), hold_s=1.5), Stage("down", (Goal("b", "r1", 0, 0),)))
    return Plan(
        service=service,
        target="r2",
        revisions=revisions,
        origin=(Goal("b", "r1", 2, 1),),
        stages=stages,
        floor=2,
        ceiling=4,
        strategy="a strategy",
        direction=Direction.BACK,
    )


def _every_kind() -> tuple[Event, ...]:
    registration = Registration("a.1", "a", "r2", "2", {"http": Address("127.0.0.1", 8080)}, 500_000)
    commands: tuple[Command, ...] = (
        Launch("a", "r2", 2), Change("a", "r2", 2), Scale("a", 3), Retire("a", ("a.1",)), Route((registration,), True),
    )  # fmt: skip

    def at(kind: Callable[..., Event], **values: object) -> Event:
        return kind(at_s=1000.25, service="web", deployment="d1", **values)

    return (
        at(DeploymentStarted, plan=_plan(), from_version="1", to_version="2", actor="ann@host:7"),
        at(StageEntered, stage=0, stages=2, title="up", direction=Direction.FORWARD),
        *(at(CommandIntended, number=number, command=command) for number, command in enumerate(commands)),
        at(CommandAnswered, number=1, error="no answer", unknown=True),
        at(InstanceMoved, instance="a.1", cell="a", version="2", moment=Moment.SEEN_GONE, note="after 0.2 s"),
        at(GateJudged, gate="g", target="a.1", result=Result.PASSED, reason="fine", figures={"errors": 0.5}),
        at(ActionEnded, stage=0, action="backup", succeeded=False, note="no room"),
        at(CapacityChanged, useful=2, existing=3, floor=2, shares={"1": 400, "2": 600}),
        at(StagePassed, stage=0, title="up"),
        at(StageFailed, stage=1, title="down", reason="a deadline"),
        at(DeploymentEnded, outcome=Outcome.ROLLED_BACK, reason="a gate", unproven=("an edge",)),
    )


def _empty_at_first(trial: _Trial) -> None:
    trial.holds()
    demand(trial.journal.services() == (), f"services returned {trial.journal.services()!r}")


def _in_order(trial: _Trial) -> None:
    events = [_passed(number) for number in range(MANY)]
    for event in events:
        trial.append(event)
    trial.holds(*events)
    trial.holds(*events)


def _same_twice(trial: _Trial) -> None:
    for _ in range(2):
        trial.append(_passed(1))
    trial.holds(_passed(1), _passed(1))


def _kinds(trial: _Trial) -> None:
    events = _every_kind()
    for event in events:
        trial.append(event)
    trial.holds(*events)


def _text(trial: _Trial) -> None:
    titles = ("", "ünïcødé ✓", "two\nlines\r\n", "quotes ' \" \\ ; -- %s {x}", "null \0 inside", "long " * 20_000)
    events = [_passed(number, title) for number, title in enumerate(titles)]
    for event in events:
        trial.append(event)
    trial.holds(*events)


def _services(trial: _Trial) -> None:
    trial.append(_passed(1))
    trial.append(_passed(2), "app")
    trial.append(_passed(3))
    trial.holds(_passed(1), _passed(3))
    trial.holds(_passed(2), service="app")
    trial.holds(service="never-was")
    names = trial.journal.services()
    demand(names == ("app", "web"), f"services returned {names!r}")


def _old_fence(trial: _Trial) -> None:
    trial.token = 5
    trial.append(_passed(1))
    trial.token = 4
    demand_error(LeaseLost, "append with an old fence", lambda: trial.append(_passed(2)))
    trial.holds(_passed(1))
    trial.token = 5
    trial.append(_passed(3))
    trial.token = 6
    trial.append(_passed(4))
    trial.holds(_passed(1), _passed(3), _passed(4))


def _fences_apart(trial: _Trial) -> None:
    trial.token = 5
    trial.append(_passed(1), "app")
    trial.token = 1
    trial.append(_passed(2))
    trial.holds(_passed(2))


def _others_see_the_same(trial: _Trial) -> None:
    trial.append(_passed(1))
    if trial.again is not None:
        with opened(trial.again(trial.journal)) as other:
            trial.holds(_passed(1), journal=other)
            other.append("web", _passed(2), Fence(1, "a second writer"))
            demand(other.services() == ("web",), f"services of the second one returned {other.services()!r}")
    trial.append(_passed(3))
    trial.holds(_passed(1), _passed(2), _passed(3))


def _others_are_fenced(trial: _Trial) -> None:
    trial.token = 4
    trial.append(_passed(1))
    if trial.again is not None:
        with opened(trial.again(trial.journal)) as other:
            other.append("web", _passed(2), Fence(5, "a later deployer"))
    demand_error(LeaseLost, "append with an old fence", lambda: trial.append(_passed(3)))
    trial.holds(_passed(1), _passed(2))


def _damaged(trial: _Trial) -> None:
    trial.append(_passed(1))
    trial.append(_passed(2))
    if trial.damage is not None:
        trial.damage(trial.journal)
    demand_error(JournalError, "read of a damaged journal", lambda: trial.journal.read("web"))


JOURNAL_RULES: tuple[Rule[_Trial], ...] = (
    Rule("a fresh journal is empty", _empty_at_first),
    Rule("it reads back what was appended, in order", _in_order),
    Rule("two equal events are two events", _same_twice),
    Rule("every kind of event comes back as it was", _kinds),
    Rule("every text comes back as it was", _text),
    Rule("events of one service are not those of another", _services),
    Rule("an old fence is refused and nothing is written", _old_fence),
    Rule("fences of one service are not those of another", _fences_apart),
    Rule("another deployer reads and writes the same journal", _others_see_the_same, lambda trial: trial.again),
    Rule("another deployer's fence counts", _others_are_fenced, lambda trial: trial.again),
    Rule("a damaged journal is refused", _damaged, lambda trial: trial.damage),
)


def check_journal(
    make: Make[Journal],
    *,
    again: Again[Journal] | None = None,
    damage: Callable[[Journal], None] | None = None,
) -> tuple[str, ...]:
    """Try the rules of a journal, each on a fresh one, and return the names of those that were tried.

    Args:
        make: Gives a fresh journal.
        again: Opens the same journal a second time, for the rules about two deployers and about lasting.
        damage: Spoils an event of the service ``web`` behind the journal's back.

    Raises:
        ConformanceError: Rules are broken. It names them all, and says what was seen.
    """

    @contextmanager
    def trials() -> Iterator[_Trial]:
        with opened(make()) as journal:
            yield _Trial(journal, again, damage)

    return try_rules("the journal", JOURNAL_RULES, trials)
