"""From compose files to a stack: what a service runs, how it wants to be treated, in which order."""

from __future__ import annotations

from typing import Any

import pytest

from zdd import BlueGreen, ConfigurationError, Exposure, HttpGate, Overlap, Recreate
from zdd.compose import read_stack

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


def test_a_change_gives_a_release_another_version_and_no_change_the_same(project: Any) -> None:
    first, same, other = (project.service(f"user: {user}").release for user in ("app", "app", "root"))
    assert first == same
    assert first.version != other.version


SERVICE = [
    ("deploy: {replicas: 0}", "2:3: replicas of shop-web is 0"),
    ("deploy: {mode: global}", "2:3: a global service runs on each node that fits: say on how many"),
    ("depends_on: [db]", "4:5: web depends on 'db', which is not there"),
    ("depends_on: [web]", "1:1: shop-web → shop-web depend on each other"),
    ("x-zdd: {floor: 2}", "2:3: floor of shop-web is 2, above its 1 replicas"),
    ("x-zdd: {name: other}", "4:13: services.web.x-zdd.name: 'other'"),
    ("x-zdd: {gates: [http: /health]}", "2:3: gate"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), SERVICE)
def test_a_service_that_can_not_be_had_is_refused(project: Any, text: str, message: str) -> None:
    assert project.service_refusal(text).startswith(message)


ONE = "services:\n  web:\n    image: web:1\n"

FILE = [
    ("services: {}", "1:1: there are no services"),
    ("services: {web: {}}", "1:12: web: it has no image"),
    ("services: {web: {image: 'a b'}}", "1:18: web: image 'a b' is none"),
    (ONE + "  we-b: {image: a}\n  we_b: {image: b}", "1:1: two services of a stack are called shop-we-b"),
    (ONE + "x-zdd: [floor]", "4:1: x-zdd: ['floor']: use a mapping with strategy, gates, deadlines"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FILE)
def test_a_file_without_what_can_be_deployed_is_refused(project: Any, text: str, message: str) -> None:
    assert project.refusal(text).startswith(message)


def test_a_cycle_is_told_with_its_members(project: Any) -> None:
    text = "services:\n" + "".join(f"  {a}: {{image: x, depends_on: [{b}]}}\n" for a, b in ("ab", "bc", "ca"))
    with pytest.raises(ConfigurationError, match="shop-a → shop-b → shop-c → shop-a depend on each other"):
        project.stack(text)


@pytest.mark.parametrize("name", ["Shop", "a b", "", "x" * 41, "-a"])
def test_a_stack_s_name_is_checked(project: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match="stack name"):
        read_stack(name, [project.write("a.yml", ONE)], variables={})


def test_a_file_that_is_not_there_is_named(project: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"compose file .*missing\.yml can't be read: No such file"):
        read_stack("shop", [project.directory / "missing.yml"])
    with pytest.raises(ConfigurationError, match="name at least one compose file"):
        read_stack("shop", [])


def test_a_file_of_10_mb_is_not_read(project: Any) -> None:
    file = project.write("large.yml", b"a: 1\n" * 2 * 1024 * 1024)
    with pytest.raises(ConfigurationError, match=r"large\.yml has 10,485,760 bytes: compose files of up to 1,048,576"):
        read_stack("shop", [file])
