"""The safe order of a deployment, rule by rule.

::

    launch → ready by the orchestrator → gates against its own address → registered, with its stage's weight
      → seen at every edge → others out → seen gone at every edge → nothing in flight → stopped or changed

The reconciler proposes what would bring the world nearer to the stage's goals; each guard may refuse, in words and with
a time until which it is worth waiting. What no guard refuses is done. The table `GUARDS` at the end is all there is:
take a line away, and a test that carries the line's name fails.
"""

from __future__ import annotations

from zdd.model.cell import Cell, InstanceState
from zdd.model.command import CellCommand, Change, Launch, Retire, Scale
from zdd.model.service import Overlap
from zdd.reconciler.draining import draining, just_missing, quiet
from zdd.reconciler.guard import Guard
from zdd.reconciler.learn import LOOK_AGAIN_S, follows_until_s
from zdd.reconciler.picture import Picture
from zdd.reconciler.proposals import (
    Hold,
    Proposal,
    Release,
    Shift,
    Tally,
    Traffic,
    command_words,
    growth,
    intent,
    losing,
    proposal_name,
    replaces_in_place,
    victims,
)

REPEAT_AFTER_S = 5.0
"""How long a command gets to show its effect before it is sent again: every command may be applied twice."""

GONE_LOOKS = 2
"""In how many looks in a row an instance must be missing before it is forgotten: a list can be stale."""

GONE_AFTER_S = 1.0
"""And for how long, in seconds."""


# -- the rules --------------------------------------------------------------------------------------------------------


def _settled(picture: Picture, proposal: Proposal, tally: Tally) -> tuple[str, float] | None:
    if picture.now >= picture.progress.settles_s:
        return None
    return "a request without an answer to take effect or not", picture.progress.settles_s


def _not_repeated(picture: Picture, proposal: Proposal, tally: Tally) -> tuple[str, float] | None:
    if isinstance(proposal, Traffic | Release | Hold):
        return route_awaited(picture)
    own, name = picture.progress.told.get(proposal.cell), proposal.cell
    told = own or picture.progress.told_before.get(name)
    if told is None or picture.now >= told.at_s + REPEAT_AFTER_S:
        return None
    if intent(told.command) == intent(proposal):  # what an earlier deployer said may be said again at once
        return (f"{name} to {command_words(proposal)}", told.at_s + REPEAT_AFTER_S) if own else None
    if _shown(told.command, picture.cells.get(name)):
        return None
    return f"{name} to {command_words(told.command)}, as it was told before", told.at_s + REPEAT_AFTER_S


def _shown(command: CellCommand, cell: Cell | None) -> bool:
    """Tell whether a cell is as a command says. A list may be older than the command."""
    if isinstance(command, Retire):
        return cell is None or not cell.replicas
    if cell is None or cell.replicas != command.replicas:
        return False
    return isinstance(command, Scale) or cell.revision == command.revision


def route_awaited(picture: Picture) -> tuple[str, float] | None:
    """Return what to wait for, and until when, while a look may be older than what discovery was told last."""
    until_s = picture.progress.routed_s + REPEAT_AFTER_S
    if picture.now >= until_s or picture.route_shown:
        return None
    return "discovery to show what it was told", until_s


def _ceiling(picture: Picture, proposal: Launch | Change | Scale, tally: Tally) -> str | None:
    more = growth(picture, proposal)
    total = picture.existing + tally.added + more
    if not more or total <= picture.plan.ceiling:
        return None
    return f"room {proposal_name(proposal)}: {total} instances would exist, the ceiling is {picture.plan.ceiling}"


