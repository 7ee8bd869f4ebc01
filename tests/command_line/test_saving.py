"""A backup that is described by options, made, and restored by hand."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from zdd import Recreate
from zdd.adapters.swarm.volume import Volume
from zdd.backup import Backup, Files, Retention
from zdd.command_line.parser import make_parser
from zdd.command_line.saving import read_backup
from zdd.command_line.wanted import read_wanted
from zdd.errors import ConfigurationError


def parsed(*words: str) -> argparse.Namespace:
    arguments = make_parser().parse_args(["plan", "web", "--version", "1", *words])
    arguments.command = ["server"]
    return arguments


def test_a_backup_is_what_the_options_say() -> None:
    assert read_backup(parsed()) is None
    words = ["--save", "data", "--save-volume", "orders=busybox", "--docker", "unix:///e", "--backups", "kept"]
    sources = [Files("data"), Volume("orders", "busybox", docker_host="unix:///e")]
    assert read_backup(parsed(*words)) == Backup(sources, "kept")
    more = ["--keep-backups", "2", "--backup-key", "key", "--while-stopped", "--strategy", "recreate"]
    backup = Backup(sources, "kept", retention=Retention(2), key_file="key", while_stopped=True)
    assert read_backup(parsed(*words, *more)) == backup
    assert read_wanted(parsed(*words, *more)).strategy == backup + Recreate()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--save", "data"], "where to with --backups"),
        (["--backups", "kept"], "half of a backup"),
        (["--keep-backups", "2"], "half of a backup"),
        (["--save", "data", "--backups", "kept", "--keep-backups", "0"], "count of Retention"),
        (["--while-stopped", "--save", "data", "--backups", "kept"], "--while-stopped is of --strategy recreate"),
        (["--save-volume", "orders", "--backups", "kept"], "--save-volume orders: use VOLUME=IMAGE"),
    ],
)
def test_half_of_a_backup_is_refused(words: list[str], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        read_backup(parsed(*words))


def test_data_are_saved_while_nothing_runs_and_restored_by_hand(shell: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "orders").write_text("one")
    shell.deploy("1.0")
    words = ("--save", str(data), "--backups", str(tmp_path / "kept"), "--strategy", "recreate", "--while-stopped")
    assert shell.deploy("2.0", *words, "--changes-data").returncode == 0
    (data / "orders").write_text("spoiled")
    (kept,) = shell.data("backups", "web")
    assert kept["version"] == "1.0"
    back = shell.data("rollback", "web", "--restore", "yes")
    assert (back["to_version"], (data / "orders").read_text()) == ("1.0", "one")
    (data / "orders").write_text("spoiled")
    assert shell.data("restore", "web")["outcome"] == "succeeded"
    assert (data / "orders").read_text() == "one"
    manifest = tmp_path / "kept" / "web" / f"{kept['id']}.json"
    manifest.write_text("{")
    listed = {one["id"]: one["damaged"] for one in shell.data("backups", "web")}
    assert listed[kept["id"]]
    assert shell.run("backups", "web").stdout.startswith(f"{kept['id']}  DAMAGED, it can't be restored: ")
