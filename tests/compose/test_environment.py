"""A service's environment: its files, its own lines, and the deployer's."""

from __future__ import annotations

from typing import Any

import pytest

REFUSED = [
    ("env_file: missing.env", "4:5: file missing.env is not there"),
    ("env_file: ../outside.env", "4:5: file ../outside.env is outside of the project's folder"),
    ("env_file: link.env", "4:5: file link.env is outside of the project's folder"),
    ("env_file: bad.env", "4:5: bad.env:2: 'a b=c' is no NAME=text"),
    ("env_file: .", "4:5: file . is not there"),
    ("env_file: latin.env", "4:5: file latin.env is no UTF-8"),
    ("env_file: large.env", "4:5: file large.env has more than 1,048,576 bytes"),
    ("environment: [=x]", "4:5: environment variable '': give it a name, and plain text"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_no_environment_is_refused(project: Any, text: str, message: str) -> None:
    project.write("bad.env", "A=1\na b=c\n")
    project.write("latin.env", b"A=\xff\n")
    project.write("large.env", b"A" * (1 << 20) + b"=")
    (project.directory.parent / "outside.env").write_text("A=1\n")
    (project.directory / "link.env").symlink_to(project.directory.parent / "outside.env")
    assert project.service_refusal(text).startswith(message)


def environment(project: Any, text: str) -> list[str]:
    inside = project.spec(text, variables={"HERE": "deployer"})["TaskTemplate"]["ContainerSpec"]
    found: list[str] = inside["Env"]
    return found


def test_later_files_go_before_earlier_ones_and_its_own_lines_before_files(project: Any) -> None:
    project.write("a.env", "# words\n\nA=a\nB=a\nC=a\n")
    project.write("sub/b.env", "B=b\r\nC=b\n")
    assert environment(project, "env_file: [a.env, sub/b.env]\nenvironment: [C=own]") == ["A=a", "B=b", "C=own"]


def test_what_has_no_value_has_the_deployer_s(project: Any) -> None:
    assert environment(project, "environment: [HERE, GONE, X=]") == ["GONE", "HERE=deployer", "X="]
    project.write("a.env", "HERE\nGONE\n")
    assert environment(project, "env_file: a.env\nenvironment: [X=1]") == ["HERE=deployer", "X=1"]
