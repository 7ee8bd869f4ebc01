"""From compose files to a stack: what a service runs, how it wants to be treated, in which order."""

from __future__ import annotations

from typing import Any

import pytest

from zdd import BlueGreen, ConfigurationError, Exposure, HttpGate, Overlap, Recreate, RollingUpdate

SHOP = """
version: "3.8"
x-zdd: {strategy: {blue-green: {keep: 1m}}}
x-usual: &usual
  LEVEL: info
  RATIO: 1.10
services:
  web:
    image: registry.example.org/web:${TAG:-1}
    environment: {<<: *usual, LEVEL: debug}
    depends_on: [api]
    deploy: {replicas: 2}
    x-zdd:
      exposures: [{port: http, target: 8080, host: www.example.org}]
      gates: [http: /health]
      deadlines: {drain: 5s}
  api:
    image: api
    depends_on: [db]
    container_name: api
  db:
    image: postgres:16
    volumes: [data:/var/lib/postgresql/data]
volumes: {data: {}}
"""


def test_a_file_becomes_services_in_the_order_of_what_they_depend_on(project: Any) -> None:
    stack = project.stack(SHOP, variables={"TAG": "7"})
    assert [one.service.name for one in stack.services] == ["shop-db", "shop-api", "shop-web"]
    web = stack.services[2]
    assert web.service.replicas == 2
    assert web.service.exposures == (Exposure("http", host="www.example.org"),)
    assert web.service.gates == (HttpGate("/health"),)
    assert web.service.drain_deadline_s == 5
    assert web.release.version.startswith("7-")
    assert web.release.workload["ports"] == {"http": 8080}
    assert web.release.workload["service_name"] == "shop_web"
    inside = web.release.workload["service_spec"]["TaskTemplate"]["ContainerSpec"]
    assert inside["Env"] == ["LEVEL=debug", "RATIO=1.1"]


def test_the_file_s_strategy_holds_unless_two_revisions_must_not_run_side_by_side(project: Any) -> None:
    stack = project.stack(SHOP)
    strategies = {one.name: one.strategy for one in stack.services}
    assert strategies == {"web": BlueGreen(60), "api": BlueGreen(60), "db": Recreate()}
    assert {one.name: one.service.overlap for one in stack.services}["db"] is Overlap.FORBIDDEN


def test_what_swarm_leaves_out_is_told_with_its_line(project: Any) -> None:
    (note, _) = project.stack(SHOP).notes
    assert note.endswith("compose-0.yml:20:5: container_name of api is left out, as Swarm does")


def test_objects_belong_to_the_stack(project: Any) -> None:
    project.write("token.txt", "hunter2")
    text = "services: {web: {image: web, secrets: [token]}}\nsecrets: {token: {file: token.txt}}"
    network, secret = project.stack(text).objects
    assert (network.kind, network.name, network.specification["Driver"]) == ("network", "shop_default", "overlay")
    assert (secret.kind, secret.name, secret.content) == ("secret", "shop_token", b"hunter2")
    assert secret.specification["Labels"] == {"com.docker.stack.namespace": "shop"}
    assert "hunter2" not in repr(secret)


def test_a_later_file_goes_first(project: Any) -> None:
    first = "services:\n  web: {image: web:1, environment: [A=1, B=1], ports: ['80:80'], cap_add: [SYS_TIME]}"
    later = "services:\n  web: {image: web:2, environment: {B: 2}, ports: ['80:81', '443:443'], cap_add: [NET_ADMIN]}"
    (web,) = project.stack(first, later).services
    spec = web.release.workload["service_spec"]
    assert spec["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1", "B=2"]
    assert [port["TargetPort"] for port in spec["EndpointSpec"]["Ports"]] == [81, 443]
    assert spec["TaskTemplate"]["ContainerSpec"]["CapabilityAdd"] == ["CAP_NET_ADMIN", "CAP_SYS_TIME"]
    assert web.release.workload["image"] == "web:2"


def test_a_change_gives_a_release_another_version_and_no_change_the_same(project: Any) -> None:
    first, same, other = (project.service(f"user: {user}").release for user in ("app", "app", "root"))
    assert first == same
    assert first.version != other.version


RULES = [
    ("{}", RollingUpdate()),
    ("{order: start-first, parallelism: 2, delay: 10s, monitor: 20s}", RollingUpdate(hold_s=20)),
    ("{order: stop-first}", Recreate()),
    ("{failure_action: pause}", RollingUpdate(on_failure="freeze")),
    ("{failure_action: rollback}", RollingUpdate()),
]


@pytest.mark.parametrize(("update_config", "strategy"), RULES)
def test_update_config_leads_to_a_strategy(project: Any, update_config: str, strategy: object) -> None:
    assert project.service(f"deploy: {{update_config: {update_config}}}").strategy == strategy


def test_what_zdd_does_not_do_is_refused_by_name_file_and_line(project: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"compose-0\.yml:5:34: failure_action 'continue' of web: zdd never"):
        project.service("deploy:\n  update_config: {delay: 1s, failure_action: continue}")
