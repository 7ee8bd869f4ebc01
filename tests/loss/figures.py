"""What came of the cases, kept line by line in a file, so that a run that was interrupted can go on with the rest."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, define, field, frozen

IN_PLACE = "in-place"
KEPT_WORDS = 20
ZDD = "zdd"
SWARM = "swarm"


class Unusable(Exception):
    """The file can't be gone on with. The message says why."""


@frozen
class Case:
    """One case.

    Attributes:
        edge: Which proxy.
        strategy: How the instances are replaced.
        application: What it does on SIGTERM: finish, exit, or ignore it.
        deployer: Who replaces them: zdd, or Swarm's own update.
    """

    edge: str
    strategy: str
    application: str
    deployer: str = ZDD

    def __str__(self) -> str:
        name = f"{self.edge}/{self.strategy}/{self.application}"
        return name if self.deployer == ZDD else f"{self.deployer}:{name}"


@frozen
class Result:
    """What came of one case.

    Attributes:
        case: Which one.
        requests: Answered and lost ones, websocket handshakes among them.
        lost: How many were lost; POSTs without or with several traces in the logs, and websockets that something else
            than the drain deadline has cut, are among them.
        losses: The first of them in words.
        broken: How many of them break the strategy's promise.
        breaches: The first of these in words.
        below_floor_s: For how many seconds fewer served than the floor, by zdd's report; also when an instance failed
            by itself.
        cut_websockets: How many the drain deadline has cut.
        removals: How many instances were taken out and stopped.
        busy_removals: How many of them had at least one request in flight then, by the servers' own logs.
        drain_median_s: How long a drain took, in seconds.
        seconds: How long it took under load.
    """

    case: Case
    requests: int
    lost: int
    losses: Sequence[str]
    broken: int
    breaches: Sequence[str]
    below_floor_s: float
    cut_websockets: int
    removals: int
    busy_removals: int
    drain_median_s: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """Return what was written as plain data."""
        return cls(**{**data, "case": Case(**data["case"])})


def commit_of(directory: Path) -> str:
    """Return which commit is checked out there; it ends with ``-dirty`` if something was changed since."""
    command = ["git", "-C", str(directory), "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown-dirty"


@define
class Figures:
    """A file with a line for what was asked for, and one for each case that has come to its end.

    Attributes:
        path: The file; None: nothing is kept.
        asked: What the figures depend on, the commit among it.
        results: What is in it.
    """

    path: Path | None
    asked: Mapping[str, Any]
    results: list[Result] = field(factory=list)

    @classmethod
    def open(cls, path: Path | None, asked: Mapping[str, Any]) -> Figures:
        """Go on with a file, or begin one.

        Raises:
            Unusable: It is another commit's or was asked for something else.
        """
        figures = cls(path, dict(asked))
        if path is None:
            return figures
        if not path.exists():
            path.write_text(json.dumps(figures.asked) + "\n")
            return figures
        try:
            first, *lines = [json.loads(line) for line in path.read_text().splitlines()]
            figures.results += [Result.from_json(line) for line in lines]
        except (ValueError, TypeError, KeyError) as error:
            raise Unusable(f"{path} holds no figures of this program: {error!r}; name another file") from None
        if first != figures.asked:
            raise Unusable(f"{path} is of {first}, and this run is of {figures.asked}: name another file")
        if str(asked["commit"]).endswith("-dirty") and lines:
            raise Unusable(f"{path} is of a working tree with changes, which may be others by now: name another file")
        return figures

    def add(self, result: Result) -> None:
        """Keep what came of a case."""
        self.results.append(result)
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(result.to_json()) + "\n")

    def of(self, case: Case) -> Result | None:
        """Return what came of a case, if it has come to its end."""
        return next((result for result in self.results if result.case == case), None)


def verdict(results: Sequence[Result]) -> dict[str, Any]:
    """Return the last line: zdd's figures, and the peer's if it was played."""
    own = _sums([result for result in results if result.case.deployer == ZDD])
    peer = [result for result in results if result.case.deployer != ZDD]
    return {**own, **({"peer": _sums(peer)} if peer else {})}


def _sums(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "requests": sum(result.requests for result in results),
        "lost": sum(result.lost for result in results),
        "lost_against_the_promise": sum(result.broken for result in results),
        "removals": sum(result.busy_removals for result in results),
        "cases": [
            {
                "edge": result.case.edge,
                "strategy": result.case.strategy,
                "application": result.case.application,
                "requests": result.requests,
                "lost": result.lost,
                "cut_websockets": result.cut_websockets,
                "seconds": round(result.seconds, 1),
            }
            for result in results
        ],
    }
