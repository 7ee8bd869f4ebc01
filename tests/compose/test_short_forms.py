"""Short forms written out: ports, volumes, hosts, limits, durations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zdd.compose.document import Document
from zdd.compose.short_forms import Surroundings, write_out


def written(tmp_path: Path, **service: Any) -> dict[str, Any]:
    document = Document("a.yml", {"services": {"web": service}}, {})
    made: dict[str, Any] = write_out(document, Surroundings(tmp_path, {"HOME": "/home/app"}))["web"]
    return made


REFUSED = [
    ("ports: ['80:81:82:83']", "4:13: services.web.ports.0: '80:81:82:83' is no port"),
    ("ports: ['70000:80']", "4:13: services.web.ports.0: 70000 is no port"),
    ("stop_grace_period: 10x", "4:5: services.web.stop_grace_period: '10x' is no duration"),
    ("deploy: {resources: {limits: {memory: much}}}", "4:35: services.web.deploy.resources.limits"),
    ("ports: ['3-1']", "4:13: services.web.ports.0: range 3-1 of ports: use at most 1000, the smaller one first"),
    ("ports: ['80-81:80']", "4:13: services.web.ports.0: 80-81:80: 2 published ports for 1 of the container"),
    ("ports: ['80:80/icmp']", "4:13: services.web.ports.0: protocol 'icmp' is not known: use tcp, udp or sctp"),
    ("ports: [{published: 80, target: 0}]", "4:13: services.web.ports.0: target is needed"),
    ("volumes: ['a:/b:fast']", "4:15: services.web.volumes.0: 'a:/b:fast': option 'fast' of a volume is not known"),
    ("extra_hosts: [alone]", "4:5: services.web.extra_hosts: 'alone': use name:address"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_in_no_known_form_is_refused(project: Any, text: str, message: str) -> None:
    assert project.service_refusal(text).startswith(message)


PORTS = [
    ("80", [(80, 0)]),
    ("8080:80", [(80, 8080)]),
    ("127.0.0.1:8080:80", [(80, 8080)]),
    ("[::1]:8080:80", [(80, 8080)]),
    ("8080-8081:80-81", [(80, 8080), (81, 8081)]),
]


@pytest.mark.parametrize(("text", "numbers"), PORTS)
def test_a_port_is_published_as_it_says(tmp_path: Path, text: str, numbers: list[tuple[int, int]]) -> None:
    ports = written(tmp_path, ports=[text])["ports"]
    assert [(port["target"], port["published"]) for port in ports] == numbers
    assert {(port["protocol"], port["mode"]) for port in ports} == {("tcp", "ingress")}


VOLUMES = [
    ("/data", {"type": "volume", "target": "/data"}),
    ("data:/data:ro", {"type": "volume", "source": "data", "target": "/data", "read_only": True}),
    ("data:/data:nocopy", {"type": "volume", "source": "data", "target": "/data", "volume": {"nocopy": True}}),
    ("/srv:/data:rslave", {"type": "bind", "source": "/srv", "target": "/data", "bind": {"propagation": "rslave"}}),
    ("~/x:/data", {"type": "bind", "source": "/home/app/x", "target": "/data"}),
]


@pytest.mark.parametrize(("text", "volume"), VOLUMES)
def test_a_volume_is_written_out(tmp_path: Path, text: str, volume: object) -> None:
    assert written(tmp_path, volumes=[text])["volumes"] == [volume]


def test_a_path_begins_at_the_project_s_folder_and_is_not_looked_at(tmp_path: Path) -> None:
    (volume,) = written(tmp_path, volumes=["./a/../b:/data"])["volumes"]
    assert volume["source"] == str(tmp_path / "b")
    (volume,) = written(tmp_path, volumes=["../b:/data"])["volumes"]
    assert volume["source"] == str(tmp_path.parent / "b")


def test_hosts_limits_and_references_have_one_form(tmp_path: Path) -> None:
    made = written(tmp_path, extra_hosts=["db:10.0.0.1", "v6=[::1]"], ulimits={"nofile": 9}, secrets=["token"])
    assert made["extra_hosts"] == ["10.0.0.1 db", "::1 v6"]
    assert made["ulimits"] == {"nofile": {"soft": 9, "hard": 9}}
    assert made["secrets"] == [{"source": "token"}]


def test_durations_and_sizes_have_one_unit(tmp_path: Path) -> None:
    deploy = {"update_config": {"delay": "1s"}, "resources": {"limits": {"cpus": "0.5", "memory": "1M"}}}
    made = written(tmp_path, stop_grace_period="1m", deploy=deploy, healthcheck={"test": "true", "interval": "5s"})
    assert made["stop_grace_period"] == 60_000_000_000
    assert made["deploy"]["update_config"] == {"delay": 1_000_000_000}
    assert made["deploy"]["resources"]["limits"] == {"cpus": 500_000_000, "memory": 1_048_576}
    assert made["healthcheck"] == {"test": ["CMD-SHELL", "true"], "interval": 5_000_000_000}
