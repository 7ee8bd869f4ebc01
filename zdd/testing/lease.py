"""The rules of `zdd.interfaces.Lease`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from zdd.clock import SystemClock
from zdd.errors import DeploymentInProgress, LeaseLost, TemporaryError
from zdd.interfaces import Clock, Fence, Holder, Lease
from zdd.testing.rules import Again, BrokenRule, Make, Rule, demand, demand_error, opened, try_rules

AT_ONCE = 6
SLACK_S = 0.05


@define(eq=False)
class _Trial:
    lease: Lease
    clock: Clock
    ttl_s: float
    again: Again[Lease] | None

    def acquire(self, holder: str = "ann@host:1", ttl_s: float = 600.0, service: str = "web") -> Fence:
        return self.lease.acquire(service, holder, ttl_s)

    def holder(self, lease: Lease | None = None) -> Holder:
        holder = (lease or self.lease).holder("web")
        if holder is None:
            raise BrokenRule("holder() returned None while the lease was held")
        return holder

    def expire(self) -> None:
        """Let a lease of `ttl_s` run out."""
        end_s = self.clock.now() + self.ttl_s + SLACK_S
        while self.clock.now() < end_s:
            self.clock.wait(end_s)

    def refuses(self, holder: str = "bob@host:2") -> DeploymentInProgress:
        error = demand_error(DeploymentInProgress, "acquire of a held lease", lambda: self.acquire(holder))
        if not isinstance(error, DeploymentInProgress):
            raise BrokenRule(f"acquire of a held lease raised {error!r}")
        return error


def _free_at_first(trial: _Trial) -> None:
    demand(trial.lease.holder("web") is None, "holder() names somebody before anybody has taken it")


def _who_and_since_when(trial: _Trial) -> None:
    before_s = trial.clock.now()
    fence = trial.acquire()
    after_s = trial.clock.now()
    demand(fence.holder == "ann@host:1", f"the fence names {fence.holder!r}")
    holder = trial.holder()
    demand(holder.name == "ann@host:1", f"holder() names {holder.name!r}")
    demand(before_s - SLACK_S <= holder.since_s <= after_s + SLACK_S, f"taken at {before_s}, it says {holder.since_s}")
    end_s = holder.since_s + 600.0
    demand(abs(holder.expires_s - end_s) <= 1.0, f"taken for 600 s at {before_s}, it ends at {holder.expires_s}")


def _one_at_a_time(trial: _Trial) -> None:
    trial.acquire()
    error = trial.refuses()
    held = trial.holder()
    demand(error.holder == held.name, f"the error names {error.holder!r}, the holder is {held.name!r}")
    demand(abs(error.since_s - held.since_s) <= SLACK_S, f"the error says since {error.since_s}, not {held.since_s}")
    demand(held.name in str(error), f"the message does not name the holder: {error}")
    demand(trial.holder().name == "ann@host:1", "the holder changed by an acquire that was refused")


def _released(trial: _Trial) -> None:
    fence = trial.acquire()
    trial.lease.release("web", fence)
    demand(trial.lease.holder("web") is None, "it is held after it was released")
    trial.lease.release("web", fence)
    trial.acquire("bob@host:2")
    demand(trial.holder().name == "bob@host:2", "the next one could not take it")


def _tokens_grow(trial: _Trial) -> None:
    tokens = []
    for number in range(6):
        fence = trial.acquire(f"holder-{number}", trial.ttl_s)
        tokens.append(fence.token)
        if number % 2:
            trial.expire()
        else:
            trial.lease.release("web", fence)
    demand(tokens == sorted(set(tokens)), f"the tokens were {tokens}")


def _expired(trial: _Trial) -> None:
    old = trial.acquire("ann@host:1", trial.ttl_s)
    trial.expire()
    new = trial.acquire("bob@host:2")
    demand(new.token > old.token, f"the next token is {new.token} after {old.token}")
    demand_error(LeaseLost, "renew of a lease that somebody else took", lambda: trial.lease.renew("web", old, 600.0))
    demand(trial.holder().name == "bob@host:2", "the holder changed by a renewal that was refused")


def _old_release(trial: _Trial) -> None:
    old = trial.acquire("ann@host:1", trial.ttl_s)
    trial.expire()
    trial.acquire("bob@host:2")
    trial.lease.release("web", old)
    demand(trial.holder().name == "bob@host:2", "the release of the one before let go of it")
    trial.refuses("eve@host:3")


def _renewed(trial: _Trial) -> None:
    fence = trial.acquire("ann@host:1", trial.ttl_s)
    since_s = trial.holder().since_s
    trial.lease.renew("web", fence, 600.0)
    trial.expire()
    trial.refuses()
    demand(abs(trial.holder().since_s - since_s) <= SLACK_S, "a renewal changed since when it is held")


def _expired_kept(trial: _Trial) -> None:
    fence = trial.acquire("ann@host:1", trial.ttl_s)
    trial.expire()
    trial.lease.renew("web", fence, 600.0)
    trial.refuses()


def _mirror_gives_way(trial: _Trial) -> None:
    mirror = trial.acquire("mirror ann@host:1")
    trial.refuses("mirror bob@host:2")
    deployer = trial.acquire("bob@host:2")
    demand(deployer.token > mirror.token, f"the deployer's token is {deployer.token} after the mirror's {mirror.token}")
    what = "renew by a mirror of a lease that a deployer took"
    demand_error(LeaseLost, what, lambda: trial.lease.renew("web", mirror, 600.0))
    trial.refuses("mirror ann@host:1")


def _services_apart(trial: _Trial) -> None:
    trial.acquire()
    trial.acquire("bob@host:2", service="app")
    demand(trial.holder().name == "ann@host:1", "the lease of another service changed who holds this one")


def _others_see_the_same(trial: _Trial) -> None:
    fence = trial.acquire()
    if trial.again is not None:
        with opened(trial.again(trial.lease)) as other:
            demand(trial.holder(other).name == "ann@host:1", "the second one names another holder")
            what = "acquire by a second deployer of a held lease"
            demand_error(DeploymentInProgress, what, lambda: other.acquire("web", "bob@host:2", 600.0))
            trial.lease.release("web", fence)
            later = other.acquire("web", "bob@host:2", 600.0)
            demand(later.token > fence.token, f"the second one's token is {later.token} after {fence.token}")
        demand(trial.holder().name == "bob@host:2", "the first one does not see who holds it")


def _many_at_once(trial: _Trial) -> None:
    won: list[Fence] = []
    start = threading.Barrier(AT_ONCE)
    errors: list[Exception] = []

    def take(number: int) -> None:
        try:
            if trial.again is not None:
                with opened(trial.again(trial.lease)) as lease:
                    start.wait(10.0)
                    won.append(lease.acquire("web", f"holder-{number}", 600.0))
        except (DeploymentInProgress, TemporaryError):
            pass
        except Exception as error:  # noqa: BLE001 - raised again below, by the thread that judges
            errors.append(error)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    demand(not errors, f"one of {AT_ONCE} raised {errors[:1]!r}")
    demand(len(won) == 1, f"{len(won)} of {AT_ONCE} got it")
    demand(trial.holder().name == won[0].holder, "holder() does not name the one that got it")


LEASE_RULES: tuple[Rule[_Trial], ...] = (
    Rule("nobody holds it at first", _free_at_first),
    Rule("holder() says who and since when", _who_and_since_when),
    Rule("one at a time holds it, and the next is told who", _one_at_a_time),
    Rule("a released lease can be taken", _released),
    Rule("tokens grow for ever", _tokens_grow),
    Rule("an expired lease can be taken and the old fence is refused then", _expired),
    Rule("the release of an old fence lets go of nothing", _old_release),
    Rule("a renewed lease is kept", _renewed),
    Rule("an expired lease that nobody took can be renewed", _expired_kept),
    Rule("a mirror gives way to a deployer", _mirror_gives_way),
    Rule("leases of one service are not those of another", _services_apart),
    Rule("another deployer sees the same lease", _others_see_the_same, lambda trial: trial.again),
    Rule("of many who try at once one gets it", _many_at_once, lambda trial: trial.again),
)


def check_lease(
    make: Make[Lease], *, clock: Clock | None = None, ttl_s: float = 0.5, again: Again[Lease] | None = None
) -> tuple[str, ...]:
    """Try the rules of a lease, each on a fresh one, and return the names of those that were tried.

    Args:
        make: Gives a fresh lease that nobody holds.
        clock: The clock that the lease goes by; None: real time.
        ttl_s: How long the leases that are to expire are taken for. The rules wait that long eight times.
        again: Opens the same lease a second time, from any thread, for the rules about two deployers.

    Raises:
        ConformanceError: Rules are broken. It names them all, and says what was seen.
    """
    chosen = clock if clock is not None else SystemClock()

    @contextmanager
    def trials() -> Iterator[_Trial]:
        with opened(make()) as lease:
            yield _Trial(lease, chosen, ttl_s, again)

    return try_rules("the lease", LEASE_RULES, trials)
