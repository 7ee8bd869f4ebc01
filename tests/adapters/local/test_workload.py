"""What the local orchestrator can run, and what it refuses before anything is touched."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.local.workload import check_interpreter, check_process, check_writable, read_workload
from zdd.errors import ConfigurationError
from zdd.model.release import Process

PROCESS = Process(["run", "it"], environment={"LANG": "C"}, directory="/srv")


def refusal(call: Callable[..., object], *values: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        call(*values)
    return str(caught.value)


class TestReading:
    def test_a_process_comes_back_from_its_specification(self):
        assert read_workload(PROCESS.specification()) == PROCESS
        assert read_workload({"kind": "process", "command": ["run"], "environment": None}) == Process(["run"])

    def test_another_kind_is_named_and_the_right_one_too(self):
        words = "workload of kind 'container': local processes need a zdd Process(...), kind 'process'"
        assert refusal(read_workload, {"kind": "container", "image": "web:1"}) == words
        assert refusal(read_workload, {}).startswith("workload of kind None: local processes need")

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"command": None}, "command must be a list of words"),
            ({"command": "run"}, "command must be a list of words"),
            ({"command": []}, "use a list of words whose first is the program"),
            ({"command": ["run", 3]}, "3 is none, '3' would be"),
            ({"environment": ["PASSWORD=hunter2"]}, "environment a mapping of text to text"),
            ({"environment": {"PASSWORD": ["hunter2"]}}, "environment variable PASSWORD is of type list: use text"),
            ({"directory": 3}, "directory 3: use the path of a directory"),
        ],
    )
    def test_what_is_not_whole_is_told_without_any_value_of_its_environment(
        self, changes: dict[str, Any], complaint: str
    ):
        told = refusal(read_workload, {**PROCESS.specification(), "environment": {"PASSWORD": "hunter2"}, **changes})
        assert complaint in told
        assert "hunter2" not in told


class TestCommand:
    def test_a_program_is_found_by_its_path_in_its_directory_and_on_its_own_search_path(self, tmp_path):
        program = tmp_path / "run.sh"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        check_process(Process([program]))
        check_process(Process(["./run.sh"], directory=tmp_path))
        check_process(Process(["run.sh"], environment={"PATH": str(tmp_path)}))
        assert "no such program in PATH (/gone)" in refusal(
            check_process, Process(["sh"], environment={"PATH": "/gone"})
        )

    @pytest.mark.parametrize(
        ("command", "directory", "complaint"),
        [
            ("no-such-program", None, "command 'no-such-program': no such program in PATH ("),
            ("{here}/gone", None, "command '{here}/gone': there is no file {here}/gone"),
            ("./gone", "{here}", "command './gone': there is no file {here}/gone"),
            ("{here}/notes.txt", None, "{here}/notes.txt is not executable: use chmod +x, or another program"),
            ("{here}/", None, "{here} is not executable"),
            ("./run.sh", None, "is relative, but there is no working directory: set directory"),
            ("/" + "x" * 300, None, "File name too long"),
            ("true", "{here}/gone", "working directory {here}/gone: there is no such directory"),
            ("true", "{here}/notes.txt", "working directory {here}/notes.txt: there is no such directory"),
            ("true", "/" + "x" * 300, "File name too long"),
        ],
    )
    def test_what_could_not_be_started_is_named(self, tmp_path, command: str, directory: str | None, complaint: str):
        (tmp_path / "notes.txt").write_text("hello")
        where = directory.format(here=tmp_path) if directory else None
        told = refusal(check_process, Process([command.format(here=tmp_path)], directory=where))
        assert complaint.format(here=tmp_path) in told

    def test_a_relative_directory_is_refused_with_the_one_that_is_meant(self):
        told = refusal(check_process, Process(["true"], directory="app"))
        assert told.endswith(f"use {str(Path('app').absolute())!r}")

    def test_a_directory_that_this_user_may_not_enter(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)  # the super-user may always
        assert refusal(check_process, Process(["true"], directory=tmp_path)).endswith("no permission to enter it")

    @pytest.mark.parametrize("name", ["PORT", "PORT_HTTP", "ZDD_VERSION"])
    def test_what_zdd_sets_itself_can_t_be_set(self, name: str):
        told = refusal(check_process, Process(["true"], environment={name: "1"}))
        assert told.startswith(f"environment variable {name} is set by zdd for each instance: remove it")

    def test_what_only_begins_alike_can(self):
        check_process(Process(["true"], environment={"PORTAL": "1", "port": "2", "ZDD": "3"}))


class TestInterpreter:
    def test_the_one_that_runs_this_will_do(self):
        check_interpreter()

    @pytest.mark.parametrize("executable", ["", "/gone/python3"])
    def test_one_that_can_t_be_started_is_named(self, monkeypatch, executable: str):
        monkeypatch.setattr(sys, "executable", executable)
        told = refusal(check_interpreter)
        assert told.startswith(f"the Python interpreter {executable!r} can't be started")
        assert told.endswith("run zdd by an interpreter of its own")

    def test_another_system_is_named(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "darwin")
        assert refusal(check_interpreter) == ("local processes need Linux, this is darwin: use another orchestrator")


class TestStateDirectory:
    def test_one_that_is_there_or_can_be_made_passes_and_is_not_made(self, tmp_path):
        check_writable(tmp_path)
        check_writable(tmp_path / "a" / "b")
        assert not (tmp_path / "a").exists()

    @pytest.mark.parametrize("target", ["file", "dangling"])
    def test_one_that_is_in_the_way_of_itself_is_named(self, tmp_path, target: str):
        (tmp_path / "file").touch()
        (tmp_path / "dangling").symlink_to(tmp_path / "gone")
        told = refusal(check_writable, tmp_path / target / "state")
        assert told == f"state directory {tmp_path}/{target}/state: {tmp_path}/{target} is not a directory"

    def test_one_that_this_user_may_not_write_is_named_with_what_to_do(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)  # the super-user may always
        told = refusal(check_writable, tmp_path / "state")
        assert f"no permission to write in {tmp_path}: use another directory, or give this user" in told
