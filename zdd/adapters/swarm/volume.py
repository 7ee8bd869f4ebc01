"""A source for backups: a named volume of a Docker Engine."""

from __future__ import annotations

import posixpath
import tarfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import cast

import docker  # type: ignore[import-untyped]
from attrs import field, frozen

from zdd.adapters.swarm.connection import Connection, NotThere
from zdd.backup.sealing import ChunkReader
from zdd.backup.source import CHUNK_BYTES, failing_as_backup
from zdd.backup.tricks import refuse_tricks, refuse_tricks_in
from zdd.errors import AdapterError, BackupError, ConfigurationError
from zdd.model.names import check_text

_PLACE = "/zdd-volume"
_BESIDE = ".zdd-restoring-"
_LABEL = "zdd.volume"
_EXCHANGE_S = 600

# $1: the folder with what is put back. All else goes; then its content takes the volume's place.
_EXCHANGE = f"""
set -e
cd {_PLACE}
for name in * .[!.]* ..?*; do
    if [ "$name" != "$1" ] && {{ [ -e "$name" ] || [ -L "$name" ]; }}; then rm -rf -- "$name"; fi
done
cd "$1"
for name in * .[!.]* ..?*; do
    if [ -e "$name" ] || [ -L "$name" ]; then mv -- "$name" ..; fi
done
cd ..
rmdir -- "$1"
chown "$2" .
chmod "$3" .
"""


@frozen
class Volume:
    """A named volume: regular files, directories and symbolic links that stay inside, with their owners.

    A container is made for it on the Engine that holds the volume, and always removed; if the deployer is killed, by
    the next one. To save, nothing runs in it. To restore, the tree is first written beside, in the volume itself, which
    needs room for both; then a shell in the container exchanges the two. If that is interrupted, the volume has parts
    of both until it is done again.

    A file that is written to while it is read may be saved half old and half new: for a database use its own dump.

    Attributes:
        volume: Its name.
        image: An image that is on that Engine and has ``sh``, ``rm``, ``mv``, ``rmdir``, ``chown`` and ``chmod``.
        docker_host: The Engine of the node that holds the volume; None: what the docker client would use.
    """

    volume: str
    image: str
    docker_host: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_text("volume of Volume", self.volume)
        check_text(f"image for volume {self.volume}", self.image)
        if self.docker_host is not None:
            check_text(f"docker_host of volume {self.volume}", self.docker_host)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"volume {self.volume}"

    @property
    def repeats(self) -> bool:
        """The same tree gives the same bytes."""
        return True

    def check(self) -> None:
        """Raise `ConfigurationError` if the Engine has no such volume or image."""
        with closing(Connection(self.docker_host)) as connection:
            fix = "name the Engine of the node that holds it as docker_host"
            _check_there(connection, self.name, lambda api: api.inspect_volume(self.volume), f"volume: {fix}")
            fix = f"image {self.image}: pull it there"
            _check_there(connection, self.name, lambda api: api.inspect_image(self.image), fix)

    def position(self) -> str:
        """Files have no log."""
        return ""

    def save(self) -> Iterator[bytes]:
        """Yield a tar stream.

        Raises:
            BackupError: It can't be read, or has something else than files, directories and links that stay inside.
        """
        with self._helper([]) as (connection, api, helper), connection.mapped("read volume", writes=False):
            data, _ = api.get_archive(helper, f"{_PLACE}/.", CHUNK_BYTES)
            try:
                yield from _members(data, self.name)
            except tarfile.TarError as error:
                raise BackupError(f"{self.name} could not be read: {error}") from None

    def examine(self, data: Iterable[bytes]) -> None:
        """Raise `BackupError` if `load` would refuse these data."""
        refuse_tricks_in(data)

    def load(self, data: Iterable[bytes]) -> None:
        """Write the tree beside, in the volume, then exchange them.

        Raises:
            BackupError: A name leads out of the volume, or something can't be written; says what is there now.
        """
        beside = f"{_BESIDE}{uuid.uuid4().hex[:8]}"
        root: list[tarfile.TarInfo] = []
        try:
            self._put(data, beside, root)
        except BaseException:
            self._run(["sh", "-c", f'rm -rf -- "{_PLACE}/$1"', "sh", beside], "what was written beside is left there")
            raise
        owner, mode = (f"{root[0].uid}:{root[0].gid}", f"{root[0].mode:o}") if root else ("0:0", "755")
        self._run(["sh", "-c", _EXCHANGE, "sh", beside, owner, mode], "it may have parts of both: do it again")

    def _put(self, data: Iterable[bytes], beside: str, root: list[tarfile.TarInfo]) -> None:
        problems: list[BackupError] = []  # as they are: the client would wrap them in its own

        def stream() -> Iterator[bytes]:
            try:
                yield from _moved(data, beside, root)
            except BackupError as problem:
                problems.append(problem)
                raise
            except tarfile.TarError as error:
                problems.append(BackupError(f"what was kept is no tree of files: {error}"))
                raise

        with self._helper([]) as (connection, api, helper):
            try:
                with connection.mapped(f"write into volume {self.volume}", writes=True):
                    api.put_archive(helper, _PLACE, stream())
            except (BackupError, AdapterError, tarfile.TarError) as error:
                raise (problems or [BackupError(f"{self.name} is as it was: {error}")])[0] from error

    def _run(self, words: list[str], otherwise: str) -> None:
        with self._helper(words) as (connection, api, helper):
            with connection.mapped("exchange the content of a volume", writes=True):
                api.start(helper)
                status = api.wait(helper, timeout=_EXCHANGE_S)["StatusCode"]
                said = api.logs(helper, tail=5).decode(errors="replace") if status else ""
            if status:
                raise BackupError(f"{self.name}: {' '.join(said.split()) or f'status {status}'}: {otherwise}")

    @contextmanager
    def _helper(self, words: list[str]) -> Iterator[tuple[Connection, docker.APIClient, str]]:
        """Give a container with the volume, which does not run."""
        with (
            failing_as_backup(self.name),
            closing(Connection(self.docker_host)) as connection,
            connection.client_of_its_own("work with a volume") as api,
        ):
            with connection.mapped("make a container for a volume", writes=True):
                api.inspect_volume(self.volume)  # or it would be made
                for left in api.containers(all=True, quiet=True, filters={"label": f"{_LABEL}={self.volume}"}):
                    api.remove_container(left, v=True, force=True)  # by a deployer that was killed; it may be at work
                helper = api.create_container(
                    self.image,
                    entrypoint=words or ["sh"],
                    command=[],
                    user="0:0",
                    labels={_LABEL: self.volume},
                    host_config=api.create_host_config(binds=[f"{self.volume}:{_PLACE}:nocopy"], network_mode="none"),
                )["Id"]
            try:
                yield connection, api, helper
            finally:
                with connection.mapped("remove the container of a volume", writes=True):
                    api.remove_container(helper, v=True, force=True)  # v: volumes without a name


