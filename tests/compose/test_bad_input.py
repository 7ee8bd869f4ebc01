"""What can't be deployed is refused with file, line and column, and with the fix."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.compose import read_stack
from zdd.errors import ConfigurationError

ONE = "services:\n  web:\n    image: web:1\n"
BAD = [
    ("servces: {}", "1:1: the file has the unknown key 'servces': did you mean services?"),
    ("services: {}", "1:1: there are no services"),
    ('version: "2"\nservices: {web: {image: a}}', "1:1: version '2' is not known"),
    ("version: 3.8\nservices: {web: {image: a}}", "1:1: version 3.8 is not known"),
    ("services: {web: {}}", "1:12: web: it has no image"),
    ("services: {web: {image: 'a b'}}", "1:18: web: image 'a b' is none"),
    (ONE + "    imag: x", "4:5: services.web has the unknown key 'imag': did you mean image?"),
    (ONE + "    mem_limit: 1g", "4:5: mem_limit of service web: use deploy.resources.limits.memory"),
    (ONE + "    ports: x", '4:5: services.web.ports is "x": use a list'),
    (ONE + "    deploy: {replicas: two}", "4:14: services.web.deploy.replicas is \"two\": use a whole number"),
    (ONE + "    deploy: {replicas: 0}", "2:3: replicas of shop-web is 0"),
    (ONE + "    deploy: {mode: replicated-job}", "4:14: mode replicated-job can't be honoured"),
    (ONE + "    deploy: {mode: global}", "2:3: a global service runs on each node that fits: say on how many"),
    (ONE + "    ports: ['80:81:82:83']", "4:13: services.web.ports.0: '80:81:82:83' is no port"),
    (ONE + "    ports: ['70000:80']", "4:13: services.web.ports.0: 70000 is no port"),
    (ONE + "    stop_grace_period: 10", "4:5: services.web.stop_grace_period is 10: use text"),
    (ONE + "    stop_grace_period: 10x", "4:5: services.web.stop_grace_period: '10x' is no duration"),
    (ONE + "    deploy: {resources: {limits: {memory: much}}}", "4:35: services.web.deploy.resources.limits"),
    (ONE + "    volumes: [data:/data]", "4:15: volume 'data' is not there: state it under the top-level volumes:"),
    (ONE + "    networks: [back]", "4:5: network 'back' is not there"),
    (ONE + "    secrets: [token]", "4:15: secret 'token' is not there"),
    (ONE + "    depends_on: [db]", "4:5: web depends on 'db', which is not there"),
    (ONE + "    depends_on: [web]", "1:1: shop-web → shop-web depend on each other"),
    (ONE + "    user: $WHO", "4:5: variable WHO is not set: set it, or write ${WHO:-}"),
    (ONE + "    user: ${WHO:?say who}", "4:5: variable WHO has no value: say who"),
    (ONE + "    user: ${WHO:+x}", "4:5: '${WHO:+x}': write $NAME"),
    (ONE + "    user: ${A:-${B}}", "4:5: ${A:-${B}: a default can't hold another variable"),
    (ONE + "    user: $A-b", "4:5: $A-: write ${A} if that is not its default"),
    (ONE + "    env_file: missing.env", "4:5: file missing.env is not there"),
    (ONE + "    env_file: ../outside.env", "4:5: file ../outside.env is outside of the project's folder"),
    (ONE + "    env_file: link.env", "4:5: file link.env is outside of the project's folder"),
    (ONE + "    env_file: bad.env", "4:5: bad.env:2: 'a b=c' is no NAME=text"),
    (ONE + "secrets: {s: {file: /etc/passwd}}", "4:15: file /etc/passwd is outside of the project's folder"),
    (ONE + "secrets: {s: {}}", "4:11: secrets.s has no file"),
    (ONE + "    x-zdd: {strateg: rolling}", "4:13: services.web.x-zdd.strateg: this key is not known: did"),
    (ONE + "    x-zdd: {strategy: {canary: {steps: [5, 3]}}}", "4:24: services.web.x-zdd.strategy.canary: steps"),
    (ONE + "    x-zdd: {strategy: fast}", "4:13: services.web.x-zdd.strategy.fast: this key is not known"),
    (ONE + "    x-zdd: {gates: [{http: health}]}", "4:22: services.web.x-zdd.gates.0.http: path 'health'"),
    (ONE + "    x-zdd: {gates: [http: /health]}", "2:3: gate"),
    (ONE + "    x-zdd: {exposures: [{port: http}]}", "4:25: services.web.x-zdd.exposures.0: target is needed"),
    (ONE + "    x-zdd: {floor: many}", "4:13: services.web.x-zdd.floor: 'many': use a whole number"),
    (ONE + "    x-zdd: {floor: 2}", "2:3: floor of shop-web is 2, above its 1 replicas"),
    (ONE + "    x-zdd: {deadlines: {start: soon}}", "4:25: services.web.x-zdd.deadlines.start: 'soon'"),
    (ONE + "    x-zdd: {name: other}", "4:13: services.web.x-zdd.name: 'other'"),
    (ONE + "  we-b: {image: a}\n  we_b: {image: b}", "1:1: two services of a stack are called shop-we-b"),
    (ONE + "    healthcheck: {disable: true, test: x}", "4:5: test and disable can't be stated both"),
    (ONE + "networks: {n: {external: true, driver: overlay}}", "4:32: networks.n is external, so driver can't be"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_input_is_refused_with_its_place_and_the_fix(project: Any, text: str, message: str) -> None:
    project.write("bad.env", "A=1\na b=c\n")
    (project.directory.parent / "outside.env").write_text("A=1\n")
    (project.directory / "link.env").symlink_to(project.directory.parent / "outside.env")
    file = project.write("compose.yml", text)
    with pytest.raises(ConfigurationError) as caught:
        read_stack("shop", [file], variables={})
    assert str(caught.value).startswith(f"{file}:{message}")


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
