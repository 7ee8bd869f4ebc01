"""What is known of a stack from its own journal, beside those of its services. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from zdd.events import Event, Outcome, StackEnded, StackStarted, StackStep
from zdd.interfaces import STACK

_SETTLED = (Outcome.SUCCEEDED, Outcome.UNCHANGED, Outcome.ROLLED_BACK)


@frozen
class StackRecord:
    """What is known of a stack.

    Attributes:
        services: Every service that it ever had, in the order in which they were first deployed.
        origins: Service → the deployment after which it served what it served before the stack's deployment that is
            not settled yet; empty text: nothing. In the order in which the services were deployed.
        unsettled: A deployment of the stack ended in between, or not at all.
    """

    services: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(factory=dict)
    unsettled: bool = False


def record_name(stack: str) -> str:
    """Return the name under which a stack's record is kept."""
    return STACK + stack


def read_record(events: Iterable[Event]) -> StackRecord:
    """Fold the events of one stack."""
    record = StackRecord()
    for event in events:
        if isinstance(event, StackStarted):
            record = evolve(record, services=tuple(dict.fromkeys((*record.services, *event.services))), unsettled=True)
        elif isinstance(event, StackStep):
            record = evolve(
                record, origins={**record.origins, event.name: record.origins.get(event.name, event.origin)}
            )
        elif isinstance(event, StackEnded) and event.outcome in _SETTLED:
            record = evolve(record, origins={}, unsettled=False)
    return record