def _no_overlap(
    picture: Picture, proposal: Launch | Change | Scale | Traffic | Release, tally: Tally
) -> str | tuple[str, float] | None:
    if picture.plan.service.overlap is Overlap.ALLOWED:
        return None
    if isinstance(proposal, Traffic | Release):
        return _others_in_traffic(picture) or others_gone(picture)
    if isinstance(proposal, Scale) and not growth(picture, proposal):
        return None
    revision = picture.cells[proposal.cell].revision if isinstance(proposal, Scale) else proposal.revision
    others = [
        name for name, i in picture.instances.items() if i.revision != revision or i.state is InstanceState.STOPPING
    ]
    # Of a cell that should have some, one that has ended may come back at any time.
    others += [name for name, cell in picture.cells.items() if cell.replicas and cell.revision != revision]
    if others:
        return f"{others[0]} to go before {proposal.cell} starts, overlap is forbidden"
    return just_missing(picture)


def others_gone(picture: Picture) -> str | tuple[str, float] | None:
    """Return what is waited for before a standby that runs already opens, or what needs everything stopped is done."""
    if not picture.stage.warm and not picture.stopping:
        return None
    if picture.others:
        return f"{picture.others[0]} to be gone before the standby opens"
    return just_missing(picture)


def _others_in_traffic(picture: Picture) -> str | None:
    """Return what to wait for if edges still send requests to a revision that is to have none, dead or not."""
    wanted = {goal.revision for goal in picture.goals.values() if goal.share}
    for name, known in picture.registered.items():
        if known.weight and known.revision not in wanted:
            return f"{name} to lose its traffic before requests go on, overlap is forbidden"
    return None


def _drained(picture: Picture, proposal: Change | Scale | Retire, tally: Tally) -> tuple[str, float] | None:
    for name in victims(picture, proposal):
        if _about_to_be_sent_to(picture, name):
            return f"discovery to show {name}", picture.progress.routed_s + REPEAT_AFTER_S
        if not quiet(picture, picture.instances[name]):
            return draining(picture, name)
    if isinstance(proposal, Change) and replaces_in_place(picture, proposal):
        return None
    if isinstance(proposal, Scale) and growth(picture, proposal):
        return None
    return just_missing(picture, proposal.cell)


def _about_to_be_sent_to(picture: Picture, name: str) -> bool:
    """Tell whether discovery was told to send requests to an instance, or of it at all, and does not show that yet."""
    routed, known = picture.progress.routed, picture.registered.get(name)
    if routed is None or (known is not None and known.weight) or route_awaited(picture) is None:
        return False
    told = (one for one in routed.registrations if one.instance == name)
    return any(known is None or one.weight for one in told)


def _judged(picture: Picture, proposal: Retire, tally: Tally) -> str | None:
    if proposal.cell in picture.given_up:
        return None
    return f"the stage to pass before {proposal.cell} is retired"


def _floor(
    picture: Picture, proposal: Traffic | Change | Scale | Retire, tally: Tally
) -> str | tuple[str, float] | None:
    lost = [name for name in losing(picture, proposal) if name in picture.serving or name in picture.coming]
    if not lost:
        return None
    for name in picture.doubted.intersection(lost):
        state = picture.instances[name].state.value
        return f"another look to say that {name} is {state}", picture.now + LOOK_AGAIN_S
    left = len(picture.useful) - tally.useful_without(picture, lost)
    room = picture.room_to_change if _gives_up(picture, proposal) else 0
    least = min(picture.plan.floor + room, len(picture.serving) + len(picture.coming))
    if left >= least:
        return None
    why = f", {room} of them while others change" if room else ""
    return f"capacity {proposal_name(proposal)}: {left} would serve for certain, {least} must{why}"


def _gives_up(picture: Picture, proposal: Traffic | Change | Scale | Retire) -> bool:
    """Tell whether what the proposal is about is not to serve again."""
    goal = picture.goals.get(proposal.cell)
    return goal is None or not goal.share


def _proven(picture: Picture, proposal: Traffic, tally: Tally) -> str | None:
    return None if picture.proven(proposal.instance) else f"{proposal.instance} to pass its gates"


def _complete(picture: Picture, proposal: Traffic, tally: Tally) -> str | None:
    goal, cell = picture.goals[proposal.cell], picture.cells[proposal.cell]
    if picture.complete(goal) or picture.cell_weight(goal.cell) > 0:
        return None
    return f"{goal.cell}: {picture.proven_in(cell)} of {goal.replicas} proven"


