"""A deployer that dies where it is told to: ``deploy.py STATE PORT LEASE_S VERSION STRATEGY [CALL NUMBER WHEN]``.

It prints what it is about to write or to change, one line each. At the call of that name and number it is killed by
SIGKILL: before it, during it, or after it; or with ``paused`` it is stopped by SIGSTOP before it. With ``recover`` in
place of the version it finishes or undoes what another one left.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zdd
from zdd.adapters.embedded import Embedded

APPLICATION = Path(__file__).parent.parent / "end_to_end" / "application.py"
DURING_S = 0.004
"""How long after the beginning of an effect its deployer is killed: in the middle of it."""

STRATEGIES = {
    "RollingUpdate": zdd.RollingUpdate(),
    "BlueGreen": zdd.BlueGreen(),
    "Canary": zdd.Canary((50, 100), hold_s=0),
    "Recreate": zdd.Recreate(),
}

WRITES = {
    "orchestrator": ("claim", "launch", "change", "scale", "retire", "tidy"),
    "discovery": ("claim", "apply"),
    "journal": ("append",),
    "lease": ("acquire", "release"),
}


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Death:
    """Knows at which call the deployer dies."""

    def __init__(self, call: str, number: int, when: str) -> None:
        self._point, self._when = (call, number), when
        self._seen: Counter[str] = Counter()

    def made(self, call: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        self._seen[call] += 1
        print(call, flush=True)
        here = (call, self._seen[call]) == self._point
        if here and self._when == "before":
            kill()
        if here and self._when == "paused":
            os.kill(os.getpid(), signal.SIGSTOP)
        if here and self._when == "during":
            threading.Timer(DURING_S, kill).start()
        answer = function(*arguments)
        if here and self._when != "paused":
            kill()
        return answer


class Watched:
    """A part of the deployer whose writes may be its last."""

    def __init__(self, name: str, part: object, death: Death) -> None:
        self._name, self._part, self._death = name, part, death
        self._untidy = False

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._part, method)
        if method not in WRITES[self._name]:
            return found

        def call(*arguments: Any) -> Any:
            if method == "tidy" and not self._untidy:
                return found(*arguments)  # nothing is written where nothing was retired
            what = type(arguments[1]).__name__ if method == "append" else method
            answer = self._death.made(f"{self._name} {what}", found, arguments)
            self._untidy = method == "retire" or (self._untidy and (method != "tidy" or not answer))
            return answer

        return call


def deployer(parts: Embedded, lease_s: float, death: Death) -> zdd.Deployer:
    named: dict[str, Any] = {name: Watched(name, getattr(parts, name), death) for name in WRITES}
    orchestrator, discovery = named.pop("orchestrator"), named.pop("discovery")
    return zdd.Deployer(orchestrator, discovery, (parts.edge,), **named, control=parts.control, lease_s=lease_s)


def service(strategy: str) -> zdd.Service:
    """Return the service that is deployed."""
    return zdd.Service(
        "web",
        replicas=2,
        gates=[zdd.HttpGate("/health")],
        overlap="forbidden" if strategy == "Recreate" else "allowed",
        drain_deadline_s=5,
        start_deadline_s=20,
        stop_grace_s=2,
    )


def main() -> None:
    state, port, lease_s, version, strategy, *point = sys.argv[1:]
    death = Death(point[0], int(point[1]), point[2]) if point else Death("", 0, "")
    one = deployer(Embedded(state, port=int(port)), float(lease_s), death)
    try:
        if version == "recover":
            for recovered in one.recover():
                print(recovered, flush=True)
                if recovered.report is None:
                    sys.exit(f"not recovered: {recovered}")
            return
        release = zdd.Release(version, zdd.Process([sys.executable, str(APPLICATION)]))
        one.deploy(service(strategy), release, STRATEGIES[strategy])
    except zdd.ZddError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
