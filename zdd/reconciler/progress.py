"""What is known beyond the present look: evidence has a history."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from zdd.model.cell import InstanceState
from zdd.model.command import CellCommand, Command, Route
from zdd.model.gate import Gate, Target
from zdd.model.observation import Observation
from zdd.model.order import Order
from zdd.model.plan import Plan
from zdd.model.traffic import Registration
from zdd.model.verdict import Sample, Verdict

SAMPLES_KEPT = 64
"""How many looks of one gate at one target are kept for its judgement."""


@frozen(slots=False)
class InstanceRecord:
    """What has been seen of one instance. Times are in seconds since the epoch; None: not yet.

    Attributes:
        cell: Its cell.
        revision: Its revision.
        state: What the orchestrator said last.
        note: The orchestrator's own words.
        launched_s: First listed.
        ready_s: First ready.
        failed_s: Seen failed first, since it was last anything else.
        proven_s: First passed all gates of its revision.
        admitted_s: First registered with a weight, since it was last out.
        seen_s: Seen with traffic at every edge, since it was last admitted.
        out_s: Seen registered without a weight; None again when it is put back.
        gone_s: Every edge seen to have let go of it, since it was taken out.
        idle_s: Nothing seen in flight in two looks, since every edge let go.
        cut_s: The drain deadline passed while something was in flight, or while that was not known.
        stopped_s: No longer listed.
        back_s: When a list last said what was so before: that it is there again, or well again; 0: none did.
        seen_at: Edges that were seen to send to it since it was last admitted.
        gone_at: Edge → when it was seen to have let go since it was taken out.
        unsure_at: Edge → whether that was so before. It was put back before this edge was seen to have let go, so that
            the edge may show it only because it follows neither yet.
        given: An earlier deployer gave it traffic lately, and did not see every edge show it.
        sent_s: When an edge was first seen to send requests to its address, whoever had told it to.
        idle_looked_s: When the last look was in which nothing was in flight.
        idle_at: The edge processes that said so; what another process counts says nothing.
        missing_s: Since when it is not listed, although discovery knows it.
        idle_looks: Looks in a row in which nothing was in flight anywhere.
        missing_looks: Looks in a row in which it was not listed, although discovery knows it.
        address_lost: The orchestrator said that nobody will ever learn where it can be reached.
    """

    cell: str
    revision: str
    state: InstanceState = InstanceState.STARTING
    note: str = ""
    launched_s: float | None = None
    ready_s: float | None = None
    failed_s: float | None = None
    proven_s: float | None = None
    admitted_s: float | None = None
    seen_s: float | None = None
    out_s: float | None = None
    gone_s: float | None = None
    idle_s: float | None = None
    cut_s: float | None = None
    stopped_s: float | None = None
    seen_at: tuple[str, ...] = ()
    gone_at: Mapping[str, float] = field(factory=dict)
    unsure_at: Mapping[str, bool] = field(factory=dict)
    given: bool = False
    sent_s: float | None = None
    idle_looked_s: float = 0.0
    idle_at: tuple[str, ...] = ()
    missing_s: float | None = None
    idle_looks: int = 0
    missing_looks: int = 0
    back_s: float = 0.0
    address_lost: bool = False


@frozen
class GateRecord:
    """What one gate has said of one target.

    Attributes:
        asked_s: When it was first asked.
        looked_s: When the last look ended.
        passed_s: When it last passed.
        samples: The last looks, oldest first.
        verdict: What it concludes now.
    """

    asked_s: float
    looked_s: float
    passed_s: float | None
    samples: tuple[Sample, ...]
    verdict: Verdict


@frozen
class Told:
    """The last command that was sent to a cell.

    Attributes:
        command: The command.
        at_s: When it was sent, in seconds since the epoch.
        unknown: Nobody knows whether it took effect.
    """

    command: CellCommand
    at_s: float
    unknown: bool = False


@frozen
class Given:
    """What the journal says of an instance that an earlier deployer gave traffic and did not see at every edge.

    Attributes:
        at_s: When discovery was told, in seconds since the epoch.
        again: It had been taken out before, and no edge need have let go of it in between.
    """

    at_s: float
    again: bool


@frozen(slots=False)
class Progress:
    """Where a plan is, and the evidence so far.

    Attributes:
        stage: The number of the stage that is under way; the number of stages when all have passed.
        entered_s: When that stage began.
        reached_s: When the stage's traffic was first where it should be; None: not yet.
        instances: Instance id → what has been seen of it.
        gates: (gate, target) → what the gate has said.
        told: Cell → the last command sent to it.
        told_before: Cell → the last command that an earlier deployer sent to it.
        done: The actions of this stage that have succeeded, by number.
        failure: Why the stage failed by something other than a deadline: an action, or a person. Empty: it did not.
        settles_s: A request without an answer may take effect until then; nothing but looking is done before.
        deaf: Edge → since when it can't be reached.
        doubted: Instance → when a list last said that it is back, or not ready any more: a list can be an older one, so
            that is believed when another look says so too.
        routed: What discovery was told last.
        routed_s: When it took effect at the latest.
        given: Instance → how an earlier deployer gave it traffic, where it did not see every edge show it.
        holds: An earlier deployer held requests back, and nobody has let them go on since: an edge that shows that it
            holds them sends nobody any.
        went_on_s: When discovery was last told to let held requests go on, until every edge was seen to know: an edge
            that shows that it holds them may have missed that. 0: never, or it was seen.
        complete_s: Cell → when it was last seen to have all its instances, proven.
        paused: The order by which no stage is passed until another one; None: it is not paused.
        paused_s: When that order was heeded.
        stood_s: For how long this stage has only waited because it was paused, in pauses that have ended.
        promoted: The rest of this stage's hold time is skipped.
        begun: False while a deployment that was paused when it was interrupted has not been told to go on: what runs
            is kept as it is.
    """

    stage: int = 0
    entered_s: float = 0.0
    reached_s: float | None = None
    instances: Mapping[str, InstanceRecord] = field(factory=dict)
    gates: Mapping[tuple[str, str], GateRecord] = field(factory=dict)
    told: Mapping[str, Told] = field(factory=dict)
    told_before: Mapping[str, Told] = field(factory=dict)
    done: tuple[int, ...] = ()
    failure: str = ""
    settles_s: float = 0.0
    deaf: Mapping[str, float] = field(factory=dict)
    doubted: Mapping[str, float] = field(factory=dict)
    routed: Route | None = None
    routed_s: float = 0.0
    given: Mapping[str, Given] = field(factory=dict)
    holds: bool = False
    went_on_s: float = 0.0
    complete_s: Mapping[str, float] = field(factory=dict)
    paused: Order | None = None
    paused_s: float = 0.0
    stood_s: float = 0.0
    promoted: bool = False
    begun: bool = True


@frozen
class Observed:
    """A look at the world.

    Attributes:
        observation: What was seen.
        settled: The cells of which it says nothing that was not learnt before, as far as that is known.
        registered: What discovery knows, by instance, where that was looked up already.
    """

    observation: Observation
    settled: frozenset[str] = frozenset()
    registered: Mapping[str, Registration] | None = None


@frozen
class Sent:
    """A command was sent.

    Attributes:
        command: What was sent.
        settles_s: Until when nothing more is sent: when it can no longer take effect, if its outcome is not known.
        refused: It was not applied, for certain.
    """

    command: Command
    settles_s: float = 0.0
    refused: bool = False


@frozen
class Sampled:
    """A gate has looked."""

    key: str
    gate: Gate
    target: Target
    sample: Sample
    asked_s: float


@frozen
class Performed:
    """An action of the stage came to its end."""

    number: int
    succeeded: bool
    note: str = ""


@frozen
class Stopped:
    """A person, or what the plan depends on, says that the stage must not go on."""

    reason: str


@frozen
class TrafficReached:
    """The stage's traffic is where it should be, at every edge. Its gates and its hold time begin."""


