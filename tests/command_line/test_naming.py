"""A stack's name on the command line: it stands for the stack's services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import zdd
from zdd.command_line.main import main
from zdd.stacks.stack import Stack, StackService


@pytest.fixture(scope="module")
def site(shell: Any) -> Any:
    """A stack of two services, of which the second release serves."""
    stacks = zdd.StackDeployer(zdd.Deployer.embedded(shell.state, port=shell.port))
    command = ["sh", "-c", shell.server]
    for version in ("1", "2"):
        release = zdd.Release(version, zdd.Process(command, {"RELEASE": version}))
        names = {"site-api": "/api", "site-front": "/"}
        services = [
            StackService(zdd.Service(name, exposures=[zdd.Exposure(path=path)], drain_deadline_s=2), release)
            for name, path in names.items()
        ]
        stacks.deploy(Stack("site", services))
    return shell


def test_status_history_and_doctor_know_a_stack(site: Any) -> None:
    every = site.run("status").stdout
    assert [line.split()[0] for line in every.splitlines()] == ["site-api", "site-front"]
    assert site.run("status", "site").stdout == every
    deployments = site.data("history", "site")
    assert [one["outcome"] for one in deployments] == ["succeeded", "succeeded"]
    assert deployments[0]["services"] == ["site-api", "site-front"]
    assert "site-1  2 services  succeeded" in site.run("history", "site").stdout
    assert "stack:" not in site.run("doctor").stdout
    assert site.run("doctor", "site").returncode == 0


def test_a_stack_goes_back_as_a_whole(site: Any) -> None:
    back = site.data("rollback", "site")
    assert [one["report"]["to_version"] for one in back["services"]] == ["1", "1"]
    refused = site.run("rollback", "site", "1")
    assert refused.returncode == 2
    assert "site is a stack: it goes back as a whole" in refused.stderr


@pytest.mark.parametrize("command", ["pause", "promote", "abort", "resume"])
def test_an_order_to_a_stack_of_which_nothing_is_under_way_is_refused(command: str, site: Any) -> None:
    refused = site.run(command, "site")
    assert refused.returncode == 2
    assert refused.stderr == "zdd: nothing of stack site is being deployed, and nothing was left half done\n"


def test_what_is_of_a_service_alone_names_the_stack_s_services(site: Any) -> None:
    refused = site.run("report", "site")
    assert refused.returncode == 2
    assert refused.stderr == "zdd: site is a stack: name one of its services, site-api, site-front\n"


BY_NAME = ("status", "history", "report", "backups", "rollback", "restore", "remove", "resume", "pause", "recover")
STANDING_BY = ("standby", "failover", "watch", "failback")


@pytest.mark.parametrize("command", [*BY_NAME, *STANDING_BY, "doctor"])
def test_a_name_of_nothing_is_refused_with_those_that_are_known(
    command: str, played: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "wbe", *played.parts, "--json"]) == 2
    said = capsys.readouterr()
    assert said.err == (
        "zdd: wbe was never deployed, by what is written here. These were: web. If it is none of them, look at "
        "--state, --consul, --prefix and --deployer\n"
    )
    assert json.loads(said.out) == {"error": "ConfigurationError", "message": said.err[5:-1], "report": None}


@pytest.mark.parametrize("words", [["status", "web"], ["history", "web"], ["report", "web", "web-1"]])
def test_where_nothing_was_deployed_a_name_is_refused_too(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--state", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("zdd: web was never deployed, and nothing else was, by what is written here: look at ")
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_stacks_are_among_the_names_that_are_known(site: Any) -> None:
    refused = site.run("history", "sites")
    assert refused.returncode == 2
    assert "These were: site-api, site-front, site (a stack)." in refused.stderr


def test_a_stack_is_removed_as_a_whole(site: Any) -> None:
    assert site.data("remove", "site")["removed"] == ["site-front", "site-api"]
