"""The rules of `zdd.interfaces.Discovery`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import define, evolve

from zdd.errors import LeaseLost
from zdd.interfaces import Discovery, Fence
from zdd.model.address import Address
from zdd.model.command import Route
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.testing.rules import Again, BrokenRule, Conditions, Make, Rule, demand, demand_error, opened, try_rules

LAST_TOKEN = 1_000_000
FIRST_PORT = 40_001

State = tuple[tuple[Registration, ...], bool]


@define(eq=False)
class _Trial:
    """One fresh discovery, and short words for what the rules do with it."""

    discovery: Discovery
    conditions: Conditions
    again: Again[Discovery] | None
    token: int = 1

    @property
    def service(self) -> Service:
        return self.conditions.service

    @property
    def other_service(self) -> Service:
        return evolve(self.service, name=self.service.name + "-2")

    @property
    def fence(self) -> Fence:
        return Fence(self.token, "conformance kit")

    def registration(self, number: int, weight: int) -> Registration:
        """Return a registration at addresses of its own, at which nothing needs to listen."""
        addresses = {
            exposure.port: Address("127.0.0.1", FIRST_PORT + 10 * number + place)
            for place, exposure in enumerate(self.service.exposures)
        }
        return Registration(f"kit.{number}", f"kit-{number}", f"revision-{number}", f"{number}.0", addresses, weight)

    def apply(self, *registrations: Registration, held: bool = False) -> None:
        self.discovery.apply(self.service, Route(registrations, held), self.fence)

    def state(self) -> State:
        return self.discovery.registrations(self.service)

    def shows(self, *registrations: Registration, held: bool = False) -> None:
        """Wait until it says exactly this."""
        wanted = (registrations, held)
        try:
            self.conditions.until(f"it said {wanted}", lambda: self.state() == wanted)
        except BrokenRule as error:
            raise BrokenRule(f"{error}; it said {self.state()}") from None

    def applied(self, *registrations: Registration, held: bool = False) -> None:
        self.apply(*registrations, held=held)
        self.shows(*registrations, held=held)

    def clean_up(self) -> None:
        for service in (self.service, self.other_service):
            self.discovery.apply(service, Route(()), Fence(LAST_TOKEN, "conformance kit"))


def _empty_at_first(trial: _Trial) -> None:
    demand(trial.state() == ((), False), f"registrations returned {trial.state()!r}")


def _exactly_what_was_applied(trial: _Trial) -> None:
    one, two = trial.registration(1, 100), trial.registration(2, 300)
    trial.applied(one, two)
    trial.conditions.steadily("it said what was applied", lambda: trial.state() == ((one, two), False))


def _replaces(trial: _Trial) -> None:
    one, two, three = (trial.registration(number, 100) for number in (1, 2, 3))
    trial.applied(one, two)
    trial.applied(two, three)
    trial.applied()


def _sorted(trial: _Trial) -> None:
    one, two, three = (trial.registration(number, 100) for number in (1, 2, 3))
    trial.apply(three, one, two)
    trial.shows(one, two, three)


def _twice(trial: _Trial) -> None:
    one, two = trial.registration(1, 100), trial.registration(2, 0)
    trial.apply(one, two)
    trial.applied(one, two)
    trial.conditions.steadily("it stayed the same", lambda: trial.state() == ((one, two), False))


def _weights_change(trial: _Trial) -> None:
    for weights in ((1_000_000, 1), (500_000, 500_000), (1, 1_000_000), (7, 0)):
        trial.applied(trial.registration(1, weights[0]), trial.registration(2, weights[1]))


def _weight_zero_stays(trial: _Trial) -> None:
    one, two = trial.registration(1, 100), trial.registration(2, 100)
    trial.applied(one, two)
    trial.applied(one, evolve(two, weight=0))
    trial.conditions.steadily("it stayed registered", lambda: two.instance in [r.instance for r in trial.state()[0]])
    trial.applied(one, two)


def _whole(trial: _Trial) -> None:
    odd = evolve(trial.registration(1, 100), version='1.0 "β" +build/7', revision="r-ü")
    trial.applied(odd)


def _address_changes(trial: _Trial) -> None:
    one = trial.registration(1, 100)
    trial.applied(one)
    trial.applied(evolve(one, addresses=trial.registration(5, 0).addresses))


def _held(trial: _Trial) -> None:
    one = trial.registration(1, 100)
    trial.applied(one, held=True)
    trial.applied(held=True)
    trial.applied(one, held=False)


def _services_apart(trial: _Trial) -> None:
    one = trial.registration(1, 100)
    trial.applied(one)
    demand(trial.discovery.registrations(trial.other_service) == ((), False), "another service has registrations too")
    trial.discovery.apply(trial.other_service, Route(()), trial.fence)
    trial.conditions.steadily("it stayed when another service was emptied", lambda: trial.state() == ((one,), False))


def _check_changes_nothing(trial: _Trial) -> None:
    trial.discovery.check(trial.service)
    trial.conditions.steadily("nothing was registered after check", lambda: trial.state() == ((), False))


def _refuses_old(trial: _Trial, discovery: Discovery, claimed: int) -> None:
    before, old = trial.state(), Fence(claimed - 1, "an older deployer")
    other = Route((trial.registration(9, 1),), held=True)
    demand_error(LeaseLost, "apply with an old fence", lambda: discovery.apply(trial.service, other, old))
    demand_error(LeaseLost, "claim with an old fence", lambda: discovery.claim(trial.service, old))
    trial.conditions.steadily("nothing changed after writes that were refused", lambda: trial.state() == before)


def _old_fence(trial: _Trial) -> None:
    one = trial.registration(1, 100)
    trial.applied(one)
    trial.token = 5
    trial.discovery.claim(trial.service, trial.fence)
    _refuses_old(trial, trial.discovery, 5)
    trial.applied(evolve(one, weight=0))


def _write_claims(trial: _Trial) -> None:
    trial.token = 5
    trial.applied(trial.registration(1, 100))
    _refuses_old(trial, trial.discovery, 5)


def _claim_changes_nothing(trial: _Trial) -> None:
    one = trial.registration(1, 100)
    trial.applied(one, held=True)
    trial.discovery.claim(trial.service, Fence(5, "a later deployer"))
    trial.conditions.steadily("it stayed the same after a claim", lambda: trial.state() == ((one,), True))


def _fences_apart(trial: _Trial) -> None:
    trial.discovery.claim(trial.other_service, Fence(5, "another deployer"))
    trial.applied(trial.registration(1, 100))


def _others_see_the_same(trial: _Trial) -> None:
    trial.applied(trial.registration(1, 100), trial.registration(2, 0))
    if trial.again is not None:
        with opened(trial.again(trial.discovery)) as other:
            seen = other.registrations(trial.service)
            demand(seen == trial.state(), f"the second one says {seen}, the first one {trial.state()}")


def _others_are_fenced(trial: _Trial) -> None:
    trial.applied(trial.registration(1, 100))
    if trial.again is not None:
        with opened(trial.again(trial.discovery)) as other:
            other.claim(trial.service, Fence(5, "a later deployer"))
            _refuses_old(trial, trial.discovery, 5)
        with opened(trial.again(trial.discovery)) as third:
            _refuses_old(trial, third, 5)


def _needs_again(trial: _Trial) -> object:
    return trial.again


DISCOVERY_RULES: tuple[Rule[_Trial], ...] = (
    Rule("a service that nobody registered has no registrations", _empty_at_first),
    Rule("registrations are exactly what was applied", _exactly_what_was_applied),
    Rule("what is not applied again is gone", _replaces),
    Rule("registrations are sorted by instance", _sorted),
    Rule("apply twice is the same as once", _twice),
    Rule("weights are kept exactly", _weights_change),
    Rule("weight 0 stays registered", _weight_zero_stays),
    Rule("versions and revisions are kept letter by letter", _whole),
    Rule("an address can change", _address_changes),
    Rule("whether requests are held back is kept", _held),
    Rule("registrations of one service are not those of another", _services_apart),
    Rule("check changes nothing", _check_changes_nothing),
    Rule("an old fence is refused and changes nothing", _old_fence),
    Rule("a write with a greater token shuts out smaller ones", _write_claims),
    Rule("a claim changes no registration", _claim_changes_nothing),
    Rule("fences of one service are not those of another", _fences_apart),
    Rule("another deployer sees the same registrations", _others_see_the_same, _needs_again),
    Rule("another deployer's fence counts", _others_are_fenced, _needs_again),
)


def check_discovery(
    make: Make[Discovery], conditions: Conditions, *, again: Again[Discovery] | None = None
) -> tuple[str, ...]:
    """Try the rules of a discovery, each on a fresh one, and return the names of those that were tried.

    Args:
        make: Gives a fresh discovery. Nothing is left registered when it is closed.
        conditions: What can't be known of its world. Nothing needs to listen at the addresses that are registered.
        again: Gives another one onto the same world, for the rules about two deployers.

    Raises:
        ConformanceError: Rules are broken. It names them all, and says what was seen.
    """

    @contextmanager
    def trials() -> Iterator[_Trial]:
        with opened(make()) as discovery:
            trial = _Trial(discovery, conditions, again)
            try:
                yield trial
            except Exception:
                with suppress(Exception):  # what the rule found says more than what follows from it
                    trial.clean_up()
                raise
            trial.clean_up()

    return try_rules("the discovery", DISCOVERY_RULES, trials)
