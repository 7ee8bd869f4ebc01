"""What to run: a release as the user states it, and a revision as zdd keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.gate import Gate, gate_tuple
from zdd.model.names import check_flag, command_words, directory_text, environment_texts, names_only

VERSION_LENGTH_MAX = 128

Specification = Mapping[str, Any]
"""What an orchestrator needs in order to run an instance, as plain data; the key ``kind`` says whose it is."""


def kind_only(specification: Specification) -> str:
    """Return it as a ``repr`` shows it. The rest is long, and what is in an environment may be secret."""
    return f"{{'kind': {specification.get('kind')!r}, …}}"


class Workload(Protocol):
    """What to run, in one orchestrator's own terms."""

    def specification(self) -> Specification:
        """Return it as plain data that JSON can carry."""


@frozen
class Process:
    """A local process.

    Attributes:
        command: The program and its arguments; no shell is involved.
        environment: Added to a small safe environment (``PATH``, ``HOME``, ``LANG``, ``USER``, ``TMPDIR``, ``TZ``).
        directory: The working directory; None: a directory of the instance's own.

    Raises:
        ConfigurationError: The command is empty or not words, or the environment isn't text.
    """

    command: Sequence[str] = field(converter=command_words)
    environment: Mapping[str, str] = field(factory=dict, converter=environment_texts, repr=names_only)
    directory: str | None = field(default=None, converter=directory_text)

    def specification(self) -> Specification:
        """Return it as plain data."""
        return {
            "kind": "process",
            "command": list(self.command),
            "environment": dict(self.environment),
            "directory": self.directory,
        }


def _specification(value: Workload | Specification) -> Specification:
    if isinstance(value, type) or not (isinstance(value, Mapping) or hasattr(value, "specification")):
        raise ConfigurationError(f"workload {value!r}: use an object such as zdd.Process(['python3', 'server.py'])")
    data = value if isinstance(value, Mapping) else value.specification()
    try:
        return dict(json.loads(json.dumps(data, allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"workload {value!r} can't be written down as JSON: {error}") from None


def _optional_gates(value: Iterable[Gate] | None) -> tuple[Gate, ...] | None:
    return None if value is None else gate_tuple(value)


@frozen
class Release:
    """What the user wants to run.

    Attributes:
        version: What people call it.
        workload: What to run, for example a `Process`.
        gates: What an instance of this release must pass; None: what the service says.
        changes_data: Once it has run, older releases may not understand the data any more, so that going back has to
            restore them: all of the service is stopped for it, and what was written since the backup is lost.

    Raises:
        ConfigurationError: The version isn't one line of text, or the workload can't be written down.
    """

    version: str
    workload: Specification = field(converter=_specification, repr=kind_only)
    gates: tuple[Gate, ...] | None = field(default=None, converter=_optional_gates)
    changes_data: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        legal = isinstance(self.version, str) and self.version.strip() == self.version and self.version.isprintable()
        if not legal or not 0 < len(self.version) <= VERSION_LENGTH_MAX:
            raise ConfigurationError(
                f"version {self.version!r}: use one line of text of at most {VERSION_LENGTH_MAX} characters"
            )
        check_flag(f"changes_data of release {self.version}", self.changes_data)


@frozen
class Revision:
    """A release that was deployed, or is about to be. Its id is unique to the deployment that made it.

    Attributes:
        id: Unique, so that a forced restart of one version can tell the rising instances from the falling ones.
        version: What people call it.
        workload: What to run, whole.
        gates: What its instances must pass before they get traffic.
        ports: The names of the ports that its instances have; none: not known, or no ports.
        changes_data: Going back from it has to restore the data.
    """

    id: str
    version: str
    workload: Specification = field(repr=kind_only)
    gates: tuple[Gate, ...] = ()
    ports: tuple[str, ...] = ()
    changes_data: bool = False

    @property
    def digest(self) -> str:
        """Equal for two revisions that run the same thing, at the same ports, under the same name."""
        text = json.dumps([self.version, self.workload, self.ports], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
