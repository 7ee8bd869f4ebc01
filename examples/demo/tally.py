"""What the demo's clients saw, counted, and what comes out of it in the end."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attrs import asdict, define, field, frozen

FAILURES_KEPT = 50
PERIOD_S = 0.25


@frozen
class Failure:
    """One thing that went wrong for a client.

    Attributes:
        at_s: When, in seconds since the epoch.
        kind: What kind of thing, in a word or two.
        detail: What it was exactly.
    """

    at_s: float
    kind: str
    detail: str


@frozen
class Period:
    """The requests of one version that ended in one period of `PERIOD_S` seconds.

    Attributes:
        at_s: When the period began, in seconds since the epoch.
        version: What answered; empty where nothing did.
        requests: How many ended, whatever their end.
        failed: Of these, how many failed.
        bad: Of these, how many errors a bad release answered itself.
    """

    at_s: float
    version: str
    requests: int
    failed: int
    bad: int


@frozen
class LoadSnapshot:
    """The counts so far."""

    requests: int
    failed: int
    bad_release_responses: int
    websocket_messages: int
    dropped_websockets: int
    versions: Mapping[str, int]


@frozen
class LoadResult:
    """What the clients saw, from the first request to the last.

    Attributes:
        requests: Requests that ended, whatever their end; a websocket's handshake is one.
        failed: Of these: connections refused, reset or closed too early, incomplete or wrong answers, time-outs, and
            errors that no bad release answered itself.
        bad_release_responses: Of these: a 500 that a bad release answered itself.
        websocket_messages: Messages that were echoed.
        goodbyes: Websockets that were closed with 1001 and opened again.
        dropped_websockets: Websockets that were closed in any other way, or lost a message.
        seconds: How long the clients were sending.
        requests_per_s: On average.
        least_per_s: Requests that ended in the worst whole second.
        latency_ms: Of the short requests, from when each was due: ``p50``, ``p95``, ``p99``, ``max``.
        failures: The first failures and drops, for diagnosis.
        failure_kinds: How many there were of each kind.
        periods: Requests over time, by version.
        orders: The ids of the orders that were acknowledged.
    """

    requests: int
    failed: int
    bad_release_responses: int
    websocket_messages: int
    goodbyes: int
    dropped_websockets: int
    seconds: float
    requests_per_s: float
    least_per_s: int
    latency_ms: Mapping[str, float]
    failures: tuple[Failure, ...]
    failure_kinds: Mapping[str, int]
    periods: tuple[Period, ...] = field(repr=False)
    orders: tuple[str, ...] = field(repr=False)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> LoadResult:
        """Return what `to_data` was made from."""
        made = {
            "failures": tuple(Failure(**failure) for failure in data["failures"]),
            "periods": tuple(Period(**period) for period in data["periods"]),
            "orders": tuple(data["orders"]),
        }
        return cls(**{**data, **made})


@define
class _Count:
    requests: int = 0
    failed: int = 0
    bad: int = 0


@define
class Tally:
    """Counts while the load runs.

    Attributes:
        bad_versions: Versions whose own answers of 500 are counted apart.
        started_s: When the load began, in seconds since the epoch.
        stopped_s: When the clients were told to send nothing more; None: not yet.
    """

    bad_versions: Collection[str] = ()
    started_s: float = field(factory=time.time)
    stopped_s: float | None = None
    goodbyes: int = 0
    messages: int = 0
    dropped: int = 0
    orders: list[str] = field(factory=list)
    _counts: defaultdict[tuple[int, str], _Count] = field(factory=lambda: defaultdict(_Count), init=False)
    _totals: defaultdict[str, _Count] = field(factory=lambda: defaultdict(_Count), init=False)
    _latencies_ms: list[float] = field(factory=list, init=False)
    _failures: list[Failure] = field(factory=list, init=False)
    _kinds: Counter[str] = field(factory=Counter, init=False)

    def answered(self, version: str, latency_s: float | None = None) -> None:
        """A request got the answer that it should get."""
        self._count(version)
        if latency_s is not None:
            self._latencies_ms.append(latency_s * 1000)

    def failed(self, kind: str, detail: str, version: str = "", status: int = 0) -> None:
        """A request did not get the answer that it should get."""
        if status == 500 and version in self.bad_versions:
            self._count(version, bad=1)
            return
        self._count(version, failed=1)
        self._keep(kind, detail)

    def dropped_websocket(self, kind: str, detail: str) -> None:
        """A websocket ended without a goodbye, or a message on it was lost."""
        self.dropped += 1
        self._keep(kind, detail)

    def snapshot(self) -> LoadSnapshot:
        """Return the counts so far."""
        totals = self._totals
        return LoadSnapshot(
            requests=sum(count.requests for count in totals.values()),
            failed=sum(count.failed for count in totals.values()),
            bad_release_responses=sum(count.bad for count in totals.values()),
            websocket_messages=self.messages,
            dropped_websockets=self.dropped,
            versions={version: totals[version].requests for version in sorted(totals)},
        )

    def result(self) -> LoadResult:
        """Return what it all comes to."""
        seconds = (self.stopped_s or time.time()) - self.started_s
        so_far = self.snapshot()
        return LoadResult(
            requests=so_far.requests,
            failed=so_far.failed,
            bad_release_responses=so_far.bad_release_responses,
            websocket_messages=self.messages,
            goodbyes=self.goodbyes,
            dropped_websockets=self.dropped,
            seconds=round(seconds, 3),
            requests_per_s=round(so_far.requests / seconds, 1) if seconds else 0.0,
            least_per_s=self._least_per_s(seconds),
            latency_ms=_percentiles(sorted(self._latencies_ms)),
            failures=tuple(self._failures),
            failure_kinds=dict(self._kinds),
            periods=tuple(self._periods()),
            orders=tuple(self.orders),
        )

    def _count(self, version: str, *, failed: int = 0, bad: int = 0) -> None:
        period = int((time.time() - self.started_s) / PERIOD_S)
        for count in (self._counts[period, version], self._totals[version]):
            count.requests += 1
            count.failed += failed
            count.bad += bad

    def _keep(self, kind: str, detail: str) -> None:
        self._kinds[kind] += 1
        if len(self._failures) < FAILURES_KEPT:
            self._failures.append(Failure(round(time.time(), 3), kind, detail))

    def _periods(self) -> list[Period]:
        return [
            Period(round(self.started_s + number * PERIOD_S, 3), version, count.requests, count.failed, count.bad)
            for (number, version), count in sorted(self._counts.items())
        ]

    def _least_per_s(self, seconds: float) -> int:
        """Return the requests of the worst whole second; the first one, in which the clients begin, is left out."""
        by_second: Counter[int] = Counter()
        for (number, _), count in self._counts.items():
            by_second[int(number * PERIOD_S)] += count.requests
        return min((by_second[second] for second in range(1, int(seconds))), default=sum(by_second.values()))


def _percentiles(ordered: Sequence[float]) -> dict[str, float]:
    """Return percentiles by the nearest rank; none at all of nothing."""
    if not ordered:
        return {}
    ranks = {name: math.ceil(share * len(ordered)) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
    named = {name: round(ordered[rank - 1], 2) for name, rank in ranks.items()}
    return {**named, "max": round(ordered[-1], 2)}
