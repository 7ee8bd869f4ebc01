"""The embedded default: everything that a deployment needs, on one machine, in one directory."""

from __future__ import annotations

import os
from pathlib import Path

from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.adapters.sqlite.control import SqliteControl
from zdd.adapters.sqlite.journal import SqliteJournal
from zdd.adapters.sqlite.lease import SqliteLease
from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.edge import TraefikEdge
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.errors import ConfigurationError


class Embedded:
    """Local processes behind a Traefik of their own, with journal and history in SQLite.

    Args:
        state_directory: Where everything is kept: journal, logs, registrations. None: ``zdd`` in ``$XDG_STATE_HOME``,
            or in ``~/.local/state``.
        port: Where clients reach the services.
        host: The address that Traefik listens on.

    Raises:
        ConfigurationError: The directory can't be written, or holds a journal of a newer zdd; or an argument is none.
    """

    def __init__(self, state_directory: str | Path | None = None, *, port: int = 8000, host: str = "127.0.0.1") -> None:
        self.state_directory = _directory(state_directory)
        _make_directory(self.state_directory)
        database = self.state_directory / "zdd.sqlite3"
        self.proxy = TraefikProxy(self.state_directory, port=port, host=host)
        self.orchestrator = LocalOrchestrator(self.state_directory)
        self.discovery = TraefikDiscovery(self.proxy)
        self.edge = TraefikEdge(self.proxy)
        self.journal = SqliteJournal(database)
        self.lease = SqliteLease(database)
        self.control = SqliteControl(database)

    def stop_everything(self, stop_grace_s: float = 10.0) -> None:
        """Stop every process of every service here, without draining, then the proxy. The journal and the logs stay.

        Args:
            stop_grace_s: Seconds between the polite signal to stop and the one that can't be refused.
        """
        self.orchestrator.stop_everything(stop_grace_s)
        self.proxy.stop()


def default_state_directory() -> Path:
    """Return ``zdd`` in the user's directory for state.

    Raises:
        ConfigurationError: Nobody knows where that is.
    """
    base = os.environ.get("XDG_STATE_HOME")
    if base:
        return Path(base) / "zdd"
    try:
        return Path.home() / ".local" / "state" / "zdd"
    except RuntimeError:
        raise ConfigurationError(
            "this user has no home directory: use a state_directory, or set HOME or XDG_STATE_HOME"
        ) from None


def _directory(stated: object) -> Path:
    if stated is None:
        return default_state_directory()
    if not isinstance(stated, str | Path) or not str(stated):
        raise ConfigurationError(f"state_directory={stated!r}: use the path of a directory, or None for the usual one")
    return Path(stated)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"state directory {directory} can't be made: {error.strerror}: use another state_directory"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigurationError(f"state directory {directory} can't be written: use another state_directory")