def _check_there(connection: Connection, name: str, look: Callable[[docker.APIClient], object], lacks: str) -> None:
    try:
        connection.read("look for what a backup needs", look)
    except NotThere:
        raise ConfigurationError(f"{name} can't be backed up: the Engine has no such {lacks}") from None
    except AdapterError as error:
        raise ConfigurationError(f"{name} can't be backed up: {error}") from error


def _members(data: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Yield a tar stream with nothing in it that a restore would not bring back."""
    with tarfile.open(fileobj=cast("tarfile._Fileobj", ChunkReader(data)), mode="r|") as archive:
        for member in archive:
            name = posixpath.normpath(member.name)
            if name.startswith(_BESIDE):  # left by a restore that was interrupted
                continue
            try:
                refuse_tricks(member)
            except BackupError as problem:
                raise BackupError(f"{what} can't be restored safely: {problem}") from None
            yield from _member(archive, member, name, 0 if name == "." else int(member.mtime))
    yield bytes(2 * tarfile.BLOCKSIZE)


def _moved(data: Iterable[bytes], beside: str, root: list[tarfile.TarInfo]) -> Iterator[bytes]:
    """Yield the tree as one that lies in a folder, and tell what the root was like."""
    with tarfile.open(fileobj=cast("tarfile._Fileobj", ChunkReader(data)), mode="r|") as archive:
        for member in archive:
            refuse_tricks(member)
            if posixpath.normpath(member.name) == ".":
                root.append(member)
            yield from _member(archive, member, posixpath.join(beside, member.name), int(member.mtime))
    yield bytes(2 * tarfile.BLOCKSIZE)


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, mtime_s: int) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mtime = member.type, member.linkname, mtime_s
    info.mode, info.uid, info.gid = member.mode, member.uid, member.gid
    info.size = member.size if member.isreg() else 0
    yield info.tobuf(tarfile.PAX_FORMAT)
    source = archive.extractfile(member) if member.isreg() else None
    if source is not None:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk
        yield bytes(-info.size % tarfile.BLOCKSIZE)
