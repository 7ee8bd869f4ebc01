"""Secrets and configs as files of a container."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.swarm.container import Container, read_container
from zdd.adapters.swarm.mounted_file import MountedFile, sources_of, with_files
from zdd.errors import ConfigurationError
from zdd.model.release import Release

TOKEN = MountedFile("secret", "web_token-1f", "token", user=1000, mode=0o400)
RULES = MountedFile("config", "web_rules-2e", "/etc/rules")


def test_they_survive_being_written_down_with_their_container() -> None:
    container = Container("web:2", files=[TOKEN, RULES])
    assert read_container(Release("2", container).workload) == container


def test_a_container_without_files_is_written_down_as_ever() -> None:
    assert "files" not in Container("web:2").specification()


def test_they_take_the_place_of_those_with_the_same_target() -> None:
    other = {"File": {"Name": "other"}, "SecretID": "o", "SecretName": "other"}
    old = {"File": {"Name": "token"}, "SecretID": "t", "SecretName": "web_token-0a"}
    inside: dict[str, Any] = {"Secrets": [old, other]}
    with_files(inside, [TOKEN, RULES], {("secret", TOKEN.source): "1", ("config", RULES.source): "2"})
    file = {"Name": "token", "UID": "1000", "GID": "0", "Mode": 0o400}
    assert inside["Secrets"] == [other, {"File": file, "SecretID": "1", "SecretName": TOKEN.source}]
    assert [one["ConfigID"] for one in inside["Configs"]] == ["2"]
    known = sources_of({"TaskTemplate": {"ContainerSpec": inside}})
    assert known == {("secret", "other"), ("secret", TOKEN.source), ("config", RULES.source)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "volume"}, "kind 'volume' of web_token: use secret or config"),
        ({"source": "web token"}, "name 'web token' of a secret"),
        ({"source": "w" * 65}, "at most 64"),
        ({"target": "/"}, "target '/' of secret web_token: use a file's path"),
        ({"mode": 0o70000}, "mode of secret web_token"),
        ({"user": "root"}, "user of secret web_token"),
    ],
)
def test_what_is_none_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        MountedFile(**{"kind": "secret", "source": "web_token", "target": "token", **options})


@pytest.mark.parametrize("files", ["web_token", [1], [{"name": "web_token"}], [TOKEN, TOKEN]])
def test_a_container_takes_a_list_of_them(files: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"use a list of what ContentStore|two secrets have the target token"):
        Container("web", files=files)
