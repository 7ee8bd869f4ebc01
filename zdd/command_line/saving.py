"""What a deployment is told to back up first."""

from __future__ import annotations

import argparse

from zdd.backup import Backup, Files, Retention
from zdd.backup.source import Source
from zdd.errors import ConfigurationError

_NEEDED = "say what with --save or --save-volume, and where to with --backups"

_OPTIONS = ("save", "save_volume", "backups", "keep_backups", "backup_key", "while_stopped", "changes_data")


def add_backup_options(parser: argparse.ArgumentParser) -> None:
    """Let a command be told what to back up."""
    group = parser.add_argument_group("a backup", "made and read back before anything is touched")
    group.add_argument("--save", action="append", default=[], metavar="DIRECTORY", help="a directory that is backed up")
    text = "a volume, and an image that is there and has a shell: orders=busybox"
    group.add_argument("--save-volume", action="append", default=[], metavar="VOLUME=IMAGE", help=text)
    group.add_argument("--backups", metavar="DIRECTORY", help="where backups are kept")
    group.add_argument("--keep-backups", type=int, metavar="NUMBER", help="how many are kept (5)")
    group.add_argument("--backup-key", metavar="FILE", help="with what they are encrypted")
    text = "make it in the gap of --strategy recreate, while nothing writes"
    group.add_argument("--while-stopped", action="store_true", help=text)
    text = "older releases may not understand the data then: they are restored if it is taken back"
    group.add_argument("--changes-data", action="store_true", help=text)


def read_backup(arguments: argparse.Namespace) -> Backup | None:
    """Return the backup that the options describe; None: they describe none.

    Raises:
        ConfigurationError: They describe half of one.
    """
    sources: list[Source] = [Files(directory) for directory in arguments.save]
    sources += [_volume(text, next(iter(arguments.docker), None)) for text in arguments.save_volume]
    stated = (arguments.backups, arguments.keep_backups, arguments.backup_key, arguments.while_stopped or None)
    if not sources and all(one is None for one in stated):
        return None
    if not sources or not arguments.backups:
        raise ConfigurationError(f"half of a backup is described: {_NEEDED}")
    if arguments.while_stopped and arguments.strategy != "recreate":
        raise ConfigurationError("--while-stopped is of --strategy recreate: give both or neither")
    retention = Retention() if arguments.keep_backups is None else Retention(arguments.keep_backups)
    return Backup(
        sources,
        arguments.backups,
        retention=retention,
        key_file=arguments.backup_key,
        while_stopped=arguments.while_stopped,
    )


def refuse_backup(arguments: argparse.Namespace) -> None:
    """Refuse the options where a stack is deployed.

    Raises:
        ConfigurationError: One of them is stated.
    """
    values = {name: getattr(arguments, name) for name in _OPTIONS}
    stated = [name for name, value in values.items() if value is not None and value is not False and value != []]
    if stated:
        option = stated[0].replace("_", "-")
        raise ConfigurationError(f"--{option} is of a single service: backups of a stack's services are made in Python")


def _volume(text: str, docker_host: str | None) -> Source:
    from zdd.adapters.swarm.volume import Volume

    name, equals, image = text.partition("=")
    if not name or not equals or not image:
        raise ConfigurationError(f"--save-volume {text}: use VOLUME=IMAGE")
    return Volume(name, image, docker_host=docker_host)
