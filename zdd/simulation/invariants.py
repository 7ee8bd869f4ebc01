"""What must hold at every moment of every simulated life, by name."""

from __future__ import annotations

import enum

from attrs import frozen


class Invariant(enum.Enum):
    """A rule that zdd never breaks. What the world does by itself, or a person by hand, is not counted against it."""

    COMMAND_KEEPS_FLOOR = "I1a"
    CAPACITY = "I1b"
    SOMEONE_SERVES = "I1c"
    PROVEN = "I2"
    WHOLE = "I2b"
    CEILING = "I3"
    ONE_REVISION = "I3b"
    WINNER = "I4"
    DRAINED = "I5"
    RESUMABLE = "I6"
    FENCED = "I7"
    RETREAT_OPEN = "I8"
    ROLLBACK_MEANS = "I9"
    ENDS = "I10"
    TIDY = "I11"
    NOT_REPEATED = "I12"
    HONEST = "I13"
    CANARY = "I14"
    IN_DOUBT = "I16"
    EDGES_FOLLOW = "I17"
    HELD = "I18"
    OBEYED = "I19"

    @property
    def rule(self) -> str:
        """The rule, in one sentence."""
        return _RULES[self]


_RULES = {
    Invariant.COMMAND_KEEPS_FLOOR: "No command takes away what the floor needs, by what its deployer could last see.",
    Invariant.CAPACITY: "Useful capacity falls below the floor by nothing but the world's doing.",
    Invariant.SOMEONE_SERVES: "Discovery is never told to send requests to nothing, while something is to serve them.",
    Invariant.PROVEN: "No edge sends requests to an instance that has not passed its gates.",
    Invariant.WHOLE: "A cell is whole before it gets traffic, and serves at every edge before another leaves for it.",
    Invariant.CEILING: "No more instances exist than the ceiling allows.",
    Invariant.ONE_REVISION: "Where overlap is forbidden, two revisions never exist at once.",
    Invariant.WINNER: "At the end exactly what the plan says runs, in one revision.",
    Invariant.DRAINED: "Nothing is lost at a stop but what was cut, on record, after the drain deadline.",
    Invariant.RESUMABLE: "The next deployer can make a plan of whatever an earlier one left.",
    Invariant.FENCED: "Two deployers never both change a service, and a lease is kept while its holder is alive.",
    Invariant.RETREAT_OPEN: "What going back needs is retired only after the stage that gave it up has passed.",
    Invariant.ROLLBACK_MEANS: "Going back leads to another revision than the one that failed, once.",
    Invariant.ENDS: "Every deployment ends within the deadlines of its plans; with faults off, in success.",
    Invariant.TIDY: "At the end no instance, registration or lease is left over, and nothing alive is forgotten.",
    Invariant.NOT_REPEATED: "A command gets time to show its effect, and what runs already is left alone.",
    Invariant.HONEST: "The events tell the outcome, and every command has one intention and one answer.",
    Invariant.CANARY: "A canary never has more than its share, and only gates that passed let a stage pass.",
    Invariant.IN_DOUBT: "While a request without an answer may still take effect, none other is sent.",
    Invariant.EDGES_FOLLOW: "While an edge can't be asked nothing is admitted, and for a time nothing is taken out.",
    Invariant.HELD: "Requests are held before a singleton leaves and until its successor is proven.",
    Invariant.OBEYED: "No stage is passed by a deployment that is paused, and no order is obeyed that came too late.",
}


@frozen
class Violation:
    """A rule was broken, by zdd's doing.

    Attributes:
        invariant: Which.
        at_s: When, in seconds since the life began.
        text: What happened.
    """

    invariant: Invariant
    at_s: float
    text: str

    def __str__(self) -> str:
        return f"{self.invariant.value} at {self.at_s:.2f} s: {self.text} ({self.invariant.rule})"
