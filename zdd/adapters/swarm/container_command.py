"""A source for backups: what a command prints in a running container of a Swarm service, and another one reads."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import docker  # type: ignore[import-untyped]
from attrs import field, frozen
from docker.utils.socket import frames_iter  # type: ignore[import-untyped]

from zdd.adapters.swarm.connection import Connection
from zdd.adapters.swarm.endpoint import find_endpoint
from zdd.backup.command_output import NOTE_CHARACTERS
from zdd.backup.sealing import ChunkReader
from zdd.backup.source import CHUNK_BYTES, failing_as_backup
from zdd.errors import AdapterError, BackupError, ConfigurationError, PermanentError
from zdd.model.names import command_words, environment_texts, names_only

_SERVICE = "com.docker.swarm.service.name"
_HEAD = struct.Struct(">BxxxL")  # which stream, and how many bytes of it follow
_OUTPUT, _ERRORS = 1, 2
_NOT_RUN = b"OCI runtime exec failed"  # the Engine says this as if the command had printed it
_ENDS_WITHIN_S = 10.0
_POLL_S = 0.05
_STILL_THERE_S = 1.0


def _optional_words(value: Sequence[str] | None) -> tuple[str, ...]:
    return command_words(value) if value else ()


@frozen
class ContainerCommand:
    """What a command prints in the container of a Swarm service, such as a database's dump; another one reads it.

    Name the database's own service: a restore runs while nothing of the service runs that is deployed. The service has
    one container on the Engine that is asked. The commands run without a shell.

    Attributes:
        service: The Swarm service whose container runs the commands.
        dump: Prints the data. Exit status 0 means that they are whole.
        restore: Reads the data and replaces what is there by them, as a whole or not at all.
        log_position: Prints how far the data are by their own account, on one line: a log position. None: not known.
        environment: Added to the container's. Programs are looked for on the container's own PATH all the same.
        docker_host: The Engine of the node on which the container runs; None: what the docker client would use. By
            socket or SSH: with TLS, the end of the data can't be told to the command.
        silence_s: Seconds within which a command must print something or end.
    """

    service: str
    dump: tuple[str, ...] = field(converter=command_words, kw_only=True)
    restore: tuple[str, ...] = field(converter=command_words, kw_only=True)
    log_position: tuple[str, ...] = field(default=(), kw_only=True, converter=_optional_words)
    environment: Mapping[str, str] = field(factory=dict, kw_only=True, converter=environment_texts, repr=names_only)
    docker_host: str | None = field(default=None, kw_only=True)
    silence_s: float = field(default=600.0, kw_only=True)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"service {self.service}"

    @property
    def repeats(self) -> bool:
        """A dump may differ in its order or its comments."""
        return False

    def check(self) -> None:
        """Raise `ConfigurationError` if the service does not have one container on that Engine."""
        endpoint = find_endpoint(self.docker_host)
        if endpoint.certificates is not None:
            raise ConfigurationError(f"{self.name} can't be backed up at {endpoint}: use its socket, or ssh://")
        try:
            with closing(Connection(endpoint)) as connection:
                connection.read("look for a container", self._container)
        except AdapterError as error:
            raise ConfigurationError(f"{self.name} can't be backed up: {error}") from error

    def position(self) -> str:
        """Return the last line that the command prints; empty if there is no such command.

        Raises:
            BackupError: It fails.
        """
        if not self.log_position:
            return ""
        lines = b"".join(self._printed(self.log_position)).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:NOTE_CHARACTERS]

    def save(self) -> Iterator[bytes]:
        """Yield what `dump` prints.

        Raises:
            BackupError: It can't be run, or ends with another status than 0.
        """
        return self._printed(self.dump)

    def load(self, data: Iterable[bytes]) -> None:
        """Give the data to `restore`.

        Raises:
            BackupError: It can't be run, or ends with another status than 0.
        """
        said: list[bytes] = []
        with self._created(self.restore, reads=True) as (api, command):
            held = api.exec_start(command, socket=True)
            listener = threading.Thread(target=_listen, args=(held, said))
            with closing(held._sock) as pipe, closing(held):  # as itself it only reads
                pipe.settimeout(_STILL_THERE_S)
                listener.start()
                try:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its status says why it ended
                        self._send(api, command, pipe, data)
                        pipe.shutdown(socket.SHUT_WR)
                except BaseException:
                    pipe.shutdown(socket.SHUT_RDWR)
                    raise
                finally:
                    listener.join()
            self._check_end(api, command, self.restore, b"".join(said))

    def _send(self, api: docker.APIClient, command: str, pipe: socket.socket, data: Iterable[bytes]) -> None:
        """Send the data for as long as the command is there: the Engine takes a while to say that it has gone."""
        for chunk in data:
            rest = memoryview(chunk)
            deadline_s = time.monotonic() + self.silence_s
            while rest:
                try:
                    rest = rest[pipe.send(rest) :]
                except TimeoutError:
                    if not api.exec_inspect(command)["Running"]:
                        return
                    if time.monotonic() > deadline_s:
                        raise BackupError(f"{self.name}: {self.restore[0]} reads nothing any more") from None

    def _printed(self, words: tuple[str, ...]) -> Iterator[bytes]:
        errors = b""
        with self._created(words, reads=False) as (api, command):
            # Read as an ordinary answer: what arrives together with its header is lost to who reads the socket.
            address = f"{api.base_url}/v{api.api_version}/exec/{command}/start"
            with api.post(address, json={"Detach": False, "Tty": False}, stream=True, timeout=self.silence_s) as answer:
                answer.raise_for_status()
                reader = ChunkReader(answer.iter_content(CHUNK_BYTES))
                while head := reader.read(_HEAD.size):
                    stream, length = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
                    piece = reader.read(length)
                    if stream not in (_OUTPUT, _ERRORS) or len(piece) < length:
                        raise BackupError(f"{self.name}: what {words[0]} prints is cut short")
                    if stream == _OUTPUT:
                        yield piece
                    if stream == _ERRORS or piece.startswith(_NOT_RUN):
                        errors = (errors + piece)[-4 * NOTE_CHARACTERS :]
            self._check_end(api, command, words, errors)

    @contextmanager
    def _created(self, words: tuple[str, ...], *, reads: bool) -> Iterator[tuple[docker.APIClient, str]]:
        """Give a command in the container that is not started yet."""
        with (
            failing_as_backup(self.name),
            closing(Connection(self.docker_host, self.silence_s)) as connection,
            connection.client_of_its_own("run a command in a container") as api,
            connection.mapped(f"run {words[0]} in a container", writes=True),
        ):
            container = self._container(api)
            yield api, api.exec_create(container, list(words), stdin=reads, environment=dict(self.environment))["Id"]

    def _container(self, api: docker.APIClient) -> str:
        found = api.containers(filters={"label": f"{_SERVICE}={self.service}", "status": "running"})
        if len(found) != 1:
            raise PermanentError(
                f"{len(found)} of its containers run on this Engine, not one: name its node's Engine as docker_host"
            )
        return str(found[0]["Id"])

    def _check_end(self, api: docker.APIClient, command: str, words: tuple[str, ...], errors: bytes) -> None:
        deadline_s = time.monotonic() + _ENDS_WITHIN_S
        while (ended := api.exec_inspect(command))["Running"]:
            if time.monotonic() > deadline_s:
                raise BackupError(f"{self.name}: {words[0]} closed its output and runs on")
            time.sleep(_POLL_S)
        if ended["ExitCode"] != 0:
            said = " ".join(errors.decode(errors="replace").split())[-NOTE_CHARACTERS:]
            raise BackupError(
                f"{self.name}: {words[0]} ended with status {ended['ExitCode']}" + (f": {said}" if said else "")
            )


def _listen(held: socket.SocketIO, said: list[bytes]) -> None:
    """Read what a command says until it ends, so that it is never stopped by that; keep the end of it."""
    with contextlib.suppress(OSError):  # closed: its status is asked for anyway
        for _, piece in frames_iter(held, tty=False):
            said[:] = [b"".join([*said, piece])[-4 * NOTE_CHARACTERS :]]
