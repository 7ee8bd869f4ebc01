"""What the services of a stack share: networks, secrets and configs."""

from __future__ import annotations

from typing import Any

import pytest

ONE = "services:\n  web:\n    image: web:1\n"


def test_objects_belong_to_the_stack(project: Any) -> None:
    project.write("token.txt", "hunter2")
    text = "services: {web: {image: web, secrets: [token]}}\nsecrets: {token: {file: token.txt}}"
    network, secret = project.stack(text).objects
    assert (network.kind, network.name, network.specification["Driver"]) == ("network", "shop_default", "overlay")
    assert (secret.kind, secret.name, secret.content) == ("secret", "shop_token", b"hunter2")
    assert secret.specification["Labels"] == {"com.docker.stack.namespace": "shop"}
    assert "hunter2" not in repr(secret)


def test_what_is_external_has_to_be_there_and_only_networks_in_use_are_made(project: Any) -> None:
    text = "services: {web: {image: web, networks: [front, back, host]}}\n"
    text += "networks: {front: {external: true, name: edge}, back: , host: {external: true}, idle: }\n"
    text += "configs: {c: {external: {name: outside}}}"
    found = [(one.kind, one.name, one.external) for one in project.stack(text).objects]
    assert found == [
        ("network", "shop_back", False),
        ("network", "edge", True),
        ("network", "host", True),
        ("config", "outside", True),
    ]


def test_a_network_and_a_secret_have_their_options(project: Any) -> None:
    text = ONE + "    networks: [back]\nnetworks: {back: {internal: true, ipam: {config: [{subnet: 10.9.0.0/24}]}}}\n"
    text += "secrets: {s: {driver: vault, labels: {a: 1}, template_driver: golang}}"
    network, secret = project.stack(text).objects
    assert network.specification["Internal"] is True
    assert network.specification["IPAM"] == {"Driver": "", "Config": [{"Subnet": "10.9.0.0/24"}]}
    assert secret.specification["Driver"] == {"Name": "vault", "Options": {}}
    assert secret.specification["Templating"] == {"Name": "golang"}
    assert secret.specification["Labels"] == {"a": "1", "com.docker.stack.namespace": "shop"}
    assert secret.content == b""


REFUSED = [
    (ONE + "secrets: {s: {file: /etc/passwd}}", "4:15: file /etc/passwd is outside of the project's folder"),
    (ONE + "secrets: {s: {}}", "4:11: secrets.s has no file"),
    (ONE + "networks: {n: {external: true, driver: overlay}}", "4:32: networks.n is external, so driver can't be"),
    (ONE + "secrets: {s: {file: empty.txt}}", "4:15: file empty.txt has 0 bytes: Swarm takes 1 to 500,000"),
    (ONE + "secrets: {s: {driver: vault, file: a}}", "4:15: secrets.s has a driver and a file: state one of them"),
    (ONE + "networks: {n: {external: {name: a}, name: b}}", "4:37: networks.n has a name twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_can_not_be_made_is_refused(project: Any, text: str, message: str) -> None:
    project.write("empty.txt", "")
    assert project.refusal(text).startswith(message)
