"""A source for backups: everything that Consul's servers keep, as one snapshot."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator

from attrs import field, frozen

from zdd.adapters.consul.connection import NOT_FOUND, OK
from zdd.adapters.consul.store import CONSISTENT, DEFAULT_PREFIX
from zdd.adapters.consul.tree import open_connection
from zdd.backup.source import failing_as_backup
from zdd.errors import AdapterError, BackupError, ConfigurationError

_RIGHT = "management, such as the policy global-management"
_SUMS = "SHA256SUMS"


@frozen
class ConsulSnapshot:
    """Everything that Consul's servers keep: keys, sessions, services, ACLs. It is held in memory, 64 MiB at most.

    Putting it back takes everything in that Consul back, what other services wrote among it. So it is refused for a
    Consul in which zdd keeps its own journal and lease: they would be taken back too. Use `ConsulTree` there.

    Attributes:
        address: The agent, as `ConsulConnection` takes it.
        token_file: A file with the ACL token, which needs to be one for management. Empty: no token.
        ca_file: The authority that has signed the agent's certificate. Empty: those that the machine trusts.
        timeout_s: Seconds within which each request must be answered completely.
    """

    address: str = "http://127.0.0.1:8500"
    token_file: str = field(default="", kw_only=True)
    ca_file: str = field(default="", kw_only=True)
    timeout_s: float = field(default=60.0, kw_only=True)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"Consul at {self.address}"

    @property
    def repeats(self) -> bool:
        """Every snapshot has another time and index."""
        return False

    def check(self) -> None:
        """Raise `ConfigurationError` if Consul can't be asked, or has what zdd keeps for itself."""
        connection = open_connection(self.address, self.token_file, self.ca_file, self.timeout_s)
        try:
            own = connection.ask(f"/v1/kv/{DEFAULT_PREFIX}/", parameters={"keys": "", **CONSISTENT}, right=_RIGHT)
        except AdapterError as error:
            raise ConfigurationError(f"{self.name} can't be backed up: {error}") from error
        if own.status != NOT_FOUND:
            raise ConfigurationError(
                f"{self.name} has zdd's own journal and lease, which a snapshot that is put back would take back too: "
                "use ConsulTree for the keys that the service writes"
            )

    def position(self) -> str:
        """Return the index of the servers' log; empty where the agent is a client, which has none.

        Raises:
            BackupError: It can't be asked.
        """
        connection = open_connection(self.address, self.token_file, self.ca_file, self.timeout_s)
        with failing_as_backup(self.name):
            known = connection.ask("/v1/agent/self", right=_RIGHT).json(dict)
        return str(((known.get("Stats") or {}).get("raft") or {}).get("last_log_index") or "")

    def save(self) -> Iterator[bytes]:
        """Yield the snapshot, as `consul snapshot save` writes it, after its own checksums were compared.

        Raises:
            BackupError: It can't be had as a whole.
        """
        connection = open_connection(self.address, self.token_file, self.ca_file, self.timeout_s)
        with failing_as_backup(self.name):
            answer = connection.ask("/v1/snapshot", right=_RIGHT)
        if answer.status != OK:
            raise BackupError(f"{answer.what} was answered with {answer.status}")
        _check_sums(answer.body, answer.what)
        yield answer.body

    def load(self, data: Iterable[bytes]) -> None:
        """Put everything back as it was.

        Raises:
            BackupError: What was kept is no snapshot, and nothing was changed; or Consul did not take it.
        """
        whole = b"".join(data)
        _check_sums(whole, "what was kept")
        connection = open_connection(self.address, self.token_file, self.ca_file, self.timeout_s)
        with failing_as_backup(f"{self.name} did not say that it has put the snapshot back"):
            connection.tell("/v1/snapshot", whole, right=_RIGHT)


def _check_sums(data: bytes, what: str) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            parts = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
            found = {name: hashlib.sha256(part.read()).hexdigest() for name, part in parts.items() if part}
            sums = archive.extractfile(_SUMS)
            lines = sums.read().decode().splitlines() if sums else []
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError, zlib.error) as error:
        raise BackupError(f"{what} is no whole snapshot of Consul: {error}") from None
    told = {name: total for total, _, name in (line.partition("  ") for line in lines)}
    if not told or told != {name: total for name, total in found.items() if name != _SUMS}:
        raise BackupError(f"{what} is no whole snapshot of Consul: its checksums don't match")
