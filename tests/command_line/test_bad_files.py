"""Compose files that can't be deployed: one message with file, line and column, status 2, and nothing is asked or made.

The engine and Consul that are named do not exist, so whoever asked them would end with another message and status 1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zdd.command_line.main import main

WEB = "services:\n  web:\n    image: web:1\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)
CIRCLE = """services:
  a: {image: "a:1", depends_on: [b]}
  b: {image: "b:1", depends_on: [c]}
  c: {image: "c:1", depends_on: [a]}
"""
CASES = {
    "malformed": ("services:\n  web: {image: web:1\n  db: {image: db:1}\n", "{file}:3:5: "),
    "a tab": ("services:\n\tweb: {image: web}\n", "{file}:2:1: "),
    "not UTF-8": (b"services:\n  web: {image: \xff}\n", "{file}:2: byte 0xff is no UTF-8"),
    "empty": ("", "{file} is empty: a compose file has keys such as services:"),
    "a list": ("- web\n", "{file} is no mapping"),
    "two documents": (f"{WEB}---\n{WEB}", "{file}:4:1: a second document"),
    "a key twice": (f"{WEB}    image: web:2\n", "{file}:4:5: key 'image' is stated twice, before at {file}:3:5"),
    "an unknown key": (f"{WEB}    imag: web\n", "{file}:4:5: services.web has the unknown key 'imag': did you mean"),
    "an unknown key of zdd's": (f"{WEB}    x-zdd: {{flor: 1}}\n", "{file}:4:13: services.web.x-zdd.flor"),
    "an unknown key at the top": (f"{WEB}servces: {{}}\n", "{file}:4:1: the file has the unknown key 'servces'"),
    "a wrong type": (f"{WEB}    deploy: {{replicas: many}}\n", '{file}:4:14: services.web.deploy.replicas is "many"'),
    "no image": ("services:\n  web: {command: run}\n", "{file}:2:3: web: it has no image"),
    "an image that is none": ("services:\n  web: {image: 'a b'}\n", "{file}:2:9: web: image 'a b' is none"),
    "a circle": (CIRCLE, "{file}:1:1: shop-a → shop-b → shop-c → shop-a depend on each other"),
    "depends on nothing": (f"{WEB}    depends_on: [db]\n", "{file}:4:5: web depends on 'db', which is not there"),
    "a missing variable": (f"{WEB}    user: $NOWHERE_SET\n", "{file}:4:5: variable NOWHERE_SET is not set"),
    "a demanded variable": (f"{WEB}    user: ${{NOWHERE_SET:?who}}\n", "{file}:4:5: "),
    "a missing env file": (f"{WEB}    env_file: none.env\n", "{file}:4:5: "),
    "a missing secret": (f"{WEB}secrets: {{key: {{file: key.txt}}}}\n", "{file}:4:17: file key.txt is not there"),
    "a path that leaves": (
        f"{WEB}secrets: {{key: {{file: ../../../etc/passwd}}}}\n",
        "{file}:4:17: file ../../../etc/passwd is outside of",
    ),
    "an absolute path": (f"{WEB}    env_file: /etc/passwd\n", "{file}:4:5: "),
    "a bomb of aliases": (f"{BOMB}{WEB}", "more than 50,000 values, with its aliases written out"),
    "too deep": (f"x-a: {'[' * 5000}", "{file}:1:46: nested more than 40 deep"),
    "too many values": (f"{WEB}x-a: [{'1, ' * 60_000}1]", "{file}:4:"),
    "10 MB": (f"{WEB}x-a: {'x' * 10_000_000}\n", "{file} has 10,000,0"),
    "a job": (f"{WEB}    deploy: {{mode: replicated-job}}\n", "{file}:4:14: "),
}


def files(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, on a machine on which there is neither engine nor Consul."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "127.0.0.1:1")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    return folder


@pytest.mark.parametrize("command", ["plan", "deploy"])
@pytest.mark.parametrize("name", CASES)
def test_a_file_that_cannot_be_deployed_is_one_message(
    name: str, command: str, nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, expected = CASES[name]
    file = nowhere / "compose.yml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = files(nowhere.parent)
    assert main([command, "shop", "--file", "compose.yml"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("zdd: ")
    assert expected.format(file="compose.yml") in said.err
    assert len(said.err) < 1000
    assert said.err.count("\n") == 1
    assert files(nowhere.parent) == before


def link_outside(folder: Path) -> None:
    (folder / "key.txt").symlink_to("/etc/passwd")
    (folder / "compose.yml").write_text(f"{WEB}secrets: {{key: {{file: key.txt}}}}\n")


def unreadable(folder: Path) -> None:
    (folder / "compose.yml").mkdir()


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no file": (lambda _: None, "compose file compose.yml can't be read: No such file or directory"),
    "a folder": (unreadable, "compose file compose.yml can't be read: Is a directory"),
    "a link that leaves": (link_outside, "compose.yml:4:17: file key.txt is outside of the project's folder"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_file_that_cannot_be_read_is_one_message(
    name: str, nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, expected = PLACES[name]
    make(nowhere)
    assert main(["deploy", "shop", "--file", "compose.yml"]) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert said.err.count("\n") == 1


def test_a_stack_that_can_be_read_gets_as_far_as_consul(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise the others would prove nothing."""
    (nowhere / "compose.yml").write_text(WEB)
    assert main(["deploy", "shop", "--file", "compose.yml"]) != 0
    assert "http://127.0.0.1:1: Consul can't be reached" in capsys.readouterr().err