@frozen
class Passed:
    """The stage is passed; the next one begins."""


@frozen
class Completed:
    """These cells have all their instances, proven."""

    cells: tuple[str, ...]


Fact = Observed | Sent | Sampled | Performed | Stopped | TrafficReached | Passed | Completed | Order


def stage_of(plan: Plan, progress: Progress) -> int:
    """Return the number of the stage whose goals hold now: the last one when all have passed."""
    return min(progress.stage, len(plan.stages) - 1)


def deadline_s(plan: Plan, progress: Progress) -> float:
    """Return when the stage must be passed. Never, while all that keeps it is a pause."""
    if progress.paused is not None and (progress.reached_s is not None or not progress.begun):
        return float("inf")
    return progress.entered_s + plan.stages[stage_of(plan, progress)].deadline_s + progress.stood_s


def going_back(progress: Progress, now: float) -> Progress:
    """Return the progress with which the plan back begins: what is known of the world, and nothing of the stages."""
    return Progress(
        entered_s=now,
        instances=progress.instances,
        gates={key: record for key, record in progress.gates.items() if not key[0].startswith("stage ")},
        told=progress.told,
        told_before=progress.told_before,
        settles_s=progress.settles_s,
        deaf=progress.deaf,
        doubted=progress.doubted,
        routed=progress.routed,
        routed_s=progress.routed_s,
        given=progress.given,
        holds=progress.holds,
        went_on_s=progress.went_on_s,
    )


def admission_key(revision: str, number: int) -> str:
    """Name the gate of that number among those that instances of a revision must pass."""
    return f"{revision}/{number}"


def stage_key(stage: int, number: int) -> str:
    """Name the gate of that number in a stage."""
    return f"stage {stage}/{number}"
