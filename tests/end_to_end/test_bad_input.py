"""Bad input is refused with a message that names the thing and the fix, before anything is touched."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zdd
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.display.plain import PlainLines


def files(directory: Path) -> dict[str, bytes]:
    """Return everything that is kept, byte by byte; the journal's own files only if they hold events."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and "sqlite3" not in path.name
    }


def sleeper(**changes: Any) -> zdd.Release:
    return zdd.Release("1.0", zdd.Process(["sleep", "60"], **changes))


CASES: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "a name with illegal characters": (lambda: zdd.Service("My Shop!"), ["'My Shop!'", "lower-case letters, digits"]),
    "an empty name": (lambda: zdd.Service(""), ["service name ''"]),
    "no replicas": (lambda: zdd.Service("web", replicas=0), ["replicas of web is 0", "1 to"]),
    "negative replicas": (lambda: zdd.Service("web", replicas=-1), ["replicas of web is -1"]),
    "half a replica": (lambda: zdd.Service("web", replicas=1.5), ["replicas of web is 1.5", "whole number"]),  # type: ignore[arg-type]
    "a floor above the replicas": (
        lambda: zdd.Service("web", replicas=2, floor=3),
        ["floor of web is 3, above its 2 replicas", "at most 2"],
    ),
    "a batch of none": (lambda: zdd.RollingUpdate(0), ["batch of RollingUpdate is 0", "1 or more"]),
    "steps that do not end in 100": (lambda: zdd.Canary((5, 50)), ["(5, 50)", "end with 100"]),
    "steps that fall": (lambda: zdd.Canary((50, 5, 100)), ["rising percentages"]),
    "an environment that isn't text": (
        lambda: sleeper(environment={"LIMIT": 5}),
        ["environment variable LIMIT is of type int", "use text, in quotes"],
    ),
    "an environment that is a list": (
        lambda: sleeper(environment=["TOKEN=secret"]),
        ["environment is a list: use a dict, for example {"],
    ),
    "a command that is nothing": (lambda: zdd.Process(None), ["command None: use a list of words"]),  # type: ignore[arg-type]
    "a number in a command": (lambda: zdd.Process(["sleep", 1]), ["1 is none, '1' would be"]),  # type: ignore[list-item]
    "a directory that is a number": (lambda: sleeper(directory=5), ["directory 5: use the path of a directory"]),
    "a workload that is a class": (lambda: zdd.Release("1", zdd.Process), ["use an object such as zdd.Process(["]),  # type: ignore[arg-type]
    "a host that is a number": (lambda: zdd.Exposure(host=5), ["host 5 of port 'http': use a host name"]),  # type: ignore[arg-type]
    "headers that are a list": (
        lambda: zdd.HttpGate(headers=["Authorization: secret"]),  # type: ignore[arg-type]
        ["headers of an HTTP gate is a list: use a dict"],
    ),
    "ports that are a number": (
        lambda: zdd.FunctionGate(print, port_names=80),  # type: ignore[arg-type]
        ["port_names is 80: use a list of names, for example ['80']"],
    ),
    "a step that is no list": (lambda: zdd.Canary(50), ["steps of Canary are 50: use a list of percentages"]),  # type: ignore[arg-type]
    "a goal that is no list": (
        lambda: zdd.Stage("all", zdd.Goal("web", "r1", 1, 1)),  # type: ignore[arg-type]
        ["of a stage: use a list of zdd.Goal objects"],
    ),
    "a word for a flag": (
        lambda: zdd.Release("1", zdd.Process(["true"]), changes_data="no"),  # type: ignore[arg-type]
        ["changes_data of release 1 is 'no': use True or False"],
    ),
    "a function as a gate": (lambda: zdd.Service("web", gates=[print]), ["is a function: use zdd.FunctionGate(…)"]),  # type: ignore[list-item]
    "a listener that is no list": (
        lambda: zdd.Deployer.in_memory(MemoryWorld(), listeners=print),  # type: ignore[arg-type]
        ["listeners=<built-in function print>: use a list of functions of one event"],
    ),
    "a listener that is a class": (
        lambda: zdd.Deployer.in_memory(MemoryWorld(), listeners=[PlainLines]),
        ["use a list of functions of one event"],
    ),
    "a command as one string": (lambda: zdd.Process("sleep 60"), ["'sleep 60'", "['sleep', '60']"]),
    "a gate at an unknown port": (
        lambda: zdd.Service("web", gates=[zdd.HttpGate("/", port="admin")]),
        ["looks at port 'admin' of web", "its ports are 'http'"],
    ),
    "a gate of a worker": (
        lambda: zdd.Service("web", exposures=(), gates=[zdd.TcpGate()]),
        ["'http' of web", "no exposures"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_value_is_refused_where_it_is_made(name: str) -> None:
    make, parts = CASES[name]
    with pytest.raises(zdd.ConfigurationError) as refused:
        make()
    for part in parts:
        assert part in str(refused.value)
    assert "secret" not in str(refused.value)


def refuse(machine: Any, service: zdd.Service, release: zdd.Release, *parts: str, **options: Any) -> None:
    """Check that a deployment is refused like this, and that nothing has changed: no file, no process, no event."""
    before = files(machine.state)
    deployer = machine.deployer()
    with pytest.raises(zdd.ConfigurationError) as refused:
        deployer.deploy(service, release, **options)
    for part in parts:
        assert part in str(refused.value), str(refused.value)
    assert files(machine.state) == before
    assert machine.processes() == []
    assert deployer.history(service.name) == ()


def test_a_command_that_is_not_there(machine: Any) -> None:
    release = zdd.Release("1.0", zdd.Process(["no-such-program", "--serve"]))
    refuse(machine, machine.service(), release, "no-such-program")


def test_a_directory_that_is_not_there(machine: Any) -> None:
    refuse(machine, machine.service(), sleeper(directory="/no/such/directory"), "/no/such/directory")


def test_a_port_that_is_taken(machine: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", machine.port))
        other.listen()
        refuse(machine, machine.service(), machine.release("1.0"), str(machine.port), "port=")


def test_an_unknown_port_in_a_stage_gate(machine: Any) -> None:
    strategy = zdd.BlueGreen(gates=[zdd.HttpGate("/", port="admin")])
    refuse(machine, machine.service(), machine.release("1.0"), "port 'admin' of web", strategy=strategy)


def test_a_strategy_that_needs_overlap_where_it_is_forbidden(machine: Any) -> None:
    service = machine.service(overlap="forbidden")
    refuse(machine, service, machine.release("1.0"), "overlap is forbidden", "Recreate()", strategy=zdd.BlueGreen())


def test_a_batch_smaller_than_a_cell(machine: Any) -> None:
    service = machine.service(replicas=4, cells=1)
    refuse(machine, service, machine.release("1.0"), "batch=1", "cells=4", strategy=zdd.RollingUpdate(1))


def test_a_strategy_that_is_none(machine: Any) -> None:
    refuse(machine, machine.service(), machine.release("1.0"), "RollingUpdate", strategy="rolling")


def test_a_state_directory_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(zdd.ConfigurationError, match=r"state directory .*file/state can't be made.*state_directory"):
        zdd.Deployer.embedded(tmp_path / "file" / "state")
    assert (tmp_path / "file").read_text() == "not a directory"


@pytest.mark.parametrize(
    "call", ["rollback", "remove", "resume", "report", "history", "backups", "pause", "abort", "checkup", "recover"]
)
def test_a_service_where_its_name_is_wanted(call: str) -> None:
    deployer = zdd.Deployer.in_memory(MemoryWorld())
    with pytest.raises(zdd.ConfigurationError, match="by its name, for example 'web', and not by a Service"):
        getattr(deployer, call)(zdd.Service("web"))


def test_a_time_to_watch_that_is_no_number() -> None:
    deployer = zdd.Deployer.in_memory(MemoryWorld())
    deployer.deploy(zdd.Service("web"), zdd.Release("1.0", Behaviour()))
    standby = zdd.Failover(zdd.Release("standby", Behaviour()))
    with pytest.raises(zdd.ConfigurationError, match="for_s of the watch is '5'"):
        deployer.watch("web", standby, for_s="5")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", 5, b"state"])
def test_a_state_directory_that_is_none(value: Any) -> None:
    with pytest.raises(zdd.ConfigurationError, match="use the path of a directory"):
        zdd.Deployer.embedded(value)


def test_a_host_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(zdd.ConfigurationError, match="host=5 of the proxy: use an address"):
        zdd.Deployer.embedded(tmp_path, host=5)  # type: ignore[arg-type]


def test_a_user_without_name_and_home() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    code = (
        "import os, zdd; from zdd.adapters import embedded, memory; os.setuid(54321); "
        "made = zdd.Deployer.in_memory(memory.MemoryWorld()); assert made._actor.startswith('uid-54321@'); "
        "zdd.Deployer.embedded()"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env={}, capture_output=True, text=True, check=False)
    assert done.stderr.strip().splitlines()[-1] == (
        "zdd.errors.ConfigurationError: this user has no home directory: use a state_directory, or set HOME or "
        "XDG_STATE_HOME"
    )


def test_a_journal_of_a_newer_format(machine: Any) -> None:
    with sqlite3.connect(machine.state / "zdd.sqlite3") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    with pytest.raises(zdd.ZddError, match="999"):
        machine.deployer().deploy(machine.service(), machine.release("1.0"))
    assert machine.processes() == []


def test_going_back_to_what_never_was(machine: Any) -> None:
    deployer = machine.deployer()
    with pytest.raises(zdd.ConfigurationError, match="never deployed"):
        deployer.rollback("web")
    deployer.deploy(machine.service(replicas=1), machine.release("1.0"))
    with pytest.raises(zdd.ConfigurationError, match=r"'7\.0' never served; these did: 1\.0 \(r1\)"):
        deployer.rollback("web", "7.0")
    with pytest.raises(zdd.ConfigurationError, match="no earlier revision"):
        deployer.rollback("web")
    with pytest.raises(zdd.ConfigurationError, match="no unfinished deployment"):
        deployer.resume("web")
