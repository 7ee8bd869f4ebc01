"""The rules of `zdd.interfaces.Edge`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial

from attrs import define, evolve, field, frozen

from zdd.errors import TemporaryError
from zdd.interfaces import Discovery, Edge, Fence
from zdd.model.address import Address
from zdd.model.command import Route
from zdd.model.service import Service
from zdd.model.traffic import EdgeView, Registration
from zdd.testing.rules import BrokenRule, Conditions, Make, Rule, demand, demand_error, opened, try_rules

TOLERANCE = 0.02
LAST_TOKEN = 1_000_000


@frozen(kw_only=True)
class EdgeBench:
    """A fresh edge with what is needed to try it.

    Attributes:
        edge: The edge.
        discovery: What it follows.
        registrations: Two instances or more of the service, at addresses where something answers. Their weights don't
            matter.
        open_request: Sends a request through the edge to the service, which is in flight while the context is open,
            and ends within the deadline after that.
        cut_off: Makes the edge unreachable for as long as the context is open.
    """

    edge: Edge
    discovery: Discovery
    registrations: Sequence[Registration] = field(converter=tuple)
    open_request: Callable[[], AbstractContextManager[object]] | None = None
    cut_off: Callable[[], AbstractContextManager[object]] | None = None


@define(eq=False)
class _Trial:
    bench: EdgeBench
    conditions: Conditions

    @property
    def edge(self) -> Edge:
        return self.bench.edge

    @property
    def service(self) -> Service:
        return self.conditions.service

    @property
    def other_service(self) -> Service:
        return evolve(self.service, name=self.service.name + "-2")

    def registrations(self, *weights: int) -> tuple[Registration, ...]:
        """Return the first registrations of the bench with these weights."""
        pairs = zip(self.bench.registrations, weights, strict=False)
        return tuple(evolve(registration, weight=weight) for registration, weight in pairs)

    def addresses(self, *numbers: int) -> list[Address]:
        return [address for number in numbers for address in self.bench.registrations[number].addresses.values()]

    def apply(self, registrations: Sequence[Registration], *, held: bool = False) -> None:
        self.bench.discovery.apply(self.service, Route(tuple(registrations), held), Fence(1, "conformance kit"))

    def view(self) -> EdgeView:
        return self.edge.view(self.service, self.addresses(*range(len(self.bench.registrations))))

    def sends_to(self, *numbers: int) -> EdgeView:
        """Wait until it sends new requests to exactly these instances."""
        wanted = set(self.addresses(*numbers))
        what = f"it sent requests to exactly {sorted(map(str, wanted))}"
        self.conditions.until(what, lambda: self.view().weights.keys() == wanted)
        return self.view()

    def sent(self, *weights: int) -> EdgeView:
        """Apply these weights and wait until the edge follows."""
        self.apply(self.registrations(*weights))
        return self.sends_to(*(number for number, weight in enumerate(weights) if weight))

    def clean_up(self) -> None:
        for service in (self.service, self.other_service):
            self.bench.discovery.apply(service, Route(()), Fence(LAST_TOKEN, "conformance kit"))


# -- what it says of itself --------------------------------------------------------------------------------------------


def _name(trial: _Trial) -> None:
    name = trial.edge.name
    demand(isinstance(name, str) and name.strip(), f"its name is {name!r}")
    trial.sent(100)
    demand(trial.edge.name == name, f"its name was {name!r} and is {trial.edge.name!r}")
    demand(trial.view().edge == name, f"its view says {trial.view().edge!r}, its name is {name!r}")


def _addresses(trial: _Trial) -> None:
    before, ports = trial.edge.addresses(trial.service), [exposure.port for exposure in trial.service.exposures]
    demand(sorted(before) == sorted(ports), f"it has addresses for {sorted(before)}, the service's ports are {ports}")
    trial.sent(100)
    trial.sent(0, 100)
    after = trial.edge.addresses(trial.service)
    demand(after == before, f"its addresses changed from {before} to {after}")


def _as_of(trial: _Trial) -> None:
    trial.sent(100)
    clock = trial.conditions.clock
    before_s = clock.now()
    as_of_s = trial.view().as_of_s
    after_s = clock.now()
    slack_s = 0.05  # two clocks of one machine, both counted since the epoch
    demand(before_s - slack_s <= as_of_s <= after_s + slack_s, f"asked at {before_s}, it says as of {as_of_s}")


def _reachable(trial: _Trial) -> None:
    demand(trial.view().reachable, "it answered, and says that it is not reachable")


def _unreachable(trial: _Trial) -> None:
    trial.sent(100)
    if trial.bench.cut_off is not None:
        with trial.bench.cut_off():
            demand_error(TemporaryError, "view of an edge that can't be reached", trial.view)
    trial.conditions.until("it answered again", lambda: trial.view().reachable)


# -- where new requests go ---------------------------------------------------------------------------------------------


def _empty_at_first(trial: _Trial) -> None:
    weights = trial.view().weights
    demand(not weights, f"it sends requests to {weights} though nothing was registered")


def _follows(trial: _Trial) -> None:
    trial.sent(100)
    trial.sent(100, 100)
    trial.sent(0, 100)


def _proportion(trial: _Trial) -> None:
    for one, two in ((100, 100), (300, 100), (50_000, 950_000)):
        trial.apply(trial.registrations(one, two))
        trial.conditions.until(f"it divided the traffic {one} to {two}", partial(_shares, trial, one, two))


def _shares(trial: _Trial, first: int, second: int) -> bool:
    """Tell whether, at every port, the first two instances have shares of these proportions."""
    shown = trial.view().weights
    for port in trial.bench.registrations[0].addresses:
        one, two = (shown.get(trial.bench.registrations[number].addresses[port], 0) for number in (0, 1))
        if not one or not two or abs(one / (one + two) - first / (first + second)) > TOLERANCE:
            return False
    return True


def _no_weights(trial: _Trial) -> None:
    weights = trial.sent(300, 100).weights
    demand(set(weights.values()) == {1}, f"it can't weigh, but says {weights}")


def _zero(trial: _Trial) -> None:
    trial.sent(100, 100)
    trial.sent(100, 0)
    gone = set(trial.addresses(1))
    trial.conditions.steadily("nothing was sent to what is out", lambda: not gone & trial.view().weights.keys())


def _comes_back(trial: _Trial) -> None:
    trial.sent(100, 100)
    trial.sent(100, 0)
    trial.sent(100, 100)


def _deregistered(trial: _Trial) -> None:
    trial.sent(100, 100)
    trial.sent(100)
    trial.apply(())
    trial.sends_to()


def _services_apart(trial: _Trial) -> None:
    trial.sent(100)
    seen = trial.edge.view(trial.other_service, trial.addresses(0)).weights
    demand(not seen, f"of another service it says {seen}")


# -- holding back ------------------------------------------------------------------------------------------------------


def _holds(trial: _Trial) -> None:
    trial.sent(100)
    demand(not trial.view().held, "it says that it holds requests back before it was told to")
    trial.apply(trial.registrations(0), held=True)
    trial.conditions.until("it held requests back", lambda: trial.view().held)
    trial.apply(trial.registrations(100))
    trial.conditions.until("it let requests go", lambda: not trial.view().held)
    trial.sends_to(0)


def _never_holds(trial: _Trial) -> None:
    trial.sent(100)
    trial.apply(trial.registrations(100), held=True)
    trial.conditions.steadily("it did not claim to hold requests back", lambda: not trial.view().held)


# -- what is in flight -------------------------------------------------------------------------------------------------


def _only_what_was_asked(trial: _Trial) -> None:
    trial.sent(100, 100)
    for asked in ([], trial.addresses(0), trial.addresses(1)):
        told = trial.edge.view(trial.service, asked).in_flight
        demand(told.keys() <= set(asked), f"asked of {list(map(str, asked))} it told of {list(map(str, told))}")


def _counts_what_is_out(trial: _Trial) -> None:
    trial.sent(100, 100)
    trial.sent(100, 0)
    out = trial.addresses(1)
    trial.conditions.until(
        "it told what is in flight at what is out", lambda: set(out) <= trial.view().in_flight.keys()
    )
    trial.conditions.until(
        "nothing was in flight at what is out", lambda: all(trial.view().in_flight.get(one) == 0 for one in out)
    )


def _counts_a_request(trial: _Trial) -> None:
    trial.sent(100)
    if trial.bench.open_request is not None:
        with trial.bench.open_request():
            trial.conditions.until("an open request was in flight", lambda: _in_flight(trial, 0) > 0)
            trial.apply(trial.registrations(0))
            trial.sends_to()
            trial.conditions.steadily(
                "an open request was in flight after it was out", lambda: _in_flight(trial, 0) > 0
            )
        trial.conditions.until("nothing was in flight after the request had ended", lambda: _in_flight(trial, 0) == 0)


def _in_flight(trial: _Trial, number: int) -> int:
    counts = trial.view().in_flight
    known = [counts.get(address) for address in trial.addresses(number)]
    if None in known:
        raise BrokenRule(f"it does not say what is in flight at {[str(one) for one in trial.addresses(number)]}")
    return sum(count for count in known if count is not None)


def _counts_nothing(trial: _Trial) -> None:
    trial.sent(100)
    demand(not trial.view().in_flight, f"it can't count, but says {trial.view().in_flight}")


def _names_its_process(trial: _Trial) -> None:
    trial.sent(100)
    one, two = trial.view().process, trial.view().process
    demand(one and one == two, f"it counts, and names its process {one!r} and then {two!r}")


def _weighs(trial: _Trial) -> bool:
    return trial.edge.abilities.weighs


def _holds_back(trial: _Trial) -> bool:
    return trial.edge.abilities.holds


def _counts(trial: _Trial) -> bool:
    return trial.edge.abilities.counts


EDGE_RULES: tuple[Rule[_Trial], ...] = (
    Rule("it keeps its name", _name),
    Rule("it has a stable address for every port", _addresses),
    Rule("a view says when it was asked", _as_of),
    Rule("an edge that answers is reachable", _reachable),
    Rule("an edge that can't be reached says so", _unreachable, lambda trial: trial.bench.cut_off),
    Rule("nothing is sent before anything is registered", _empty_at_first),
    Rule("it follows discovery", _follows),
    Rule("it divides traffic by weight", _proportion, _weighs),
    Rule("an edge that can't weigh says 1", _no_weights, lambda trial: not _weighs(trial)),
    Rule("what is out gets no new requests", _zero),
    Rule("what was out can come back", _comes_back),
    Rule("what was deregistered gets no new requests", _deregistered),
    Rule("requests of one service are not those of another", _services_apart),
    Rule("it holds requests back and lets them go", _holds, _holds_back),
    Rule("an edge that can't hold never says that it does", _never_holds, lambda trial: not _holds_back(trial)),
    Rule("it tells counts only of what was asked", _only_what_was_asked),
    Rule("what is out is still counted, and comes to nothing", _counts_what_is_out, _counts),
    Rule(
        "a request is in flight until it has ended",
        _counts_a_request,
        lambda trial: _counts(trial) and trial.bench.open_request,
    ),
    Rule("an edge that can't count tells no counts", _counts_nothing, lambda trial: not _counts(trial)),
    Rule("counts name the process that counted", _names_its_process, _counts),
)


def check_edge(make: Make[EdgeBench], conditions: Conditions) -> tuple[str, ...]:
    """Try the rules of an edge, each on a fresh one, and return the names of those that were tried.

    Args:
        make: Gives a fresh edge with what is needed to try it.
        conditions: What can't be known of its world.

    Raises:
        ConformanceError: Rules are broken. It names them all, and says what was seen.
    """

    @contextmanager
    def trials() -> Iterator[_Trial]:
        with opened(make()) as bench:
            if len(bench.registrations) < 2:
                raise ValueError("an edge is tried with two registrations or more")
            trial = _Trial(bench, conditions)
            try:
                yield trial
            except Exception:
                with suppress(Exception):  # what the rule found says more than what follows from it
                    trial.clean_up()
                raise
            trial.clean_up()

    return try_rules("the edge", EDGE_RULES, trials)