def _edges_heard(picture: Picture, proposal: Traffic | Change | Release, tally: Tally) -> str | None:
    deaf = [view.edge for view in picture.observation.edges if not view.reachable]
    if not deaf:
        return None
    if isinstance(proposal, Release):
        return f"{deaf[0]} to be reached before held requests go on"
    if isinstance(proposal, Traffic):
        return f"{deaf[0]} to be reached before {proposal.instance} is admitted"
    if proposal.in_place is not None:
        return f"{deaf[0]} to be reached before instances of {proposal.cell} are replaced in traffic"
    return None


def _edges_followed(picture: Picture, proposal: Traffic, tally: Tally) -> tuple[str, float] | None:
    if not _may_serve(picture, proposal.instance):
        return None
    for edge in picture.progress.deaf:
        until_s = picture.given_up_s(edge)
        if picture.now < until_s:
            return f"{edge} to be reached before {proposal.instance} is taken out", until_s
    return None


def _may_serve(picture: Picture, name: str) -> bool:
    """Tell whether an edge that can't be asked may send requests to it, though it was never seen to."""
    instance = picture.instances.get(name)
    return instance is not None and instance.state is InstanceState.READY and name not in picture.condemned


def _someone_serves(picture: Picture, proposal: Traffic, tally: Tally) -> str | None:
    if not picture.weight(proposal.instance):
        return None
    # Where none may overlap it leaves before another one comes, and requests are held back meanwhile where they can be.
    # But held requests that need not be go on in this same change: then it matters who is left.
    leaves = proposal.shift is Shift.FORGET or picture.must_hold or not picture.stage.held
    if leaves and picture.plan.service.overlap is Overlap.FORBIDDEN:
        return None
    if not any(goal.share for goal in picture.goals.values()):  # taking back a first deployment: nothing is to serve
        return None
    in_traffic = [cell.in_traffic for cell in picture.of_cells.values()]
    if any(len(names) > len(tally.removed) + 1 for names in in_traffic):
        return None  # of this cell alone more serve than would leave
    gone = {*tally.removed, proposal.instance}
    if not all(names <= gone for names in in_traffic):
        return None
    return f"another one to serve before {proposal.instance}, the last one in traffic, is taken out"


def _rise_before_fall(picture: Picture, proposal: Traffic, tally: Tally) -> str | None:
    if proposal.cell in tally.joined and not picture.has_too_much(proposal.cell):
        return None  # the cell as a whole loses nothing: another one of it takes over what this one gives up
    for goal in picture.unfinished:
        return f"{goal.cell} to be complete before the share of {proposal.instance} falls"
    return None


def _fall_before_rise(picture: Picture, proposal: Traffic, tally: Tally) -> str | None:
    if not picture.forward or not _rises(picture, proposal.cell):
        return None
    for cell, names in picture.all_cells.overweight.items():  # what another cell of it has too much counts as well
        left = [name for name in names if name not in tally.lowered]
        if left and _rises(picture, cell) and picture.has_too_much(cell):
            return f"{left[0]} to give up what it has too much before {proposal.instance} gets more"
    return None


def _rises(picture: Picture, cell: str) -> bool:
    goal = picture.goals.get(cell)
    return goal is not None and goal.revision == picture.plan.target


def _seen_before_out(picture: Picture, proposal: Traffic, tally: Tally) -> str | None:
    if not picture.forward or proposal.instance not in picture.serving:
        return None
    if picture.plan.service.overlap is Overlap.FORBIDDEN:  # what is to serve waits for these to go
        return None
    goal = picture.goals.get(proposal.cell)
    if goal is None or goal.share:  # a cell that is to come back makes room first; the floor alone guards that
        return None
    for other in picture.unseen:
        return f"every edge to show {other.cell} before {proposal.instance} is taken out"
    return None


