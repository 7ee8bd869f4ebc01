"""What is known of a stack from its own journal, beside those of its services. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from zdd.events import Event, Outcome, StackEnded, StackStarted, StackStep
from zdd.interfaces import STACK
from zdd.model.names import service_name
from zdd.wording import printable

_SETTLED = (Outcome.SUCCEEDED, Outcome.UNCHANGED, Outcome.ROLLED_BACK)


@frozen
class StackDeployment:
    """One deployment of a stack, as the journal knows it.

    Attributes:
        id: Its id.
        services: The names of its services.
        actor: Who started it.
        started_s: When, in seconds since the epoch.
        ended_s: When it ended; None: it did not, as far as the journal knows.
        outcome: How it ended; None: it did not.
        reason: Why, in words.
    """

    id: str
    services: tuple[str, ...]
    actor: str
    started_s: float
    ended_s: float | None = None
    outcome: Outcome | None = None
    reason: str = ""

    def __str__(self) -> str:
        outcome = self.outcome.value if self.outcome else "not ended"
        why = f": {printable(self.reason)}" if self.reason else ""
        return f"{self.id}  {len(self.services)} services  {outcome}{why}  by {printable(self.actor)}"


@frozen
class StackRecord:
    """What is known of a stack.

    Attributes:
        services: Every service that it ever had, in the order in which they were first deployed.
        origins: Service → the deployment after which it served what it served before the stack's deployment that is
            not settled yet; empty text: nothing. In the order in which the services were deployed.
        before: The same for the last one that succeeded and changed something: where `StackDeployer.rollback` leads.
        unsettled: A deployment of the stack ended in between, or not at all.
        deployments: All of them, oldest first.
    """

    services: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(factory=dict)
    before: Mapping[str, str] = field(factory=dict)
    unsettled: bool = False
    deployments: tuple[StackDeployment, ...] = ()


def record_name(stack: str) -> str:
    """Return the name under which a stack's record is kept.

    Raises:
        ConfigurationError: It isn't text, but the stack itself, say.
    """
    return STACK + service_name(stack, "a stack")


def read_record(events: Iterable[Event]) -> StackRecord:
    """Fold the events of one stack."""
    record = StackRecord()
    for event in events:
        if isinstance(event, StackStarted):
            begun = StackDeployment(event.deployment, event.services, event.actor, event.at_s)
            record = evolve(
                record,
                services=tuple(dict.fromkeys((*record.services, *event.services))),
                unsettled=True,
                deployments=(*record.deployments, begun),
            )
        elif isinstance(event, StackStep):
            record = evolve(
                record, origins={**record.origins, event.name: record.origins.get(event.name, event.origin)}
            )
        elif isinstance(event, StackEnded):
            record = _ended(record, event)
    return record


def _ended(record: StackRecord, event: StackEnded) -> StackRecord:
    if record.deployments:
        last = evolve(record.deployments[-1], ended_s=event.at_s, outcome=event.outcome, reason=event.reason)
        record = evolve(record, deployments=(*record.deployments[:-1], last))
    if event.outcome not in _SETTLED:
        return record
    before = record.origins if event.outcome is Outcome.SUCCEEDED else record.before
    return evolve(record, origins={}, before=before, unsettled=False)
