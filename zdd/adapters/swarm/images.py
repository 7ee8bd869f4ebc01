"""Images: built from a Dockerfile, pushed, pinned to their digests, and cleaned away when nobody needs them.

::

    images = Images()
    built = images.build("registry.example.org/web", "web/", arguments={"COLOUR": "blue"})
    pushed = images.push(built)  # registry.example.org/web:1f3a9c…@sha256:…
    release = Release("1f3a9c", Container(pushed, ports={"http": 8080}))

Credentials for registries are those of the docker client: ``docker login`` writes them, and helpers are asked.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from zdd.adapters.swarm.connection import TIMEOUT_S, Connection
from zdd.adapters.swarm.endpoint import Endpoint
from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.image_tag import content_tag
from zdd.adapters.swarm.observed import seconds
from zdd.adapters.swarm.revisions import images_of_revisions
from zdd.adapters.swarm.specification import pinned
from zdd.errors import AdapterError, ConfigurationError, PermanentError, TemporaryError
from zdd.model.names import check_number, environment_texts

Json = dict[str, Any]

_REPOSITORY = re.compile(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")
_LINES_KEPT = 8


@frozen
class ImageProgress:
    """What the Engine says while it builds or pushes.

    Attributes:
        image: Which image.
        doing: ``build`` or ``push``.
        text: One line in the Engine's own words.
        layer: The layer that it is about; empty for none.
        done_bytes: How much of the layer is done; 0 if not known.
        total_bytes: How large the layer is; 0 if not known.
    """

    image: str
    doing: str
    text: str
    layer: str = ""
    done_bytes: int = 0
    total_bytes: int = 0


@frozen
class CleanedImages:
    """What `Images.clean` did.

    Attributes:
        removed: The names that were removed.
        kept: Names that could have gone, and why they did not, in the Engine's own words.
    """

    removed: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(factory=dict)


class Images:
    """The images of an Engine, and their way into a registry.

    Args:
        docker_host: The Engine; None: what the docker client would use.
        listener: Is called with every line that the Engine says while it builds or pushes.
        timeout_s: Seconds that the Engine may be silent.
        deadline_s: Seconds within which a build or a push must have ended.
    """

    def __init__(
        self,
        docker_host: str | Endpoint | None = None,
        *,
        listener: Callable[[ImageProgress], None] | None = None,
        timeout_s: float = 120.0,
        deadline_s: float = 1800.0,
    ) -> None:
        check_number("timeout_s", timeout_s, least=0)
        check_number("deadline_s", deadline_s, least=0)
        self._docker_host = docker_host
        self._connection = Connection(docker_host, timeout_s)
        self._engine = Engine(docker_host, timeout_s=max(timeout_s, TIMEOUT_S))
        self._listener = listener
        self._deadline_s = deadline_s

    def close(self) -> None:
        """Close the connections to the Engine."""
        self._connection.close()
        self._engine.close()

    def build(
        self,
        repository: str,
        directory: str | Path,
        *,
        dockerfile: str = "Dockerfile",
        arguments: Mapping[str, str] | None = None,
        target: str = "",
        tag: str | None = None,
    ) -> str:
        """Build an image with the Engine's classic builder, and return its name with its tag.

        Args:
            repository: Where it belongs, for example ``registry.example.org/web``.
            directory: The folder that the Dockerfile sees. Its ``.dockerignore`` counts.
            dockerfile: The Dockerfile's path in there.
            arguments: Build arguments. Whoever has the image can read them: they are no place for a secret.
            target: The stage at which to stop; empty: the last.
            tag: None: what names the content. That is the git revision in a git work tree, else a hash of the files;
                build arguments and target count too.

        Raises:
            ConfigurationError: A name is illegal, a file is missing, or the folder has changes that are not committed.
            PermanentError: The build failed; with the last lines that it wrote.
            TemporaryError: The Engine can't be reached, or did not end by the deadline.
        """
        folder = Path(directory)
        texts = environment_texts(arguments or {}, "build argument")
        _check_repository(repository)
        if not (folder / dockerfile).is_file():
            raise ConfigurationError(f"{folder / dockerfile} is missing: say where the Dockerfile is")
        if tag is None:
            tag = content_tag(folder, dockerfile, target, texts)
        if not _TAG.fullmatch(tag):
            raise ConfigurationError(f"tag {tag!r} of {repository}: use letters, digits, dots and dashes, at most 128")
        image = f"{repository}:{tag}"
        self._connection.read(
            f"build {image}",
            lambda api: self._follow(
                image, "build",
                api.build(
                    path=str(folder), dockerfile=dockerfile, tag=image, buildargs=texts, target=target or None,
                    rm=True, forcerm=True, decode=True, timeout=self._deadline_s,
                ),
            ),
        )  # fmt: skip
        return image

    def push(self, image: str) -> str:
        """Push an image, and return its name with the digest by which the registry knows it.

        Raises:
            ConfigurationError: The name has no tag.
            PermanentError: The registry refuses; in its own words.
            TemporaryError: The Engine can't be reached, or did not end by the deadline.
        """
        repository, tag = _split(image)
        said = self._connection.read(
            f"push {image}",
            lambda api: self._follow(image, "push", api.push(repository, tag=tag, stream=True, decode=True)),
        )
        digests = [line["aux"]["Digest"] for line in said if "Digest" in (line.get("aux") or {})]
        if not digests:
            raise PermanentError(f"push {image}: the Engine did not say under which digest")
        return f"{image}@{digests[-1]}"

    def pin(self, image: str) -> str:
        """Return the image's name with the digest that its registry has for it now.

        Raises:
            AdapterError: It can't be had; in the registry's own words.
        """
        return pinned(image, self._engine.distribution(image)).name

    def clean(self, repository: str, *, keep: int = 5, needed: Collection[str] | None = None) -> CleanedImages:
        """Remove this repository's images from the Engine, but the newest and those that somebody needs.

        Args:
            repository: As for `build`.
            keep: How many of the newest stay.
            needed: Images that stay whatever their age. None: those of every service of the swarm, and of every
                revision that it keeps for going back to.

        Raises:
            ConfigurationError: The repository's name is illegal, or nothing would be kept.
            AdapterError: The Engine can't say what there is, or what is needed.
        """
        _check_repository(repository)
        check_number("keep", keep, least=1, whole=True)
        wanted = images_of_revisions(self._engine) if needed is None else needed
        marks = {mark for image in wanted for mark in _marks(image)}
        found: list[Json] = self._connection.read("list images", lambda api: api.images(name=repository))
        newest_first = sorted(found, key=self._built_s, reverse=True)
        removed: list[str] = []
        kept: dict[str, str] = {}
        for image in newest_first[keep:]:
            names = _names(image, repository)
            if marks.isdisjoint(mark for name in names for mark in _marks(name)):
                self._remove(names, removed, kept)
            else:
                kept |= dict.fromkeys(names, "a revision that is kept needs it")
        return CleanedImages(tuple(removed), kept)

    def _built_s(self, image: Json) -> float:
        """Return when it was built; a list tells it in whole seconds, in which several can have been built."""
        built: Json = self._connection.read("inspect image", lambda api: api.inspect_image(image["Id"]))
        return seconds(str(built["Created"]))

    def _remove(self, names: Iterable[str], removed: list[str], kept: dict[str, str]) -> None:
        for name in names:
            try:
                self._connection.write("remove image", functools.partial(_remove_image, name))
            except AdapterError as error:
                kept[name] = str(error)
            else:
                removed.append(name)

    def _follow(self, image: str, doing: str, lines: Iterable[Json]) -> list[Json]:
        """Read what the Engine says to its end, and return it."""
        until_s = time.monotonic() + self._deadline_s
        seen: list[Json] = []
        texts: list[str] = []
        for line in lines:
            seen.append(line)
            if "error" in line:
                raise PermanentError(f"{doing} {image}: {_failure(line)}{_after(texts)}")
            progress = _progress(image, doing, line)
            if progress.text:
                texts.append(progress.text)
                if self._listener is not None:
                    self._listener(progress)
            if time.monotonic() > until_s:
                raise TemporaryError(f"{doing} {image}: not at its end within {self._deadline_s:g} s")
        return seen


def _remove_image(name: str, api: Any) -> None:
    api.remove_image(name)


def _progress(image: str, doing: str, line: Json) -> ImageProgress:
    detail = line.get("progressDetail") or {}
    text = str(line.get("stream") or line.get("status") or "").strip()
    return ImageProgress(
        image, doing, text, str(line.get("id") or ""), int(detail.get("current") or 0), int(detail.get("total") or 0)
    )


def _failure(line: Json) -> str:
    return str((line.get("errorDetail") or {}).get("message") or line["error"]).strip()


def _after(texts: list[str]) -> str:
    return "".join(f"\n  {text}" for text in texts[-_LINES_KEPT:])


def _check_repository(repository: str) -> None:
    if not isinstance(repository, str) or not _REPOSITORY.fullmatch(repository):
        raise ConfigurationError(
            f"repository {repository!r}: use small letters and no tag, for example registry.example.org/web"
        )


def _split(image: str) -> tuple[str, str]:
    repository, _, tag = image.partition("@")[0].rpartition(":")
    if not repository or "/" in tag:
        raise ConfigurationError(f"image {image!r} has no tag: push what build returned")
    return repository, tag


def _names(image: Json, repository: str) -> list[str]:
    found = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
    return [name for name in found if re.split(r"[@]|:(?!.*/)", name)[0] == repository]


def _marks(image: str) -> set[str]:
    """Return by what an image is recognized: its digest if it is known, else its name with its tag."""
    name, _, digest = image.partition("@")
    return {digest} if digest else {name}
