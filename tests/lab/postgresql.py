"""A PostgreSQL server of its own on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from attrs import define, field
from guard import guarded_process
from packages import NoLab, run, unpacked

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
USER = "zdd"


def find_postgresql() -> Path:
    """Return the folder of PostgreSQL's programs: the machine's own, or unpacked from the distribution's packages.

    Raises:
        NoLab: They can't be had here.
    """
    for root in (Path("/"), None):
        base = root or unpacked("postgresql", ("postgresql",))
        found = sorted(base.glob("usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.parts[-3]))
        if found:
            return found[-1].parent
    raise NoLab("the distribution's package postgresql has no program postgres")


@define(eq=False)
class LabPostgresql:
    """A server with an empty database, and what clients need in their environment.

    Attributes:
        programs: The folder of its programs.
        directory: Where its data and its log are.
    """

    programs: Path
    directory: Path
    port: int = field(init=False, default=0)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What programs of PostgreSQL read to find it, and their libraries where they were unpacked."""
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER, "PGDATABASE": "postgres"}
        return {"PATH": f"{self.programs}:{os.environ['PATH']}", **where, **self._libraries()}

    def start(self) -> None:
        """Make the database, start the server, and wait until it answers."""
        run(*self._unprivileged("initdb"), "-D", str(self._data), "-A", "trust", "-U", USER, "--no-sync",
            environment={**os.environ, **self._libraries()})  # fmt: skip
        self._serve()

    def follow(self, primary: LabPostgresql) -> None:
        """Become a replica of another server, to which no commit counts any more that this one does not have."""
        words = ["-D", str(self._data), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        run(*self._unprivileged("pg_basebackup"), *words, environment=primary._client_environment())
        self._serve()
        primary.ask("alter system set synchronous_standby_names = '*'")
        primary.ask("select pg_reload_conf()")
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while primary.ask("select sync_state from pg_stat_replication") != ["sync"]:
            if time.monotonic() > deadline_s:
                raise NoLab("the replica does not follow")
            time.sleep(0.05)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _serve(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": ""}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = self.directory / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*self._unprivileged("postgres"), "-D", str(self._data), *words],
                env={**os.environ, **self._libraries()}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        guarded_process(self._process.pid)
        deadline_s = time.monotonic() + START_TIMEOUT_S
        asked = [str(self.programs / "pg_isready"), "-q"]
        while subprocess.run(asked, env=self._client_environment(), check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise NoLab(f"PostgreSQL did not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.05)

    def ask(self, statement: str) -> list[str]:
        """Run a statement and return its rows."""
        words = ("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)
        return run(*words, environment=self._client_environment()).split("\n")[:-1]

    def kill(self) -> None:
        """End it as a power failure does: all of its processes at once."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for victim in (self._process.pid, *map(int, children)):
            os.kill(victim, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it; clients are cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _client_environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def _unprivileged(self, program: str) -> list[str]:
        """Return the words that run a program as the owner of the data, but not as root, which PostgreSQL refuses."""
        words = [str(self.programs / program)]
        if os.geteuid() == 0:  # a user namespace: the files still belong to root outside
            return ["unshare", "--user", "--map-user=1000", "--map-group=1000", *words]
        return words

    def _libraries(self) -> dict[str, str]:
        root = self.programs.parents[4]
        if root == Path("/"):
            return {}
        found = [str(path) for path in sorted((root / "usr/lib").glob("*-linux-*"))]
        return {"LD_LIBRARY_PATH": ":".join(found)}
