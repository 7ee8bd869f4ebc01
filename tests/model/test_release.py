"""A release as the user states it: what is taken, and what a `repr` in a notebook or a traceback shows of it."""

from __future__ import annotations

import pytest

from zdd.actions.command_action import CommandAction
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.container_command import ContainerCommand
from zdd.backup.command_output import CommandOutput
from zdd.errors import ConfigurationError
from zdd.gates.command_gate import CommandGate
from zdd.model.release import VERSION_LENGTH_MAX, Process, Release, Revision

SECRET = {"LANG": "C", "PASSWORD": "hush"}
SPEC = {"TaskTemplate": {"ContainerSpec": {"Env": ["PASSWORD=hush"]}}}


@pytest.mark.parametrize("version", ["1.4.2", "nightly 2026", "v" * VERSION_LENGTH_MAX])
def test_a_version_is_one_line_of_text(version: str) -> None:
    assert Release(version, Process(["server"])).version == version


@pytest.mark.parametrize("version", ["", " 1", "1\n2", "v" * (VERSION_LENGTH_MAX + 1), 1.5, None])
def test_another_one_is_named(version: str) -> None:
    with pytest.raises(ConfigurationError, match="use one line of text of at most 128 characters"):
        Release(version, Process(["server"]))


@pytest.mark.parametrize("workload", [Process, "server", 3, {"kind": "process", "command": {"server"}}])
def test_a_workload_is_an_object_that_can_be_written_down(workload: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^workload "):
        Release("1", workload)  # type: ignore[arg-type]


def test_what_runs_the_same_has_the_same_digest() -> None:
    one = Revision("r1", "1", Process(["server"], SECRET).specification())
    assert one.digest == Revision("r2", "1", Process(["server"], SECRET).specification()).digest
    others = [
        Revision("r1", "2", one.workload),
        Revision("r1", "1", Process(["server"]).specification()),
        Revision("r1", "1", one.workload, ports=("http",)),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 4


@pytest.mark.parametrize(
    "shown",
    [
        Process(["server"], SECRET),
        Container("web:1", environment=SECRET, service_spec=SPEC),
        CommandGate(["true"], environment=SECRET),
        CommandAction(["true"], environment=SECRET),
        CommandOutput("orders", ["dump"], ["restore"], environment=SECRET),
        ContainerCommand("orders", dump=["dump"], restore=["restore"], environment=SECRET),
        Release("1", Process(["server"], SECRET)),
        Release("1", Container("web:1", service_spec=SPEC)),
        Revision("r1", "1", Process(["server"], SECRET).specification()),
    ],
    ids=lambda shown: type(shown).__name__,
)
def test_a_repr_shows_no_value_of_an_environment(shown: object) -> None:
    assert "hush" not in repr(shown)
    assert "hush" not in str(shown)


def test_a_repr_shows_which_variables_there_are() -> None:
    assert repr(Process(["server"], SECRET)) == (
        "Process(command=('server',), environment={'LANG': …, 'PASSWORD': …}, directory=None)"
    )
    assert repr(Release("1", Process(["server"]))) == (
        "Release(version='1', workload={'kind': 'process', …}, gates=None, changes_data=False)"
    )
