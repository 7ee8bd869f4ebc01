"""Volumes of a service as Swarm's mounts."""

from __future__ import annotations

from typing import Any

import pytest

LABELS = {"com.docker.stack.namespace": "shop"}
SECTION = (
    "\nvolumes: {data: , fast: {driver: nfs, driver_opts: {size: 1}}, outer: {external: true}, own: {name: other}}"
)


def mounts(project: Any, text: str) -> list[dict[str, Any]]:
    (web,) = project.stack(f"services: {{web: {{image: web, volumes: [{text}]}}}}{SECTION}").services
    found: list[dict[str, Any]] = web.release.workload["service_spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"]
    return found


MOUNTS = [
    ("data:/d", {"Type": "volume", "Source": "shop_data", "VolumeOptions": {"Labels": LABELS}}),
    ("own:/d", {"Type": "volume", "Source": "other", "VolumeOptions": {"Labels": LABELS}}),
    ("outer:/d:ro", {"Type": "volume", "Source": "outer", "ReadOnly": True, "VolumeOptions": {}}),
    ("data:/d:nocopy", {"Type": "volume", "Source": "shop_data", "VolumeOptions": {"NoCopy": True, "Labels": LABELS}}),
    (
        "fast:/d",
        {"Type": "volume", "Source": "shop_fast",
         "VolumeOptions": {"Labels": LABELS, "DriverConfig": {"Name": "nfs", "Options": {"size": "1"}}}},
    ),
    ("/d", {"Type": "volume"}),
    ("/srv:/d:slave", {"Type": "bind", "Source": "/srv", "BindOptions": {"Propagation": "slave"}}),
    ("{type: tmpfs, target: /d, tmpfs: {size: 1024}}", {"Type": "tmpfs", "TmpfsOptions": {"SizeBytes": 1024}}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "mount"), MOUNTS)
def test_a_volume_becomes_a_mount(project: Any, text: str, mount: dict[str, Any]) -> None:
    assert mounts(project, text) == [{**mount, "Target": "/d"}]


REFUSED = [
    ("volumes: [data:/data]", "4:15: volume 'data' is not there: state it under the top-level volumes:"),
    ("volumes: [{type: cluster, source: a, target: /d}]", "4:15: type 'cluster' of a volume can't be honoured"),
    ("volumes: [{type: volume, source: a}]", "4:15: a volume needs a target"),
    ("volumes: [{type: tmpfs, source: a, target: /d}]", "4:15: a tmpfs has no source"),
    ("volumes: [{type: tmpfs, target: /d, bind: {propagation: slave}}]", "4:15: bind options don't fit a volume of"),
    ("volumes: [{type: bind, target: /d}]", "4:15: a bind mount needs a source"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_does_not_fit_is_refused(project: Any, text: str, message: str) -> None:
    assert project.service_refusal(text).startswith(message)
