"""A service as Swarm's specification; the suite for a swarm compares whole ones with the docker client's."""

from __future__ import annotations

from typing import Any

import pytest

REFUSED = [
    ("deploy: {mode: replicated-job}", "4:14: mode replicated-job can't be honoured"),
    ("networks: [back]", "4:5: network 'back' is not there"),
    ("secrets: [token]", "4:15: secret 'token' is not there"),
    ("healthcheck: {disable: true, test: x}", "4:5: test and disable can't be stated both"),
    ("deploy: {mode: some}", "4:14: mode 'some' is not known: use replicated or global"),
    ("deploy: {endpoint_mode: dns}", "4:14: endpoint_mode 'dns': use vip or dnsrr"),
    ("restart: on-failure:many", "4:5: restart 'on-failure:many': use no, always, unless-stopped or on-failure:3"),
    ("networks: {default: {ipv4_address: 10.0.0.5}}", "4:16: ipv4_address can't be honoured: Swarm gives tasks"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_swarm_could_not_do_is_refused(project: Any, text: str, message: str) -> None:
    assert project.service_refusal(text).startswith(message)


def test_what_a_service_does_not_say_is_left_to_swarm(project: Any) -> None:
    spec = project.spec("user: app")
    assert spec["Name"] == "shop_web"
    assert spec["Labels"] == {"com.docker.stack.namespace": "shop", "com.docker.stack.image": "web:1"}
    assert spec["Mode"] == {"Replicated": {"Replicas": 1}}
    assert spec["TaskTemplate"]["Networks"] == [{"Target": "shop_default", "Aliases": ["web"]}]
    assert "RestartPolicy" not in spec["TaskTemplate"]
    inside = spec["TaskTemplate"]["ContainerSpec"]
    assert sorted(inside) == ["Image", "Labels", "Privileges", "User"]


RESTART = [
    ("no", None),
    ("always", {"Condition": "any"}),
    ("unless-stopped", {"Condition": "any"}),
    ("on-failure", {"Condition": "on-failure"}),
    ("on-failure:3", {"Condition": "on-failure", "MaxAttempts": 3}),
]


@pytest.mark.parametrize(("words", "policy"), RESTART)
def test_restart_becomes_swarm_s_policy(project: Any, words: str, policy: object) -> None:
    assert project.spec(f'restart: "{words}"')["TaskTemplate"].get("RestartPolicy") == policy


def test_a_capability_that_is_added_and_dropped_is_added(project: Any) -> None:
    inside = project.spec("cap_add: [net_admin]\ncap_drop: [CAP_NET_ADMIN, chown]")["TaskTemplate"]["ContainerSpec"]
    assert inside["CapabilityAdd"] == ["CAP_NET_ADMIN"]
    assert inside["CapabilityDrop"] == ["CAP_CHOWN"]


def test_a_health_check_that_is_off_says_so(project: Any) -> None:
    inside = project.spec("healthcheck: {disable: true}")["TaskTemplate"]["ContainerSpec"]
    assert inside["Healthcheck"] == {"Test": ["NONE"]}
