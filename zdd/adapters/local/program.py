"""A program that is to be kept running, and what its supervisor is told of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from zdd.model.service import port_variable

_BASE_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "USER", "TMPDIR", "TZ")


@frozen
class Restarts:
    """How a program that ended by itself is started again.

    Attributes:
        first_s: Seconds until the first restart; twice as many before each further one.
        most_s: Never more seconds than this.
        reset_s: After running this many seconds the next end counts as the first again.
    """

    first_s: float = 0.1
    most_s: float = 30.0
    reset_s: float = 10.0


def base_environment() -> dict[str, str]:
    """Return what every program gets of this process's environment: little, and no secrets."""
    environment = {name: os.environ[name] for name in _BASE_VARIABLES if name in os.environ}
    environment.setdefault("PATH", os.defpath)
    return environment


@frozen(kw_only=True)
class Program:
    """A program that is to be kept running.

    It finds its ports in ``PORT`` (the first) and ``PORT_<NAME>``, and ``<name>.<incarnation>`` in ``ZDD_INSTANCE``.
    Its output is appended to ``log.txt``; what is above `log_limit_bytes` moves to ``log.1.txt``.

    Attributes:
        name: What ``ZDD_INSTANCE`` begins with.
        command: The program and its arguments, searched in the program's own PATH.
        environment: Added to `base_environment`.
        working_directory: None: the directory ``work`` inside that of the supervisor.
        port_names: Each gets a free port.
        labels: Shown again by `Supervised.state`.
        stop_grace_s: Seconds between SIGTERM and SIGKILL, if `Supervised.stop` says nothing else.
        restarts: The delays before it is started again when it ended by itself.
        log_limit_bytes: How long ``log.txt`` may grow; looked at each second.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(factory=dict, repr=False)  # it may hold secrets
    working_directory: Path | None = None
    port_names: Sequence[str] = ()
    labels: Mapping[str, str] = field(factory=dict)
    stop_grace_s: float = 10.0
    restarts: Restarts = field(factory=Restarts)
    log_limit_bytes: int = 10_000_000

    def specification(self, directory: Path, ports: Mapping[str, int]) -> dict[str, Any]:
        """Return what a supervisor in this directory reads, when the program's ports have these numbers."""
        found = {port_variable(name): str(port) for name, port in ports.items()}
        if ports:
            found["PORT"] = str(next(iter(ports.values())))
        return {
            "name": self.name,
            "command": list(self.command),
            "environment": {**base_environment(), **self.environment, **found},
            "working_directory": str(self.working_directory or directory / "work"),
            "ports": dict(ports),
            "labels": dict(self.labels),
            "stop_grace_s": self.stop_grace_s,
            "restart_delay_s": self.restarts.first_s,
            "restart_delay_max_s": self.restarts.most_s,
            "restart_reset_s": self.restarts.reset_s,
            "log_limit_bytes": self.log_limit_bytes,
        }
