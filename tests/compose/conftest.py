"""A project's folder to write compose files into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from zdd.compose import read_stack
from zdd.errors import ConfigurationError
from zdd.stacks.stack import Stack, StackService


@frozen
class Project:
    """A folder with compose files."""

    directory: Path

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def stack(self, *texts: str, variables: Mapping[str, str] | None = None) -> Stack:
        """Read the texts as files that are merged."""
        files = [self.write(f"compose-{number}.yml", text) for number, text in enumerate(texts)]
        return read_stack("shop", files, variables=variables or {})

    def service(self, text: str, **options: Any) -> StackService:
        """Read one service called web; the text is what it says, indented by two."""
        lines = "".join(f"    {line}\n" for line in text.splitlines())
        return self.stack(f"services:\n  web:\n    image: web:1\n{lines}", **options).services[0]

    def spec(self, text: str, **options: Any) -> dict[str, Any]:
        found = self.service(text, **options).release.workload["service_spec"]
        return dict(found)

    def refusal(self, text: str) -> str:
        """Read the text as a file; return why it is refused, from the line on."""
        file = self.write("compose.yml", text)
        with pytest.raises(ConfigurationError) as caught:
            read_stack("shop", [file], variables={})
        assert str(caught.value).startswith(f"{file}:")
        return str(caught.value).removeprefix(f"{file}:")

    def service_refusal(self, text: str) -> str:
        """Return why a service that says this, in its line 4, is refused."""
        return self.refusal(f"services:\n  web:\n    image: web:1\n    {text}")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