def _hold_before_out(picture: Picture, proposal: Traffic, tally: Tally) -> tuple[str, float] | None:
    if not picture.must_hold:
        return None
    # An edge may still show an earlier time, after which requests went on and will do so there, too.
    followed_s = follows_until_s(picture.progress.went_on_s)
    for view in picture.observation.edges:
        if not view.held or view.as_of_s < followed_s:
            why = f"{view.edge} to hold requests back before {proposal.instance} is taken out"
            return why, followed_s if view.held else picture.deadline_s
    return None


def _complete_before_release(picture: Picture, proposal: Release, tally: Tally) -> str | None:
    for goal in picture.unfinished:
        return f"{goal.cell} to be complete before held requests go on"
    return None


def _gone_before_forgotten(picture: Picture, proposal: Traffic, tally: Tally) -> tuple[str, float] | None:
    record = picture.record(proposal.instance)
    since_s = record.missing_s if record is not None else None
    if record is not None and since_s is not None and record.missing_looks >= GONE_LOOKS:
        if picture.now >= since_s + GONE_AFTER_S:
            return None
        return f"{proposal.instance} to stay missing", since_s + GONE_AFTER_S
    return f"{proposal.instance} to be missing in another look", picture.now + LOOK_AGAIN_S


GUARDS: tuple[Guard, ...] = (
    Guard("settled", "While a request without an answer may take effect, nothing but looking is done.", _settled),
    Guard(
        "not-repeated", "A command gets time to show its effect before its cell is told anything again.", _not_repeated
    ),
    Guard("ceiling", "No more instances are started than the ceiling allows.", _ceiling, (Launch, Change, Scale)),
    Guard(
        "no-overlap",
        "Where overlap is forbidden, nothing starts or gets traffic before the others have gone.",
        _no_overlap,
        (Launch, Change, Scale, Shift.ADMIT, Release),
    ),
    Guard(
        "drained",
        "What has victims happens only to a cell whose instances are all drained.",
        _drained,
        (Change, Scale, Retire),
    ),
    Guard("judged", "What can't be undone waits until the stage has passed.", _judged, (Retire,)),
    Guard(
        "floor",
        "Useful capacity never gets smaller than the floor, or than it already is; what changes has the room above it "
        "before what is given up.",
        _floor,
        (Shift.OUT, Change, Scale, Retire),
    ),
    Guard(
        "proven",
        "Only an instance that has passed its gates, at its own address, gets traffic.",
        _proven,
        (Shift.ADMIT,),
    ),
    Guard("complete", "A cell is ready for its whole share before it gets any.", _complete, (Shift.ADMIT,)),
    Guard(
        "edges-heard",
        "Nothing is admitted, or replaced in traffic, while an edge can't be reached.",
        _edges_heard,
        (Shift.ADMIT, Change, Release),
    ),
    Guard(
        "edges-followed",
        "Nothing is taken out while an edge can't be reached, for a stated time.",
        _edges_followed,
        (Shift.OUT,),
    ),
    Guard(
        "someone-serves", "The last instance in traffic is never taken out.", _someone_serves, (Shift.OUT, Shift.FORGET)
    ),
    Guard(
        "rise-before-fall",
        "No share is lowered before the rising cells are complete.",
        _rise_before_fall,
        (Shift.LOWER,),
    ),
    Guard(
        "fall-before-rise",
        "What rises gets no more than its share, however it was divided.",
        _fall_before_rise,
        (Shift.ADMIT, Shift.RAISE),
    ),
    Guard("seen-before-out", "The old ones leave when every edge shows the new ones.", _seen_before_out, (Shift.OUT,)),
    Guard(
        "hold-before-out",
        "A singleton leaves traffic when every edge holds requests back.",
        _hold_before_out,
        (Shift.OUT,),
    ),
    Guard(
        "complete-before-release",
        "Held requests go on when what is to serve them is proven.",
        _complete_before_release,
        (Release,),
    ),
    Guard(
        "gone-before-forgotten",
        "An instance is forgotten when it was missing in two looks, and for a second.",
        _gone_before_forgotten,
        (Shift.FORGET,),
    ),
)
"""The safe order. `reconcile` knows no other rule about what may be done when."""
