"""What a supervisor is told of a program: its ports, its surroundings, and when to start it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.local.program import Program, Restarts, base_environment

HERE = Path("/srv/web.0001")


def told(ports: dict[str, int] | None = None, **said: Any) -> dict[str, Any]:
    specification = Program(**{"name": "web.0001", "command": ["server"], **said}).specification(HERE, ports or {})
    assert json.loads(json.dumps(specification)) == specification, "the supervisor reads it from a file"
    return specification


@pytest.mark.parametrize(
    ("ports", "variables"),
    [
        ({}, {}),
        ({"http": 8001}, {"PORT": "8001", "PORT_HTTP": "8001"}),
        ({"http": 8001, "admin-api": 8002}, {"PORT": "8001", "PORT_HTTP": "8001", "PORT_ADMIN_API": "8002"}),
        ({"admin": 8002, "http": 8001}, {"PORT": "8002", "PORT_HTTP": "8001", "PORT_ADMIN": "8002"}),
    ],
)
def test_it_finds_its_ports_by_name_and_the_first_as_the_port(ports: dict[str, int], variables: dict[str, str]) -> None:
    specification = told(ports)
    found = {name: value for name, value in specification["environment"].items() if name.startswith("PORT")}
    assert found == variables
    assert specification["ports"] == ports


def test_what_it_is_given_comes_before_what_it_inherits_and_its_ports_before_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = told({"http": 8001}, environment={"LANG": "de_DE", "PORT": "1", "COLOUR": "blue"})["environment"]
    assert (environment["LANG"], environment["PORT"], environment["COLOUR"]) == ("de_DE", "8001", "blue")


def test_it_inherits_little_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    monkeypatch.setenv("HOME", "/home/ann")
    assert base_environment()["HOME"] == "/home/ann"
    assert "secret" not in base_environment().values()


def test_it_has_a_path_even_if_its_starter_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert base_environment()["PATH"]


def test_it_runs_in_a_directory_of_its_own_unless_another_one_is_said() -> None:
    assert told()["working_directory"] == "/srv/web.0001/work"
    assert told(working_directory=Path("/srv/site"))["working_directory"] == "/srv/site"


def test_it_is_started_again_as_its_restarts_say() -> None:
    specification = told(restarts=Restarts(first_s=0.5, most_s=4.0, reset_s=60.0))
    names = ("restart_delay_s", "restart_delay_max_s", "restart_reset_s")
    assert tuple(specification[name] for name in names) == (0.5, 4.0, 60.0)


def test_shown_it_says_nothing_of_its_environment() -> None:
    assert "secret" not in repr(Program(name="web", command=["server"], environment={"PASSWORD": "secret"}))
